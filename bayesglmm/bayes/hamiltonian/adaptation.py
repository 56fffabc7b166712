"""Warm-up: a step size by dual averaging, and center and scale of each coordinate from draws and gradients.

Step size: Nesterov's dual averaging of the acceptance rate (Hoffman & Gelman 2014, section 3.2). Scales: the square
root of sd(draws) / sd(gradients), coordinate by coordinate (as nutpie's diagonal metric): exact after two different
points of a normal density, whatever they are, and not in need of having seen the whole of it; so is the center, where
the gradients' mean says that the draws' mean is not. Estimates come from a window that is thrown away and begun
afresh, so that where a chain came from is forgotten.
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.bayes.hamiltonian.leap import END_G, END_P, END_Q, copy, leap
from bayesglmm.bayes.hamiltonian.trajectory import GRADIENT, LOG_DENSITY, POSITION
from bayesglmm.compiled import jitable

__all__ = ["averaged_step", "first_step", "learn_point", "learn_step", "rescale", "step_memory"]

_GAMMA, _T0, _KAPPA = 0.05, 10.0, 0.75
#: Numbers of dual averaging: center of log step, error so far, log of the averaged step, updates.
_MU, _ERROR, _AVERAGE, _COUNT = range(4)
#: Rows of a window: means of draws and gradients, sums of squares about them, and (first entry) the number of points.
_MEAN_Q, _MEAN_G, _SQUARES_Q, _SQUARES_G, _POINTS = range(5)
#: Bounds of a scale: a coordinate that has not moved, or a flat one, says nothing.
_LEAST, _MOST = 1e-10, 1e10
#: Halvings or doublings in search of the first step.
_TRIALS = 60


@jitable
def step_memory(step):  # type: ignore[no-untyped-def]  # compiled
    """Return the memory of dual averaging that begins at ``step``; larger steps are tried first."""
    return np.array([math.log(10.0 * step), 0.0, math.log(step), 0.0])


@jitable
def learn_step(memory, acceptance, target, longest):  # type: ignore[no-untyped-def]  # compiled
    """Take in an acceptance rate; return the next step size.

    A step is an angle of the circle that a normal density would be: from about pi/2 on, a trajectory has no shape.
    """
    memory[_COUNT] += 1.0
    count = memory[_COUNT]
    share = 1.0 / (count + _T0)
    memory[_ERROR] = (1.0 - share) * memory[_ERROR] + share * (target - acceptance)
    log_step = min(memory[_MU] - math.sqrt(count) / _GAMMA * memory[_ERROR], math.log(longest))
    weight = count**-_KAPPA
    memory[_AVERAGE] = weight * log_step + (1.0 - weight) * memory[_AVERAGE]
    return math.exp(log_step)


@jitable
def averaged_step(memory):  # type: ignore[no-untyped-def]  # compiled
    """Return the step size that the memory recommends."""
    return math.exp(memory[_AVERAGE])


@jitable
def first_step(density, place, move, target, longest, work, rng):  # type: ignore[no-untyped-def]  # compiled
    """Return a step size at which one leap is accepted about as often as wanted: ``move``'s, doubled or halved."""
    end, whole, log_density, value = work[0][0], work[5], work[6][LOG_DENSITY], work[4]
    step, round_ = move
    direction = 0
    for _ in range(_TRIALS):
        before = -log_density
        for k in range(place.shape[1]):
            end[END_P, k] = rng.standard_normal()
            before += 0.5 * end[END_P, k] ** 2
        copy(whole[POSITION], end[END_Q])
        copy(whole[GRADIENT], end[END_G])
        after, kinetic = leap(density, place, (step, round_), end, value)
        gained = before - (kinetic - after)
        wanted = 1 if gained > math.log(target) else -1  # nan, where the energy overflows, is too far
        if direction not in (0, wanted) or (wanted > 0 and step >= longest):
            break
        direction = wanted
        step *= 2.0 if wanted > 0 else 0.5
    return min(step, longest)


@jitable
def learn_point(window, q, g):  # type: ignore[no-untyped-def]  # compiled
    """Add a draw and its gradient to the window's means and sums of squares (Welford 1962)."""
    window[_POINTS, 0] += 1.0
    share = 1.0 / window[_POINTS, 0]
    for k in range(q.shape[0]):
        d, e = q[k] - window[_MEAN_Q, k], g[k] - window[_MEAN_G, k]
        window[_MEAN_Q, k] += share * d
        window[_MEAN_G, k] += share * e
        window[_SQUARES_Q, k] += d * (q[k] - window[_MEAN_Q, k])
        window[_SQUARES_G, k] += e * (g[k] - window[_MEAN_G, k])


@jitable
def rescale(window, place):  # type: ignore[no-untyped-def]  # compiled
    """Set centers and scales to what the window says; those of coordinates that it knows nothing of stay."""
    for k in range(place.shape[1]):
        a, b = window[_SQUARES_Q, k], window[_SQUARES_G, k]
        if a > 0.0 and b > 0.0:
            variance = min(max(math.sqrt(a / b), _LEAST), _MOST)
            place[0, k] = window[_MEAN_Q, k] + variance * window[_MEAN_G, k]
            place[1, k] = math.sqrt(variance)
