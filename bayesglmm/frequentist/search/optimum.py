"""The record of an optimisation: where it started and ended, how it ended, what that means and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from bayesglmm.counting import count

__all__ = ["Optimum", "OptimumStatus", "better"]


class OptimumStatus(Enum):
    """How an optimisation ended; ``cause`` and ``remedy`` say it in words."""

    CONVERGED = "converged"
    BOUNDARY = "boundary"
    FLAT = "flat"
    STOPPED_EARLY = "stopped early"
    UNCERTAIN = "uncertain"

    @property
    def cause(self) -> str:
        """What happened."""
        return _WORDS[self][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _WORDS[self][1]

    @property
    def usable(self) -> bool:
        """Whether the estimates are a maximum of the log-likelihood."""
        return self in (OptimumStatus.CONVERGED, OptimumStatus.BOUNDARY)


_WORDS = {
    OptimumStatus.CONVERGED: (
        "the gradient is zero and the log-likelihood is curved downwards in every direction.",
        "nothing needs to be done.",
    ),
    OptimumStatus.BOUNDARY: (
        "the maximum lies on the boundary: a standard deviation is 0 or a correlation is 1 or -1, or phi has no bound.",
        "leave the effect out, let the effects be independent (||), or sample the posterior, which averages over the "
        "values that the data allow.",
    ),
    OptimumStatus.FLAT: (
        "the log-likelihood is flat in some direction: the data do not tell some parameters apart.",
        "look for separation or collinear columns, or give the parameters a prior and sample.",
    ),
    OptimumStatus.STOPPED_EARLY: (
        "the search stopped before the gradient was zero.",
        "rescale columns with scale(), simplify the group terms, or sample the posterior.",
    ),
    OptimumStatus.UNCERTAIN: (
        "the log-likelihood was simulated, and the simulation is too coarse: its error is larger than was asked for, "
        "or a few draws carry all the weight.",
        "raise max_draws or the tolerance, draw around the modes (proposal='mode'), or sample the posterior.",
    ),
}


@dataclass(frozen=True, eq=False)
class Optimum:
    """One optimisation.

    Attributes
    ----------
    start, x : ndarray, shape (k,)
        First and last parameter vector (beta, theta, log phi).
    value : float
        Log-likelihood at ``x``.
    gradient_norm : float
        Largest entry of the gradient at ``x`` over the parameters that are free, in natural units of each.
    iterations, evaluations : int
        Steps of the optimiser and evaluations of the log-likelihood.
    pinned : ndarray of bool, shape (k,)
        Parameters held at zero because the maximum lies there.
    hessian : ndarray, shape (k, k)
        Second derivatives of the log-likelihood at ``x``; nan in the rows and columns of pinned parameters.
    status : OptimumStatus
        How it ended.
    """

    start: np.ndarray
    x: np.ndarray
    value: float
    gradient_norm: float
    iterations: int
    evaluations: int
    pinned: np.ndarray
    hessian: np.ndarray
    status: OptimumStatus

    @property
    def message(self) -> str:
        """Status, cause and remedy in one sentence each."""
        if np.isnan(self.value) and self.status.usable:
            # Equations without a likelihood: they have a solution and no maximum.
            edge = (
                ""
                if self.status is OptimumStatus.CONVERGED
                else " A standard deviation is 0 or a correlation is 1 or -1."
            )
            return f"{self.status.value}: the estimating equations are solved.{edge}"
        words = f"{self.status.value}: {self.status.cause}"
        return words if self.status is OptimumStatus.CONVERGED else f"{words} To do: {self.status.remedy}"

    def covariance(self) -> np.ndarray:
        """Return the inverse of the observed information over free parameters, nan elsewhere, shape (k, k)."""
        k = len(self.x)
        covariance = np.full((k, k), np.nan)
        free = np.flatnonzero(~self.pinned)
        information = -self.hessian[np.ix_(free, free)]
        try:
            np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return covariance
        covariance[np.ix_(free, free)] = np.linalg.inv(information)
        return covariance

    def __str__(self) -> str:
        return (
            f"{self.message}\n  log-likelihood {self.value:.6f}, largest gradient {self.gradient_norm:.2g}, "
            f"{count(self.iterations, 'iteration')}, {count(self.evaluations, 'evaluation')}"
        )


def better(one: Optimum, other: Optimum) -> Optimum:
    """Return the higher of two optima of one function with the work of both; the first if they are as high."""
    gain = other.value - one.value
    chosen = other if other.status.usable and gain > 1e-7 * (1.0 + 1e-4 * abs(one.value)) else one
    return replace(
        chosen, iterations=one.iterations + other.iterations, evaluations=one.evaluations + other.evaluations
    )
