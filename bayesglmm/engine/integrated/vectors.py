"""Steps on stretches of flat arrays that become vector instructions; for compiled code.

Additions may come in any order and with multiplications. Places are unsigned: else a place below 0 would have to be
looked for at every step, as Python counts from the end.
"""

from __future__ import annotations

import math

from numba import uint64
from numba.extending import register_jitable

__all__ = ["add", "add_product", "add_two", "dot", "fill", "invert", "multiply", "sum_of"]

vectorized = register_jitable(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@vectorized
def dot(a, i, b, j, w):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of products of w numbers of a from i and of b from j."""
    value, i, j = 0.0, uint64(i), uint64(j)
    for e in range(uint64(w)):
        value += a[i + e] * b[j + e]
    return value


@vectorized
def sum_of(a, i, w):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of w numbers of a from i."""
    value, i = 0.0, uint64(i)
    for e in range(uint64(w)):
        value += a[i + e]
    return value


@vectorized
def fill(out, o, value, w):  # type: ignore[no-untyped-def]  # compiled
    """Fill w numbers of out from o."""
    o = uint64(o)
    for e in range(uint64(w)):
        out[o + e] = value


@vectorized
def add(out, o, factor, a, i, w):  # type: ignore[no-untyped-def]  # compiled
    """Add factor a to w numbers of out from o."""
    o, i = uint64(o), uint64(i)
    for e in range(uint64(w)):
        out[o + e] += factor * a[i + e]


@vectorized
def add_product(out, o, factor, a, i, b, j, w):  # type: ignore[no-untyped-def]  # compiled
    """Add factor a b to w numbers of out from o."""
    o, i, j = uint64(o), uint64(i), uint64(j)
    for e in range(uint64(w)):
        out[o + e] += factor * a[i + e] * b[j + e]


@vectorized
def multiply(out, o, a, i, w):  # type: ignore[no-untyped-def]  # compiled
    """Multiply w numbers of out from o by those of a from i."""
    o, i = uint64(o), uint64(i)
    for e in range(uint64(w)):
        out[o + e] *= a[i + e]


@vectorized
def invert(out, o, w):  # type: ignore[no-untyped-def]  # compiled
    """Turn w numbers of out from o into 1 / sqrt of them."""
    o = uint64(o)
    for e in range(uint64(w)):
        out[o + e] = 1.0 / math.sqrt(out[o + e])


@vectorized
def add_two(out, o, factor, other, j, weight, a, i, w):  # type: ignore[no-untyped-def]  # compiled
    """Add factor a to w numbers of out from o, and weight a to those of other from j."""
    o, j, i = uint64(o), uint64(j), uint64(i)
    for e in range(uint64(w)):
        out[o + e] += factor * a[i + e]
        other[j + e] += weight * a[i + e]
