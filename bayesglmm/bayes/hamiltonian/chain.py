"""One chain, from its starting point to its last draw, in one compiled call that does not hold the interpreter lock."""

from __future__ import annotations

import functools
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.bayes.hamiltonian.adaptation import (
    averaged_step,
    first_step,
    learn_point,
    learn_step,
    rescale,
    step_memory,
)
from bayesglmm.bayes.hamiltonian.swing import swing
from bayesglmm.bayes.hamiltonian.trajectory import ENERGY, GRADIENT, LOG_DENSITY, POSITION, transition, work_of
from bayesglmm.bayes.preconditioner.affine import call_density
from bayesglmm.compiled import compiled, jitable, source_stamp

__all__ = ["DIVERGENCES", "DONE", "NUMBERS", "STOP", "compile_chain"]

#: What is recorded of each draw.
NUMBERS = ("tree_depth", "diverging", "energy", "lp", "n_steps", "step_size", "acceptance_rate")
#: What a chain tells while it runs, and where it is told to stop.
DONE, DIVERGENCES, STOP = range(3)

_SOURCES = ("bayes/hamiltonian", "bayes/preconditioner/affine.py", "families/elementary.py")
#: Shares of the warm-up: the first, in which the chain finds the bulk of the density, and the last, which only measures
#: the step size.
_EARLY, _FINAL = 0.3, 0.15
#: Points after which a window begins afresh, early on and later.
_SHORT, _LONG = 10, 60
#: Round steps that are accepted at this share of the longest allowed say that the density is nearly normal; elsewhere
#: both ways' steps are held below _CAREFUL (hospitals' data: divergences in a quarter of all runs without), and a
#: share _FAR of swings is long (of grouseticks' data 1860 effective draws for 1400 with half of them long).
_NEARLY, _CAREFUL, _FAR = 0.95, 0.6, 0.75
#: Of so many iterations one goes in straight steps. It is NUTS, but where the density is nearly normal every second one
#: is a swing, at half the gradients or a third.
_EVERY = 3
#: How an iteration goes; the first two have a step size of their own in a chain's pace.
_ROUND, _NUTS, _STRAIGHT = range(3)

#: Place in a chain's pace of the share of long swings, after the step sizes of both ways.
_FAR_AT = 2


@jitable
def _way(i, far):  # type: ignore[no-untyped-def]  # compiled
    """Return how iteration i goes: a swing in round steps (_ROUND) or in straight ones (_STRAIGHT), or NUTS in straight
    ones (_NUTS); ``far`` is the share of long swings, 0 where the density is nearly normal.
    """
    if i % _EVERY != _EVERY - 1:
        return _ROUND
    return _STRAIGHT if far == 0.0 and i % (2 * _EVERY) == _EVERY - 1 else _NUTS


@jitable
def _advance(density, place, pace, way, max_depth, work, rng, tally):  # type: ignore[no-untyped-def]  # compiled
    """Draw the next point; return (depth, whether the trajectory diverged)."""
    if way == _NUTS:
        return transition(density, place, pace[_NUTS], max_depth, work, rng, tally)
    round_ = 1.0 if way == _ROUND else 0.0
    return swing(density, place, pace[min(way, _NUTS)], round_, pace[_FAR_AT], max_depth, work, rng, tally)


