"""Partial centring from a penalised fit: what the data say of each level's effects, the rest held at its mode."""

from __future__ import annotations

import itertools

import numpy as np

from bayesglmm.covariance import AUTOREGRESSIVE
from bayesglmm.density import Centring
from bayesglmm.density.nesting import Nesting
from bayesglmm.design import Design
from bayesglmm.engine.pattern import Pattern, serial_pair
from bayesglmm.engine.penalised import Head
from bayesglmm.grouping import GroupEffects

__all__ = ["centring_at", "is_serial", "level_factors", "partially_centred"]


def centring_at(
    design: Design, pattern: Pattern, weights: np.ndarray, scores: np.ndarray, u: tuple[np.ndarray, ...]
) -> Centring:
    """Return C_j = Z_j' W Z_j and r_j = Z_j'(W eta_j + d1), so that every effect's mean is its mode at the fit.

    ``eta_j`` is what the effects themselves (for nested terms: those of the whole chain) add to the linear predictor.

    Parameters
    ----------
    design : Design
        Data.
    pattern : Pattern
        Which terms nest.
    weights, scores : ndarray, shape (n,)
        Weighted -d2 (not negative) and d1 of the rows at the fit.
    u : tuple of ndarray, each shape (J, q)
        Group effects at the fit.
    """
    nested = pattern.chain if centred_together(pattern) else ()
    pair = serial_pair(design, pattern.chain)
    together = nested if pair is None else pair
    of_chain = np.zeros(design.n_rows)
    for t in together:
        of_chain += np.einsum("kn,nk->n", design.groups[t].columns(), u[t][design.groups[t].codes])
    information, score = [np.zeros(0)], [np.zeros(0)]
    for t, (group, effects) in enumerate(zip(design.groups, u, strict=True)):
        J, columns = group.n_levels, group.columns()
        relationship = group.structure.relationship
        # Levels with a known covariance are centred one by one, each against its prior given the others: information
        # and score relative to that precision. Any constants are right; these let an effect's spread vary with sd.
        precision = 1.0 if relationship is None else relationship.precision.diagonal()
        eta = of_chain if t in together else np.einsum("kn,nk->n", columns, effects[group.codes])
        pseudo = weights * eta + scores
        information.append(_information(group, weights) / precision)
        r = np.array([np.bincount(group.codes, column * pseudo, minlength=J) for column in columns])
        score.append(r.T.ravel() / precision)
    nesting = _nesting(design, pattern, weights) if nested else Nesting.none()
    beside = np.full(len(design.groups), -1, dtype=np.int64)
    if pair is not None:
        beside[pair[0]] = pair[1]
    return Centring(np.concatenate(information), np.concatenate(score), nesting, beside)


def _information(group: GroupEffects, weights: np.ndarray) -> np.ndarray:
    """Return what the rows say of the effects of each level, as `Centring` has it, flat."""
    columns, J = group.columns(), group.n_levels
    if is_serial(group):
        return np.array([np.bincount(group.codes, weights * a * a, minlength=J) for a in columns]).T.ravel()
    C = np.array([[np.bincount(group.codes, weights * a * b, minlength=J) for a in columns] for b in columns])
    return np.ascontiguousarray(C.transpose(2, 0, 1)).ravel()


def is_serial(group: GroupEffects) -> bool:
    """Return whether a term's effects are those of `density.chain`."""
    return group.structure.keyword == AUTOREGRESSIVE.keyword


def centred_together(pattern: Pattern) -> bool:
    """Return whether the chain has several terms, all of scalar effects: those are centred as one tree."""
    return len(pattern.chain) > 1 and all(pattern.shapes[t][1] == 1 for t in pattern.chain)


def _nesting(design: Design, pattern: Pattern, weights: np.ndarray) -> Nesting:
    chain = [design.groups[t] for t in pattern.chain]
    first = np.concatenate([[0], np.cumsum([g.n_levels for g in chain])]).astype(np.int64)
    couplings = np.zeros((int(first[-1]), len(chain)))
    for d, inner in enumerate(chain):
        for e in range(d + 1, len(chain)):
            products = weights * inner.columns()[0] * chain[e].columns()[0]
            couplings[first[d] : first[d + 1], e] = np.bincount(inner.codes, products, minlength=inner.n_levels)
    return Nesting(np.array(pattern.chain, dtype=np.int64), first, np.ascontiguousarray(pattern.ancestors.T), couplings)


def level_factors(design: Design, head: Head, centring: Centring) -> list[np.ndarray]:
    """Return K_j of every level, one array (J, q, q) a group term: z = P^-1 Lambda' r + K^-T w.

    Lower triangular (see `density.centring`), but of serial effects upper triangular: their w go forward in time.
    """
    found, at = [], 0
    for group, Lambda in zip(design.groups, head.Lambda, strict=True):
        J, q = group.n_levels, group.n_effects
        if is_serial(group):
            c = centring.information[at : at + J * q].reshape(J, q)
            at += J * q
            P = np.eye(q) + np.einsum("ik,ji,il->jkl", Lambda, c, Lambda)
            found.append(np.ascontiguousarray(np.linalg.cholesky(P[:, ::-1, ::-1])[:, ::-1, ::-1]))
            continue
        C = centring.information[at : at + J * q * q].reshape(J, q, q)
        at += J * q * q
        found.append(np.linalg.cholesky(np.eye(q) + Lambda.T @ C @ Lambda))
    return found


