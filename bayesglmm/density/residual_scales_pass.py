"""The pass of `residual_pass` where residuals have a standard deviation by row: log sigma_i = offset_i + w'columns_i.

With r = (y - eta) / sigma_i, t = L^-1 r and R = L L',

    l = -n log(2 pi) / 2 - sum log sigma_i - log|R| / 2 - t't / 2,    dl / d log sigma_i = r_i (R^-1 r)_i - 1.

An entry point of its own: models with one sigma keep theirs as it is.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled_pointer, jitable, source_stamp
from bayesglmm.density.addresses import int32_grid, int64_grid, int64_vector, real_grid, real_vector
from bayesglmm.density.layout import Layout
from bayesglmm.density.residual_likelihood import residual_arrays
from bayesglmm.density.residual_pass import pass_correlations
from bayesglmm.density.row_call import ROW_PASS
from bayesglmm.density.row_data import RowData
from bayesglmm.density.row_pass import row_predictor, row_scores
from bayesglmm.design import Design
from bayesglmm.residual import ResidualScales

__all__ = ["compile_scaled_residual_pass", "scaled_pass_arrays"]

#: Arrays that this pass reads: rows, Xt, slopes, codes, terms; columns and offset of log sigma; `residual_arrays`.
_ARRAYS = 16
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_SOURCES = ("residual_scales_pass", "residual_likelihood", "residual_pass", "row_pass", "layout", "addresses")


def scaled_pass_arrays(
    design: Design, layout: Layout, eta_lkj: float, scales: ResidualScales
) -> tuple[np.ndarray, ...]:
    """Return all arrays that the pass reads, each C-contiguous, rows in the order of `ResidualRows`."""
    residual = design.residual
    assert residual is not None
    rows = RowData.in_order(design, residual.order)
    of_scales = (np.ascontiguousarray(scales.columns), np.ascontiguousarray(scales.offset))
    return (rows.rows, rows.Xt, rows.slopes, rows.codes, layout.cells, *of_scales, *residual_arrays(residual, eta_lkj))


@jitable
def _pass_scaled(data, columns, offset, residual, beta, u, family, g_beta, gu, sums):  # type: ignore[no-untyped-def]
    """Fill g_beta, gu and ``sums`` (1 + K + c); ``family`` holds w (K,) and the coordinates (c,) of R."""
    rows, Xt, slope_columns, codes, terms = data
    n, K = rows.shape[1], columns.shape[0]
    eta, score = np.empty(n), np.empty(n)
    row_predictor(rows, Xt, slope_columns, codes, terms, beta, u, eta)
    logs = offset.copy()
    for k in range(K):
        for i in range(n):
            logs[i] += family[k] * columns[k, i]
    shrink = np.exp(-logs)
    r = (rows[0] - eta) * shrink
    squares, log_s, log_prior = pass_correlations(residual, family[K:], 1.0, r, score, sums[1 + K :])
    sums[0] = log_prior - n * _HALF_LOG_2PI - logs.sum() - log_s - 0.5 * squares
    of_logs = r * score - 1.0
    for k in range(K):
        slope = 0.0
        for i in range(n):
            slope += columns[k, i] * of_logs[i]
        sums[1 + k] = slope
    score *= shrink
    row_scores(Xt, slope_columns, codes, terms, score, g_beta, gu)


@functools.cache
def compile_scaled_residual_pass() -> Any:
    """Compile the pass (or take it from numba's cache on disk) as a C function of the type `ROW_PASS`."""
    stamp = source_stamp("covariance", "residual", "families/elementary.py", *(f"density/{f}.py" for f in _SOURCES))

    def scaled_residual_pass(data_, beta_, u_, family_, g_beta_, gu_, n_effects, n_family, sums_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_ARRAYS, 3), np.int64)
        Xt = real_grid(t, 1)
        p = Xt.shape[0]
        places = (int64_vector(t, 7), int64_vector(t, 8), real_vector(t, 9), int64_vector(t, 10), real_vector(t, 11))
        patterns = (int64_vector(t, 12), int64_vector(t, 13), int64_vector(t, 14), int64_vector(t, 15))
        _pass_scaled(
            (real_grid(t, 0), Xt, real_grid(t, 2), int32_grid(t, 3), int64_grid(t, 4)),
            real_grid(t, 5),
            real_vector(t, 6),
            places + patterns,
            nb.carray(beta_, (p,)),
            nb.carray(u_, (n_effects,)),
            nb.carray(family_, (n_family,)),
            nb.carray(g_beta_, (p,)),
            nb.carray(gu_, (n_effects,)),
            nb.carray(sums_, (1 + n_family,)),
        )

    return compiled_pointer(ROW_PASS)(scaled_residual_pass)
