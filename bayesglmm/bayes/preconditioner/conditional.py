"""Partial centring from a penalised fit: what the data say of each level's effects, the rest held at its mode."""

from __future__ import annotations

import numpy as np

from bayesglmm.density import Centring
from bayesglmm.density.nesting import Nesting
from bayesglmm.design import Design
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.penalised import Head

__all__ = ["centring_at", "level_factors", "partially_centred"]


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
    of_chain = np.zeros(design.n_rows)
    for t in nested:
        of_chain += design.groups[t].columns()[0] * u[t][design.groups[t].codes, 0]
    information, score = [np.zeros(0)], [np.zeros(0)]
    for t, (group, effects) in enumerate(zip(design.groups, u, strict=True)):
        J, columns = group.n_levels, group.columns()
        if group.structure.relationship is not None:
            # Levels are correlated: what the data say of one is no guide to how it should be centred.
            information.append(np.zeros(J))
            score.append(np.zeros(J))
            continue
        C = np.array([[np.bincount(group.codes, weights * a * b, minlength=J) for a in columns] for b in columns])
        eta = of_chain if t in nested else np.einsum("kn,nk->n", columns, effects[group.codes])
        pseudo = weights * eta + scores
        r = np.array([np.bincount(group.codes, column * pseudo, minlength=J) for column in columns])
        information.append(np.ascontiguousarray(C.transpose(2, 0, 1)).ravel())
        score.append(r.T.ravel())
    nesting = _nesting(design, pattern, weights) if nested else Nesting.none()
    return Centring(np.concatenate(information), np.concatenate(score), nesting)


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
    """Return K_j of every level, lower triangular, one array (J, q, q) a group term (see `density.centring`)."""
    found, at = [], 0
    for group, Lambda in zip(design.groups, head.Lambda, strict=True):
        J, q = group.n_levels, group.n_effects
        C = centring.information[at : at + J * q * q].reshape(J, q, q)
        at += J * q * q
        found.append(np.linalg.cholesky(np.eye(q) + Lambda.T @ C @ Lambda))
    return found


def partially_centred(design: Design, head: Head, centring: Centring, z: np.ndarray) -> np.ndarray:
    """Return the coordinates w of spherical effects z, both (Q,): the inverse of what the density does."""
    w, at = np.empty_like(z), 0
    places = []
    for group, Lambda, K in zip(design.groups, head.Lambda, level_factors(design, head, centring), strict=True):
        J, q = group.n_levels, group.n_effects
        part = slice(at, at + J * q)
        at = part.stop
        places.append(part)
        whitened = np.linalg.solve(K, (centring.score[part].reshape(J, q) @ Lambda)[:, :, None])[:, :, 0]
        w[part] = (np.einsum("jhk,jh->jk", K, z[part].reshape(J, q)) - whitened).ravel()
    if len(centring.nesting.terms):
        _nested(design, head, centring, places, z, w)
    return w


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
    starts = np.cumsum([0, *(g.n_levels * g.n_effects**2 for g in design.groups)])
    parts = [centring.information[starts[t] : starts[t + 1]] for t in centring.nesting.terms]
    return np.concatenate(parts)