def partially_centred(design: Design, head: Head, centring: Centring, z: np.ndarray) -> np.ndarray:
    """Return the coordinates w of spherical effects z, both (Q,): the inverse of what the density does."""
    w = np.empty_like(z)
    stops = np.cumsum([0, *(g.size for g in design.groups)]).tolist()
    places = [slice(a, b) for a, b in itertools.pairwise(stops)]
    block = 0
    for t, (group, Lambda) in enumerate(zip(design.groups, head.Lambda, strict=True)):
        J, q, part = group.n_levels, group.n_effects, places[t]
        if is_serial(group):
            _serial(t, Lambda, block, head, centring, places, z, w)
            block += J * q
            continue
        C = centring.information[block : block + J * q * q].reshape(J, q, q)
        block += J * q * q
        if t in centring.beside:
            continue
        K = np.linalg.cholesky(np.eye(q) + Lambda.T @ C @ Lambda)
        whitened = np.linalg.solve(K, (centring.score[part].reshape(J, q) @ Lambda)[:, :, None])[:, :, 0]
        w[part] = (np.einsum("jhk,jh->jk", K, z[part].reshape(J, q)) - whitened).ravel()
    if len(centring.nesting.terms):
        _nested(design, head, centring, places, z, w)
    return w


def _serial(
    t: int,
    Lambda: np.ndarray,
    block: int,
    head: Head,
    centring: Centring,
    places: list[slice],
    z: np.ndarray,
    w: np.ndarray,
) -> None:
    """Fill the coordinates of serial effects, and of the intercepts centred with them (see `density.chain`)."""
    q, part, beside = len(Lambda), places[t], int(centring.beside[t])
    sigma = float(Lambda[0, 0])
    L = head.L[t]
    e = np.diagonal(L)
    f = np.concatenate([[0.0], L[np.arange(1, q), np.arange(q - 1)] / np.where(e[:-1] > 0.0, e[:-1], 1.0)])
    c = centring.information[block : block + part.stop - part.start].reshape(-1, q).T
    r, own = centring.score[part].reshape(-1, q).T, z[part].reshape(-1, q).T
    m, h, k = sigma**2 * c, sigma * r, sigma * c
    for s in range(q - 2, -1, -1):
        through = f[s + 1] / (1.0 + e[s + 1] ** 2 * m[s + 1])
        m[s] += f[s + 1] * through * m[s + 1]
        h[s] += through * h[s + 1]
        k[s] += through * k[s + 1]
    g = 1.0 / (1.0 + e[:, None] ** 2 * m)
    if beside >= 0:
        sigma_b, share = float(head.Lambda[beside][0, 0]), e[:, None] ** 2 * g * k
        g_b = 1.0 / (1.0 + sigma_b**2 * np.maximum((c - share * k).sum(axis=0), 0.0))
        z_b = z[places[beside]]
        w[places[beside]] = (z_b - sigma_b * g_b * (r - share * h).sum(axis=0)) / np.sqrt(g_b)
        h = h - sigma_b * z_b * k
    found, v = np.empty_like(own), np.zeros(own.shape[1])
    for s in range(q):
        found[s] = (own[s] - e[s] * g[s] * (h[s] - m[s] * f[s] * v)) / np.sqrt(g[s])
        v = f[s] * v + e[s] * own[s]
    w[part] = found.T.ravel()


def _nested(design: Design, head: Head, centring: Centring, places: list[slice], z: np.ndarray, w: np.ndarray) -> None:
    """Fill the coordinates of the nested terms (see `density.nesting`)."""
    nesting = centring.nesting
    sigma = [float(head.Lambda[t][0, 0]) for t in nesting.terms]
    information = _information_of(design, centring)
    score = np.concatenate([centring.score[places[t]] for t in nesting.terms])
    k, first, D = nesting.couplings.copy(), nesting.first, len(nesting.terms)
    u = np.concatenate([s * z[places[t]] for s, t in zip(sigma, nesting.terms, strict=True)])
    for d, s in enumerate(sigma):
        nodes = slice(first[d], first[d + 1])
        P = 1.0 + s * s * information[nodes]
        for e in range(d + 1, D):
            above = nesting.ancestors[nodes, e]
            through = k[nodes, e] * s * s / P
            score -= np.bincount(above, through * score[nodes], minlength=len(score))
            information -= np.bincount(above, through * k[nodes, e], minlength=len(score))
            for f in range(e + 1, D):
                k[:, f] -= np.bincount(above, through * k[nodes, f], minlength=len(score))
        own = score[nodes].copy()
        for e in range(d + 1, D):
            own -= k[nodes, e] * u[nesting.ancestors[nodes, e]]
        w[places[nesting.terms[d]]] = np.sqrt(P) * (z[places[nesting.terms[d]]] - s * own / P)


def _information_of(design: Design, centring: Centring) -> np.ndarray:
    """Return C of the nodes of the nested terms, which are scalar."""
    starts = np.cumsum([0, *(g.n_levels * g.n_effects ** (1 if is_serial(g) else 2) for g in design.groups)])
    parts = [centring.information[starts[t] : starts[t + 1]] for t in centring.nesting.terms]
    return np.concatenate(parts)
