"""One group's rows at given effects, of families with one dispersion at most: compiled.

``data`` (4, n) holds y, size, weight and fixed part of the rows, ``a`` (q, n) their rows of Z Lambda.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from bayesglmm.compiled import jitable

__all__ = ["follow_row", "move_rows", "visit_rows"]


@jitable
def move_rows(row, data, a, phi, z, table):  # type: ignore[no-untyped-def]  # compiled
    """Fill ``table`` with weighted row derivatives at z and return h(z)."""
    h = 0.0
    for b in range(z.shape[0]):
        h -= 0.5 * z[b] * z[b]
    for i in range(a.shape[1]):
        eta = data[3, i]
        for b in range(z.shape[0]):
            eta += a[b, i] * z[b]
        found = row(data[0, i], data[1, i], eta, phi)
        for k in range(7):
            table[k, i] = data[2, i] * found[k]
        h += table[0, i]
    return h if np.isfinite(h) else -np.inf


# Its body stands in the place of the call: a call at every node would be felt.
@register_jitable(error_model="numpy", inline="always")
def visit_rows(row, data, a, phi, z, h, d1, auxiliary):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Fill the weighted ``d1`` at z; return h plus the rows' log density, and its slope in log phi."""
    lp = 0.0
    for i in range(a.shape[1]):
        eta = data[3, i]
        for b in range(z.shape[0]):
            eta += a[b, i] * z[b]
        found = row(data[0, i], data[1, i], eta, phi)
        h += data[2, i] * found[0]
        d1[i] = data[2, i] * found[1]
        lp += data[2, i] * found[4]
    return h, lp


@jitable
def follow_row(table, i, s, av, auxiliary):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Return what the movement of the nodes adds to the slope in log phi, through row i."""
    return 0.5 * s * table[6, i] + table[5, i] * av
