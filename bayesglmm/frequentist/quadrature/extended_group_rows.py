"""One group's rows at given effects, of rows with auxiliary predictors: compiled once, for the C functions of them all.

``derivatives`` is the C function of `RowKernels.pointer`; ``data`` holds y (n,), what is known of the rows (size, a and
b, one after the other, (3 n,)), weights (n,), fixed part (n,), and room for eta (n,) and for the rows' ten numbers.
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable

__all__ = ["follow_extended", "move_extended", "visit_extended"]

_FIRST, _SECOND = 4, 7  # where the slopes in a and b begin: of l, d1 and d2


@jitable
def _evaluate(derivatives, data, a, z, table):  # type: ignore[no-untyped-def]  # compiled
    y, known, weights, fixed, eta, _ = data
    for i in range(a.shape[1]):
        eta[i] = fixed[i]
        for b in range(z.shape[0]):
            eta[i] += a[b, i] * z[b]
    derivatives(y, known, weights, eta, 1.0, table)


@jitable
def move_extended(derivatives, data, a, phi, z, table):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Fill ``table`` with weighted row derivatives at z and return h(z)."""
    _evaluate(derivatives, data, a, z, table)
    h = 0.0
    for b in range(z.shape[0]):
        h -= 0.5 * z[b] * z[b]
    for i in range(a.shape[1]):
        h += table[0, i]
    return h if np.isfinite(h) else -np.inf


@jitable
def visit_extended(derivatives, data, a, phi, z, h, d1, auxiliary):  # type: ignore[no-untyped-def]  # noqa: ARG001  # compiled
    """Fill the weighted ``d1`` and the slopes in a and b (2, n) at z; return h plus the rows' log density, and 0."""
    table = data[5]
    _evaluate(derivatives, data, a, z, table)
    for i in range(a.shape[1]):
        h += table[0, i]
        d1[i] = table[1, i]
        auxiliary[0, i] = table[_FIRST, i]
        auxiliary[1, i] = table[_SECOND, i]
    return h, 0.0


@jitable
def follow_extended(table, i, s, av, auxiliary):  # type: ignore[no-untyped-def]  # compiled
    """Add what the movement of the nodes adds to row i's slopes in a and b."""
    auxiliary[0, i] += 0.5 * s * table[_FIRST + 2, i] + table[_FIRST + 1, i] * av
    auxiliary[1, i] += 0.5 * s * table[_SECOND + 2, i] + table[_SECOND + 1, i] * av
    return 0.0
