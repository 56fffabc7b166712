"""Where a generalised linear mixed model is linearised, and the linear mixed model that it looks like from there.

The first-order expansion of the score at eta_0 with its expected information W gives the working response
Y = eta_0 + (y - mu) g'(mu) = eta_0 + d1 / W (Breslow & Clayton 1993, equations 8 to 12). Penalised quasi-likelihood
takes eta_0 at the current effects u; marginal quasi-likelihood at u = 0 (section 4; Goldstein 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.factor import FactorLayout
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.pirls import Rows
from bayesglmm.errors import FitError
from bayesglmm.families.rows import compile_rows
from bayesglmm.frequentist.quasi.working_model import WorkingModel, WorkingSolution

__all__ = ["Expansion", "Point", "Settled"]

_TOLERANCE = 1e-11
_CLOSE = 1e-10
_MAX_ITERATIONS = 100
_MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Point:
    """Where the expansion is taken.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        Coefficients.
    z : ndarray, shape (Q,)
        Spherical effects.
    eta : ndarray, shape (n,)
        X beta + offset + Z Lambda z, or without the effects if the expansion is marginal.
    table : ndarray, shape (7, n)
        Weighted row derivatives there, at a dispersion of 1.
    """

    beta: np.ndarray
    z: np.ndarray
    eta: np.ndarray
    table: np.ndarray


@dataclass(frozen=True, eq=False)
class Settled:
    """Where solving and expanding in turn has led, at given variances.

    Attributes
    ----------
    point : Point
        The last point.
    model : WorkingModel
        Expanded at the point before it.
    solution : WorkingSolution or None
        Of that model; None if it has none.
    converged : bool
        Whether the last two points are the same to rounding, so that beta and z solve the model expanded at them.
    """

    point: Point
    model: WorkingModel
    solution: WorkingSolution | None
    converged: bool


@dataclass(frozen=True, eq=False)
class Expansion:
    """A design and the way in which it is linearised.

    Attributes
    ----------
    rows : Rows
        Data.
    design : Design
        The same as it was given.
    layout : FactorLayout
        theta.
    conditional : bool
        Whether the expansion is about the current effects (PQL) or about none (MQL).
    restricted : bool
        Whether variances are estimated by REML or ML.
    """

    rows: Rows
    design: Design
    layout: FactorLayout
    conditional: bool
    restricted: bool

    @classmethod
    def of(cls, design: Design, conditional: bool, restricted: bool) -> Expansion:
        """Prepare ``design``."""
        kernels = compile_rows(design.family_link.row)
        effects = EffectColumns.of(design, centered=True)
        rows = Rows(design.y, design.size, design.weights, effects, Pattern.of(design, effects), kernels, 0)
        return cls(rows, design, FactorLayout.of(design), conditional, restricted)

    def with_response(self, y: np.ndarray) -> Expansion:
        """Return the same for another response y (n,)."""
        design = self.design.with_response(y)
        return replace(self, design=design, rows=replace(self.rows, y=design.y))

    def point(self, beta: np.ndarray, z: np.ndarray, theta: np.ndarray) -> Point:
        """Return the point of expansion at given coefficients and effects."""
        effects = self.rows.effects
        A = effects.with_values(self.layout.at(theta).rows(effects.value))
        return self._point(beta, z, self.design.X @ beta, A.times(z))

    def _point(self, beta: np.ndarray, z: np.ndarray, fixed: np.ndarray, random: np.ndarray) -> Point:
        eta = self.design.offset + fixed + (random if self.conditional else 0.0)
        return Point(beta, z, eta, self.rows.derivatives(eta, 1.0))

    def working_model(self, point: Point) -> WorkingModel:
        """Return the linear mixed model that the data look like from ``point``.

        Raises
        ------
        FitError
            A row has left the range in which its information can be computed.
        """
        design, d1 = self.design, point.table[1]
        W = design.weights * design.family_link.information(point.eta, design.size, 1.0)
        lost = ~np.isfinite(W) | ~np.isfinite(d1) | ((W == 0.0) & (d1 != 0.0))
        if lost.any():
            rows = ", ".join(str(r) for r in design.row_labels[lost][:5])
            raise FitError(
                f"the linear predictor has run so far out that {int(lost.sum())} of {design.n_rows} rows have no "
                f"weight left (rows {rows}); look for separation, or rescale the columns and the offset."
            )
        step = np.divide(d1, W, out=np.zeros_like(d1), where=W > 0.0)
        y = point.eta - design.offset + step
        return WorkingModel(design, self.rows.effects, self.rows.pattern, self.layout, y, W, self.restricted)

    def settle(self, theta: np.ndarray, log_sd: float, start: Point) -> Settled:
        """Solve and expand in turn at given variances until beta and z no longer move: Fisher scoring."""
        point = self.point(start.beta, start.z, theta)
        for _ in range(_MAX_ITERATIONS):
            model = self.working_model(point)
            solution = model.solve(theta, log_sd)
            if solution is None:
                break
            moved = self._step(point, solution)
            change = float(np.abs(moved.eta - point.eta).max(initial=0.0))
            point = moved
            if change <= _TOLERANCE * (1.0 + float(np.abs(point.eta).max(initial=0.0))):
                return Settled(point, model, solution, True)
        return Settled(point, model, solution, False)

    def _step(self, point: Point, solution: WorkingSolution) -> Point:
        """Go to the solution, or half way and so on if the penalised quasi-likelihood does not rise."""
        full = self._point(solution.beta, solution.z, solution.fixed, solution.random)
        if not self.conditional:
            return full  # an estimating equation: there is nothing that has to rise
        scale = float(np.exp(-2.0 * solution.log_sd))

        def height(at: Point) -> float:
            value = float(scale * at.table[0].sum() - 0.5 * (at.z @ at.z))
            return value if np.isfinite(value) else -np.inf

        before = height(point)
        gain = float(scale * (point.table[1] @ (full.eta - point.eta)) - point.z @ (full.z - point.z))
        # So close that rounding hides the gain: the full step is safe, and halving would refuse it.
        if gain <= _CLOSE * (1.0 + abs(before)) or height(full) > before:
            return full
        fixed = self.design.X @ point.beta
        random = point.eta - self.design.offset - fixed
        for halving in range(1, _MAX_HALVINGS + 1):
            length = 0.5**halving

            def between(a: np.ndarray, b: np.ndarray, share: float = length) -> np.ndarray:
                return a + share * (b - a)

            moved = self._point(
                between(point.beta, solution.beta),
                between(point.z, solution.z),
                between(fixed, solution.fixed),
                between(random, solution.random),
            )
            if height(moved) > before:
                return moved
        return point
