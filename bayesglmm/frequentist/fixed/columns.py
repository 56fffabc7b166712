"""Group effects as columns beside X: a coding of full rank, and which coefficients it leaves without a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns

__all__ = ["GroupColumns"]

#: Share of a column's squared length outside the span of those before it, below which it is taken to lie in it.
_TOLERANCE = 1e-10
#: A column that X reproduces this well, relative to its length, is in X's span.
_IN_SPAN = 1e-8


@dataclass(frozen=True, eq=False)
class GroupColumns:
    """The columns D = [X, Z] T of the identified parameters, in the rows that are used.

    Attributes
    ----------
    D : sparse array, shape (r, k)
        Columns of the k identified parameters, of full rank.
    T : ndarray, shape (p + Q, k)
        (beta, u) = T gamma. Where X has the column that an effect multiplies, the effects are deviations that sum to 0
        over the levels, and the coefficient is their mean.
    inner : ndarray, shape (p + Q, k)
        The same for the effects of centred columns, in which D is made: far from 0 a covariate is all but constant.
    known : ndarray of bool, shape (p + Q,)
        Which entries of (beta, u) the data identify, those that are held at 0 aside.
    held : ndarray of bool, shape (p,)
        Coefficients held at 0 because the group effects, and the coefficients before them, can say the same.
    """

    D: sparse.csr_array
    T: np.ndarray
    inner: np.ndarray
    known: np.ndarray
    held: np.ndarray

    @classmethod
    def of(cls, design: Design, used: np.ndarray) -> GroupColumns:
        """Code ``design``'s rows ``used`` (bool, shape (n,)); a level without such a row has no column."""
        S = _origin(design, used)
        X, Z = design.X[used], _effects(design, used)
        p = X.shape[1]
        present = np.concatenate([np.ones(p, dtype=bool), np.asarray(abs(Z).sum(axis=0)) > 0.0])
        means, levels = _codings(design, used, present)
        # Means over levels come first, then the levels, then what the levels may make superfluous.
        rest = [c for c in range(p) if c not in means]
        order = [*means, *rest]
        common = sparse.csr_array((np.ones(p), (order, np.arange(p))), shape=(len(present), p))
        coded = sparse.hstack([common[:, : len(means)], levels, common[:, len(means) :]], format="csr")
        D = sparse.csr_array((sparse.hstack([sparse.csr_array(X), Z], format="csr") @ S) @ coded)
        kept, null = _independent((D.T @ D).toarray())
        of_levels = np.zeros(coded.shape[1], dtype=bool)
        of_levels[len(means) : len(means) + levels.shape[1]] = True
        held = np.zeros(p, dtype=bool)
        held[np.array(rest, dtype=int)[~kept[len(means) + levels.shape[1] :]]] = True
        # What moves with a combination of effects that changes no row's predictor has no value of its own.
        T = _deviations(design, present, (S @ coded).toarray())
        rounding = 1e-6 + 1e-9 * np.asarray(abs(S).sum(axis=1))
        moves = abs(T @ null[:, of_levels[~kept]]) > rounding[:, None]
        return cls(D[:, np.flatnonzero(kept)], T[:, kept], coded.toarray()[:, kept], present & ~moves.any(axis=1), held)


def _origin(design: Design, used: np.ndarray) -> sparse.csr_array:
    """Return S of (beta, u) = S (beta~, u~), effects of columns centred where an intercept takes up what is subtracted.

    The identity for a model without an intercept among its coefficients. Shape (p + Q, p + Q).
    """
    p = design.X.shape[1]
    S = sparse.lil_array(sparse.eye_array(p + design.n_effects))
    if not design.has_intercept or not used.any():
        return sparse.csr_array(S)
    S[0, 1:p] = -design.X[used, 1:].mean(axis=0)
    starts = p + np.cumsum([0, *(g.size for g in design.groups)])
    hosts = {
        frozenset(g.factor.columns): (at, g.n_effects)
        for g, at in zip(design.groups, starts, strict=False)
        if g.has_intercept
    }
    for group, at in zip(design.groups, starts, strict=False):
        host = hosts.get(frozenset(group.factor.columns))
        if host is None:
            continue
        J = np.arange(group.n_levels)
        for k, column in enumerate(group.columns()):
            if not (k == 0 and group.has_intercept):
                S[host[0] + host[1] * J, at + k + group.n_effects * J] = -float(column[used].mean())
    return sparse.csr_array(S)


