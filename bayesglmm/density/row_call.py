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

__all__ = ["ROW_PASS", "call_row_pass", "compile_row_pass"]

#: Arrays that this pass reads: rows, Xt, slopes, codes, terms.
_ARRAYS = 5
_REALS = nb.types.CPointer(nb.float64)
#: Every pass over the rows, see `compile_row_pass`.
ROW_PASS = nb.void(nb.types.voidptr, _REALS, _REALS, _REALS, _REALS, _REALS, nb.int64, nb.int64, _REALS)


@jitable
def _per_phi(slope, phi):  # type: ignore[no-untyped-def]  # compiled
    """Turn a slope in log phi into one in phi, with IEEE division: a C function of its own would raise at 0."""
    return slope / phi


@functools.cache
def compile_row_pass(row: Callable[..., Any]) -> Any:
    """Compile `pass_rows` for a row log-likelihood (or take it from numba's cache on disk) as a C function.

    Its arguments: ``data*`` (address and shape of each of the arrays that this pass reads, int64 (arrays, 3)),
    ``beta*``, ``u*``, ``family*`` (natural values of the K family scalars), ``g_beta*``, ``gu*``, number of group
    effects, K, ``sums*`` (1 + K: the log-likelihood and its derivatives in the family scalars).
    """
    stamp = source_stamp("families", "density/row_pass.py", "density/row_call.py", "density/layout.py")

    def row_pass(data_, beta_, u_, family_, g_beta_, gu_, n_effects, n_family, sums_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_ARRAYS, 3), np.int64)
        Xt = real_grid(t, 1)
        p = Xt.shape[0]
        beta, u = nb.carray(beta_, (p,)), nb.carray(u_, (n_effects,))
        g_beta, gu, sums = nb.carray(g_beta_, (p,)), nb.carray(gu_, (n_effects,)), nb.carray(sums_, (1 + n_family,))
        phi = family_[0] if n_family > 0 else 1.0
        sums[0], slope = pass_rows(
            row, real_grid(t, 0), Xt, real_grid(t, 2), int32_grid(t, 3), int64_grid(t, 4), beta, u, phi, g_beta, gu
        )
        if n_family > 0:
            sums[1] = _per_phi(slope, phi)

    # A name of its own for every row: kernels that share a name share an index of cached files, and two processes that
    # fill an empty cache at the same time could give their kernels the same file.
    row_pass.__qualname__ = f"row_pass_{row.__module__}_{row.__qualname__}"
    return compiled_pointer(ROW_PASS)(row_pass)


@intrinsic
def _call(typingctx, address, data, beta, u, family, g_beta, gu, n_effects, n_family, sums):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Call the pass at ``address``; every pointer is given as an integer."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, reals, nothing = ir.IntType(64), ir.DoubleType().as_pointer(), ir.VoidType()
        kinds = [ir.IntType(8).as_pointer(), reals, reals, reals, reals, reals, whole, whole, reals]
        function = builder.inttoptr(args[0], ir.FunctionType(nothing, kinds).as_pointer())
        given = [
            builder.inttoptr(a, k) if isinstance(k, ir.PointerType) else a for a, k in zip(args[1:], kinds, strict=True)
        ]
        builder.call(function, given)
        return context.get_dummy_value()

    i, u = nb.int64, nb.uint64
    return nb.void(i, i, u, u, u, u, u, i, i, u), build


@jitable
def call_row_pass(address, data, beta, u, family, g_beta, gu, sums):  # type: ignore[no-untyped-def]  # compiled
    """Call a compiled pass over the rows; ``beta`` may be longer than the coefficients."""
    _call(
        address,
        data,
        beta.ctypes.data,
        u.ctypes.data,
        family.ctypes.data,
        g_beta.ctypes.data,
        gu.ctypes.data,
        u.shape[0],
        family.shape[0],
        sums.ctypes.data,
    )
