"""The linear mixed model that stands in for a generalised one near a point: its joint equations, REML and ML.

Y = X beta + Z u + e with u = Lambda z, z ~ N(0, I) and e ~ N(0, phi / W), W known (Breslow & Clayton 1993, section 2).
Everything goes through H = I + A' W A / phi, A = Z Lambda, so that a singular G = Lambda Lambda' is a point like any
other. With V the variance of Y, q = V^-1 (Y - X beta), S = X' V^-1 X and m_c the columns of V^-1 X S^-1/2, the log
density restricted to what does not depend on beta (Patterson & Thompson 1971; Harville 1977) has the gradient

    d/dLambda       = sum_j (Z' q)_j z_j' - sum_i W_i z_i (H^-1 a_i)' / phi + sum_c sum_j (Z' m_c)_j (A' m_c)_j'
    d/dlog sqrt phi = phi (q' W^-1 q - tr V^-1 W^-1 + sum_c m_c' W^-1 m_c)

(a term's own parts of each); maximum likelihood leaves out the sums over c.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, eliminate
from bayesglmm.engine.factor import FactorLayout, RelativeFactor
from bayesglmm.engine.pattern import Pattern
from bayesglmm.frequentist.search.widths import factor_widths

__all__ = ["WorkingModel", "WorkingSolution"]


@dataclass(frozen=True, eq=False)
class WorkingModel:
    """A linear mixed model with known weights.

    Attributes
    ----------
    design : Design
        Where X and the group terms come from.
    effects : EffectColumns
        Z in centred columns.
    pattern : Pattern
        Which effects meet.
    layout : FactorLayout
        theta.
    y : ndarray, shape (n,)
        Working response Y, offset taken off.
    W : ndarray, shape (n,)
        Weights, not negative; rows of weight 0 do not count.
    restricted : bool
        Whether variances maximise the restricted likelihood (REML) or the likelihood.
    """

    design: Design
    effects: EffectColumns
    pattern: Pattern
    layout: FactorLayout
    y: np.ndarray
    W: np.ndarray
    restricted: bool

    def solve(self, theta: np.ndarray, log_sd: float = 0.0) -> WorkingSolution | None:
        """Return beta and z that solve the joint equations at Lambda(theta) and phi = exp(2 log_sd).

        None where they are not positive definite in floating point.
        """
        factor = self.layout.at(theta)
        A = self.effects.with_values(factor.rows(self.effects.value))
        with np.errstate(over="ignore", under="ignore"):
            w = self.W * np.exp(-2.0 * log_sd)
        elimination = eliminate(self.pattern, A.value, w) if np.isfinite(w).all() else None
        if elimination is None:
            return None
        X = self.design.X
        right = np.column_stack([*X.T, self.y]) * w[:, None]
        absorbed = elimination.solve(_columns(A.transposed_times, right, A.size))
        solved_X, solved_y = absorbed[:, :-1], np.ascontiguousarray(absorbed[:, -1])
        # V^-1 Y and V^-1 X, by V^-1 = W - W A H^-1 A' W (over phi).
        VX = w[:, None] * (X - _columns(A.times, solved_X, len(w)))
        try:
            root = np.linalg.cholesky(X.T @ VX)
        except np.linalg.LinAlgError:
            return None
        beta = _forward(root, _forward(root, VX.T @ self.y), transposed=True)
        z = solved_y - solved_X @ beta
        return WorkingSolution(self, factor, log_sd, A, w, elimination, root, solved_X, VX, beta, z)


@dataclass(frozen=True, eq=False)
class WorkingSolution:
    """The working model at one (theta, log sd).

    Attributes
    ----------
    model : WorkingModel
        What was solved.
    factor : RelativeFactor
        Lambda.
    log_sd : float
        Logarithm of sqrt(phi).
    A : EffectColumns
        Z Lambda.
    w : ndarray, shape (n,)
        W / phi.
    elimination : Elimination
        H factored.
    root : ndarray, shape (p, p)
        Lower Cholesky factor of S = X' V^-1 X.
    AVX, VX : ndarray, shapes (Q, p) and (n, p)
        A' V^-1 X and V^-1 X.
    beta : ndarray, shape (p,)
        Generalised least squares.
    z : ndarray, shape (Q,)
        Best linear unbiased predictions of the spherical effects.
    """

    model: WorkingModel
    factor: RelativeFactor
    log_sd: float
    A: EffectColumns
    w: np.ndarray
    elimination: Elimination
    root: np.ndarray
    AVX: np.ndarray
    VX: np.ndarray
    beta: np.ndarray
    z: np.ndarray

    @functools.cached_property
    def fixed(self) -> np.ndarray:
        """X beta, shape (n,)."""
        return np.asarray(self.model.design.X @ self.beta)

    @functools.cached_property
    def random(self) -> np.ndarray:
        """Z u, shape (n,)."""
        return self.A.times(self.z)

    @functools.cached_property
    def residual(self) -> np.ndarray:
        """Y - X beta - Z u, shape (n,)."""
        return self.model.y - self.fixed - self.random

    @functools.cached_property
    def information(self) -> np.ndarray:
        """X' V^-1 X, the information on beta, shape (p, p)."""
        return np.asarray(self.root @ self.root.T)

    @functools.cached_property
    def value(self) -> float:
        """Log density of Y, restricted or not, every constant included."""
        counted = self.w > 0.0
        n = int(counted.sum()) - len(self.beta) * self.model.restricted
        value = -n * np.log(2.0 * np.pi) + np.log(self.w[counted]).sum() - self.elimination.log_determinant
        value -= self.residual @ (self.w * self.residual) + self.model.pattern.penalty(self.z)
        if self.model.restricted:
            value -= 2.0 * np.log(np.diagonal(self.root)).sum()
        return float(0.5 * value)

    def std_error_scales(self, with_sd: bool) -> np.ndarray:
        """Return about how large standard errors of theta and, ``with_sd``, of log sqrt(phi) are (`factor_widths`)."""
        of_sd = np.full(int(with_sd), 1.0 / np.sqrt(2.0 * len(self.w)))
        return np.concatenate([factor_widths(self.factor, self.elimination), of_sd])

    def gradient(self, with_sd: bool) -> np.ndarray:
        """Return the gradient of `value` in theta and, ``with_sd``, log sqrt(phi)."""
        solutions = self.elimination.row_solutions()  # H^-1 a_i where row i touches
        q = self.w * self.residual
        if self.model.restricted and len(self.beta):
            m, Am = _forward(self.root, self.VX.T).T, _forward(self.root, self.AVX.T).T
        else:
            m, Am = np.zeros((len(q), 0)), np.zeros((len(self.z), 0))
        theta = self.factor.pull_back(tuple(self._blocks(solutions, q, m, Am)))
        if not with_sd:
            return theta
        # The trace of V^-1 W^-1 is that of I less a_i' W_i H^-1 a_i, row by row.
        degrees = (self.w > 0.0).sum() - self.w @ np.einsum("mn,mn->n", self.A.value, solutions)
        inverse = np.divide(1.0, self.w, out=np.zeros_like(self.w), where=self.w > 0.0)
        slope = q @ self.residual - degrees + float((np.square(m).T @ inverse).sum())
        return np.append(theta, slope)

    def _blocks(self, solutions: np.ndarray, q: np.ndarray, m: np.ndarray, Am: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the gradient in each term's block of Lambda, (q, q)."""
        effects, layout = self.model.effects, self.factor.layout
        left = np.column_stack([effects.transposed_times(q), _columns(effects.transposed_times, m, effects.size)])
        right = np.column_stack([self.z, Am])
        for group, rows, part in zip(layout.groups, layout.row_slices, layout.effect_slices, strict=True):
            shape = (group.n_levels, group.n_effects, -1)
            G = np.einsum("jac,jbc->ab", left[part].reshape(shape), right[part].reshape(shape))
            yield G - (effects.value[rows] * self.w) @ solutions[rows].T


def _forward(root: np.ndarray, b: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Return root^-1 b, or root'^-1 b, for a lower triangular root (p, p)."""
    if not len(root):
        return b
    # LAPACK itself: for a few columns, what scipy.linalg puts around it takes longer than the solution.
    return np.asarray(sla.lapack.dtrtrs(root, b, lower=1, trans=int(transposed))[0])


def _columns(product, matrix: np.ndarray, size: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Apply a product with a vector to every column of ``matrix``; the results have ``size`` entries."""
    out = np.empty((size, matrix.shape[1]))
    for k, column in enumerate(matrix.T):
        out[:, k] = product(np.ascontiguousarray(column))
    return out
