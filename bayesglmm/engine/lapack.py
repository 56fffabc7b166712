"""LAPACK inside compiled code: Cholesky factor and inverse of a symmetric matrix, through the library that scipy ships.

A symmetric matrix in C order is its own transpose in Fortran's, so that the lower triangle of one is the upper of the
other, and nothing is copied.
"""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
from numba import types
from numba.extending import get_cython_function_address

from bayesglmm.compiled import jitable

__all__ = ["cholesky", "inverse_from_cholesky"]

_POINTERS = (types.uint8, types.int32, types.float64, types.int32, types.int32)
_SIGNATURE = types.void(*(types.CPointer(t) for t in _POINTERS))


def _external(name: str) -> types.ExternalFunction:
    # By name and not by address: machine code that is kept on disk finds the library anew in every process.
    symbol = f"bayesglmm_{name}"
    llvm.add_symbol(symbol, get_cython_function_address("scipy.linalg.cython_lapack", name))
    return types.ExternalFunction(symbol, _SIGNATURE)


_dpotrf = _external("dpotrf")
_dpotri = _external("dpotri")


@jitable
def cholesky(S):  # type: ignore[no-untyped-def]  # compiled
    """Turn the lower triangle of S into its Cholesky factor; return whether S was positive definite."""
    n = np.array([S.shape[0]], dtype=np.int32)
    if n[0] == 0:
        return True
    info = np.zeros(1, dtype=np.int32)
    upper = np.array([85], dtype=np.uint8)  # "U"
    _dpotrf(upper.ctypes, n.ctypes, S.ctypes, n.ctypes, info.ctypes)
    return info[0] == 0


@jitable
def inverse_from_cholesky(S):  # type: ignore[no-untyped-def]  # compiled
    """Turn a Cholesky factor in the lower triangle of S into the whole inverse of what was factored."""
    n = np.array([S.shape[0]], dtype=np.int32)
    if n[0] == 0:
        return
    info = np.zeros(1, dtype=np.int32)
    upper = np.array([85], dtype=np.uint8)
    _dpotri(upper.ctypes, n.ctypes, S.ctypes, n.ctypes, info.ctypes)
    for r in range(S.shape[0]):
        for c in range(r):
            S[c, r] = S[r, c]
