"""The marginal covariance V = Z Lambda Lambda' Z' + R of a linear mixed model, used without being formed.

With A = Z Lambda, W = R^-1 and H = I + A' W A (Bates et al. 2015, section 3),

    V^-1 = W - W A H^-1 A' W,    Cov(beta) = C = (X' V^-1 X)^-1,    dC = C X' V^-1 dV V^-1 X C.

X enters by an orthonormal basis, X = Q R: a covariate far from 0 is nearly collinear with the intercept, and products
of X would lose the digits that tell them apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, eliminate
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.pattern import Pattern
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.inference.layout import is_of_mixed_model
from bayesglmm.frequentist.working import Working

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Basis", "LinearMarginal", "require_linear", "transposed"]


@dataclass(frozen=True, eq=False)
class Basis:
    """X = Q R with orthonormal Q (n, p) and triangular R (p, p)."""

    Q: np.ndarray
    R: np.ndarray

    def combinations(self, L: np.ndarray) -> np.ndarray:
        """Return L R^-1 (k, p): combinations L beta, written in R beta."""
        return np.asarray(solve_triangular(self.R, L.T, trans="T")).T

    def covariance(self, of_basis: np.ndarray) -> np.ndarray:
        """Return the covariance (p, p) of beta, given that of R beta."""
        root = self.combinations(np.eye(len(self.R)))
        return root @ of_basis @ root.T


@dataclass(frozen=True, eq=False)
class LinearMarginal:
    """V at given parameters.

    Attributes
    ----------
    design : Design
        Data.
    factor : RelativeFactor
        Lambda.
    effects : EffectColumns
        Z, its columns centred as Lambda takes them.
    residual : ndarray, shape (n,)
        Diagonal of R: sigma^2 size^2 / weight.
    elimination : Elimination
        H, factored.
    """

    design: Design
    factor: RelativeFactor
    effects: EffectColumns
    residual: np.ndarray
    elimination: Elimination

    @classmethod
    def of(cls, fit: Fit) -> LinearMarginal:
        """Lay out V at a fit's estimates."""
        design = fit.design
        working = Working.of(design)
        _, theta, log_sigma = working.split_phi(fit.optimum.x)
        factor = working.layout.at(theta)
        effects = EffectColumns.of(design, centered=True)
        residual = np.exp(2.0 * log_sigma) * design.size**2 / design.weights
        found = eliminate(Pattern.of(design, effects), factor.rows(effects.value), 1.0 / residual)
        if found is None:
            raise FitError(
                "the marginal covariance cannot be factored at these estimates: a standard deviation is too large "
                "beside sigma for the arithmetic. Rescale the columns of the group terms."
            )
        return cls(design, factor, effects, residual, found)

    @functools.cached_property
    def A(self) -> EffectColumns:
        """Z Lambda."""
        return self.effects.with_values(self.factor.rows(self.effects.value))

    def solve(self, b: np.ndarray) -> np.ndarray:
        """Return V^-1 b for b (n, k)."""
        Wb = b / self.residual[:, None]
        moved = self.elimination.solve(transposed(self.A, Wb))
        back = np.column_stack([self.A.times(np.ascontiguousarray(column)) for column in moved.T])
        return Wb - back / self.residual[:, None]

    @functools.cached_property
    def basis(self) -> Basis:
        """X = Q R."""
        return Basis(*np.linalg.qr(self.design.X))

    @functools.cached_property
    def VQ(self) -> np.ndarray:
        """V^-1 Q, shape (n, p)."""
        return self.solve(self.basis.Q)

    @functools.cached_property
    def basis_covariance(self) -> np.ndarray:
        """(Q' V^-1 Q)^-1, shape (p, p): that of R beta."""
        information = self.basis.Q.T @ self.VQ
        return np.linalg.inv(0.5 * (information + information.T))

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """C, shape (p, p)."""
        return self.basis.covariance(self.basis_covariance)

    def variance_gradient(self, combination: np.ndarray) -> np.ndarray:
        """Return the gradient of l' C l in theta and log sigma (where there is one), l of shape (p,)."""
        m = self.VQ @ (self.basis_covariance @ self.basis.combinations(combination[None, :])[0])
        s = self.effects.transposed_times(m)
        blocks = []
        for group, block, part in zip(
            self.design.groups, self.factor.blocks, self.factor.layout.effect_slices, strict=True
        ):
            S = s[part].reshape(group.n_levels, group.n_effects)
            relationship = group.structure.relationship
            across = S if relationship is None else relationship.matrix @ S
            blocks.append(2.0 * S.T @ (across @ block))
        gradient = self.factor.pull_back(tuple(blocks))
        if self.design.dispersion is None:
            return gradient
        return np.append(gradient, 2.0 * float(m**2 @ self.residual))


def transposed(columns: EffectColumns, b: np.ndarray) -> np.ndarray:
    """Return A' b for b (n, k), shape (Q, k)."""
    return np.column_stack([columns.transposed_times(np.ascontiguousarray(column)) for column in b.T])


def require_linear(fit: Fit, words: str) -> None:
    """Refuse fits that are no linear mixed model by maximum likelihood or REML; ``words`` name what was asked for."""
    spec = fit.design.spec
    if fit.design.residual is not None:
        raise SpecificationError(
            f"{words} are for residuals that are independent, and this model has {spec.residual}; use ddf=None (z)."
        )
    if spec.dispersion is not None:
        raise SpecificationError(
            f"{words} are for residuals with one standard deviation, and this model has dispersion "
            f"{spec.dispersion!r}; use ddf=None (z)."
        )
    if not fit.design.is_linear:
        raise SpecificationError(
            f"{words} are for gaussian responses with the identity link, and this is {spec.family} with the link "
            f"{spec.link}; use ddf=None (z)."
        )
    if not np.isfinite(fit.loglik) or not is_of_mixed_model(fit):
        raise SpecificationError(
            f'{words} need a fit by REML or maximum likelihood, not by {fit.method!r}; use model.fit("reml"), or '
            "ddf=None (z)."
        )
