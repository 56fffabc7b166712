"""Variances of a quasi-likelihood fit: those that maximise the criterion of the working model they lead to.

Breslow & Clayton (1993, section 2.3) expand, estimate the variances of the working model, and expand again. Each such
round changes the working model a little less than the one before it. Between rounds, the variances are therefore sought
as the root of g(x), the gradient of the criterion at x in the working model that is expanded at x: quasi-Newton steps
(Broyden 1965) from the Hessian that the round has found. Where these do not arrive, the plain rounds go on.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.frequentist.quasi.linearisation import Expansion, Point, Settled
from bayesglmm.frequentist.quasi.working_model import WorkingModel
from bayesglmm.frequentist.search.maximise import Objective, maximise
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.working import Working

__all__ = ["Search"]

_TOLERANCE = 1e-10
_MAX_ROUNDS = 60
_MAX_STEPS = 40
#: Longest quasi-Newton step, in coordinates of order one.
_LONGEST = 0.5


@dataclass(frozen=True, eq=False)
class Search:
    """Search for the variances v = (theta, log sqrt(phi) if there is a dispersion).

    Attributes
    ----------
    expansion : Expansion
        How the design is linearised.
    working : Working
        Scales and boundary of theta.
    with_sd : bool
        Whether phi is estimated.
    """

    expansion: Expansion
    working: Working
    with_sd: bool

    @property
    def size(self) -> int:
        """Length of v."""
        return self.working.layout.size + int(self.with_sd)

    def split(self, v: np.ndarray) -> tuple[np.ndarray, float]:
        """Return theta and log sqrt(phi), 0 without a dispersion."""
        k = self.working.layout.size
        return v[:k], float(v[k]) if self.with_sd else 0.0

    def run(self, v: np.ndarray, point: Point) -> tuple[Optimum, Settled]:
        """Search from ``v`` and a point of expansion; return the optimum in v and where the expansion settled."""
        start, count = v, [0, 0]
        for _ in range(_MAX_ROUNDS):
            settled = self.expansion.settle(*self.split(v), point)
            optimum = self._maximise(settled.model, v)
            count[0] += optimum.iterations
            count[1] += optimum.evaluations
            moved, v = np.abs(optimum.x - v), optimum.x
            if settled.converged and bool((moved <= _TOLERANCE * (self.natural + np.abs(v))).all()):
                return _totals(optimum, start, count), settled
            v, point = self._chase(optimum, settled.point, count)
        return _totals(optimum, start, count, OptimumStatus.STOPPED_EARLY), self.expansion.settle(*self.split(v), point)

    def _maximise(self, model: WorkingModel, v: np.ndarray) -> Optimum:
        if not self.size:
            nothing = np.zeros(0)
            return Optimum(v, v, 0.0, 0.0, 0, 0, nothing.astype(bool), np.zeros((0, 0)), OptimumStatus.CONVERGED)
        return maximise(self._objective(model, v), v)

    def _objective(self, model: WorkingModel, start: np.ndarray) -> Objective:
        """Return the criterion of a working model as the optimiser takes it, in units of a standard error at start."""
        p = self.working.n_beta

        def evaluate(v: np.ndarray) -> tuple[float, np.ndarray]:
            solution = model.solve(*self.split(v))
            if solution is None:
                return -np.inf, np.full(len(v), np.nan)
            return solution.value, solution.gradient(self.with_sd)

        def absorb(v: np.ndarray, column: np.ndarray) -> np.ndarray:
            x = self.working.absorb(np.concatenate([np.zeros(p), v]), column + p)
            return x[p:]

        units = self.natural
        at = model.solve(*self.split(start))
        if at is not None:
            widths = at.std_error_scales(self.with_sd)
            units = np.where(np.isfinite(widths) & (widths > 0.0), np.minimum(widths, units), units)
        columns, mixes = tuple(column - p for column in self.working.columns()), self.working.layout.mixes()
        return Objective(
            evaluate, np.diag(units), self.nonnegative, np.diag(self.natural), columns, absorb, mixes=mixes
        )

    @functools.cached_property
    def natural(self) -> np.ndarray:
        """Natural scale of each entry of v."""
        scales = np.diagonal(self.working.units())[self.working.theta]
        return np.append(scales, 1.0) if self.with_sd else scales

    @functools.cached_property
    def nonnegative(self) -> np.ndarray:
        """Which entries of v are kept >= 0, bool."""
        flags = self.working.layout.diagonal
        return np.append(flags, False) if self.with_sd else flags

    def _chase(self, optimum: Optimum, point: Point, count: list[int]) -> tuple[np.ndarray, Point]:
        """Return the root of g among the free variances, or the optimum itself where the search is lost."""
        free = np.flatnonzero(~optimum.pinned)
        scale = self.natural[free]
        jacobian = optimum.hessian[np.ix_(free, free)] * np.outer(scale, scale)
        if not len(free) or not optimum.status.usable:
            return optimum.x, point
        v, before = optimum.x, point
        inverse = np.linalg.inv(jacobian)
        at = self._gradient(v, point, free)
        for _ in range(_MAX_STEPS):
            count[0] += 1
            count[1] += 1
            if at is None:
                break
            point, g = at
            step = -inverse @ (scale * g)
            length = float(np.abs(step).max())
            if length <= _TOLERANCE:
                return v, point
            step *= min(1.0, _LONGEST / length)
            moved = v.copy()
            moved[free] += scale * step
            moved = np.where(self.nonnegative, np.abs(moved), moved)
            step = (moved - v)[free] / scale
            at = self._gradient(moved, point, free)
            if at is not None:
                inverse = _broyden(inverse, step, scale * (at[1] - g))
            v = moved
        return optimum.x, before

    def _gradient(self, v: np.ndarray, point: Point, free: np.ndarray) -> tuple[Point, np.ndarray] | None:
        """Return the expansion settled at v and g there, or None where there is no such thing."""
        settled = self.expansion.settle(*self.split(v), point)
        if settled.solution is None or not settled.converged:
            return None
        g = settled.solution.gradient(self.with_sd)[free]
        return (settled.point, g) if np.isfinite(g).all() else None


def _broyden(inverse: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update the inverse Jacobian (Broyden's good method, by Sherman & Morrison)."""
    moved = inverse @ change
    denominator = float(step @ moved)
    if abs(denominator) <= 1e-12 * float(step @ step):
        return inverse
    return inverse + np.outer((step - moved) / denominator, step @ inverse)


def _totals(optimum: Optimum, start: np.ndarray, count: list[int], status: OptimumStatus | None = None) -> Optimum:
    return Optimum(
        start,
        optimum.x,
        optimum.value,
        optimum.gradient_norm,
        count[0],
        count[1],
        optimum.pinned,
        optimum.hessian,
        status or optimum.status,
    )
