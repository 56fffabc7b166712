"""`group_integral` for rows with auxiliary predictors: one entry point for all families, which takes the C function.

In the place of the slope in log phi come those in each row's a and b,

    d/da_i = sum_k p_k la(z_k) + s_i d2a_i / 2 + d1a_i a_i'v,

and the same in b, in the notation of `group_integral`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.engine.pointers import derivatives_at
from bayesglmm.engine.types import IN, OUT, TABLE
from bayesglmm.frequentist.quadrature.extended_group_rows import follow_extended, move_extended, visit_extended
from bayesglmm.frequentist.quadrature.group_integral import SOURCES
from bayesglmm.frequentist.quadrature.group_mode import find_group_mode
from bayesglmm.frequentist.quadrature.group_sum import follow_mode, sum_over_nodes

__all__ = ["compile_extended_group_integral"]

_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_WHOLE = types.Array(types.int64, 1, "C", readonly=True)
_SIGNATURE = types.void(
    types.intp,  # address
    *[IN] * 4,  # y, known, weights, fixed
    *[_MATRIX, _WHOLE, _WHOLE],  # columns, order, starts
    _MATRIX,  # factor
    *[_MATRIX, IN, types.boolean],  # nodes, log weights, adaptive
    *[TABLE, OUT, OUT],  # z, value, r
    types.float64[:, :, ::1],  # G
    TABLE,  # slopes
)
_HEIGHT = 10


@jitable
def _rows_of_group(y, known, weights, fixed, rows):  # type: ignore[no-untyped-def]  # compiled
    """Return what `extended_group_rows` calls data."""
    n = rows.shape[0]
    own_y, own_known, own_weights, own_fixed = np.empty(n), np.empty(3 * n), np.empty(n), np.empty(n)
    for i in range(n):
        at = rows[i]
        own_y[i], own_weights[i], own_fixed[i] = y[at], weights[at], fixed[at]
        for k in range(3):
            own_known[k * n + i] = known[k * y.shape[0] + at]
    return own_y, own_known, own_weights, own_fixed, np.empty(n), np.empty((_HEIGHT, n))


@jitable
def _columns_of_group(columns, factor, rows):  # type: ignore[no-untyped-def]  # compiled
    """Return x (q, n), the columns in a group's rows, and a = Lambda' x."""
    q, n = columns.shape[0], rows.shape[0]
    x, a = np.empty((q, n)), np.zeros((q, n))
    for b in range(q):
        for i in range(n):
            x[b, i] = columns[b, rows[i]]
    for b in range(q):
        for c in range(q):
            for i in range(n):
                a[b, i] += factor[c, b] * x[c, i]
    return x, a


@jitable
def _center_group(derivatives, data, a, center, table, C):  # type: ignore[no-untyped-def]  # compiled
    """Move ``center`` to the mode and fill C; return (h there, log |C|), nan where there is no mode."""
    shift = np.nan
    for _attempt in range(2):
        shift = find_group_mode(move_extended, derivatives, data, a, 1.0, center, table, C)
        if not np.isnan(shift):
            break
        for b in range(center.shape[0]):
            center[b] = 0.0  # once more, afresh
    log_scale = 0.0
    for b in range(center.shape[0]):
        log_scale += np.log(C[b, b])
    return shift, log_scale


@functools.cache
def compile_extended_group_integral() -> Any:
    """Compile the loop over groups, or take it from numba's cache.

    Returns
    -------
    callable
        ``(address, y, known, weights, fixed, columns, order, starts, factor, nodes, log_w, adaptive, z, value, r, G,
        slopes)``: ``address`` of `RowKernels.pointer`, ``known`` (3 n,) as it takes it, ``slopes`` (2, n) filled with
        the gradient in a and b; the others as `group_integral.compile_group_integral` has them.
    """
    extended = "frequentist/quadrature/extended_group_rows.py"
    stamp = source_stamp(*SOURCES, extended, "engine/pointers.py", "engine/types.py")

    @compiled(_SIGNATURE)
    def extended_group_integral(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        address,
        y,
        known,
        weights,
        fixed,
        columns,
        order,
        starts,
        factor,
        nodes,
        log_w,
        adaptive,
        z,
        value,
        r,
        G,
        slopes,
    ):
        _ = stamp
        derivatives = derivatives_at(address)
        q = columns.shape[0]
        for j in range(starts.shape[0] - 1):
            rows = order[starts[j] : starts[j + 1]]
            n = rows.shape[0]
            data = _rows_of_group(y, known, weights, fixed, rows)
            x, a = _columns_of_group(columns, factor, rows)
            C, table = np.eye(q), np.empty((_HEIGHT, n))
            center, shift, log_scale = z[j], -np.inf, 0.0
            if adaptive:
                shift, log_scale = _center_group(derivatives, data, a, center, table, C)
                if np.isnan(shift):
                    value[j] = np.nan
                    continue
            part, g, N = np.zeros(n), np.zeros(q), np.zeros((q, q))
            each, means = np.empty((2, n)), np.zeros((2, n))
            G[j] = 0.0
            given = (visit_extended, derivatives, data, x, a, 1.0, nodes, log_w, center, C, shift)
            log_sum, _ = sum_over_nodes(*given, part, means, each, G[j], g, N)
            value[j] = log_sum + log_scale
            if adaptive:
                follow_mode(follow_extended, x, a, center, C, table, g, N, part, means, G[j])
            for i in range(n):
                r[rows[i]] = part[i]
                slopes[0, rows[i]], slopes[1, rows[i]] = means[0, i], means[1, i]

    return extended_group_integral
