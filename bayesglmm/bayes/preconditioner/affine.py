"""A log density seen through x = x^ + A v, as a C function that calls the C function of the density itself.

The inner function may be the compiled joint density, a marginal one, or the PyMC graph's: all have one signature.
"""

from __future__ import annotations

import functools
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from bayesglmm.bayes.preconditioner.arrow import ArrowMap, pull_back, push_forward
from bayesglmm.compiled import compiled, compiled_pointer, jitable, source_stamp
from bayesglmm.density.addresses import int64_grid, int64_vector, real_grid, real_vector, void_pointer
from bayesglmm.density.native import LOG_DENSITY, NativeDensity

__all__ = ["affine_density", "affine_draws", "call_density"]

_SOURCES = ("bayes/preconditioner", "density/native.py", "density/addresses.py")
#: Arrays of an arrow.
_TABLE = 11


@intrinsic
def call_density(typingctx: Any, address: Any, n: Any, x: Any, gradient: Any, value: Any, data: Any) -> Any:  # noqa: ARG001
    """Call the C function at ``address``; every pointer is given as an integer."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, real = ir.IntType(64), ir.DoubleType().as_pointer()
        types = [whole, real, real, real, ir.IntType(8).as_pointer()]
        function = builder.inttoptr(args[0], ir.FunctionType(whole, types).as_pointer())
        pointers = [builder.inttoptr(a, t) for a, t in zip(args[2:], types[1:], strict=True)]
        return builder.call(function, [args[1], *pointers])

    u = nb.uint64
    return nb.int64(u, u, u, u, u, u), build


@jitable
def _laid_out(t):  # type: ignore[no-untyped-def]  # compiled
    """Return the arrays of an `ArrowMap` from the table of their addresses."""
    meets = nb.carray(void_pointer(t[8, 0]), (t[8, 1],), np.int32)
    M = nb.carray(void_pointer(t[10, 0]), (t[10, 1], t[10, 2]), np.float32)
    head = real_vector(t, 0), real_grid(t, 1), real_grid(t, 2), real_vector(t, 3), int64_grid(t, 4)
    return (*head, int64_vector(t, 5), int64_vector(t, 6), int64_vector(t, 7), meets, real_vector(t, 9), M)


@functools.cache
def _compile() -> tuple[Any, Any]:
    """Return the C function of the density and the map of many draws."""
    stamp = source_stamp(*_SOURCES)

    def affine(n, v_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_TABLE + 1, 3), np.int64)
        v, gradient, value = nb.carray(v_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
        arrow = _laid_out(t)
        x, g, z = np.empty(n), np.empty(n), np.empty(arrow[10].shape[0])
        push_forward(v, arrow, x, z)
        inner = t[_TABLE]
        status = call_density(inner[0], n, x.ctypes.data, g.ctypes.data, value.ctypes.data, inner[1])
        if status != 0:
            return status
        pull_back(g, arrow, gradient, z)
        return 0

    def affine_draws(v, address, out):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018
        t = nb.carray(void_pointer(address), (_TABLE + 1, 3), np.int64)
        arrow = _laid_out(t)
        z = np.empty(arrow[10].shape[0])
        for k in range(v.shape[0]):
            push_forward(v[k], arrow, out[k], z)

    signature = nb.void(nb.float64[:, ::1], nb.int64, nb.float64[:, ::1])
    return compiled_pointer(LOG_DENSITY)(affine), compiled(signature)(affine_draws)


def _table(arrow: ArrowMap, inner: NativeDensity | None) -> np.ndarray:
    table = np.zeros((_TABLE + 1, 3), dtype=np.int64)
    for row, array in zip(table, arrow.arrays, strict=False):
        assert array.flags.c_contiguous
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    if inner is not None:
        table[_TABLE, 0] = inner.log_density.address
        table[_TABLE, 1] = inner.data.ctypes.data
    return table


def affine_density(arrow: ArrowMap, inner: NativeDensity) -> NativeDensity:
    """Return v -> density of ``inner`` at x^ + A v (without the constant log |A|) as a C function."""
    log_density, _ = _compile()
    return NativeDensity(
        log_density=log_density,
        expand=inner.expand,
        data=_table(arrow, inner),
        arrays=(*arrow.arrays, *inner.arrays, inner.data),
        size=inner.size,
    )


def affine_draws(arrow: ArrowMap, v: np.ndarray) -> np.ndarray:
    """Return x = x^ + A v of draws v (..., size)."""
    _, draws = _compile()
    flat = np.ascontiguousarray(v.reshape(-1, v.shape[-1]), dtype=np.float64)
    out = np.empty_like(flat)
    draws(flat, _table(arrow, None).ctypes.data, out)
    return out.reshape(v.shape)
