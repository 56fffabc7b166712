"""The compiled loops of simulated likelihood: rows by draws, weights and weighted derivatives in one pass."""

from __future__ import annotations

import functools
import inspect
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.families.record import Row

__all__ = ["ARGUMENTS", "compile_importance", "ends_of", "replicate", "width_of"]

_VECTOR = types.float64[::1]
_MATRIX = types.float64[:, ::1]
_CUBE = types.float64[:, :, ::1]
_WHOLE = types.int64[::1]
#: Types of what kernels take after what they know of the rows: places, a, starts, draws, place, follow, out, cross.
ARGUMENTS = (
    types.int64[:, ::1],
    _MATRIX,
    types.UniTuple(_WHOLE, 3),
    types.UniTuple(_MATRIX, 2),
    types.UniTuple(_VECTOR, 3),
    types.boolean,
    types.UniTuple(_MATRIX, 6),
    _CUBE,
)
_SIGNATURE = types.void(_MATRIX, types.float64, *ARGUMENTS)

# Draws worked on together: enough for the loops over draws to run at full speed, few enough for the cache; and the
# slopes of the widest block's rows stay within 16 megabytes.
_WIDTH = 128
_SLOPES = 2_000_000
_NARROWEST = 8

# The helpers below take whole arrays and where to look in them, and loop: views and array expressions would take numba
# several times as long to compile.


@jitable
def _place(t, base, e0, at, centre, scale, m0, log_scale, work, z, pull):  # type: ignore[no-untyped-def]
    """Fill z = centre + C t, C upper triangular, the slope -z of its log density, and h = log density of z - log q."""
    D, count = z.shape[0], work.shape[1]
    h = work[1]
    for s in range(count):
        h[s] = base[at + s] + log_scale
    for i in range(D):
        zi, pull_i = z[i], pull[i]
        for s in range(count):
            zi[s] = centre[e0 + i]
        for j in range(i, D):
            c, tj = scale[m0 + i * D + j], t[e0 + j]
            if c != 0.0:
                for s in range(count):
                    zi[s] += c * tj[at + s]
        for s in range(count):
            h[s] -= 0.5 * zi[s] * zi[s]
            pull_i[s] = -zi[s]


@jitable
def _densities(row, table, phi, places, a, i0, i1, work, z, d1s, auxiliary, pull):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Add the rows' log densities to h; keep their slopes in eta, in log phi, and those of h in z."""
    eta, h, slope = work[0], work[1], work[2]
    count = work.shape[1]
    for s in range(count):
        slope[s] = 0.0
    for i in range(i0, i1):
        y, size, weight = table[0, i], table[1, i], table[2, i]
        d1 = d1s[i - i0]
        for s in range(count):
            eta[s] = table[3, i]
        for k in range(places.shape[0]):
            zk, multiplier = z[places[k, i]], a[k, i]
            for s in range(count):
                eta[s] += multiplier * zk[s]
        for s in range(count):
            l, first, _d2, _d3, lp, _d1p, _d2p = row(y, size, eta[s], phi)
            h[s] += weight * l
            slope[s] += weight * lp
            d1[s] = weight * first
        for k in range(places.shape[0]):
            pull_k, multiplier = pull[places[k, i]], a[k, i]
            for s in range(count):
                pull_k[s] += multiplier * d1[s]
    for s in range(count):
        if not math.isfinite(h[s]):  # the density is 0 here, and its slopes are no numbers
            h[s] = -math.inf
            slope[s] = 0.0
            for i in range(i1 - i0):
                d1s[i, s] = 0.0
            for i in range(pull.shape[0]):
                pull[i, s] = 0.0


