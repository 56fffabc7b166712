"""The profiled likelihood and REML criterion of a linear mixed model with their exact gradient in theta.

With Lambda relative to sigma, W the known precisions of rows, H = I + Lambda' Z' W Z Lambda, and beta^, z^ the solution
of Henderson's mixed model equations

    [X'WX         X'WZ Lambda] [beta]   [X'Wy        ]
    [Lambda'Z'WX  H          ] [z   ] = [Lambda'Z'Wy ],    r^2 = |y - X beta^ - Z Lambda z^|_W^2 + |z^|^2,

minus twice the profiled log-likelihood is log|H| + n (1 + log(2 pi r^2 / n)) - log|W|; that of REML is
log|H| + log|X'V^-1X| + (n - p)(1 + log(2 pi r^2 / (n - p))) - log|W| with V^-1 = W - W Z Lambda H^-1 Lambda' Z' W
(Bates et al. 2015, equations 34 and 42). beta^, z^ minimise r^2, so that its derivative in Lambda is -2 (Z'We) z^' with
e the residual; log|X'V^-1X| is differentiated the same way, column by column of X.

Inside, X is replaced by Q = X R^-1 with Q'WQ = I and y by its residual from weighted least squares, so that neither the
scale of a column nor a mean far from 0 costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg as sla

from bayesglmm.design import Design
from bayesglmm.engine.cross import CrossProducts
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import FactorLayout, RelativeFactor
from bayesglmm.engine.pattern import Pattern

__all__ = ["LinearMixed", "Solved"]


@dataclass(frozen=True, eq=False)
class Solved:
    """Henderson's equations solved at one relative Lambda.

    Attributes
    ----------
    factor : RelativeFactor
        Lambda, relative to sigma.
    elimination : Elimination
        H factored.
    moved : ndarray, shape (p,)
        Generalised least squares estimate less the weighted least squares one, in the coordinates of Q.
    z : ndarray, shape (Q,)
        Spherical effects, relative to sigma; u = Lambda z is the BLUP.
    columns : ndarray, shape (Q, p)
        H^-1 Lambda' Z' W Q.
    root : ndarray, shape (p, p)
        Lower Cholesky factor of Q' V^-1 Q (relative to sigma^2).
    r2 : float
        Penalised residual sum of squares.
    """

    factor: RelativeFactor
    elimination: Elimination
    moved: np.ndarray
    z: np.ndarray
    columns: np.ndarray
    root: np.ndarray
    r2: float


@dataclass(frozen=True, eq=False)
class LinearMixed:
    """A linear mixed model summed over its rows.

    Attributes
    ----------
    design : Design
        Data.
    layout : FactorLayout
        theta.
    cross : CrossProducts
        Z' W Z.
    R : ndarray, shape (p, p)
        X = Q R, upper triangular.
    ZX, Zy : ndarray, shapes (Q, p) and (Q,)
        Z' W Q and Z' W times the residual of y.
    least_squares : ndarray, shape (p,)
        Weighted least squares estimate in the coordinates of Q.
    yy : float
        Residual sum of squares of weighted least squares.
    log_weights : float
        log|W|.
    """

    design: Design
    layout: FactorLayout
    cross: CrossProducts
    R: np.ndarray
    ZX: np.ndarray
    Zy: np.ndarray
    least_squares: np.ndarray
    yy: float
    log_weights: float

    @classmethod
    def of(cls, design: Design) -> LinearMixed:
        """Sum over the rows of ``design``; W = weights / size^2."""
        effects = EffectColumns.of(design, centered=True)
        # A weight multiplies its row's log-likelihood, its normalising constant included.
        log_weights = float(-2.0 * design.weights @ np.log(design.size))
        return cls.with_effects(design, effects, Pattern.of(design, effects), log_weights)

    @classmethod
    def with_effects(cls, design: Design, effects: EffectColumns, pattern: Pattern, log_weights: float) -> LinearMixed:
        """Sum over rows whose group effects have other columns than those of ``design``: whitened ones."""
        W = precisions(design)
        cross = CrossProducts.of(pattern, effects, W)
        root = np.sqrt(W)
        R = np.linalg.qr(design.X * root[:, None], mode="r")
        WQ = W[:, None] * np.linalg.solve(R.T, design.X.T).T
        ZX = np.zeros((effects.size, WQ.shape[1]))
        for k, column in enumerate(WQ.T):
            ZX[:, k] = effects.transposed_times(np.ascontiguousarray(column))
        nothing = np.zeros(0)
        laid_out = cls(design, FactorLayout.of(design), cross, R, ZX, nothing, nothing, 0.0, log_weights)
        return laid_out._sum_response()

    def with_response(self, y: np.ndarray) -> LinearMixed:
        """Return the same for another response y (n,)."""
        return replace(self, design=self.design.with_response(y))._sum_response()

    def _sum_response(self) -> LinearMixed:
        design, W = self.design, precisions(self.design)
        y = design.y - design.offset
        beta = np.zeros(design.X.shape[1])
        for _ in range(2):  # the second round removes what rounding left of the first
            change = np.linalg.solve(self.R, np.linalg.solve(self.R.T, design.X.T @ (W * y)))
            beta, y = beta + change, y - design.X @ change
        Zy = self.cross.effects.transposed_times(W * y)
        return replace(self, Zy=Zy, least_squares=self.R @ beta, yy=float(y @ (W * y)))

    @property
    def n(self) -> float:
        """Number of rows; a weighted row counts as so many (its log-likelihood is multiplied)."""
        return float(self.design.weights.sum())

    def solve(self, theta: np.ndarray) -> Solved | None:
        """Solve Henderson's equations at a relative theta; None where rounding leaves no answer."""
        factor = self.layout.at(theta)
        elimination = self.cross.eliminate(factor)
        if elimination is None:
            return None
        right = self._pulled(factor, np.column_stack([self.ZX, self.Zy]))
        solved = elimination.solve(right)
        p = len(self.R)
        columns, of_y = solved[:, :p], solved[:, p]
        try:
            root = np.linalg.cholesky(np.eye(p) - right[:, :p].T @ columns)
        except np.linalg.LinAlgError:
            return None
        # Q'W times the residual of least squares is 0.
        moved = _cholesky_solve(root, -right[:, :p].T @ of_y)
        z = of_y - columns @ moved
        r2 = self.yy - float(right[:, p] @ of_y) + float(moved @ (right[:, :p].T @ of_y))
        return Solved(factor, elimination, moved, z, columns, root, r2)

    def beta(self, at: Solved) -> np.ndarray:
        """Return the generalised least squares estimate (BLUE), shape (p,)."""
        return np.linalg.solve(self.R, self.least_squares + at.moved)

    def covariance(self, at: Solved) -> np.ndarray:
        """Return the covariance of beta relative to sigma^2, (X' V^-1 X)^-1, shape (p, p)."""
        half = sla.solve_triangular(at.root, np.linalg.inv(self.R).T, lower=True)
        return half.T @ half

    def _pulled(self, factor: RelativeFactor, b: np.ndarray) -> np.ndarray:
        """Return Lambda' b, shape (Q, k)."""
        out = np.empty_like(b)
        for group, block, part in zip(self.design.groups, factor.blocks, self.layout.effect_slices, strict=True):
            out[part] = (block.T @ b[part].reshape(group.n_levels, group.n_effects, -1)).reshape(b[part].shape)
        return out

    def _pushed(self, factor: RelativeFactor, z: np.ndarray) -> np.ndarray:
        """Return Lambda z (effects at the columns' means), shape (Q, k)."""
        out = np.empty_like(z)
        for group, block, part in zip(self.design.groups, factor.blocks, self.layout.effect_slices, strict=True):
            out[part] = (block @ z[part].reshape(group.n_levels, group.n_effects, -1)).reshape(z[part].shape)
        return out

    def turned(self, at: Solved) -> np.ndarray:
        """Return T (p, p) such that Q T has the columns q with q'V^-1 q = 1, orthogonal under V^-1."""
        return np.asarray(np.linalg.inv(at.root).T)

    def effects_at(self, at: Solved, z: np.ndarray) -> np.ndarray:
        """Return Lambda z, effects at the columns' means, shape (Q, k)."""
        return self._pushed(at.factor, z)

    def gradients(self, at: Solved, reml: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients in theta of log|H| (+ log|X'V^-1X| for REML) and of r^2."""
        logs = self.cross.determinant_gradients(at.factor, at.elimination)
        # Columns of Q turned so that Q'V^-1Q is I, and the residual of y: one product with Z'WZ serves them all.
        turned = self.turned(at)[:, : len(self.R) if reml else 0]
        Zb = np.column_stack([self.Zy - self.ZX @ at.moved, self.ZX @ turned])
        solutions = np.column_stack([at.z, at.columns @ turned])
        left = Zb - self.cross.times(self._pushed(at.factor, solutions))  # Z' W times residuals
        logs_out, r2_out = [], []
        for group, part, log in zip(self.design.groups, self.layout.effect_slices, logs, strict=True):
            shape = (group.n_levels, group.n_effects, left.shape[1])
            a, b = left[part].reshape(shape), solutions[part].reshape(shape)
            logs_out.append(log - 2.0 * np.einsum("jkx,jlx->kl", a[:, :, 1:], b[:, :, 1:]))
            r2_out.append(-2.0 * a[:, :, 0].T @ b[:, :, 0])
        return at.factor.pull_back(tuple(logs_out)), at.factor.pull_back(tuple(r2_out))


def _cholesky_solve(root: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return (L L')^-1 b; LAPACK's own call, since a wrapper's checks cost more than so small a solution."""
    solution: np.ndarray = sla.lapack.dpotrs(root, b, lower=1)[0] if len(b) else b
    return solution


def precisions(design: Design) -> np.ndarray:
    """Return W, the precisions of rows relative to 1 / sigma^2: weights / size^2, shape (n,)."""
    return design.weights / design.size**2
