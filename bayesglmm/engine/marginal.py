"""The Laplace-marginal log-likelihood of (beta, theta, phi) and its exact gradient.

log L = h(z^) - log det(H) / 2, H = I + A' W A, A = Z Lambda, W = -d2 at the mode z^ (Tierney & Kadane 1986; exact for
Gaussian responses). The gradient follows the mode by the implicit function theorem: with s_i = a_i' H^-1 a_i,
c = s d3 / 2, v = H^-1 A' c and r = d1 + c - W A v (row by row),

    d/dbeta    = X' r
    d/dLambda  = (Z' r) z' + (Z' d1) v' - [Z'WZ Lambda H^-1]   (sums of diagonal blocks)
    d/dlog phi = sum lp + s'd2p / 2 + d1p' A v

The same formulas without priors serve every classical method; see Kristensen et al. (2016) for the general case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.factor import FactorLayout, RelativeFactor
from bayesglmm.engine.pirls import Mode, Rows, find_mode
from bayesglmm.families.rows import compile_rows

__all__ = ["Evaluation", "LaplaceMarginal"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Value and gradient at one (beta, theta, log phi).

    Attributes
    ----------
    value : float
        Log-likelihood, all constants included; -inf where it could not be computed.
    gradient : ndarray, shape (p + len(theta) + has_dispersion,)
        In beta, theta and log phi.
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
    """

    design: Design
    rows: Rows
    layout: FactorLayout
    constant: float

    @classmethod
    def of(cls, design: Design) -> LaplaceMarginal:
        """Prepare ``design``."""
        kernels = compile_rows(design.family_link.row)
        rows = Rows(design.y, design.size, design.weights, EffectColumns.of(design), kernels)
        return cls(design, rows, FactorLayout.of(design), float(design.weights @ design.log_constants))

    def evaluate(self, beta: np.ndarray, theta: np.ndarray, log_phi: float, start: np.ndarray) -> Evaluation:
        """Return log-likelihood and gradient, the mode searched from ``start`` (Q,)."""
        factor = self.layout.at(theta)
        phi = float(np.exp(log_phi))
        fixed = self.design.offset + self.design.X @ beta
        mode = find_mode(self.rows, fixed, factor, phi, start)
        size = len(beta) + self.layout.size + int(self.design.dispersion is not None)
        if not mode.converged:
            return Evaluation(-np.inf, np.full(size, np.nan), mode, factor)
        value = mode.value - 0.5 * mode.log_determinant + self.constant
        return Evaluation(value, self._gradient(mode, factor), mode, factor)

    def _gradient(self, mode: Mode, factor: RelativeFactor) -> np.ndarray:
        _, d1, d2, d3, lp, d1p, d2p = mode.rows
        effects = self.rows.effects
        # H^-1 Lambda' = M; leverages are the quadratics of Lambda M.
        M = mode.solve(factor.transposed_times(np.eye(effects.size)))
        s = effects.row_quadratics(factor.times(M))
        c = 0.5 * s * d3
        v = mode.solve(factor.transposed_times(effects.transposed_times(c)))
        Av = effects.times(factor.times(v))
        r = d1 + c + d2 * Av
        parts = [self.design.X.T @ r]
        pairs = [(effects.transposed_times(r), mode.z), (effects.transposed_times(d1), v)]
        H_inverse = mode.solve(np.eye(effects.size))
        parts.append(factor.pull_back(pairs, -(mode.C @ factor.times(H_inverse))))
        if self.design.dispersion is not None:
            parts.append(np.array([lp.sum() + 0.5 * (s @ d2p) + d1p @ Av]))
        return np.concatenate(parts)
