"""The joint density as a C function: samplers written in other languages call it without Python in between.

A Python callback holds the interpreter lock for its own part, so that two chains on two processors take turns; a C
function lets them run side by side.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled_pointer, source_stamp
from bayesglmm.density.addresses import address_table, int64_grid, int64_vector, real_grid, real_vector
from bayesglmm.density.kernel import joint

if TYPE_CHECKING:
    from bayesglmm.density.joint import JointDensity

__all__ = ["LOG_DENSITY", "NativeDensity", "compile_expand", "native_density"]

_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
_POINTER = nb.types.CPointer(nb.float64)
#: What a sampler calls: ``(n, x*, gradient*, value*, data*) -> status``.
LOG_DENSITY = nb.int64(nb.uint64, _POINTER, _POINTER, _POINTER, nb.types.voidptr)
_EXPAND = nb.int64(nb.uint64, nb.uint64, _POINTER, _POINTER, nb.types.voidptr)
#: Arrays of the joint density: those that it takes, its constant, and the address of the pass over the rows. Those that
#: the pass reads come after them.
_ARRAYS = 16
_OK, _BAD_GRADIENT, _BAD_VALUE, _WRONG_LENGTH = 0, 3, 4, -1


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

    def evaluator(self) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Return a function x -> (log density, gradient), -inf and 0 outside the support; one for each thread.

        The gradient is overwritten by the next call.
        """
        point, gradient, value = np.empty(self.size), np.empty(self.size), np.empty(1)
        # Addresses are found once: making a pointer takes longer than a small density.
        call, held, size = _CALL(self.log_density.address), self, self.size
        addresses = tuple(array.ctypes.data for array in (point, gradient, value, self.data))

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            assert held  # they must live as long as this function: C has their addresses only
            point[:] = x
            status = call(size, *addresses)
            if status == _BAD_VALUE:
                gradient[:] = 0.0
                return -math.inf, gradient
            return float(value[0]), gradient

        return evaluate


def native_density(density: JointDensity) -> NativeDensity:
    """Compile (or take from the cache) the C functions of ``density`` and lay out its data for them."""
    rows = density.row_likelihood
    address = np.array([rows.row_pass.address], dtype=np.int64)
    arrays = (*density.arguments(), np.array([density.constant]), address, *rows.arrays)
    return NativeDensity(_compile_log_density(), compile_expand(), address_table(arrays), arrays, density.size)


@functools.cache
def _compile_log_density() -> Any:
    stamp = source_stamp("covariance", "density", "families/elementary.py", "priors")

    def log_density(n, x_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_ARRAYS + 1, 3), np.int64)
        x, gradient, value = nb.carray(x_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
        centring = (
            real_vector(t, 4),
            real_vector(t, 5),
            int64_vector(t, 6),
            int64_vector(t, 7),
            int64_grid(t, 8),
            real_grid(t, 9),
            int64_vector(t, 10),
        )
        row_pass, data = int64_vector(t, 15)[0], t[_ARRAYS:].ctypes.data
        terms, center, table, lkj = int64_grid(t, 0), real_vector(t, 1), real_grid(t, 2), real_vector(t, 3)
        known = int64_vector(t, 11), int64_vector(t, 12), real_vector(t, 13)
        found = joint(row_pass, data, x, center, terms, table, lkj, centring, known, gradient)
        found += real_vector(t, 14)[0]
        value[0] = found
        if not np.isfinite(found):
            return _BAD_VALUE
        for k in range(gradient.shape[0]):
            if not np.isfinite(gradient[k]):
                return _BAD_GRADIENT
        return _OK

    return compiled_pointer(LOG_DENSITY)(log_density)


@functools.cache
def compile_expand() -> Any:
    """Return the C function that keeps a draw as it is."""

    def expand(n, n_out, x_, out_, data_):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
        if n != n_out:
            return _WRONG_LENGTH
        x, out = nb.carray(x_, (n,)), nb.carray(out_, (n,))
        out[:] = x
        return _OK

    return compiled_pointer(_EXPAND)(expand)
