"""The profiled log-likelihood (or REML criterion) of a linear mixed model as a function of theta relative to sigma."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bayesglmm.engine.linear import LinearMixed, Solved
from bayesglmm.frequentist.search.optimum import Optimum
from bayesglmm.frequentist.search.widths import factor_widths
from bayesglmm.frequentist.working import Working

__all__ = ["ProfiledCriterion"]

_REMEMBERED = 3
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class ProfiledCriterion:
    """log L(theta), beta and sigma at their best; sigma is held at 1 where standard errors are known.

    Attributes
    ----------
    model : LinearMixed
        Sums over rows.
    reml : bool
        Whether it is the criterion of REML.
    known_sigma : float
        sigma where it is not estimated.
    solved : list of (bytes, Solved or None)
        The last few solutions: start, units, search and results ask for the same ones.
    """

    model: LinearMixed
    reml: bool
    known_sigma: float = 1.0
    solved: list[tuple[bytes, Solved | None]] = field(default_factory=list, repr=False)

    def solve(self, theta: np.ndarray) -> Solved | None:
        """Return `LinearMixed.solve`, remembered."""
        key = theta.tobytes()
        for known, at in self.solved:
            if known == key:
                return at
        at = self.model.solve(theta)
        self.solved[:] = [*self.solved[-_REMEMBERED:], (key, at)]
        return at

    @property
    def degrees(self) -> float:
        """What r^2 is divided by: n, or n - p for REML."""
        return self.model.n - (len(self.model.R) if self.reml else 0)

    @property
    def free_sigma(self) -> bool:
        """Whether sigma is estimated."""
        return self.model.design.dispersion is not None

    def sigma(self, at: Solved) -> float:
        """Return the best sigma."""
        return float(np.sqrt(at.r2 / self.degrees)) if self.free_sigma else self.known_sigma

    def value(self, at: Solved) -> float:
        """Return the log-likelihood, all constants included."""
        logs = at.elimination.log_determinant - self.model.log_weights
        if self.reml:
            logs += 2.0 * float(np.log(np.diagonal(at.root)).sum() + np.log(np.abs(np.diagonal(self.model.R))).sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.free_sigma:
                fitted = self.degrees * (1.0 + np.log(at.r2 / self.degrees))
            else:
                fitted = at.r2 / self.known_sigma**2 + 2.0 * self.degrees * np.log(self.known_sigma)
        return -0.5 * float(logs + self.degrees * _LOG_2PI + fitted)

    def evaluate(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return value and exact gradient at ``theta`` (k,); -inf where rounding leaves no answer."""
        at = self.solve(theta)
        if at is None or not at.r2 > 0.0:
            return -np.inf, np.full(len(theta), np.nan)
        logs, r2 = self.model.gradients(at, self.reml)
        return self.value(at), -0.5 * (logs + r2 / self.sigma(at) ** 2)

    def natural(self) -> np.ndarray:
        """Return the natural scale of each entry of theta (k,): effects that vary as much as the rows do."""
        spreads = [np.sqrt((g.columns(centered=True) ** 2).mean(axis=1)) for g in self.model.design.groups]
        return self.model.layout.natural([1.0 / np.where(spread > 0.0, spread, 1.0) for spread in spreads])

    def start(self) -> np.ndarray:
        """Return theta after a step of EM from effects that vary as much as the rows (Laird & Ware 1982)."""
        theta = np.where(self.model.layout.diagonal, self.natural(), 0.0)
        at = self.solve(theta)
        if at is None or not at.r2 > 0.0:
            return theta
        s2 = self.sigma(at) ** 2
        theta = theta.copy()
        layout = self.model.layout
        for t, (group, part) in enumerate(zip(layout.groups, layout.effect_slices, strict=True)):
            z = at.z[part].reshape(group.n_levels, group.n_effects)
            second = (z**2).mean(axis=0) / s2 + np.einsum("jkk->jk", at.elimination.blocks(t)).mean(axis=0)
            theta[layout.slices[t]] = layout.maps[t].rescaled(theta[layout.slices[t]], np.sqrt(second))
        return theta

    def units(self, theta: np.ndarray) -> np.ndarray:
        """Return about one standard error of each entry of theta (k,), at most its natural scale."""
        natural = self.natural()
        at = self.solve(theta)
        if at is None:
            return natural
        found = factor_widths(at.factor, at.elimination)
        known = np.isfinite(found) & (found > 0.0)
        return np.minimum(np.where(known, found, natural), natural)

    def in_working_parameters(self, relative: Optimum, at: Solved, working: Working, covariance: np.ndarray) -> Optimum:
        """Return the optimum in x = (beta, theta, log sigma), theta no longer relative, with the Hessian there.

        The block of the coefficients is that of generalised least squares given the variances, -covariance^-1; between
        coefficients and variances it is 0, as its expectation is. The Hessian in (theta, log sigma) is exact: that of
        the profiled criterion with what profiling took from it put back.
        """
        k, s2 = len(relative.x), self.sigma(at) ** 2
        p, size = working.n_beta, working.size
        scales = self.model.layout.scales
        times = np.where(scales, np.sqrt(s2), 1.0)
        x = np.concatenate([self.model.beta(at), relative.x * times, [0.5 * np.log(s2)] * self.free_sigma])
        variances = relative.hessian
        if self.free_sigma:
            _, g = self.model.gradients(at, self.reml)
            free = np.ix_(np.arange(k), np.arange(k))
            full = np.zeros((k + 1, k + 1))
            full[free] = relative.hessian - 0.5 * self.degrees * np.outer(g, g) / at.r2**2
            full[k, :k] = full[:k, k] = g / s2
            full[k, k] = -2.0 * self.degrees
            # theta relative = theta / sigma, but for parameters that are no sizes
            J = np.zeros((k + 1, k + 1))
            J[free] = np.diag(1.0 / times)
            J[:k, k] = np.where(scales, -relative.x, 0.0)
            J[k, k] = 1.0
            held = np.append(relative.pinned, False)
            full[held], full[:, held] = 0.0, 0.0
            variances = J.T @ full @ J
            variances[held], variances[:, held] = np.nan, np.nan
        hessian = np.zeros((size, size))
        hessian[:p, :p] = -np.linalg.inv(covariance)
        hessian[p:, p:] = variances
        pinned = np.zeros(size, dtype=bool)
        pinned[working.theta] = relative.pinned
        hessian[pinned], hessian[:, pinned] = np.nan, np.nan
        start = np.full(size, np.nan)
        start[working.theta] = relative.start * times
        return replace(relative, start=start, x=x, pinned=pinned, hessian=hessian)
