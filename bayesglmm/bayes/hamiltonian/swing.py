"""One transition along circles: an angle drawn at random, gone in equal round steps, its end accepted or refused.

Where a density is nearly normal, no criterion of turning is needed: after the angle t a coordinate has the correlation
cos t with where it was, its square cos^2 t. Over angles from 1.6 to 2.6 these have means of -0.48 and 0.29: draws
alternate, so that a posterior mean is known as from nearly three times as many independent draws, and squares move
on. A trajectory of NUTS on the same circle goes on to half a turn at least, where squares are back at what they were,
and makes twice the steps. Angles from 3.6 to 5.2 have means of -0.28 and 0.25; for a coordinate that is wider
than it should be they are about half a turn, and what mixes slowly moves further for each of its steps: they are for
densities that are not nearly normal. Since angles differ from draw to draw no coordinate comes back to itself every
time.

Hamiltonian Monte Carlo with a random length (Neal 2011, section 5.4.2) on the round steps of `leap`: the angle does
not depend on the point and the momentum is as likely as its opposite, so that Metropolis' rule at the end is exact.
"""

from __future__ import annotations

import math

from bayesglmm.bayes.hamiltonian.leap import END_G, END_Q, copy, leap
from bayesglmm.bayes.hamiltonian.trajectory import DIVERGING, ENERGY, GRADIENT, LOG_DENSITY, POSITION, begin
from bayesglmm.compiled import jitable

__all__ = ["swing"]

#: Angles are drawn between these. Short ones of up to 2.9 would give means a third more effective draws, and left
#: R-hat of InstEval's 4,100 effects, which looks at squares too, at 1.012.
_SHORT, _LONG = (1.6, 2.6), (3.6, 5.2)


@jitable
def _angle(far, rng):  # type: ignore[no-untyped-def]  # compiled
    """Draw an angle: a long one with probability ``far``."""
    least, most = _LONG if rng.random() < far else _SHORT
    return least + (most - least) * rng.random()


@jitable
def _steps(angle, step, max_depth):  # type: ignore[no-untyped-def]  # compiled
    """Return how many steps an angle takes and the depth of a tree as large, ``max_depth`` if the angle is cut."""
    most = (1 << max_depth) - 1
    if angle > step * most:
        return most, max_depth
    n, depth = math.ceil(angle / step), 1
    while (1 << depth) - 1 < n:
        depth += 1
    return n, min(depth, max_depth - 1)


@jitable
def swing(density, place, step, round_, far, max_depth, work, rng, tally):  # type: ignore[no-untyped-def]  # compiled
    """Draw the next point; return (depth of a tree with as many steps, whether the trajectory diverged).

    Everything is as in `trajectory.transition`; ``step`` is the longest step, ``round_`` whether steps go round
    circles (1.0) or straight on (0.0, the angle is then a time), ``far`` the share of long angles.
    """
    whole, of_whole, value, end = work[5], work[6], work[4], work[0][1]
    start_energy = begin(work, rng)
    angle = _angle(far, rng)
    n, depth = _steps(angle, step, max_depth)
    own = min(step, angle / n)
    tally[0], tally[1] = 0.0, 0.0
    energy, log_density, diverged = start_energy, 0.0, False
    for _ in range(n):
        log_density, kinetic = leap(density, place, (own, round_), end, value)
        energy = kinetic - log_density
        tally[1] += 1.0
        if not math.isfinite(energy):  # the way back would meet the same point
            return depth, True
        # Told, and not acted upon: seen from the other end it may be no divergence.
        diverged |= energy - start_energy >= DIVERGING
    accepted = min(1.0, math.exp(start_energy - energy))
    tally[0] = accepted * tally[1]
    if rng.random() < accepted:
        copy(end[END_Q], whole[POSITION])
        copy(end[END_G], whole[GRADIENT])
        of_whole[LOG_DENSITY], of_whole[ENERGY] = log_density, energy
    return depth, diverged
