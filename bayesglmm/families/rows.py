"""Compiled loops over the rows of a data set, built around a family's scalar row function."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numba import types
from numba.extending import register_jitable

from bayesglmm.compiled import compiled, compiled_pointer, source_stamp
from bayesglmm.families.record import Row

__all__ = ["RowKernels", "compile_rows", "compiled_scalar"]

# Arrays out of a data frame may be read-only; a writable array is accepted in the same place.
_IN = types.Array(types.float64, 1, "C", readonly=True)
_OUT = types.float64[::1]
_TABLE = types.float64[:, ::1]
_VALUE_GRADIENT = types.UniTuple(types.float64, 2)(_IN, _IN, _IN, _IN, types.float64, _OUT)
_DERIVATIVES = types.void(_IN, _IN, _IN, _IN, types.float64, _TABLE)


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
    """

    value_gradient: Any
    derivatives: Any
    pointer: Any


def _stamp(row: Row) -> int:
    """Return a checksum of the sources that a row function may be made of: the package's and its own file."""
    return zlib.crc32(Path(inspect.getfile(row)).read_bytes(), source_stamp())


def _value_gradient_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def value_gradient(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        y, size, weights, eta, phi, d1_out
    ):
        _ = stamp
        value = 0.0
        slope = 0.0
        for i in range(y.shape[0]):
            l, d1, _d2, _d3, lp, _d1p, _d2p = row(y[i], size[i], eta[i], phi)
            value += weights[i] * l
            slope += weights[i] * lp
            d1_out[i] = weights[i] * d1
        return value, slope

    return value_gradient


def _derivatives_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def derivatives(  # type: ignore[no-untyped-def]  # pragma: no cover (runs as machine code)
        y, size, weights, eta, phi, out
    ):
        _ = stamp
        for i in range(y.shape[0]):
            l, d1, d2, d3, lp, d1p, d2p = row(y[i], size[i], eta[i], phi)
            weight = weights[i]
            out[0, i] = weight * l
            out[1, i] = weight * d1
            out[2, i] = weight * d2
            out[3, i] = weight * d3
            out[4, i] = weight * lp
            out[5, i] = weight * d1p
            out[6, i] = weight * d2p

    return derivatives


def _pointer_loop(row: Row, stamp: int) -> Callable[..., Any]:
    def pointer(y, size, weights, eta, phi, out):  # type: ignore[no-untyped-def]  # pragma: no cover (machine code)
        _ = stamp
        for i in range(y.shape[0]):
            values = row(y[i], size[i], eta[i], phi)
            for k in range(7):
                out[k, i] = weights[i] * values[k]

    return pointer


def _compile(loop: Callable[..., Any], signature: Any, row: Row, compiler: Callable[..., Any] = compiled) -> Any:
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
    stamp = _stamp(row)
    return RowKernels(
        value_gradient=_compile(_value_gradient_loop(row, stamp), _VALUE_GRADIENT, row),
        derivatives=_compile(_derivatives_loop(row, stamp), _DERIVATIVES, row),
        pointer=_compile(_pointer_loop(row, stamp), _DERIVATIVES, row, compiled_pointer),
    )
