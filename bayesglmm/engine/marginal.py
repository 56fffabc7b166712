"""The Laplace-marginal log-likelihood of (beta, theta, family scalars) and its exact gradient.

log L = h(z^) - log det(H) / 2, H = I + A' W A, A = Z Lambda, W = -d2 at the mode z^ (Tierney & Kadane 1986; exact for
Gaussian responses). The gradient follows the mode by the implicit function theorem: with s_i = a_i' H^-1 a_i,
c = s d3 / 2, v = H^-1 A' c and r = d1 + c - W A v (row by row),

    d/dbeta    = X' r
    d/dLambda  = sum_j (Z' r)_j z_j' + (Z' d1)_j v_j' - sum_i W_i z_i (H^-1 a_i)'   (a term's own parts of each)
    d/dlog phi = sum lp + s'd2p / 2 + d1p' A v

The same formulas without priors serve every classical method; see Kristensen et al. (2016) for the general case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, eliminate
from bayesglmm.engine.factor import FactorLayout, RelativeFactor
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.pirls import Mode, Rows, find_mode
from bayesglmm.engine.row_kernels import row_kernels

__all__ = ["Evaluation", "LaplaceMarginal"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Value and gradient at one (beta, theta, family scalars on the working scale).

    Attributes
    ----------
    value : float
        Log-likelihood, all constants included; -inf where it could not be computed.
    gradient : ndarray, shape (p + len(theta) + K,)
        In beta, theta and the working family scalars.
    mode : Mode
        Conditional modes.
    factor : RelativeFactor
        Lambda.
    """

    value: float
    gradient: np.ndarray
    mode: Mode
    factor: RelativeFactor


