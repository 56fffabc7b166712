"""One step along a trajectory, straight on or round circles.

With y = (q - center) / scale the energy is (y'y + p'p) / 2, which moves every coordinate round a circle, plus what the
density is not normal by; *round* steps follow the first exactly and the second kicks the momentum before and after
(split Hamiltonian Monte Carlo, Shahbaba, Lan, Johnson & Neal 2014, section 3.1). Straight steps are leapfrog. Both are
reversible and keep volume, hence exact. In preconditioned coordinates what is not normal is small and round steps may
be about twice as long; of tails that are nowhere normal they know nothing, and a chain would stay there for long
without straight ones in between (`chain`).
"""

from __future__ import annotations

import math

from bayesglmm.bayes.preconditioner.affine import call_density
from bayesglmm.compiled import jitable
from bayesglmm.families.elementary import add_in_any_order

__all__ = ["END_G", "END_P", "END_Q", "copy", "leap"]

#: Rows of an end of a trajectory.
END_Q, END_P, END_G = range(3)


@jitable
def copy(source, target):  # type: ignore[no-untyped-def]  # compiled
    """Copy a vector; an assignment of slices would look at shapes and strides first, which costs more."""
    for k in range(source.shape[0]):
        target[k] = source[k]


@jitable
def leap(density, place, move, end, value):  # type: ignore[no-untyped-def]  # compiled
    """Move an end (3, n) of a trajectory by one step; return its log density and kinetic energy there.

    The log density is -inf where there is none. ``density`` is (address, address of its data); ``place`` (2, n) holds
    center and scale; ``move`` is the step (negative: back in time) and whether it goes round circles, 1.0, or straight
    on, 0.0.
    """
    address, data = density
    step, round_ = move
    center, scale = place[0], place[1]
    n = center.shape[0]
    q, p, g = end[END_Q], end[END_P], end[END_G]
    half, c = 0.5 * step, 1.0 - round_ * (1.0 - math.cos(step))
    back = round_ * math.sin(step)
    along = back + (1.0 - round_) * step
    for k in range(n):
        y = (q[k] - center[k]) / scale[k]
        kicked = p[k] + half * (scale[k] * g[k] + round_ * y)
        q[k] = center[k] + scale[k] * (y * c + kicked * along)
        p[k] = kicked * c - y * back
    status = call_density(address, n, q.ctypes.data, g.ctypes.data, value.ctypes.data, data)
    if status != 0:
        return -math.inf, 0.0
    squares = 0.0
    for k in range(n):
        moved = p[k] + half * (scale[k] * g[k] + round_ * (q[k] - center[k]) / scale[k])
        p[k] = moved
        squares = add_in_any_order(squares, moved * moved)
    return value[0], 0.5 * squares
