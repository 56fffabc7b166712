"""One transition of NUTS: a trajectory that doubles until it turns back, and a point drawn from it.

Multinomial weights, biased progressive sampling between the old and the new half, uniform inside a half, and the
generalised criterion of turning with rho, the sum of momenta (Hoffman & Gelman 2014; Betancourt 2017, appendix A). As
in Stan, the criterion is also asked of each half together with the nearest point of the other: trajectories that have
come round a whole orbit look straight by their ends alone. Steps go straight on (`leap`).

A half is built point by point. Finished subtrees wait on a stack, and two of one size are merged, so that no more than
one of each size is kept.
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.bayes.hamiltonian.leap import END_G, END_P, END_Q, copy, leap
from bayesglmm.compiled import jitable
from bayesglmm.families.elementary import add_in_any_order

__all__ = [
    "DIVERGING",
    "ENERGY",
    "FIRST",
    "GRADIENT",
    "LAST",
    "LOG_DENSITY",
    "POSITION",
    "RHO",
    "begin",
    "transition",
    "work_of",
]

#: An error of the energy from which on a trajectory counts as diverging.
DIVERGING = 1000.0
#: Rows of a state of the stack: sum of momenta, first and last momentum, position and gradient of the point drawn.
RHO, FIRST, LAST, POSITION, GRADIENT = range(5)
#: Numbers of a state: log weight, log density and energy of the point drawn.
_WEIGHT, LOG_DENSITY, ENERGY = range(3)


@jitable
def log_sum(a, b):  # type: ignore[no-untyped-def]  # compiled
    """Return log(exp a + exp b); both may be -inf."""
    high = max(a, b)
    if high == -math.inf:
        return high
    return high + math.log1p(math.exp(min(a, b) - high))


@jitable
def _goes_on(first, last, rho):  # type: ignore[no-untyped-def]  # compiled
    """Whether a piece of trajectory with this sum of momenta still moves away from both its ends."""
    a, b = 0.0, 0.0
    for k in range(rho.shape[0]):
        a = add_in_any_order(a, first[k] * rho[k])
        b = add_in_any_order(b, last[k] * rho[k])
    return a > 0.0 and b > 0.0


@jitable
def _goes_on_with(first, last, rho, other):  # type: ignore[no-untyped-def]  # compiled
    """The same for a piece and one more point: ``other`` is its momentum."""
    a, b = 0.0, 0.0
    for k in range(rho.shape[0]):
        total = rho[k] + other[k]
        a = add_in_any_order(a, first[k] * total)
        b = add_in_any_order(b, last[k] * total)
    return a > 0.0 and b > 0.0


@jitable
def _halves_go_on(a, b):  # type: ignore[no-untyped-def]  # compiled
    """Whether each of two neighbouring pieces, with the nearest point of the other, still moves away from its ends."""
    return _goes_on_with(a[FIRST], b[FIRST], a[RHO], b[FIRST]) and _goes_on_with(a[LAST], b[LAST], b[RHO], a[LAST])


@jitable
def _take(q, g, of_source, piece, of_piece):  # type: ignore[no-untyped-def]  # compiled
    """Make another point the one drawn from a piece."""
    copy(q, piece[POSITION])
    copy(g, piece[GRADIENT])
    of_piece[LOG_DENSITY], of_piece[ENERGY] = of_source[LOG_DENSITY], of_source[ENERGY]


@jitable
def _chosen(of_piece, weight, rng):  # type: ignore[no-untyped-def]  # compiled
    """Add a weight to a piece's; return whether what it belongs to is the one drawn."""
    total = log_sum(of_piece[_WEIGHT], weight)
    of_piece[_WEIGHT] = total
    return rng.random() < math.exp(weight - total)


@jitable
def _merge(a, b, of_a, of_b, rng):  # type: ignore[no-untyped-def]  # compiled
    """Join piece b to piece a, of equal size and more than a point; return whether the whole still goes on."""
    if not _halves_go_on(a, b):
        return False
    rho = a[RHO]
    for k in range(rho.shape[0]):
        rho[k] += b[RHO, k]
    copy(b[LAST], a[LAST])
    if _chosen(of_a, of_b[_WEIGHT], rng):
        _take(b[POSITION], b[GRADIENT], of_b, a, of_a)
    return _goes_on(a[FIRST], a[LAST], rho)


@jitable
def _put_point(end, of_point, piece, of_piece):  # type: ignore[no-untyped-def]  # compiled
    """Begin a piece with one point."""
    for row in (RHO, FIRST, LAST):
        copy(end[END_P], piece[row])
    of_piece[_WEIGHT] = of_point[_WEIGHT]
    _take(end[END_Q], end[END_G], of_point, piece, of_piece)


@jitable
def _add_point(end, of_point, piece, of_piece, rng):  # type: ignore[no-untyped-def]  # compiled
    """Join a second point to a piece of one; return whether the two still go on."""
    p, first, rho, last = end[END_P], piece[FIRST], piece[RHO], piece[LAST]
    a, b = 0.0, 0.0
    for k in range(p.shape[0]):
        total = first[k] + p[k]
        rho[k], last[k] = total, p[k]
        a = add_in_any_order(a, first[k] * total)
        b = add_in_any_order(b, p[k] * total)
    if _chosen(of_piece, of_point[_WEIGHT], rng):
        _take(end[END_Q], end[END_G], of_point, piece, of_piece)
    return a > 0.0 and b > 0.0