@dataclass(frozen=True, eq=False)
class LaplaceMarginal:
    """Laplace approximation of the marginal likelihood of a design.

    Attributes
    ----------
    design : Design
        Data.
    rows : Rows
        The same as kernels take it.
    layout : FactorLayout
        theta.
    constant : float
        Part of the log-likelihood that depends on data alone.
    expected : bool
        Whether det H is of the expected information E(W) at the mode (as in lme4) and not of the observed one (as in
        TMB); the same for canonical links.
    """

    design: Design
    rows: Rows
    layout: FactorLayout
    constant: float
    expected: bool = False

    @classmethod
    def of(
        cls,
        design: Design,
        expected: bool = False,
        centered: bool = True,
        chain: tuple[int, ...] | None = None,
        entries: bool = False,
    ) -> LaplaceMarginal:
        """Prepare ``design``.

        ``centered`` as in `GroupEffects.columns` (Lambda is that of the effects there), ``chain`` as in `Pattern.of`,
        ``entries`` as in `FactorLayout.of`.
        """
        kernels = row_kernels(design)
        effects = EffectColumns.of(design, centered)
        rows = Rows(
            design.y,
            design.size,
            design.weights,
            effects,
            Pattern.of(design, effects, chain),
            kernels,
            len(design.family_names),
            design.auxiliary,
        )
        return cls(
            design, rows, FactorLayout.of(design, entries), float(design.weights @ design.log_constants), expected
        )

    def with_response(self, y: np.ndarray) -> LaplaceMarginal:
        """Return the same for another response y (n,)."""
        design = self.design.with_response(y)
        constant = float(design.weights @ design.log_constants)
        return replace(
            self, design=design, rows=replace(self.rows, y=design.y, auxiliary=design.auxiliary), constant=constant
        )

    def evaluate(
        self,
        beta: np.ndarray,
        theta: np.ndarray,
        family: np.ndarray,
        start: np.ndarray,
        nearby: Elimination | None = None,
    ) -> Evaluation:
        """Return log-likelihood and gradient, the mode searched from ``start`` (Q,) and with H ``nearby``.

        ``family`` (K,) holds the family scalars on the working scale (`FamilyPart.kind`): log phi.
        """
        factor = self.layout.at(theta)
        rows, phi = self.rows.at(family)
        fixed = self.design.offset + self.design.X @ beta
        mode = find_mode(rows, fixed, factor, phi, start, nearby)
        size = len(beta) + self.layout.size + len(family)
        if not mode.converged or mode.elimination is None:
            return Evaluation(-np.inf, np.full(size, np.nan), mode, factor)
        curvature = self._expected(mode, phi) if self.expected else _Curvature(mode.elimination, *mode.rows[[2, 3, 6]])
        value = mode.value - 0.5 * curvature.elimination.log_determinant + self.constant
        if not np.isfinite(value):
            return Evaluation(-np.inf, np.full(size, np.nan), mode, factor)
        return Evaluation(value, self._gradient(mode, mode.elimination, curvature, factor), mode, factor)

    def _expected(self, mode: Mode, phi: float) -> _Curvature:
        design = self.design

        def negative(shift: float, log_shift: float = 0.0) -> np.ndarray:
            scaled = phi * float(np.exp(log_shift))
            information = design.family_link.information(mode.eta + shift, design.size, scaled)
            return np.asarray(-design.weights * information)

        d2 = negative(0.0)
        found = eliminate(self.rows.pattern, mode.A.value, -d2)
        assert found is not None  # weights are not negative
        return _Curvature(found, d2, _slope(negative), _slope(lambda h: negative(0.0, h)))

    def coefficient_information(self, mode: Mode) -> np.ndarray:
        """Return X' W X - X' W A H^-1 A' W X at a mode, shape (p, p): that of beta, the group effects profiled out."""
        assert mode.elimination is not None
        X = self.design.X
        WX = X * -mode.rows[2][:, None]
        information: np.ndarray = X.T @ WX
        if mode.A.size:
            AWX = np.column_stack([mode.A.transposed_times(np.ascontiguousarray(column)) for column in WX.T])
            information = information - AWX.T @ mode.elimination.solve(AWX)
        return information

    def _gradient(
        self, mode: Mode, elimination: Elimination, curvature: _Curvature, factor: RelativeFactor
    ) -> np.ndarray:
        _, d1, d2 = mode.rows[:3]
        A = mode.A
        solutions = curvature.elimination.row_solutions()  # H^-1 a_i where row i touches
        s = np.einsum("mn,mn->n", A.value, solutions)
        c = 0.5 * s * curvature.d3
        v = elimination.solve(A.transposed_times(c))
        Av = A.times(v)
        r = d1 + c + d2 * Av
        blocks = self._block_gradients(mode, r, v, curvature.d2 * self.rows.effects.value, solutions)
        family = self.rows.pull_back(mode.rows, s, Av, curvature.d2p)
        return np.concatenate([self.design.X.T @ r, factor.pull_back(tuple(blocks)), family])

    def _block_gradients(
        self, mode: Mode, r: np.ndarray, v: np.ndarray, curved: np.ndarray, solutions: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield the gradient in each term's block of Lambda, (q, q)."""
        effects, d1 = self.rows.effects, mode.rows[1]
        Zr, Zd = effects.transposed_times(r), effects.transposed_times(d1)
        for group, rows, part in zip(
            self.design.groups, self.layout.row_slices, self.layout.effect_slices, strict=True
        ):
            shape = (group.n_levels, group.n_effects)
            G = Zr[part].reshape(shape).T @ mode.z[part].reshape(shape)
            G += Zd[part].reshape(shape).T @ v[part].reshape(shape)
            yield G + curved[rows] @ solutions[rows].T


@dataclass(frozen=True, eq=False)
class _Curvature:
    """The curvature in det H: H factored, minus its weights, and their derivatives in eta and log phi, (n,) each."""

    elimination: Elimination
    d2: np.ndarray
    d3: np.ndarray
    d2p: np.ndarray


def _slope(f: Callable[[float], np.ndarray]) -> np.ndarray:
    """Return the derivative at 0 from differences of order h^4, h such that they and rounding are both near 1e-12."""
    h = 1e-3
    return (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