@jitable
def _warm_up(density, tune, target, longest, max_depth, place, pace, work, rng, progress):  # type: ignore[no-untyped-def]
    """Find centers and scales (in place), the step sizes of both ways and the share of long swings (in pace)."""
    n, whole = place.shape[1], work[5]
    tally, memory = np.empty(2), np.empty((2, 4))
    pace[_FAR_AT] = _FAR
    # Round steps lose little energy where the density is nearly normal, and much where it is not: a rare refusal of one
    # means more than that of a straight one.
    wanted = (0.5 * (1.0 + target), target)
    for way in range(2):
        pace[way] = first_step(density, place, (1.0, 1.0 - way), wanted[way], longest, work, rng)
        memory[way] = step_memory(pace[way])
    front, back = np.zeros((5, n)), np.zeros((5, n))
    early, last = int(_EARLY * tune), tune - int(_FINAL * tune)
    for i in range(tune):
        way = _way(i, _FAR)
        _, diverged = _advance(density, place, pace, way, max_depth, work, rng, tally)
        pace[way] = learn_step(memory[way], tally[0] / max(tally[1], 1.0), wanted[way], longest)
        progress[DONE] += 1
        progress[DIVERGENCES] += diverged
        if progress[STOP] != 0:
            return
        if i < last:
            learn_point(front, whole[POSITION], whole[GRADIENT])
            learn_point(back, whole[POSITION], whole[GRADIENT])
            if back[4, 0] >= (_SHORT if i < early else _LONG):
                front[:] = back
                back[:] = 0.0
            if front[4, 0] >= _SHORT:
                rescale(front, place)
    for way in range(2):
        pace[way] = averaged_step(memory[way])
    if pace[0] >= _NEARLY * longest:
        pace[_FAR_AT] = 0.0
    else:  # not as normal as was hoped for: long steps would diverge somewhere in the tails
        for way in range(2):
            pace[way] = min(pace[way], _CAREFUL)


@jitable
def _record(whole, of_whole, draw, numbers, depth, diverged, tally, step):  # type: ignore[no-untyped-def]  # compiled
    draw[:] = whole[POSITION]
    numbers[0], numbers[1] = depth, diverged
    numbers[2], numbers[3] = of_whole[ENERGY], of_whole[LOG_DENSITY]
    numbers[4], numbers[5], numbers[6] = tally[1], step, tally[0] / max(tally[1], 1.0)


@functools.cache
def compile_chain() -> Any:
    """Return the loop over one chain.

    ``chain(address, data, start, rng, tune, target, longest, max_depth, draws_out, numbers_out, progress) -> place``:
    ``address`` and ``data`` are those of a `NativeDensity`; ``start`` (n,) has a finite density; steps are tuned to the
    acceptance ``target`` and held below ``longest``; ``draws_out`` (draws, n) and ``numbers_out`` (draws, 7) are filled
    after ``tune`` iterations of warm-up; ``progress`` (3,) is read and written while the chain runs. ``place`` (2, n)
    holds the center and scale of each coordinate.
    """
    stamp = source_stamp(*_SOURCES)

    def chain(address, data, start, rng, tune, target, longest, max_depth, draws, numbers, progress):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        n = start.shape[0]
        density = (address, data)
        work, place, tally = work_of(n, max_depth), np.zeros((2, n)), np.empty(2)
        place[1] = 1.0
        whole, of_whole, value = work[5], work[6], work[4]
        whole[POSITION, :] = start
        call_density(address, n, start.ctypes.data, whole[GRADIENT].ctypes.data, value.ctypes.data, data)
        of_whole[LOG_DENSITY] = value[0]
        pace = np.empty(3)
        _warm_up(density, tune, target, longest, max_depth, place, pace, work, rng, progress)
        for i in range(draws.shape[0]):
            if progress[STOP] != 0:
                break
            way = _way(i, pace[_FAR_AT])
            depth, diverged = _advance(density, place, pace, way, max_depth, work, rng, tally)
            _record(whole, of_whole, draws[i], numbers[i], depth, diverged, tally, pace[min(way, _NUTS)])
            progress[DONE] += 1
            progress[DIVERGENCES] += diverged
        return place

    whole_number, real = nb.int64, nb.float64
    table = real[:, ::1]
    signature = table(
        nb.uint64,
        nb.uint64,
        real[::1],
        nb.types.npy_rng,
        whole_number,
        real,
        real,
        whole_number,
        table,
        table,
        nb.int64[::1],
    )
    return compiled(signature)(chain)
