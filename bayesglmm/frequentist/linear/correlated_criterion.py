"""The profiled criterion of a linear mixed model whose residuals correlate: theta and correlation coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bayesglmm.engine.correlated import CorrelatedMixed, Whitened
from bayesglmm.engine.linear import Solved
from bayesglmm.errors import FitError
from bayesglmm.frequentist.linear.profiled import ProfiledCriterion
from bayesglmm.frequentist.search.optimum import Optimum
from bayesglmm.frequentist.working import Working

__all__ = ["CorrelatedCriterion"]

_REMEMBERED = 4


@dataclass(frozen=True, eq=False)
class CorrelatedCriterion:
    """log L(theta, x), beta and sigma at their best; theta relative to sigma, x the coordinates of the whitening.

    Where standard deviations differ by row, sigma is given and x begins with the coefficients of their logarithms.

    Attributes
    ----------
    mixed : CorrelatedMixed
        The model.
    reml : bool
        Whether it is the criterion of REML.
    known_sigma : float
        sigma where it is given.
    known : list of (bytes, Whitened or None, ProfiledCriterion or None)
        The last few whitenings.
    """

    mixed: CorrelatedMixed
    reml: bool
    known_sigma: float = 1.0
    known: list[tuple[bytes, Whitened | None, ProfiledCriterion | None]] = field(default_factory=list, repr=False)

    def split(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return theta and x."""
        k = len(v) - self.mixed.n_coordinates
        return v[:k], v[k:]

    def at(self, x: np.ndarray) -> tuple[Whitened | None, ProfiledCriterion | None]:
        """Return the model whitened at x (c,) and its criterion, remembered; None where R is singular."""
        key = x.tobytes()
        for known, white, criterion in self.known:
            if known == key:
                return white, criterion
        white = self.mixed.at(x)
        criterion = None if white is None else ProfiledCriterion(white.model, self.reml, self.known_sigma)
        self.known[:] = [*self.known[-_REMEMBERED:], (key, white, criterion)]
        return white, criterion

    def evaluate(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        """Return value and exact gradient at v = (theta, x); -inf where rounding leaves no answer."""
        theta, x = self.split(v)
        white, criterion = self.at(x)
        at = None if criterion is None else criterion.solve(theta)
        if white is None or criterion is None or at is None or not at.r2 > 0.0:
            return -np.inf, np.full(len(v), np.nan)
        logs, r2 = self._gradients(white, at)
        return criterion.value(at), -0.5 * (logs + r2 / criterion.sigma(at) ** 2)

    def _gradients(self, white: Whitened, at: Solved) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of the logarithms and of r^2 in (theta, x)."""
        of_theta, of_x = white.model.gradients(at, self.reml), self.mixed.gradients(white, at, self.reml)
        return np.concatenate([of_theta[0], of_x[0]]), np.concatenate([of_theta[1], of_x[1]])

    def require(self, v: np.ndarray) -> tuple[ProfiledCriterion, Solved, Whitened]:
        """Return the criterion, the solution and the whitened model at v, or raise FitError."""
        theta, x = self.split(v)
        white, criterion = self.at(x)
        at = None if criterion is None else criterion.solve(theta)
        if white is None or criterion is None or at is None or not np.isfinite(criterion.value(at)):
            raise FitError(
                "the log-likelihood is not finite where the search ended; look at the scale of the columns, and "
                "rescale what is above 1e6 or below 1e-6."
            )
        return criterion, at, white

    def start(self) -> np.ndarray:
        """Return v with the correlations in the middle of their range and theta after a step of EM there."""
        scales, x = self.mixed.scales, np.zeros(self.mixed.n_coordinates)
        if scales is not None:
            x[: scales.size] = scales.start()
        _, criterion = self.at(x)
        assert criterion is not None
        return np.concatenate([criterion.start(), x])

    def units(self, v: np.ndarray) -> np.ndarray:
        """Return a matrix that measures v by about one standard error of each entry.

        A single correlation's is seen in the curvature there; those of a full matrix are given what a correlation of 0
        has from so many groups; coefficients of log standard deviations together have those of independent rows.
        """
        theta, x = self.split(v)
        _, criterion = self.at(x)
        assert criterion is not None
        k, scales = len(theta), self.mixed.scales
        units = np.eye(len(v))
        units[:k, :k] = np.diag(criterion.units(theta))
        if scales is not None:
            units[k : k + scales.size, k : k + scales.size] = scales.units()
            k += scales.size
        if self.mixed.structure.coordinates(self.mixed.rows) > 1:
            units[k:, k:] *= len(self.mixed.rows.factor.levels) ** -0.5
            return units
        step, m = 1e-3, len(v) - 1
        move = step * np.eye(len(v))[m]
        curvature = (self.evaluate(v - move)[1][m] - self.evaluate(v + move)[1][m]) / (2.0 * step)
        if np.isfinite(curvature) and curvature > 1.0:
            units[m, m] = curvature**-0.5
        return units

    def natural(self, v: np.ndarray) -> np.ndarray:
        """Return the natural scale of each entry of v."""
        _, x = self.split(v)
        _, criterion = self.at(x)
        assert criterion is not None
        scales = self.mixed.scales
        of_scales = np.zeros(0) if scales is None else scales.natural()
        return np.concatenate([criterion.natural(), of_scales, np.ones(len(x) - len(of_scales))])

    def in_working_parameters(self, relative: Optimum, working: Working, covariance: np.ndarray) -> Optimum:
        """Return the optimum in x = (beta, theta, log sigma, coordinates); see `ProfiledCriterion`."""
        criterion, at, white = self.require(relative.x)
        if self.mixed.scales is not None:
            return self._with_given_sigma(relative, working, covariance, white.model.beta(at))
        theta, coordinates = self.split(relative.x)
        k, q, p = len(theta), len(relative.x), working.n_beta
        sigma, degrees = criterion.sigma(at), criterion.degrees
        _, g = self._gradients(white, at)
        full = np.zeros((q + 1, q + 1))
        full[:q, :q] = relative.hessian - 0.5 * degrees * np.outer(g, g) / at.r2**2
        full[q, :q] = full[:q, q] = g / sigma**2
        full[q, q] = -2.0 * degrees
        held = np.append(relative.pinned, False)
        full[held], full[:, held] = 0.0, 0.0
        # From (theta, log sigma, coordinates) to (theta / sigma, coordinates, log sigma); parameters of Lambda that are
        # no sizes are the same in both.
        times = np.where(working.layout.scales, sigma, 1.0)
        J = np.zeros((q + 1, q + 1))
        J[:k, :k] = np.diag(1.0 / times)
        J[:k, k] = np.where(working.layout.scales, -theta, 0.0)
        J[k:q, k + 1 :] = np.eye(q - k)
        J[q, k] = 1.0
        hessian = np.zeros((working.size, working.size))
        hessian[:p, :p] = -np.linalg.inv(covariance)
        hessian[p:, p:] = J.T @ full @ J
        pinned = np.zeros(working.size, dtype=bool)
        pinned[working.theta], pinned[working.residual] = relative.pinned[:k], relative.pinned[k:]
        hessian[pinned], hessian[:, pinned] = np.nan, np.nan
        x = np.concatenate([white.model.beta(at), theta * times, [np.log(sigma)], coordinates])
        start = np.full(working.size, np.nan)
        start[working.theta], start[working.residual] = relative.start[:k] * times, relative.start[k:]
        return replace(relative, start=start, x=x, pinned=pinned, hessian=hessian)

    def _with_given_sigma(
        self, relative: Optimum, working: Working, covariance: np.ndarray, beta: np.ndarray
    ) -> Optimum:
        """Return the optimum in x = (beta, theta, coordinates): nothing but beta was profiled out."""
        k, p = working.layout.size, working.n_beta
        times = np.ones(len(relative.x))
        times[:k][working.layout.scales] = self.known_sigma
        hessian = np.zeros((working.size, working.size))
        hessian[:p, :p] = -np.linalg.inv(covariance)
        hessian[p:, p:] = relative.hessian / np.outer(times, times)
        pinned = np.concatenate([np.zeros(p, dtype=bool), relative.pinned])
        hessian[pinned], hessian[:, pinned] = np.nan, np.nan
        x, start = np.concatenate([beta, times * relative.x]), np.append(np.full(p, np.nan), times * relative.start)
        return replace(relative, start=start, x=x, pinned=pinned, hessian=hessian)
