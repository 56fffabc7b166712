"""Steps on the q x q block of one level of a group term, H_j = I + M' C_j M, M Lambda relative to sigma; compiled."""

from __future__ import annotations

import math

from bayesglmm.compiled import jitable

__all__ = ["LARGE", "add_whole", "factor_level", "spread_level"]

#: Pivots are multiplied up to here before a logarithm is taken.
LARGE = 1e100


@jitable
def factor_level(M, t, q, C, own, L):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (lower triangle at ``own``) with the factor of I + M' C M; return its determinant, nan if there is none.

    M (terms, q, q) is read at term ``t``, C (flat, whole blocks) at ``own``.
    """
    product = 1.0
    for k in range(q):
        for l in range(k + 1):
            value = 1.0 if k == l else 0.0
            for h in range(k, q):  # M is lower triangular
                inner = 0.0
                for g in range(l, q):
                    inner += C[own + h * q + g] * M[t, g, l]
                value += M[t, h, k] * inner
            for h in range(l):
                value -= L[own + k * q + h] * L[own + l * q + h]
            if k > l:
                L[own + k * q + l] = value / L[own + l * q + l]
            elif not value > 0.0:
                return math.nan
            else:
                L[own + k * q + k] = math.sqrt(value)
                product *= value
    return product


@jitable
def spread_level(M, t, q, L, own, D, first, T):  # type: ignore[no-untyped-def]  # compiled
    """Fill rows ``first``, ... of T with L^-1 M' D; D and T (Q, m) may be one array."""
    for k in range(q):
        inverse = 1.0 / L[own + k * q + k]
        for x in range(D.shape[1]):
            value = M[t, k, k] * D[first + k, x]
            for h in range(k + 1, q):
                value += M[t, h, k] * D[first + h, x]
            for h in range(k):
                value -= L[own + k * q + h] * T[first + h, x]
            T[first + k, x] = value * inverse


@jitable
def add_whole(L, own, X, second):  # type: ignore[no-untyped-def]  # compiled
    """Add L^-T X L^-1 to ``second`` (q, q), L the lower triangle at ``own``; X is overwritten."""
    q = X.shape[0]
    for k in range(q - 1, -1, -1):  # L^-T from the left
        inverse = 1.0 / L[own + k * q + k]
        for l in range(q):
            value = X[k, l]
            for h in range(k + 1, q):
                value -= L[own + h * q + k] * X[h, l]
            X[k, l] = value * inverse
    for l in range(q - 1, -1, -1):  # L^-1 from the right
        inverse = 1.0 / L[own + l * q + l]
        for k in range(q):
            value = X[k, l]
            for h in range(l + 1, q):
                value -= L[own + h * q + l] * X[k, h]
            X[k, l] = value * inverse
            second[k, l] += X[k, l]
