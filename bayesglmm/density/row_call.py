"""A family's pass over the rows as a C function: the joint density around it is compiled once for all families."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from bayesglmm.compiled import compiled_pointer, jitable, source_stamp
from bayesglmm.density.addresses import int32_grid, int64_grid, real_grid
from bayesglmm.density.row_pass import pass_rows

__all__ = ["ROW_ARRAYS", "call_row_pass", "compile_row_pass"]

#: Arrays at the head of the density's data that a pass reads: rows, Xt, slopes, codes, terms.
ROW_ARRAYS = 5
_REALS = nb.types.CPointer(nb.float64)
_PASS = nb.void(nb.types.voidptr, _REALS, _REALS, nb.float64, _REALS, _REALS, nb.int64, _REALS)


@functools.cache
def compile_row_pass(row: Callable[..., Any]) -> Any:
    """Compile `pass_rows` for a row log-likelihood (or take it from numba's cache on disk) as a C function.

    Its arguments: ``data*`` (address and shape of each of the arrays, int64 (5, 3)), ``beta*``, ``u*``, phi,
    ``g_beta*``, ``gu*``, number of group effects, ``sums*`` (log-likelihood and its derivative in log phi).
    """
    stamp = source_stamp("families", "density/row_pass.py", "density/row_call.py", "density/layout.py")

    def row_pass(data_, beta_, u_, phi, g_beta_, gu_, n_effects, sums_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (ROW_ARRAYS, 3), np.int64)
        Xt = real_grid(t, 1)
        p = Xt.shape[0]
        beta, u = nb.carray(beta_, (p,)), nb.carray(u_, (n_effects,))
        g_beta, gu, sums = nb.carray(g_beta_, (p,)), nb.carray(gu_, (n_effects,)), nb.carray(sums_, (2,))
        sums[0], sums[1] = pass_rows(
            row, real_grid(t, 0), Xt, real_grid(t, 2), int32_grid(t, 3), int64_grid(t, 4), beta, u, phi, g_beta, gu
        )

    # A name of its own for every row: kernels that share a name share an index of cached files, and two processes that
    # fill an empty cache at the same time could give their kernels the same file.
    row_pass.__qualname__ = f"row_pass_{row.__module__}_{row.__qualname__}"
    return compiled_pointer(_PASS)(row_pass)


@intrinsic
def _call(typingctx, address, data, beta, u, phi, g_beta, gu, n_effects, sums):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Call the pass at ``address``; every pointer is given as an integer."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, real = ir.IntType(64), ir.DoubleType()
        reals, nothing = real.as_pointer(), ir.VoidType()
        kinds = [ir.IntType(8).as_pointer(), reals, reals, real, reals, reals, whole, reals]
        function = builder.inttoptr(args[0], ir.FunctionType(nothing, kinds).as_pointer())
        given = [
            builder.inttoptr(a, k) if isinstance(k, ir.PointerType) else a for a, k in zip(args[1:], kinds, strict=True)
        ]
        builder.call(function, given)
        return context.get_dummy_value()

    i = nb.int64
    return nb.void(i, i, nb.uint64, nb.uint64, nb.float64, nb.uint64, nb.uint64, i, nb.uint64), build


@jitable
def call_row_pass(address, data, beta, u, phi, g_beta, gu, sums):  # type: ignore[no-untyped-def]  # compiled
    """Call a compiled pass over the rows; ``beta`` may be longer than the coefficients."""
    _call(
        address,
        data,
        beta.ctypes.data,
        u.ctypes.data,
        phi,
        g_beta.ctypes.data,
        gu.ctypes.data,
        u.shape[0],
        sums.ctypes.data,
    )
