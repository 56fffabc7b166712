"""One pass over rows with auxiliary predictors: `row_pass` with a_i and b_i beside eta_i, and the scores in both."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled_pointer, jitable, source_stamp
from bayesglmm.density.addresses import int32_grid, int64_grid, int64_vector, real_grid
from bayesglmm.density.row_call import ROW_PASS
from bayesglmm.density.row_pass import BLOCK, add_columns, add_group_effects, add_group_scores, add_scores

__all__ = ["compile_auxiliary_pass"]

#: Arrays that this pass reads: rows, Xt, slopes, codes, terms, columns of a, columns of b, offsets of a and b (2, n),
#: and whole numbers: first scalar of a, first scalar of b, then for every family scalar whether its logarithm is meant.
_ARRAYS = 9
_FIRST, _SECOND, _LOGGED = 0, 1, 2


@jitable
def _sum_block(evaluate, row, rows, eta, a, b, score, slope_a, slope_b):  # type: ignore[no-untyped-def]  # compiled
    """Fill the weighted scores in eta, a and b of a block; return its weighted log-likelihood."""
    value = 0.0
    for i in range(rows.shape[1]):
        found = evaluate(row, rows[0, i], rows[1, i], eta[i], a[i], b[i])
        w = rows[2, i]
        value += w * found[0]
        score[i], slope_a[i], slope_b[i] = w * found[1], w * found[4], w * found[7]
    return value


@jitable
def _working(family, places):  # type: ignore[no-untyped-def]  # compiled
    """Return the working family scalars."""
    w = np.empty(family.shape[0])
    for k in range(family.shape[0]):
        w[k] = math.log(family[k]) if places[_LOGGED + k] else family[k]
    return w


@jitable
def _fill_offset(offset, out):  # type: ignore[no-untyped-def]  # compiled
    for i in range(offset.shape[0]):
        out[i] = offset[i]


@jitable
def pass_auxiliary_rows(  # type: ignore[no-untyped-def]  # compiled
    evaluate, row, rows, Xt, slopes, codes, terms, A, B, offsets, places, beta, u, family, g_beta, gu, sums
):
    """Fill g_beta, gu and sums as the passes of `row_call` do, see `compile_auxiliary_pass`."""
    n, K = rows.shape[1], family.shape[0]
    first_a, first_b = places[_FIRST], places[_SECOND]
    w, gradient, work = _working(family, places), np.zeros(K), np.empty((7, BLOCK))
    g_beta[:] = 0.0
    gu[:] = 0.0
    value = 0.0
    for first in range(0, n, BLOCK):
        count = min(BLOCK, n - first)
        last = first + count
        eta, score, a, b, slope_a, slope_b = work[0], work[1], work[2], work[3], work[4], work[5]
        _fill_offset(rows[3, first:last], eta)
        _fill_offset(offsets[0, first:last], a)
        _fill_offset(offsets[1, first:last], b)
        add_columns(Xt, beta, first, count, eta)
        add_columns(A, w[first_a:], first, count, a)
        add_columns(B, w[first_b:], first, count, b)
        add_group_effects(terms, codes, slopes, u, first, count, eta)
        value += _sum_block(evaluate, row, rows[:, first:last], eta, a, b, score, slope_a, slope_b)
        add_scores(Xt, score, first, count, g_beta)
        add_scores(A, slope_a, first, count, gradient[first_a:])
        add_scores(B, slope_b, first, count, gradient[first_b:])
        add_group_scores(terms, codes, slopes, score, first, count, work[6], gu)
    sums[0] = value
    for k in range(K):
        sums[1 + k] = gradient[k] / family[k] if places[_LOGGED + k] else gradient[k]


@functools.cache
def compile_auxiliary_pass(row: Callable[..., Any], evaluate: Callable[..., Any]) -> Any:
    """Compile the pass for a row function, or take it from numba's cache, as a C function (`row_call.ROW_PASS`).

    ``evaluate`` is `families.extended.extended_row` or `adapted_row`.
    """
    stamp = source_stamp("families", *(f"density/{name}.py" for name in ("row_pass", "auxiliary_pass", "layout")))

    def auxiliary_pass(data_, beta_, u_, family_, g_beta_, gu_, n_effects, n_family, sums_):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_ARRAYS, 3), np.int64)
        Xt = real_grid(t, 1)
        p = Xt.shape[0]
        pass_auxiliary_rows(
            evaluate,
            row,
            real_grid(t, 0),
            Xt,
            real_grid(t, 2),
            int32_grid(t, 3),
            int64_grid(t, 4),
            real_grid(t, 5),
            real_grid(t, 6),
            real_grid(t, 7),
            int64_vector(t, 8),
            nb.carray(beta_, (p,)),
            nb.carray(u_, (n_effects,)),
            nb.carray(family_, (n_family,)),
            nb.carray(g_beta_, (p,)),
            nb.carray(gu_, (n_effects,)),
            nb.carray(sums_, (1 + n_family,)),
        )

    # A name of its own for every row, see `row_call.compile_row_pass`.
    auxiliary_pass.__qualname__ = f"auxiliary_pass_{row.__module__}_{row.__qualname__}"
    return compiled_pointer(ROW_PASS)(auxiliary_pass)