@jitable
def _product(a, b, at, count):  # type: ignore[no-untyped-def]
    """Return sum_s a[s] b[at + s], in four sums that do not wait for one another."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = count - count % 4
    for s in range(0, whole, 4):
        s0 += a[s] * b[at + s]
        s1 += a[s + 1] * b[at + s + 1]
        s2 += a[s + 2] * b[at + s + 2]
        s3 += a[s + 3] * b[at + s + 3]
    for s in range(whole, count):
        s0 += a[s] * b[at + s]
    return (s0 + s1) + (s2 + s3)


@jitable
def _collect(places, i0, i1, work, z, d1s, scores, cross):  # type: ignore[no-untyped-def]
    """Add the draws' part, by their shares, to the rows' scores and to scores times effects."""
    share, count = work[3], work.shape[1]
    for i in range(i0, i1):
        d1 = d1s[i - i0]
        scores[i] += _product(d1, share, 0, count)
        for s in range(count):
            d1[s] *= share[s]
        for k in range(places.shape[0]):
            cross[k, i] += _product(d1, z[places[k, i]], 0, count)


@jitable
def _collect_pull(t, e0, at, m0, work, pull, pulls, moments):  # type: ignore[no-untyped-def]
    """Add the draws' part to the mean slope in z, and to the upper triangle of that times t."""
    share, count, D = work[3], work.shape[1], pull.shape[0]
    for i in range(D):
        slopes = pull[i]
        pulls[e0 + i] += _product(slopes, share, 0, count)
        for s in range(count):
            slopes[s] *= share[s]
        for j in range(i, D):
            moments[m0 + i * D + j] += _product(slopes, t[e0 + j], at, count)


