"""`kernel` for rows with auxiliary predictors: one entry point for all families, which takes the rows' C function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.engine.pointers import derivatives_at
from bayesglmm.frequentist.simulation.kernel import ARGUMENTS, ends_of, replicate, width_of

__all__ = ["compile_extended_importance"]

_HEIGHT = 10  # numbers that an extended row gives
_FIRST, _SECOND = 4, 7  # where the slopes of l in a and b stand among them


@jitable
def _extended_densities(derivatives, table, phi, places, a, i0, i1, work, z, d1s, auxiliary, pull):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Add the rows' log densities to h; keep their slopes in eta, in a and b, and those of h in z."""
    eta, h, slope = work[0], work[1], work[2]
    count = work.shape[1]
    y, known, weights, found = np.empty(count), np.empty(3 * count), np.empty(count), np.empty((_HEIGHT, count))
    slope[:] = 0.0
    for i in range(i0, i1):
        y[:], weights[:] = table[0, i], table[2, i]
        known[:count], known[count : 2 * count], known[2 * count :] = table[1, i], table[4, i], table[5, i]
        eta[:] = table[3, i]
        for k in range(places.shape[0]):
            zk, multiplier = z[places[k, i]], a[k, i]
            for s in range(count):
                eta[s] += multiplier * zk[s]
        derivatives(y, known, weights, eta, 1.0, found)
        for s in range(count):
            h[s] += found[0, s]
            d1s[i - i0, s] = found[1, s]
            auxiliary[0, i - i0, s] = found[_FIRST, s]
            auxiliary[1, i - i0, s] = found[_SECOND, s]
        for k in range(places.shape[0]):
            pull_k, multiplier = pull[places[k, i]], a[k, i]
            for s in range(count):
                pull_k[s] += multiplier * found[1, s]
    for s in range(count):
        if not math.isfinite(h[s]):  # the density is 0 here, and its slopes are no numbers
            h[s] = -math.inf
            for i in range(i1 - i0):
                d1s[i, s] = 0.0
                auxiliary[0, i, s] = 0.0
                auxiliary[1, i, s] = 0.0
            for i in range(pull.shape[0]):
                pull[i, s] = 0.0


@functools.cache
def compile_extended_importance() -> Callable[..., None]:
    """Compile the loop, or take it from numba's cache.

    The kernel is ``importance(address, table, places, a, starts, draws, place, follow, out, cross, auxiliary)``:
    ``address`` of `RowKernels.pointer`; ``table`` (6, n) response, size, weight, fixed part of the predictor, and both
    auxiliary predictors; ``auxiliary`` (R, 2, n), zero before, for the slopes in them. The others are as
    `kernel.compile_importance` has them, slopes in log phi being 0.
    """
    stamp = source_stamp("frequentist/simulation/kernel.py", "engine/pointers.py", "engine/types.py")
    table, cube = types.float64[:, ::1], types.float64[:, :, ::1]

    @compiled(types.void(types.intp, table, *ARGUMENTS, cube))
    def extended_importance(  # type: ignore[no-untyped-def]
        address, table, places, a, starts, draws, place, follow, out, cross, auxiliary
    ):
        _ = stamp
        derivatives = derivatives_at(address)
        row_starts, effect_starts, entry_starts = starts
        t, base = draws
        centre, scale, log_scale = place
        log_weights, log_means, slopes, scores, pulls, moments = out
        replicates, blocks = log_means.shape
        S = t.shape[1] // replicates
        for b in range(blocks):
            ends = ends_of(row_starts, effect_starts, entry_starts, b)
            width = width_of(S, ends[1] - ends[0])
            room = np.empty((2, ends[1] - ends[0], width))
            for r in range(replicates):
                span = (r * S, (r + 1) * S, width)
                at = (centre, scale, log_scale[b])
                log_means[r, b], slopes[r, b] = replicate(
                    _extended_densities,
                    derivatives,
                    table,
                    1.0,
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
                    room,
                    auxiliary[r],
                    cross[r],
                    pulls[r],
                    moments[r],
                )

    kernel: Callable[..., Any] = extended_importance
    return kernel
