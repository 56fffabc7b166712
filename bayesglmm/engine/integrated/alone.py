"""One group term alone: H = I + M' Z' W Z M is block diagonal, and levels are the innermost loop; compiled.

Levels come in chunks of WIDTH, an entry of all levels of a chunk beside each other, so that every step is a vector
instruction on numbers in the nearest cache. A chunk of w levels holds (q * q, w) of Z' W Z, of the factor L (with
1 / L_kk on the diagonal) and (m * q, w) of D = Z' W [Q y~] and T = L^-1 M' D, columns of D first.
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.engine.integrated.levels import LARGE
from bayesglmm.engine.integrated.vectors import add, add_product, dot, fill, invert, multiply, sum_of

__all__ = ["alone_moments", "draw_alone", "factor_alone", "in_chunks"]

#: Levels of a chunk: long enough that calls do not count; T of two effects and six coefficients takes 28 KiB.
WIDTH = 256


def in_chunks(entries: np.ndarray) -> np.ndarray:
    """Return entries (J, e) of levels as chunks (e, w), one after the other."""
    chunks = [entries[first : first + WIDTH].T.ravel() for first in range(0, len(entries), WIDTH)]
    return np.concatenate([np.zeros(0), *chunks])


@jitable
def _invert_roots(L, at, w):  # type: ignore[no-untyped-def]  # compiled
    """Turn pivots into 1 / sqrt(pivot); return the sum of their logarithms, nan if one is not positive."""
    product, total = 1.0, 0.0
    for e in range(at, at + w):
        if not L[e] > 0.0:
            return math.nan
        product *= L[e]
        if not product <= LARGE:
            total += math.log(product)
            product = 1.0
    invert(L, at, w)
    return total + math.log(product)


@jitable
def _factor(M, q, C, own, L, w):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (lower triangle) of a chunk at ``own``; return its log determinant."""
    total = 0.0
    for k in range(q):
        for l in range(k + 1):
            at = own + (k * q + l) * w
            fill(L, at, 1.0 if k == l else 0.0, w)
            for h in range(k, q):  # M is lower triangular
                for g in range(l, q):
                    factor = M[0, h, k] * M[0, g, l]
                    if factor != 0.0:
                        add(L, at, factor, C, own + (h * q + g) * w, w)
            for h in range(l):
                add_product(L, at, -1.0, L, own + (k * q + h) * w, L, own + (l * q + h) * w, w)
            if k > l:
                multiply(L, at, L, own + (l * q + l) * w, w)
            else:
                total += _invert_roots(L, at, w)
    return total


@jitable
def _spread(M, q, L, own, D, first, m, T, w):  # type: ignore[no-untyped-def]  # compiled
    """Fill T = L^-1 M' D of a chunk, which begins at ``own`` in L and at ``first`` in D and T."""
    for x in range(m):
        column = first + x * q * w
        for k in range(q):
            at = column + k * w
            fill(T, at, 0.0, w)
            for h in range(k, q):
                if M[0, h, k] != 0.0:
                    add(T, at, M[0, h, k], D, column + h * w, w)
            for h in range(k):
                add_product(T, at, -1.0, L, own + (k * q + h) * w, T, column + h * w, w)
            multiply(T, at, L, own + (k * q + k) * w, w)


@jitable
def factor_alone(M, q, C, D, L, T, S):  # type: ignore[no-untyped-def]  # compiled
    """Fill L and T, take T' T from the lower triangle of S (m, m), and return log det H (nan if there is no factor)."""
    m, total = S.shape[0], 0.0
    levels = C.shape[0] // (q * q)
    for j in range(0, levels, WIDTH):
        w, own, first = min(WIDTH, levels - j), j * q * q, j * q * m
        total += _factor(M, q, C, own, L, w)
        _spread(M, q, L, own, D, first, m, T, w)
        n = q * w
        for x in range(m):
            for y in range(x + 1):
                S[x, y] -= dot(T, first + x * n, T, first + y * n, n)
    return total


@jitable
def alone_moments(N, L, T, second):  # type: ignore[no-untyped-def]  # compiled
    """Add to ``second`` (q, q) the sum over levels of X = L^-T (I + U U') L^-1, U = T N."""
    q, m = second.shape[0], N.shape[0]
    levels = L.shape[0] // (q * q)
    U, X = np.empty(q * WIDTH), np.empty(q * q * WIDTH)
    for j in range(0, levels, WIDTH):
        w, own, first = min(WIDTH, levels - j), j * q * q, j * q * m
        for k in range(q):
            for l in range(q):
                fill(X, (k * q + l) * w, 1.0 if k == l else 0.0, w)
        for c in range(N.shape[1]):
            fill(U, 0, 0.0, q * w)
            for x in range(m):
                if N[x, c] != 0.0:  # but for its first column N is a triangle
                    add(U, 0, N[x, c], T, first + x * q * w, q * w)
            for k in range(q):
                for l in range(q):
                    add_product(X, (k * q + l) * w, 1.0, U, k * w, U, l * w, w)
        _back_substitute(q, L, own, q, X, w)
        _sum_whole(q, L, own, X, w, second)


@jitable
def _back_substitute(q, L, own, columns, X, w):  # type: ignore[no-untyped-def]  # compiled
    """Turn X (q, columns, w) into L^-T X."""
    for k in range(q - 1, -1, -1):
        for l in range(columns):
            at = (k * columns + l) * w
            for h in range(k + 1, q):
                add_product(X, at, -1.0, L, own + (h * q + k) * w, X, (h * columns + l) * w, w)
            multiply(X, at, L, own + (k * q + k) * w, w)


@jitable
def _sum_whole(q, L, own, X, w, second):  # type: ignore[no-untyped-def]  # compiled
    """Add X L^-1, summed over a chunk's levels, to ``second``; X is overwritten."""
    for l in range(q - 1, -1, -1):
        for k in range(q):
            at = (k * q + l) * w
            for h in range(l + 1, q):
                add_product(X, at, -1.0, L, own + (h * q + l) * w, X, (k * q + h) * w, w)
            multiply(X, at, L, own + (l * q + l) * w, w)
            second[k, l] += sum_of(X, at, w)


@jitable
def draw_alone(q, L, T, v, z):  # type: ignore[no-untyped-def]  # compiled
    """Turn standard normal numbers in z (J * q,) into L^-T (z + T v), v (m,)."""
    m, levels = v.shape[0], L.shape[0] // (q * q)
    U = np.empty(q * WIDTH)
    for j in range(0, levels, WIDTH):
        w, own, first = min(WIDTH, levels - j), j * q * q, j * q * m
        for k in range(q):
            for e in range(w):
                U[k * w + e] = z[(j + e) * q + k]
        for x in range(m):
            add(U, 0, v[x], T, first + x * q * w, q * w)
        _back_substitute(q, L, own, 1, U, w)
        for k in range(q):
            for e in range(w):
                z[(j + e) * q + k] = U[k * w + e]
