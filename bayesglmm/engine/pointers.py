"""A C function of known signature from its address: what numba does not unbox anew at every call."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from bayesglmm.engine.types import DERIVATIVES

__all__ = ["derivatives_at"]


@intrinsic
def derivatives_at(typingctx: Any, address: Any) -> Any:  # noqa: ARG001 (numba passes the typing context)
    """Return the function `RowKernels.derivatives` whose address is given as an integer; for compiled code."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        pointer = context.get_value_type(types.voidptr)
        function.c_addr = builder.inttoptr(args[0], pointer)
        function.py_addr = cgutils.get_null_value(pointer)
        function.jit_addr = cgutils.get_null_value(pointer)
        return function._getvalue()

    return DERIVATIVES(types.intp), build
