"""Loops over rows whose distribution depends on eta and on two auxiliary predictors a and b, row by row.

An extended row is ``row(y, size, eta, a, b) -> (l, d1, d2, d3, la, d1a, d2a, lb, d1b, d2b)``: l and its derivatives in
eta as `FamilyLink.row` has them, and the derivatives of l, d1 and d2 in a and in b. A family with one dispersion gets
there too, with phi = exp(a).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bayesglmm.compiled import compiled, compiled_pointer, jitable
from bayesglmm.families.record import Row
from bayesglmm.families.rows import DERIVATIVES, RowKernels, compile_loop, row_stamp

__all__ = ["EXTENDED_HEIGHT", "adapted_row", "compile_extended_rows", "extended_row"]

#: Numbers that an extended row gives.
EXTENDED_HEIGHT = 10


@jitable
def extended_row(row, y, size, eta, a, b):  # type: ignore[no-untyped-def]  # compiled
    """Return what an extended row gives."""
    return row(y, size, eta, a, b)


@jitable
def adapted_row(row, y, size, eta, a, b):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Return an ordinary row at phi = exp(a) as an extended one, which does not depend on b."""
    l, d1, d2, d3, lp, d1p, d2p = row(y, size, eta, math.exp(a))
    return l, d1, d2, d3, lp, d1p, d2p, 0.0, 0.0, 0.0


@jitable
def _fill(evaluate, row, y, known, weights, eta, out):  # type: ignore[no-untyped-def]  # compiled
    """Fill the ten rows of ``out``, weighted; ``known`` holds size, a and b one after the other, shape (3 n,)."""
    n = y.shape[0]
    for i in range(n):
        found = evaluate(row, y[i], known[i], eta[i], known[n + i], known[2 * n + i])
        w = weights[i]
        l, d1, d2, d3, la, d1a, d2a, lb, d1b, d2b = found
        out[0, i], out[1, i], out[2, i], out[3, i] = w * l, w * d1, w * d2, w * d3
        out[4, i], out[5, i], out[6, i] = w * la, w * d1a, w * d2a
        out[7, i], out[8, i], out[9, i] = w * lb, w * d1b, w * d2b


def _loop(row: Row, evaluate: Callable[..., Any], stamp: int, name: str) -> Callable[..., Any]:
    def extended(y, known, weights, eta, phi, out):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
        _ = stamp
        _fill(evaluate, row, y, known, weights, eta, out)

    extended.__name__ = name  # one for each entry point, see `compile_loop`
    return extended


def _no_fast_loop(*_: np.ndarray | float) -> tuple[float, float]:
    raise NotImplementedError("rows with auxiliary predictors have no loop for the value alone")


@cache
def compile_extended_rows(row: Row, evaluate: Callable[..., Any]) -> RowKernels:
    """Compile the loop over rows with auxiliary predictors, or take it from numba's cache on disk.

    Parameters
    ----------
    row : callable
        An extended row, or an ordinary one.
    evaluate : callable
        `extended_row` or `adapted_row`.

    Returns
    -------
    RowKernels
        Its ``derivatives`` and ``pointer`` take ``(y, known, weights, eta, phi, out)``: ``known`` (3 n,) in the
        place of size, phi is not read, ``out`` has ten rows.
    """
    stamp = row_stamp(row)
    return RowKernels(
        value_gradient=_no_fast_loop,
        derivatives=compile_loop(_loop(row, evaluate, stamp, "extended"), DERIVATIVES, row, compiled),
        pointer=compile_loop(_loop(row, evaluate, stamp, "extended_pointer"), DERIVATIVES, row, compiled_pointer),
        height=EXTENDED_HEIGHT,
    )
