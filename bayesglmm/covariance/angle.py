"""theta = (sd, t) of structures with one standard deviation and one correlation rho between ``lower`` and 1.

    rho = (1 + lower) / 2 + (1 - lower) / 2 sin t

t is an angle, and not the coordinate of the prior, since rho may reach its bounds at a maximum: there the logit is
infinite, while t is -pi / 2 or pi / 2, where the log-likelihood is even in t and has an ordinary maximum. Factors take
their square roots with a sign (sqrt(1 - rho^2) = cos t), so that they are smooth across the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.theta import Components

__all__ = ["AngleMap", "at_bound", "correlation_at"]

#: 1 - |sin t| below which rho is its bound: a search ends within 1e-6 of the angle there.
_AT_BOUND = 1e-10
#: sin t from which a search may start.
_INSIDE = 0.98


def correlation_at(t: float, lower: float) -> tuple[float, float]:
    """Return rho and d rho / dt at an angle."""
    half = 0.5 * (1.0 - lower)
    return lower + half * (1.0 + math.sin(t)), half * math.cos(t)


def at_bound(t: float) -> bool:
    """Whether rho is at one of its bounds."""
    return abs(math.sin(t)) > 1.0 - _AT_BOUND


@dataclass(frozen=True)
class AngleMap:
    """Lambda = sd L(t).

    Attributes
    ----------
    factors : callable
        (t, q) -> L and dL / dt, both (q, q) and lower triangular.
    lower : callable
        q -> lowest correlation.
    """

    factors: Callable[[float, int], tuple[np.ndarray, np.ndarray]]
    lower: Callable[[int], float]

    @property
    def invariant(self) -> bool:
        """Another origin of a covariate would need more standard deviations than one."""
        return False

    @property
    def mixes(self) -> bool:
        """There is one standard deviation, and it shares its variance with nothing."""
        return False

    def size(self, q: int) -> int:  # noqa: ARG002
        """Return 2."""
        return 2

    def diagonal(self, q: int) -> np.ndarray:  # noqa: ARG002
        """Return that the first of the two is a standard deviation."""
        return np.array([True, False])

    def columns(self, q: int) -> tuple[np.ndarray, ...]:  # noqa: ARG002
        """Return both: without a standard deviation the correlation says nothing."""
        return (np.arange(2),)

    def scales(self, q: int) -> np.ndarray:  # noqa: ARG002
        """Return that the angle stays."""
        return np.array([True, False])

    def lifted(self, theta: np.ndarray, least: np.ndarray, q: int) -> np.ndarray:  # noqa: ARG002
        """Return theta with the angle where it is not stationary: at a bound the gradient is 0, whatever the data."""
        inside = math.asin(min(max(math.sin(theta[1]), -_INSIDE), _INSIDE))
        return np.array([max(abs(theta[0]), least[0]), inside])

    def factor(self, theta: np.ndarray, q: int) -> np.ndarray:
        """Return Lambda (q, q) at ``theta``."""
        return theta[0] * self.factors(float(theta[1]), q)[0]

    def pull_back(self, theta: np.ndarray, G: np.ndarray) -> np.ndarray:
        """Return the gradient in (sd, t)."""
        L, slope = self.factors(float(theta[1]), len(G))
        return np.array([(G * L).sum(), theta[0] * (G * slope).sum()])

    def natural(self, sds: np.ndarray, q: int) -> np.ndarray:  # noqa: ARG002
        """Return the root mean square of the scales, and 1 for the angle."""
        return np.array([math.sqrt(float(np.mean(sds**2))), 1.0])

    def rescaled(self, theta: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Return theta with the standard deviation times the root mean square of the ratios."""
        return theta * np.array([math.sqrt(float(np.mean(ratios**2))), 1.0])

    def widths(self, Lambda: np.ndarray, shared: np.ndarray) -> np.ndarray:
        """Return about one standard error of sd and of the angle: all effects tell of both."""
        told = max(float(np.trace(shared)), 1e-300)
        return np.array([abs(Lambda[0, 0]) / math.sqrt(2.0 * told), 1.0 / math.sqrt(told)])

    def without(self, theta: np.ndarray, column: np.ndarray, q: int) -> np.ndarray:  # noqa: ARG002
        """Return zeros."""
        return np.zeros_like(theta)

    def components(self, theta: np.ndarray, origin: np.ndarray) -> Components:
        """Return sd and rho with their gradients."""
        rho, slope = correlation_at(float(theta[1]), self.lower(len(origin)))
        unknown = np.full(2, np.nan)
        if theta[0] == 0.0:
            return [(0.0, unknown)], [(np.nan, unknown)]
        edge = at_bound(float(theta[1]))
        sd = float(abs(theta[0])), np.array([math.copysign(1.0, theta[0]), 0.0])
        return [sd], [(rho, unknown if edge else np.array([0.0, slope]))]
