"""Levels of one group term that meet nothing: H = I + M' Z' W Z M is block diagonal; compiled.

M is Lambda relative to sigma. The arrays that are filled are those of `tree`, whatever the groups.
"""

from __future__ import annotations

import math

from bayesglmm.compiled import jitable

__all__ = ["LARGE", "add_whole", "factor_level", "factor_levels", "level_moments", "spread_level"]

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
def factor_levels(M, q, C, D, L, T, S):  # type: ignore[no-untyped-def]  # compiled
    """Factor levels that meet nothing.

    Fills L (J q q,) and T = L^-1 M' D (J q, m), takes T' T from the lower triangle of S (m, m), and returns log det H
    (nan if there is no factor).
    """
    product, total = 1.0, 0.0
    for j in range(D.shape[0] // q):
        product *= factor_level(M, 0, q, C, j * q * q, L)
        if not product <= LARGE:
            total += math.log(product)
            product = 1.0
        spread_level(M, 0, q, L, j * q * q, D, j * q, T)
        for k in range(j * q, j * q + q):
            for x in range(D.shape[1]):
                for y in range(x + 1):
                    S[x, y] -= T[k, x] * T[k, y]
    return total + math.log(product)


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


@jitable
def level_moments(N, L, T, U, second):  # type: ignore[no-untyped-def]  # compiled
    """Add to ``second`` (q, q) the sum over levels of L^-T (I + U U') L^-1, U = T N; ``U`` (q, m) is work space."""
    q, m = second.shape[0], N.shape[0]
    X = second.copy()
    for j in range(T.shape[0] // q):
        own, first = j * q * q, j * q
        for k in range(q):
            for x in range(N.shape[1]):
                value = 0.0
                for y in range(m):
                    value += T[first + k, y] * N[y, x]
                U[k, x] = value
            for l in range(k + 1):
                value = 1.0 if k == l else 0.0
                for x in range(N.shape[1]):
                    value += U[k, x] * U[l, x]
                X[k, l] = value
                X[l, k] = value
        add_whole(L, own, X, second)
