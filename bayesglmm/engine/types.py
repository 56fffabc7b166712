"""Types of what compiled entry points of the engine take: one signature each, so that one compilation serves all."""

from __future__ import annotations

from numba import types

__all__ = ["DERIVATIVES", "IN", "OUT", "ROWS", "TABLE", "TREE", "WHOLE"]

#: An array that may be read-only, and one that is written to.
IN = types.Array(types.float64, 1, "C", readonly=True)
OUT = types.float64[::1]
TABLE = types.float64[:, ::1]
_INDEX, _INDEX2 = types.int64[::1], types.int64[:, ::1]
WHOLE = _INDEX2
#: `Pattern.tree` and `Pattern.rows`.
TREE = types.Tuple((_INDEX2, _INDEX2, _INDEX, _INDEX, _INDEX, _INDEX2, _INDEX))
ROWS = types.Tuple((_INDEX, _INDEX, _INDEX, _INDEX2, _INDEX2))
#: `RowKernels.derivatives`.
DERIVATIVES = types.FunctionType(types.void(IN, IN, IN, IN, types.float64, TABLE))