def _deviations(design: Design, present: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return T with the mean of every term's intercepts moved to the intercept, which changes no linear predictor."""
    if not design.has_intercept:
        return T
    T, at = T.copy(), design.X.shape[1]
    for group in design.groups:
        places = at + group.n_effects * np.arange(group.n_levels)
        places = places[present[places]]
        if group.has_intercept and len(places):
            mean = T[places].mean(axis=0)
            T[places] -= mean
            T[0] += mean
        at += group.size
    return T


def _effects(design: Design, used: np.ndarray) -> sparse.csr_array:
    """Return Z in the rows that are used, effects as the formula codes them, shape (r, Q)."""
    effects = EffectColumns.of(design)
    index, value = effects.index[:, used], effects.value[:, used]
    rows = np.broadcast_to(np.arange(index.shape[1]), index.shape)
    return sparse.csr_array((value.ravel(), (rows.ravel(), index.ravel())), shape=(index.shape[1], effects.size))


def _codings(design: Design, used: np.ndarray, present: np.ndarray) -> tuple[list[int], sparse.csr_array]:
    """Return which coefficients are means over levels, and the group effects' columns of T, (p + Q, .)."""
    X = design.X[used]
    p = X.shape[1]
    means: list[int] = []
    blocks = [sparse.csr_array((len(present), 0))]
    carried: list[np.ndarray] = []
    at = p
    for group in design.groups:
        for k, column in enumerate(group.columns()[:, used]):
            same = [c for c in range(p) if np.array_equal(X[:, c], column)]
            means += [c for c in same[:1] if c not in means]
            # Another term, or X, has this column already: the levels' mean is its coefficient.
            centred = bool(same) or _in_span(X, column) or any(np.array_equal(c, column) for c in carried)
            carried.append(column)
            places = at + k + group.n_effects * np.arange(group.n_levels)
            blocks.append(_coding(places[present[places]], len(present), centred))
        at += group.size
    return means, sparse.hstack(blocks, format="csr")


def _in_span(X: np.ndarray, column: np.ndarray) -> bool:
    if not X.shape[1] or not len(column):
        return False
    rest = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.linalg.norm(rest) <= _IN_SPAN * np.linalg.norm(column))


def _coding(places: np.ndarray, size: int, centred: bool) -> sparse.csr_array:
    """Return one column a level; or, of deviations, one a level but the last, which takes minus their sum."""
    J = len(places) - int(centred and len(places) > 0)
    rows, columns, values = places[:J], np.arange(J), np.ones(J)
    if centred and J:
        rows, columns = np.append(rows, np.repeat(places[-1], J)), np.append(columns, columns)
        values = np.append(values, -values)
    return sparse.csr_array((values, (rows, columns)), shape=(size, J))


def _independent(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns are independent of those before them (k,), and the combinations that are 0 (k, dropped)."""
    lengths = np.sqrt(np.diagonal(gram))
    lengths = np.where(lengths > 0.0, lengths, 1.0)
    scaled = gram / np.outer(lengths, lengths)
    k = len(scaled)
    try:
        if k == 0 or (np.diagonal(np.linalg.cholesky(scaled)) ** 2).min() > 1e-8:
            return np.ones(k, dtype=bool), np.zeros((k, 0))
    except np.linalg.LinAlgError:
        pass
    L, kept = np.zeros((k, k)), np.zeros(k, dtype=bool)
    for j in range(k):
        before = np.flatnonzero(kept)
        m = len(before)
        row = linalg.solve_triangular(L[:m, :m], scaled[before, j], lower=True) if m else np.zeros(0)
        pivot = scaled[j, j] - row @ row
        if pivot > _TOLERANCE:
            L[m, :m], L[m, m], kept[j] = row, np.sqrt(pivot), True
    null = np.zeros((k, int((~kept).sum())))
    null[~kept] = np.eye(null.shape[1])
    null[kept] = -np.linalg.solve(scaled[np.ix_(kept, kept)], scaled[np.ix_(kept, ~kept)])
    return kept, null / lengths[:, None]
