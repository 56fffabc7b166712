"""Which density a model is sampled from: the joint one, or a Gaussian model's marginal one, whichever costs less."""

from __future__ import annotations

import time

import numpy as np

from bayesglmm.bayes.start import start_box
from bayesglmm.bayes.target import Target, joint_target, marginal_target
from bayesglmm.covariance import AUTOREGRESSIVE
from bayesglmm.density import JointDensity
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.engine.pattern import MAX_SERIES, widest_serial

__all__ = ["choose_target"]

#: Gradients that a draw takes, roughly, in preconditioned coordinates: of a few parameters, of hundreds, of thousands.
_STEPS = ((20, 4.0), (200, 7.0), (np.inf, 15.0))
#: Draws of the marginal density are worth more: nothing else than a few parameters has to mix.
_WORTH = 3.0
#: The more so beside serial effects, which sigma trades variance with at every step: for the follicles of mares (11
#: chains of 30) an effective size of 66 of 2000 draws against 733.
_WORTH_SERIAL = 100.0
#: Evaluations that are timed.
_TIMED = 15


def choose_target(density: JointDensity) -> Target:
    """Return what to sample: measured costs of an evaluation times the steps that a draw takes."""
    design = density.design
    blocks = widest_serial(design) <= MAX_SERIES
    # The marginal density sums rows that are independent given the effects, of levels that are independent.
    related = any(g.structure.relationship is not None for g in design.groups)
    independent = design.residual is None and not related
    if design.is_linear and blocks and independent:
        marginal = GaussianMarginal.of(design, density.parameters)
        target = marginal_target(density, marginal) if _is_cheaper(marginal, density) else None
        if target is not None:
            return target
    return joint_target(density)


def _is_cheaper(marginal: GaussianMarginal, density: JointDensity) -> bool:
    center, _ = start_box(density)
    head = density.size - density.layout.n_effects
    alone = _seconds(marginal.evaluator(), center[head - marginal.size : head])
    together = _seconds(density.evaluator(), center)
    serial = any(g.structure.keyword == AUTOREGRESSIVE.keyword for g in density.design.groups)
    worth = _WORTH_SERIAL if serial else _WORTH
    # Completing a draw is an evaluation without its gradient.
    return (_steps(marginal.size) + 1.0) * alone < worth * _steps(density.size) * together


def _steps(size: int) -> float:
    return next(steps for largest, steps in _STEPS if size <= largest)


def _seconds(evaluate, x: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    """Return the shortest of several evaluations: the choice should be the same on a busy machine."""
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        evaluate(x)
        times.append(time.perf_counter() - started)
    return min(times)