@jitable
def _rescale(factor, vector, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        vector[i] *= factor


@jitable
def _collect_auxiliary(i0, i1, work, slopes, auxiliary):  # type: ignore[no-untyped-def]
    """Add the draws' part, by their shares, to the slopes in the rows' auxiliary predictors."""
    share, count = work[3], work.shape[1]
    for k in range(slopes.shape[0]):
        for i in range(i0, i1):
            auxiliary[k, i] += _product(slopes[k, i - i0], share, 0, count)


@jitable
def _rescale_all(factor, ends, scores, auxiliary, cross, pulls, moments):  # type: ignore[no-untyped-def]
    i0, i1, e0, e1, m0, m1 = ends
    _rescale(factor, scores, i0, i1)
    for k in range(auxiliary.shape[0]):
        _rescale(factor, auxiliary[k], i0, i1)
    for k in range(cross.shape[0]):
        _rescale(factor, cross[k], i0, i1)
    _rescale(factor, pulls, e0, e1)
    _rescale(factor, moments, m0, m1)


@jitable
def replicate(  # type: ignore[no-untyped-def]
    densities,
    row,
    table,
    phi,
    places,
    a,
    ends,
    t,
    base,
    span,
    place,
    follow,
    log_weights,
    scores,
    slopes,
    auxiliary,
    cross,
    pulls,
    moments,
):
    """Fill one block's part of one replicate; return the log mean weight and the weighted slope in log phi.

    ``densities`` evaluates rows by ``row``: `_densities`, or `extended_kernel.extended_densities`, which fills slopes
    in the auxiliary predictors too, (m, rows of the block, width); ``auxiliary`` (m, n) is for their means. m = 0
    without.
    """
    i0, i1, e0, e1, m0, _ = ends
    begin, end, width = span
    centre, scale, log_scale = place
    work, d1s = np.empty((4, width)), np.empty((i1 - i0, width))
    z, pull = np.empty((e1 - e0, width)), np.empty((e1 - e0, width))
    h, slope, share = work[1], work[2], work[3]
    total, total_slope, top = 0.0, 0.0, -math.inf
    for at in range(begin, end, width):
        _place(t, base, e0, at, centre, scale, m0, log_scale, work, z, pull)
        densities(row, table, phi, places, a, i0, i1, work, z, d1s, slopes, pull)
        highest = top
        for s in range(width):
            log_weights[at + s] = h[s]
            highest = max(highest, h[s])
        if highest == -math.inf:
            continue
        if highest > top:  # weights are relative to the highest so far
            shrink = math.exp(top - highest)
            top = highest
            total *= shrink
            total_slope *= shrink
            _rescale_all(shrink, ends, scores, auxiliary, cross, pulls, moments)
        for s in range(width):
            share[s] = math.exp(h[s] - top)
            total += share[s]
            total_slope += share[s] * slope[s]
        _collect_auxiliary(i0, i1, work, slopes, auxiliary)
        _collect(places, i0, i1, work, z, d1s, scores, cross)
        if follow:
            _collect_pull(t, e0, at, m0, work, pull, pulls, moments)
    if total == 0.0:
        return -math.inf, 0.0
    _rescale_all(1.0 / total, ends, scores, auxiliary, cross, pulls, moments)
    return top + math.log(total / (end - begin)), total_slope / total


@jitable
def ends_of(row_starts, effect_starts, entry_starts, b):  # type: ignore[no-untyped-def]
    """Return where a block's rows, effects and squared effects begin and end."""
    rows, effects = (row_starts[b], row_starts[b + 1]), (effect_starts[b], effect_starts[b + 1])
    return rows[0], rows[1], effects[0], effects[1], entry_starts[b], entry_starts[b + 1]


@jitable
def width_of(S, rows):  # type: ignore[no-untyped-def]
    """Return how many of S draws are worked on together."""
    width = min(_WIDTH, S)
    while width > _NARROWEST and width * rows > _SLOPES:
        width //= 2  # powers of 2, as S: no draws are left over
    return width


def _loop(row: Row, stamp: tuple[int, int]) -> Callable[..., None]:
    def importance(table, phi, places, a, starts, draws, place, follow, out, cross):  # type: ignore[no-untyped-def]
        _ = stamp
        row_starts, effect_starts, entry_starts = starts
        t, base = draws
        centre, scale, log_scale = place
        log_weights, log_means, slopes, scores, pulls, moments = out
        replicates, blocks = log_means.shape
        S, no_slopes, none = t.shape[1] // replicates, np.empty((0, 0, 0)), np.empty((0, 0))
        for b in range(blocks):
            ends = ends_of(row_starts, effect_starts, entry_starts, b)
            width = width_of(S, ends[1] - ends[0])
            for r in range(replicates):
                span = (r * S, (r + 1) * S, width)
                at = (centre, scale, log_scale[b])
                log_means[r, b], slopes[r, b] = replicate(
                    _densities,
                    row,
                    table,
                    phi,
                    places,
                    a,
                    ends,
                    t,
                    base[b],
                    span,
                    at,
                    follow,
                    log_weights[b],
                    scores[r],
                    no_slopes,
                    none,
                    cross[r],
                    pulls[r],
                    moments[r],
                )

    return importance


@functools.cache
def compile_importance(row: Row) -> Callable[..., None]:
    """Compile the loops around a row function, or take them from numba's cache on disk (see `families.rows`).

    The kernel is ``importance(table, phi, places, a, starts, draws, place, follow, out, cross)``, with rows and effects
    sorted by block:

    - ``table`` (4, n): response, size, weight and fixed part of the predictor;
    - ``places``, ``a`` (m, n): which effects of its block a row touches, and with what multiplier;
    - ``starts``: where blocks begin among rows, effects and squared numbers of effects, each (B + 1,);
    - ``draws``: t (Q, S), replicate after replicate, each a power of 2; and (B, S) -D/2 log(2 pi) - log q(t);
    - ``place``: centre (Q,), C of every block (sum D^2,) and log det C (B,) of z = centre + C t;
    - ``out``: log weights (B, S), log mean weights (R, B), slopes in log phi (R, B), scores d1 (R, n), slopes of the
      log weight in z (R, Q), and those times t' (R, sum D^2; upper triangles); ``cross``: d1 z (R, m, n).

    Slopes and scores are means by the weights within each replicate; the last three of ``out`` and ``cross`` must be
    zero before, and those in z are filled only if ``follow``.
    """
    stamp = (source_stamp(), zlib.crc32(Path(inspect.getfile(row)).read_bytes()))
    loop = _loop(row, stamp)
    loop.__qualname__ = f"importance_{row.__module__}_{row.__qualname__}"  # a name of its own: see families/rows.py
    kernel: Callable[..., Any] = compiled(_SIGNATURE)(loop)
    return kernel
