"""Compiled loops over the rows of a data set, built around a family's scalar row function."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numba.extending import register_jitable

from bayesglmm.compiled import compiled, compiled_pointer, jitable, source_stamp
from bayesglmm.families.elementary import add_in_any_order, widest_vectors
from bayesglmm.families.record import Row

__all__ = [
    "DERIVATIVES",
    "RowKernels",
    "compile_loop",
    "compile_rows",
    "compiled_scalar",
    "row_stamp",
    "sum_block",
    "sum_rows",
]

#: Rows of a block: small enough for the nearest cache.
_BLOCK = 256

# Arrays out of a data frame may be read-only; a writable array is accepted in the same place.
_IN = types.Array(types.float64, 1, "C", readonly=True)
_OUT = types.float64[::1]
_TABLE = types.float64[:, ::1]
_VALUE_GRADIENT = types.UniTuple(types.float64, 2)(_IN, _IN, _IN, _IN, types.float64, _OUT)
DERIVATIVES = types.void(_IN, _IN, _IN, _IN, types.float64, _TABLE)


def compiled_scalar[F: Callable[..., Any]](function: F) -> F:
    """Let compiled code call a scalar Python function; division by zero gives an infinity there, no error."""
    result: F = register_jitable(error_model="numpy")(function)
    return result


@dataclass(frozen=True)
class RowKernels:
    """The two loops over rows, compiled; both release the interpreter lock and serve compiled callers too.

    Arrays are C-contiguous and of float64; y, size, weights, eta have shape (n,) and may be read-only.

    Attributes
    ----------
    value_gradient : callable
        ``value_gradient(y, size, weights, eta, phi, d1_out) -> (value, slope)``: value = sum of weights *
        l and slope = sum of weights * lp, while ``d1_out`` (n,) is filled with weights * d1.
    derivatives : callable
        ``derivatives(y, size, weights, eta, phi, out)`` fills ``out[0:7, :]`` with weights * (l, d1, d2, d3,
        lp, d1p, d2p), the order of `FamilyLink.row`.
    pointer : cfunc
        ``derivatives`` as a C function: compiled code takes it as an argument, and is compiled once for all rows.
    height : int
        Rows that ``derivatives`` fills: 7, or 10 where there are auxiliary predictors (`extended`).
    """

    value_gradient: Any
    derivatives: Any
    pointer: Any
    height: int = 7


def row_stamp(row: Row) -> int:
    """Return a checksum of the sources that a row function may be made of: the package's and its own file."""
    return zlib.crc32(Path(inspect.getfile(row)).read_bytes(), source_stamp())


@jitable
def sum_block(row, y, size, weights, eta, phi, d1_out):  # type: ignore[no-untyped-def]  # compiled
    """Fill d1_out; return the sums of weights * l and weights * lp. One loop of vector instructions."""
    widest_vectors()
    value = 0.0
    slope = 0.0
    for i in range(y.shape[0]):
        l, d1, _d2, _d3, lp, _d1p, _d2p = row(y[i], size[i], eta[i], phi)
        value = add_in_any_order(value, weights[i] * l)
        # Families without a dispersion have the constant 0 here, and the compiler leaves the sum out.
        slope = add_in_any_order(slope, weights[i] * lp if lp != 0.0 else 0.0)
        d1_out[i] = weights[i] * d1
    return value, slope


@jitable
def sum_rows(row, y, size, weights, eta, phi, d1_out):  # type: ignore[no-untyped-def]  # compiled
    """Fill d1_out; return the sums of weights * l and weights * lp: sums of blocks, for their rounding errors."""
    value = 0.0
    slope = 0.0
    for first in range(0, y.shape[0], _BLOCK):
        last = min(first + _BLOCK, y.shape[0])
        block_value, block_slope = sum_block(
            row, y[first:last], size[first:last], weights[first:last], eta[first:last], phi, d1_out[first:last]
        )
        value += block_value
        slope += block_slope
    return value, slope


@jitable
def fill_rows(row, y, size, weights, eta, phi, out):  # type: ignore[no-untyped-def]  # compiled
    """Fill the seven rows of ``out`` with weights * (l, d1, d2, d3, lp, d1p, d2p)."""
    widest_vectors()
    block = np.empty((7, _BLOCK))
    for first in range(0, y.shape[0], _BLOCK):
        last = min(first + _BLOCK, y.shape[0])
        ys, sizes, ws, etas = y[first:last], size[first:last], weights[first:last], eta[first:last]
        for i in range(last - first):
            l, d1, d2, d3, lp, d1p, d2p = row(ys[i], sizes[i], etas[i], phi)
            block[0, i] = ws[i] * l
            block[1, i] = ws[i] * d1
            block[2, i] = ws[i] * d2
            block[3, i] = ws[i] * d3
            block[4, i] = ws[i] * lp
            block[5, i] = ws[i] * d1p
            block[6, i] = ws[i] * d2p
        for k in range(7):
            for i in range(last - first):
                out[k, first + i] = block[k, i]


def _value_gradient_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def value_gradient(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        y, size, weights, eta, phi, d1_out
    ):
        _ = stamp
        return sum_rows(row, y, size, weights, eta, phi, d1_out)

    return value_gradient


def _derivatives_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def derivatives(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        y, size, weights, eta, phi, out
    ):
        _ = stamp
        fill_rows(row, y, size, weights, eta, phi, out)

    return derivatives


def _pointer_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def pointer(y, size, weights, eta, phi, out):  # type: ignore[no-untyped-def]  # pragma: no cover (machine code)
        _ = stamp
        fill_rows(row, y, size, weights, eta, phi, out)

    return pointer


def compile_loop(loop: Callable[..., Any], signature: Any, row: Row, compiler: Callable[..., Any] = compiled) -> Any:
    """Compile a loop that is made anew for each row, under a name of its own."""
    # numba numbers the cache files of one qualified name in the order of saving, and two processes that fill
    # an empty cache at the same time can give one number to two different rows. A name for each row, and one
    # declared signature, leave every index to one row: whoever writes it last writes the same code.
    loop.__qualname__ = f"{loop.__name__}_{row.__module__}_{row.__qualname__}"
    return compiler(signature)(loop)


@cache
def compile_rows(row: Row) -> RowKernels:
    """Compile the loops over rows for one row function, or take them from numba's cache on disk.

    Parameters
    ----------
    row : callable
        A module-level function marked with `compiled_scalar`, of the form described at `FamilyLink.row`. What
        it calls must live in its own file or in this package's kernels (see `Notes`).

    Returns
    -------
    RowKernels
        The same object whenever the same function is given.

    Notes
    -----
    numba looks up a cached loop by the loop's byte code and by the values it closes over, and its freshness
    by the file of the loop, this one. The row function is pickled by name, so an edit of the row would meet
    the code compiled before the edit. The loops therefore also close over a checksum of the sources: another
    source, another key.
    """
    stamp = row_stamp(row)
    return RowKernels(
        value_gradient=compile_loop(_value_gradient_loop(row, stamp), _VALUE_GRADIENT, row),
        derivatives=compile_loop(_derivatives_loop(row, stamp), DERIVATIVES, row),
        pointer=compile_loop(_pointer_loop(row, stamp), DERIVATIVES, row, compiled_pointer),
    )
