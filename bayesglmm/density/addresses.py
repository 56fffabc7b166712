"""Arrays from a table of addresses and shapes: how C functions get at their data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba as nb
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic

from bayesglmm.compiled import jitable

__all__ = ["address_table", "int32_grid", "int64_grid", "int64_vector", "real_grid", "real_vector", "void_pointer"]


def address_table(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return address and shape of each array, int64 shape (arrays, 3); the arrays must outlive the table's use."""
    table = np.zeros((len(arrays), 3), dtype=np.int64)
    for row, array in zip(table, arrays, strict=True):
        assert array.flags.c_contiguous
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    return table


@intrinsic
def void_pointer(context: Any, address: Any) -> Any:  # noqa: ARG001
    """Turn an integer into a pointer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return nb.types.voidptr(address), build


@jitable
def real_vector(t, k):  # type: ignore[no-untyped-def]  # compiled
    """Return array k of table t."""
    return nb.carray(void_pointer(t[k, 0]), (t[k, 1],), np.float64)


@jitable
def real_grid(t, k):  # type: ignore[no-untyped-def]  # compiled
    """Return array k of table t."""
    return nb.carray(void_pointer(t[k, 0]), (t[k, 1], t[k, 2]), np.float64)


@jitable
def int64_vector(t, k):  # type: ignore[no-untyped-def]  # compiled
    """Return array k of table t."""
    return nb.carray(void_pointer(t[k, 0]), (t[k, 1],), np.int64)


@jitable
def int64_grid(t, k):  # type: ignore[no-untyped-def]  # compiled
    """Return array k of table t."""
    return nb.carray(void_pointer(t[k, 0]), (t[k, 1], t[k, 2]), np.int64)


@jitable
def int32_grid(t, k):  # type: ignore[no-untyped-def]  # compiled
    """Return array k of table t."""
    return nb.carray(void_pointer(t[k, 0]), (t[k, 1], t[k, 2]), np.int32)
