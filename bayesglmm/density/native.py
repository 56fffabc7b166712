"""The joint density as a C function: samplers written in other languages call it without Python in between.

A Python callback holds the interpreter lock for its own part, so that two chains on two processors take turns; a C
function lets them run side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic

from bayesglmm.compiled import compiled_pointer, source_stamp
from bayesglmm.density.kernel import joint

if TYPE_CHECKING:
    from bayesglmm.density.joint import JointDensity

__all__ = ["NativeDensity", "native_density"]

_POINTER = nb.types.CPointer(nb.float64)
_LOG_DENSITY = nb.int64(nb.uint64, _POINTER, _POINTER, _POINTER, nb.types.voidptr)
_EXPAND = nb.int64(nb.uint64, nb.uint64, _POINTER, _POINTER, nb.types.voidptr)
_OK, _BAD_GRADIENT, _BAD_VALUE, _WRONG_LENGTH = 0, 3, 4, -1


@intrinsic
def _void_pointer(context, address):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Turn an integer into a pointer."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return nb.types.voidptr(address), codegen


@dataclass(frozen=True, eq=False)
class NativeDensity:
    """Addresses that a sampler needs, and the arrays that must live as long as it uses them.

    Attributes
    ----------
    log_density, expand : numba CFunc
        ``(n, x*, gradient*, value*, data*) -> status`` and ``(n, n, x*, out*, data*) -> status``; 0 is success, a
        positive status a point outside the support.
    data : ndarray of int64, shape (k, 3)
        Address and shape of every array that the density reads; its own address is ``data*``.
    arrays : tuple of ndarray
        Those arrays.
    size : int
        Length of x.
    """

    log_density: Any
    expand: Any
    data: np.ndarray
    arrays: tuple[np.ndarray, ...]
    size: int


def native_density(density: JointDensity) -> NativeDensity:
    """Compile (or take from the cache) the C functions of ``density`` and lay out its data for them."""
    arrays = (*density.arguments(), np.array([density.constant]))
    table = np.zeros((len(arrays), 3), dtype=np.int64)
    for row, array in zip(table, arrays, strict=True):
        assert array.flags.c_contiguous
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    log_density = _compile_log_density(density.design.family_link.row)
    return NativeDensity(log_density, _compile_expand(), table, arrays, density.size)


@functools.cache
def _compile_log_density(row: Callable[..., Any]) -> Any:
    stamp = source_stamp()

    def log_density(n, x_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (9, 3), np.int64)
        x = nb.carray(x_, (n,))
        gradient = nb.carray(gradient_, (n,))
        value = nb.carray(value_, (1,))
        rows = nb.carray(_void_pointer(t[0, 0]), (t[0, 1], t[0, 2]), np.float64)
        X = nb.carray(_void_pointer(t[1, 0]), (t[1, 1], t[1, 2]), np.float64)
        center = nb.carray(_void_pointer(t[2, 0]), (t[2, 1],), np.float64)
        slopes = nb.carray(_void_pointer(t[3, 0]), (t[3, 1], t[3, 2]), np.float64)
        codes = nb.carray(_void_pointer(t[4, 0]), (t[4, 1], t[4, 2]), np.int32)
        terms = nb.carray(_void_pointer(t[5, 0]), (t[5, 1], t[5, 2]), np.int64)
        table = nb.carray(_void_pointer(t[6, 0]), (t[6, 1], t[6, 2]), np.float64)
        lkj = nb.carray(_void_pointer(t[7, 0]), (t[7, 1],), np.float64)
        constant = nb.carray(_void_pointer(t[8, 0]), (1,), np.float64)
        n_effects = 0
        for k in range(terms.shape[0]):
            n_effects += terms[k, 1] * terms[k, 2]
        work = np.empty((2, rows.shape[1]))
        u, gu = np.empty(n_effects), np.empty(n_effects)
        found = joint(row, x, rows, X, center, slopes, codes, terms, table, lkj, work, u, gu, gradient) + constant[0]
        value[0] = found
        if not np.isfinite(found):
            return _BAD_VALUE
        for k in range(gradient.shape[0]):
            if not np.isfinite(gradient[k]):
                return _BAD_GRADIENT
        return _OK

    log_density.__qualname__ = f"log_density_{row.__module__}_{row.__qualname__}"
    return compiled_pointer(_LOG_DENSITY)(log_density)


@functools.cache
def _compile_expand() -> Any:
    def expand(n, n_out, x_, out_, data_):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
        if n != n_out:
            return _WRONG_LENGTH
        x, out = nb.carray(x_, (n,)), nb.carray(out_, (n,))
        out[:] = x
        return _OK

    return compiled_pointer(_EXPAND)(expand)
