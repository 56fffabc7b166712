"""What was integrated out, drawn exactly given the rest and the data; compiled.

Coefficients come from their normal distribution given theta, then z from N(m, H^-1), H factored as for the density.
Both are made of standard normal numbers, which need not be drawn afresh for every draw of theta: here they swing back
by a third, w_i = -w_(i-1) / 3 + sqrt(8) / 3 e_i (over-relaxation, Adler 1981; Neal 1998). Each w_i is standard normal
and knows nothing of theta, so that the draws are exact. Given theta, means are known as from twice as many independent
draws, quantiles of 5 % as from as many, squares as from four fifths.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.density.layout import Q
from bayesglmm.engine.integrated.alone import draw_alone
from bayesglmm.engine.integrated.data import HELD, SAMPLED, SOURCES, WIDEST, copy, unpack
from bayesglmm.engine.integrated.kernel import eliminate, factor_space, factors, hold, integrate
from bayesglmm.engine.integrated.leaves import draw_leaves, first_depth, summed_rows
from bayesglmm.engine.integrated.moments import back_substitute

__all__ = ["compile_completion"]

#: Correlation of a standard normal number with the one before it, and the share that is new.
_BACK, _NEW = -1.0 / 3.0, math.sqrt(8.0) / 3.0


@jitable
def _draw_coefficients(A, v, coefficients, out):  # type: ignore[no-untyped-def]  # compiled
    """Turn standard normal numbers in out (p,) into coefficients; v becomes (-delta, 1) there."""
    R, origin = coefficients[2], coefficients[3]
    p = out.shape[0]
    for a in range(p - 1, -1, -1):  # delta = d + L_A^-T out
        for h in range(a + 1, p):
            out[a] -= A[h, a] * out[h]
        out[a] /= A[a, a]
    for a in range(p):
        out[a] -= v[a]
        v[a] = -out[a]
    for a in range(p - 1, -1, -1):  # gamma = b0 + R^-1 delta
        for h in range(a + 1, p):
            out[a] -= R[a, h] * out[h]
        out[a] /= R[a, a]
    for a in range(p):
        out[a] += origin[a]


@jitable
def _draw_tree(M, tree, places, sums, leaves, H, T, v, z, u):  # type: ignore[no-untyped-def]  # compiled
    """Turn standard normal numbers in z (Q, 1) into L^-T (z + T v); u is work space."""
    below, (first, last) = first_depth(leaves), summed_rows(tree, leaves)
    for k in range(T.shape[0]):
        if not first <= k < last:
            for y in range(v.shape[0]):
                z[k, 0] += T[k, y] * v[y]
    back_substitute(M, tree, places, below, H[0], H[1], H[2], z, u)
    if below:
        draw_leaves(M[places[0][0], 0, 0], tree, sums[0], sums[1], sums[3], v, u, z)


@jitable
def _swing_back(first, row, noise):  # type: ignore[no-untyped-def]  # compiled
    """Turn fresh standard normal numbers in row into the next of their series; ``noise`` holds the ones before."""
    for k in range(row.shape[0]):
        noise[k] = row[k] if first else _BACK * noise[k] + _NEW * row[k]
        row[k] = noise[k]


@jitable
def _complete(x, t, out):  # type: ignore[no-untyped-def]  # compiled
    """Turn standard normal numbers in the rows of out into points of the joint density above the rows of x."""
    priors, tree, places, sums, coefficients, numbers, _classes, leaves, chunks = unpack(t)
    terms, table, _lkj = priors
    held = numbers[HELD] > 0.0
    n_terms, m, widest, size = terms.shape[0], sums[4].shape[0], np.int64(numbers[WIDEST]), x.shape[1]
    scalars, v, grad, noise = np.empty((2, table.shape[0])), np.empty(m), np.empty(size), np.empty(out.shape[1])
    cubes, squares = np.zeros((2, n_terms, widest, widest)), np.empty((2, m, m))
    S, A = squares[0], squares[1]
    H = factor_space(sums, leaves)
    T, z, u = np.empty(sums[3].shape), np.empty(sums[3].shape[0]), np.empty((sums[3].shape[0], 1))
    first = 0 if held else m - 1
    for draw in range(x.shape[0]):
        sampled = numbers[SAMPLED] > 0.0
        _log_prior, sigma = factors(x[draw], priors, sampled, scalars[0], scalars[1], cubes[0], cubes[1], grad)
        eliminate(terms, tree, places, sums, leaves, chunks, cubes[1], H, T, S)
        row = out[draw]
        _swing_back(draw == 0, row, noise)
        copy(x[draw], row[first : first + size])
        if held:
            hold(scalars[0], coefficients, v)
        else:
            integrate(1.0 / (sigma * sigma), S, coefficients, A, v)
            _draw_coefficients(A, v, coefficients, row[: m - 1])
        copy(row[first + size :], z)
        for y in range(m):
            v[y] /= sigma
        if chunks[0].shape[0]:
            draw_alone(terms[0, Q], H[0], T.reshape(T.size), v, z)
        else:
            _draw_tree(cubes[1], tree, places, sums, leaves, H, T, v, z.reshape((z.size, 1)), u)
        copy(z, row[first + size :])


@functools.cache
def compile_completion() -> Any:
    """Compile the loop (x (draws, size), data, out (draws, joint size)) that draws beta and z, in place of noise."""
    stamp = source_stamp(*SOURCES)
    table = nb.float64[:, ::1]

    @compiled(nb.void(table, nb.int64[:, ::1], table))
    def complete_marginal(x, t, out):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        _complete(x, t, out)

    return complete_marginal
