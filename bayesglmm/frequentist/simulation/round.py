"""One maximum of a simulated log-likelihood, with what sampling and simulation each leave uncertain."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.errors import FitError
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.search.optimum import Optimum
from bayesglmm.frequentist.simulation.continuation import monte_carlo_covariance
from bayesglmm.frequentist.simulation.importance import Replicates, SimulatedLikelihood
from bayesglmm.frequentist.working import Working

__all__ = ["LogLikelihood", "Round", "replicates_at", "spread"]


@dataclass(frozen=True, eq=False)
class Round:
    """One maximum with one set of draws.

    Attributes
    ----------
    simulated : SimulatedLikelihood
        What was maximised.
    optimum : Optimum
        Its maximum.
    """

    simulated: SimulatedLikelihood
    optimum: Optimum

    @functools.cached_property
    def replicates(self) -> Replicates:
        """How the scramblings differ there."""
        return replicates_at(self.simulated, self.optimum.x)

    @functools.cached_property
    def mc_covariance(self) -> np.ndarray:
        """Monte Carlo covariance of x, shape (k, k)."""
        return monte_carlo_covariance(self.optimum, self.replicates.gradient)

    @functools.cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """Estimates with standard errors."""
        return _estimates(self.simulated.working, self.optimum.x, self.optimum.covariance())

    @functools.cached_property
    def mc_estimates(self) -> tuple[Estimate, ...]:
        """The same with Monte Carlo standard errors."""
        return _estimates(self.simulated.working, self.optimum.x, self.mc_covariance)

    @property
    def ratio(self) -> float:
        """Largest Monte Carlo standard error over standard error; nan if the Hessian is not that of a maximum."""
        free = np.flatnonzero(~self.optimum.pinned)
        if np.isnan(np.diagonal(self.optimum.covariance())[free]).any():
            return float("nan")
        pairs = zip(self.mc_estimates, self.estimates, strict=True)
        return max((m.std_error / e.std_error for m, e in pairs if e.std_error > 0.0), default=0.0)


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """A log-likelihood, the draws of each block that it is from, and how their replicates differ."""

    value: float
    draws: int
    replicates: Replicates


def spread(deviations: np.ndarray) -> float:
    """Return the standard error of the mean of R replicates whose deviations from it are given."""
    R = len(deviations)
    return float(np.sqrt((deviations**2).sum() / (R * (R - 1))))


def replicates_at(simulated: SimulatedLikelihood, x: np.ndarray) -> Replicates:
    """Return how the scramblings differ at x; FitError where the log-likelihood is not finite."""
    found = simulated.replicates(x)
    if found is None:
        raise FitError(
            "the simulated log-likelihood is not finite where the search ended; rescale columns with scale(), or "
            "sample the posterior (model.sample())."
        )
    return found


def _estimates(working: Working, x: np.ndarray, covariance: np.ndarray) -> tuple[Estimate, ...]:
    p = working.n_beta
    std_errors = np.sqrt(np.diagonal(covariance)[:p])
    named = zip(working.design.coefficients, x[:p], std_errors, strict=True)
    fixed = [Estimate("fixed", name, float(b), float(se)) for name, b, se in named]
    return (*fixed, *variance_components(working, x, covariance))
