"""The mode of one group's integrand and the curvature there: compiled, for a handful of effects.

h(z) = sum_i w_i l(y_i, f_i + a_i'z) - z'z / 2 is maximised by Newton's method with step halving. ``a`` (q, n) are the
group's rows of Z Lambda, ``table`` (7 or 10, n) the weighted row derivatives in the order of `FamilyLink.row`; what
``move`` does with ``row`` and ``data`` is `group_rows.move_rows` or `extended_group_rows.move_extended`.
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import compiled, jitable

__all__ = ["find_group_mode"]

_TOLERANCE = 1e-12
_CLOSE = 1e-10
_MAX_ITERATIONS = 200
_MAX_HALVINGS = 40


@compiled
def _curvature(a, table, floored, H):  # type: ignore[no-untyped-def]  # compiled
    """Fill H with the factor of I - sum d2 a a', weights >= 0 if ``floored``, and return whether it has one."""
    q = a.shape[0]
    for b in range(q):
        for c in range(b + 1):
            H[b, c] = 1.0 if b == c else 0.0
    for i in range(a.shape[1]):
        weight = -table[2, i]
        if floored and weight < 0.0:
            weight = 0.0
        for b in range(q):
            for c in range(b + 1):
                H[b, c] += weight * a[b, i] * a[c, i]
    for b in range(q):
        for c in range(b + 1):
            left = H[b, c]
            for k in range(c):
                left -= H[b, k] * H[c, k]
            if b == c:
                if not left > 0.0:
                    return False
                H[b, b] = np.sqrt(left)
            else:
                H[b, c] = left / H[c, c]
    return True


@compiled
def _inverse(R, C):  # type: ignore[no-untyped-def]  # compiled
    """Fill C with the inverse of the transpose of the lower triangle R: upper triangular, C C' = H^-1."""
    q = R.shape[0]
    for b in range(q):
        for c in range(b):
            C[b, c] = 0.0
        C[b, b] = 1.0 / R[b, b]
        for c in range(b + 1, q):
            total = 0.0
            for k in range(b, c):
                total -= R[c, k] * C[b, k]
            C[b, c] = total / R[c, c]


@jitable
def find_group_mode(move, row, data, a, phi, z, table, C):  # type: ignore[no-untyped-def]  # compiled
    """Move z to the mode as `engine.pirls.find_mode` does; return h there, nan if the search fails."""
    q = z.shape[0]
    R = np.empty((q, q))
    step, old = np.empty(q), np.empty(q)
    h = move(row, data, a, phi, z, table)
    if not np.isfinite(h):
        for b in range(q):
            z[b] = 0.0
        h = move(row, data, a, phi, z, table)
    for _ in range(_MAX_ITERATIONS):
        # Where the observed curvature is not positive, a step needs weights that are; near the mode it is, and Newton's
        # steps converge quadratically.
        if not (_curvature(a, table, False, R) or _curvature(a, table, True, R)):
            return np.nan
        _inverse(R, C)
        for b in range(q):
            old[b] = z[b]
        decrement = _newton_step(a, table, z, C, step)
        length = 1.0
        close = decrement <= _CLOSE * (1.0 + abs(h))
        for _halving in range(_MAX_HALVINGS):
            for b in range(q):
                z[b] = old[b] + length * step[b]
            moved = move(row, data, a, phi, z, table)
            if close or moved > h:
                break
            length *= 0.5
        if not (close or moved > h):
            return np.nan
        h = moved
        if decrement <= _TOLERANCE:  # convergence is quadratic: far below rounding after this step
            if not (np.isfinite(h) and _curvature(a, table, False, R)):
                return np.nan
            _inverse(R, C)
            return h
    return np.nan


@compiled
def _newton_step(a, table, z, C, step):  # type: ignore[no-untyped-def]  # compiled
    """Fill ``step`` with H^-1 h'(z), H^-1 = C C', and return the decrement h' H^-1 h'."""
    q = z.shape[0]
    slope = np.empty(q)
    for b in range(q):
        total = -z[b]
        for i in range(a.shape[1]):
            total += a[b, i] * table[1, i]
        slope[b] = total
    decrement = 0.0
    for b in range(q):
        step[b] = 0.0
        along = 0.0
        for c in range(b + 1):
            along += C[c, b] * slope[c]
        decrement += along * along
        for c in range(b + 1):
            step[c] += C[c, b] * along
    return decrement