@jitable
def _grow(density, place, step, depth, end, start_energy, work, tally, rng):  # type: ignore[no-untyped-def]
    """Extend the trajectory at ``end`` by 2**depth points; return 0, or 1 if it turned, 2 if it diverged on the way.

    The piece lies at the bottom of the stack. ``tally`` holds the sum of acceptance probabilities and the steps.
    """
    stack, of_stack, sizes, value, of_point = work[1], work[2], work[3], work[4], work[7]
    top = 0
    for i in range(1 << depth):
        log_density, kinetic = leap(density, place, (step, 0.0), end, value)
        energy = kinetic - log_density
        tally[1] += 1.0
        if not energy - start_energy < DIVERGING:  # also where the energy is nan
            return 2
        tally[0] += min(1.0, math.exp(start_energy - energy))
        of_point[_WEIGHT], of_point[LOG_DENSITY], of_point[ENERGY] = start_energy - energy, log_density, energy
        if i % 2 == 0:
            _put_point(end, of_point, stack[top], of_stack[top])
            sizes[top] = 0
            top += 1
            continue
        if not _add_point(end, of_point, stack[top - 1], of_stack[top - 1], rng):
            return 1
        sizes[top - 1] = 1
        while top > 1 and sizes[top - 1] == sizes[top - 2]:
            a, b = top - 2, top - 1
            if not _merge(stack[a], stack[b], of_stack[a], of_stack[b], rng):
                return 1
            sizes[a] += 1
            top -= 1
    return 0


@jitable
def _join(work, forward, rng):  # type: ignore[no-untyped-def]  # compiled
    """Join the new half, at the bottom of the stack, to the trajectory; return whether the whole still goes on."""
    whole, new, of_whole, of_new = work[5], work[1][0], work[6], work[2][0]
    if rng.random() < math.exp(min(0.0, of_new[_WEIGHT] - of_whole[_WEIGHT])):
        _take(new[POSITION], new[GRADIENT], of_new, whole, of_whole)
    of_whole[_WEIGHT] = log_sum(of_whole[_WEIGHT], of_new[_WEIGHT])
    # FIRST of the whole is its end in the past. A new half was walked away from the trajectory, whatever the direction.
    near = LAST if forward else FIRST
    goes_on = _goes_on_with(whole[FIRST + LAST - near], new[FIRST], whole[RHO], new[FIRST])
    goes_on &= _goes_on_with(whole[near], new[LAST], new[RHO], whole[near])
    rho = whole[RHO]
    for k in range(rho.shape[0]):
        rho[k] += new[RHO, k]
    copy(new[LAST], whole[near])
    return goes_on and _goes_on(whole[FIRST], whole[LAST], rho)


@jitable
def begin(work, rng):  # type: ignore[no-untyped-def]  # compiled
    """Begin a trajectory at the whole's POSITION with a fresh momentum; return its energy."""
    ends, whole, of_whole = work[0], work[5], work[6]
    p = ends[0, END_P]
    squares = 0.0
    for k in range(p.shape[0]):
        p[k] = rng.standard_normal()
        squares += p[k] * p[k]
    copy(whole[POSITION], ends[0, END_Q])
    copy(whole[GRADIENT], ends[0, END_G])
    for row in range(3):
        copy(ends[0, row], ends[1, row])
    for row in (RHO, FIRST, LAST):
        copy(p, whole[row])
    energy = 0.5 * squares - of_whole[LOG_DENSITY]
    of_whole[_WEIGHT], of_whole[ENERGY] = 0.0, energy
    return energy


@jitable
def transition(density, place, step, max_depth, work, rng, tally):  # type: ignore[no-untyped-def]  # compiled
    """Draw the next point; return (completed doublings, whether the trajectory diverged).

    The point before and after lies in the whole trajectory's POSITION and GRADIENT rows, with its log density;
    ``tally`` is filled with the sum of acceptance probabilities and the number of steps.
    """
    ends = work[0]
    tally[0], tally[1] = 0.0, 0.0
    start_energy = begin(work, rng)
    for depth in range(max_depth):
        forward = rng.random() < 0.5
        end, signed = (ends[1], step) if forward else (ends[0], -step)
        outcome = _grow(density, place, signed, depth, end, start_energy, work, tally, rng)
        if outcome != 0:
            return depth, outcome == 2
        if not _join(work, forward, rng):
            return depth + 1, False
    return max_depth, False


@jitable
def work_of(n, max_depth):  # type: ignore[no-untyped-def]  # compiled
    """Return work space: ends; stack of pieces, their numbers and sizes; a value; the whole, its numbers; a point's."""
    sizes = np.zeros(max_depth + 1, dtype=np.int64)
    stack, of_stack = np.empty((max_depth + 1, 5, n)), np.empty((max_depth + 1, 3))
    return np.empty((2, 3, n)), stack, of_stack, sizes, np.empty(1), np.empty((5, n)), np.empty(3), np.empty(3)
