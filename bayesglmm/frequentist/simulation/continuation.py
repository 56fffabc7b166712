"""The maximum of a simulated log-likelihood, from that with fewer draws, and how far simulation leaves it uncertain.

The first maximum is found by `maximise`; later ones lie close to the one before, so that Newton steps with its Hessian
reach them in a few evaluations (Booth & Hobert 1999 for the growing number of draws).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.frequentist.likelihood import objective_of
from bayesglmm.frequentist.search.maximise import Objective, maximise
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.search.start import natural_units
from bayesglmm.frequentist.simulation.importance import SimulatedLikelihood

__all__ = ["improve", "monte_carlo_covariance"]

_DECREMENT = 1e-10
_STEPS = 15
_STEP = 0.01


def improve(simulated: SimulatedLikelihood, before: Optimum | None, start: np.ndarray) -> Optimum:
    """Return the maximum of a simulated log-likelihood.

    Parameters
    ----------
    simulated : SimulatedLikelihood
        What is maximised.
    before : Optimum or None
        An interior maximum with nearly the same draws, if there is one: a few steps from there may do.
    start : ndarray, shape (k,)
        Where the search starts without one.
    """
    working, marginal = simulated.working, simulated.laplace.marginal
    objective = objective_of(simulated, natural_units(marginal, working, start))
    found = None if before is None or before.status is not OptimumStatus.CONVERGED else _newton(objective, before)
    return maximise(objective, start) if found is None else found


def monte_carlo_covariance(optimum: Optimum, gradients: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo covariance of the maximum, nan where it is pinned, shape (k, k).

    Parameters
    ----------
    optimum : Optimum
        Maximum.
    gradients : ndarray, shape (R, k)
        Deviations of the gradients of R independent replicates from that of all (see `Replicates`).
    """
    R = len(gradients)
    covariance = optimum.covariance()
    free = np.flatnonzero(~optimum.pinned)
    V = gradients[:, free].T @ gradients[:, free] / (R * (R - 1))
    out = np.full_like(covariance, np.nan)
    bread = covariance[np.ix_(free, free)]
    out[np.ix_(free, free)] = bread @ V @ bread
    return out


@dataclass(frozen=True, eq=False)
class _Steps:
    """Where Newton steps ended."""

    x: np.ndarray
    value: float
    gradient: np.ndarray
    count: int


def _newton(objective: Objective, before: Optimum) -> Optimum | None:
    """Return the interior maximum near ``before``, None if steps with its Hessian do not lead to one."""
    covariance = before.covariance()
    steps = _steps(objective, before.x, covariance)
    if steps is None:
        return None
    hessian = _hessian(objective, steps.x, np.sqrt(np.diagonal(covariance)))
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian).max(initial=-np.inf) >= 0.0:
        return None
    return replace(
        before,
        x=steps.x,
        value=steps.value,
        gradient_norm=float(np.abs(objective.units.T @ steps.gradient).max(initial=0.0)),
        iterations=before.iterations + steps.count,
        evaluations=before.evaluations + steps.count + 1 + 2 * len(steps.x),
        hessian=hessian,
    )


def _steps(objective: Objective, x: np.ndarray, covariance: np.ndarray) -> _Steps | None:
    last = np.inf
    for count in range(_STEPS):
        value, gradient = objective.evaluate(x)
        decrement = float(gradient @ covariance @ gradient)
        if not np.isfinite(value) or not decrement < last:
            return None
        if decrement <= _DECREMENT:
            return _Steps(x, value, gradient, count)
        x, last = x + covariance @ gradient, decrement
        if (x[objective.nonnegative] <= 0.0).any():
            return None
    return None


def _hessian(objective: Objective, x: np.ndarray, std_errors: np.ndarray) -> np.ndarray:
    """Return second derivatives from central differences of the gradient, a hundredth of a standard error apart."""
    H = np.empty((len(x), len(x)))
    for k, width in enumerate(_STEP * std_errors):
        e = np.zeros(len(x))
        e[k] = width
        H[k] = (objective.evaluate(x + e)[1] - objective.evaluate(x - e)[1]) / (2.0 * width)
    return 0.5 * (H + H.T)
