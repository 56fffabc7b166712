"""The integral over one group's effects by Gauss-Hermite quadrature, with its exact gradient: compiled, group by group.

For a group with rows i, a_i = Lambda' x_i and h(z) = sum_i w_i l(y_i, f_i + a_i'z) - z'z / 2, the integral of exp(h(z))
over (2 pi)^(-q/2) dz is, with z_k = z^ + C t_k,

    log L = log |C| + log sum_k W_k exp(h(z_k) + t_k't_k / 2)

z^ is the mode of h, H = I - sum_i d2_i a_i a_i' its curvature there, and C = R^-1 with H = R'R (Liu & Pierce 1994;
Pinheiro & Bates 1995, section 2.5). Without adaptation z^ = 0 and C = I.

The nodes move with the parameters, and the gradient follows them. With p_k the terms' shares of the sum, g_k = h'(z_k),
N = sum_k p_k C'g_k t_k' and its upper triangle reflected to N~, the differential of C (dC = -C U(C'dH C), U the upper
triangle with half the diagonal) gives

    dlog L = sum_k p_k dh(z_k) + g'dz^ - tr(K dH) / 2,   g = sum_k p_k g_k,   K = C (I + N~) C'

which is the gradient of Laplace's approximation with K in the place of H^-1, and one more force g on the mode: with
s_i = a_i'K a_i, c = s d3 / 2 and v = H^-1 (g + A'c), row by row,

    d/df       = sum_k p_k d1(z_k) + c + d2 A v
    d/dLambda  = sum_i x_i [sum_k p_k d1(z_k) z_k' + (c + d2 a_i'v) z^' + d2 (K a_i)' + d1 v']
    d/dlog phi = sum_k p_k lp(z_k) + s'd2p / 2 + d1p' A v

d1, d2, d3, d1p, d2p without an argument are those at the mode.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from bayesglmm.compiled import compiled, source_stamp
from bayesglmm.families.record import Row
from bayesglmm.frequentist.quadrature.group_mode import find_group_mode
from bayesglmm.frequentist.quadrature.group_rows import follow_row, move_rows, visit_rows
from bayesglmm.frequentist.quadrature.group_sum import follow_mode, sum_over_nodes

__all__ = ["SOURCES", "compile_group_integral"]

#: What the loops over groups are made of.
SOURCES = tuple(f"frequentist/quadrature/group_{name}.py" for name in ("mode", "rows", "sum"))

_VECTOR = types.Array(types.float64, 1, "C", readonly=True)
_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_WHOLE = types.Array(types.int64, 1, "C", readonly=True)
_SIGNATURE = types.void(
    *[_VECTOR] * 4,  # y, size, weights, fixed
    *[_MATRIX, _WHOLE, _WHOLE],  # columns, order, starts
    *[_MATRIX, types.float64],  # factor, phi
    *[_MATRIX, _VECTOR, types.boolean],  # nodes, log_weights, adaptive
    types.float64[:, ::1],  # z
    types.float64[::1],  # value
    types.float64[::1],  # r
    types.float64[:, :, ::1],  # G
    types.float64[::1],  # slope
)


def _loop(row: Row, stamp: int) -> Callable[..., Any]:
    def group_integral(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        y,
        size,
        weights,
        fixed,
        columns,
        order,
        starts,
        factor,
        phi,
        nodes,
        log_weights,
        adaptive,
        z,
        value,
        r,
        G,
        slope,
    ):
        _ = stamp
        q = columns.shape[0]
        none = np.empty((0, 0))
        for j in range(starts.shape[0] - 1):
            rows = order[starts[j] : starts[j + 1]]
            n = rows.shape[0]
            data, x, a = np.empty((4, n)), np.empty((q, n)), np.zeros((q, n))
            for i in range(n):
                at = rows[i]
                data[0, i], data[1, i], data[2, i], data[3, i] = y[at], size[at], weights[at], fixed[at]
                for b in range(q):
                    x[b, i] = columns[b, at]
            for b in range(q):
                for c in range(q):
                    for i in range(n):
                        a[b, i] += factor[c, b] * x[c, i]
            C, table = np.eye(q), np.empty((7, n))
            center, shift, log_scale = z[j], -np.inf, 0.0
            if adaptive:
                for _attempt in range(2):
                    shift = find_group_mode(move_rows, row, data, a, phi, center, table, C)
                    if not np.isnan(shift):
                        break
                    for b in range(q):
                        center[b] = 0.0  # once more, afresh
                if np.isnan(shift):
                    value[j] = np.nan
                    continue
                for b in range(q):
                    log_scale += np.log(C[b, b])
            part, g, N = np.zeros(n), np.zeros(q), np.zeros((q, q))
            G[j] = 0.0
            found = sum_over_nodes(
                visit_rows, row, data, x, a, phi, nodes, log_weights, center, C, shift, part, none, none, G[j], g, N
            )
            value[j], slope[j] = found[0] + log_scale, found[1]
            if adaptive:
                slope[j] += follow_mode(follow_row, x, a, center, C, table, g, N, part, none, G[j])
            for i in range(n):
                r[rows[i]] = part[i]

    return group_integral


@cache
def compile_group_integral(row: Row) -> Any:
    """Compile the loop over groups for one row function, or take it from numba's cache (see `families.rows`).

    Parameters
    ----------
    row : callable
        As described at `FamilyLink.row`.

    Returns
    -------
    callable
        ``(y, size, weights, fixed, columns, order, starts, factor, phi, nodes, log_weights, adaptive, z, value, r, G,
        slope)``: rows as in `Design` with ``fixed`` the rest of the linear predictor, all (n,); ``columns`` (q, n);
        ``order`` (n,) the rows sorted by group and ``starts`` (J + 1,) where each begins; ``factor`` Lambda (q, q). It
        moves ``z`` (J, q) to the modes (left at 0 if not ``adaptive``) and fills ``value`` (J,) with log L, nan where
        the search for a mode failed; ``r`` (n,) with its gradient in ``fixed``; ``G`` (J, q, q) and ``slope`` (J,) with
        those in Lambda and log phi.
    """
    stamp = source_stamp("families", *SOURCES)
    loop = _loop(row, zlib.crc32(Path(inspect.getfile(row)).read_bytes(), stamp))
    loop.__qualname__ = f"{loop.__name__}_{row.__module__}_{row.__qualname__}"
    return compiled(_SIGNATURE)(loop)
