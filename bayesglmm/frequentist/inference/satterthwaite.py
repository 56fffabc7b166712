"""Satterthwaite's degrees of freedom for coefficients of linear mixed models.

One combination l (Giesbrecht & Burns 1985; Kuznetsova et al. 2017, section 3): df = 2 (l'Cl)^2 / (g' S g), with g the
gradient of l'Cl in the variance parameters and S their covariance, the inverse of the observed information. Several:
the combinations are turned to independent ones, and the F distribution is the one whose mean is that of their average
(Fai & Cornelius 1996, as lmerTest has it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesglmm.errors import FitError
from bayesglmm.frequentist.inference.linear_marginal import LinearMarginal, require_linear
from bayesglmm.frequentist.inference.reference import Joint, directions

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Satterthwaite"]


@dataclass(frozen=True, eq=False)
class Satterthwaite:
    """t and F with Satterthwaite's degrees of freedom.

    Attributes
    ----------
    marginal : LinearMarginal
        V at the estimates.
    uncertainty : ndarray, shape (k, k)
        Covariance of the variance parameters (theta, log sigma); zero for those on the boundary.
    """

    marginal: LinearMarginal
    uncertainty: np.ndarray

    @classmethod
    def of(cls, fit: Fit) -> Satterthwaite:
        """Lay out for a fit by ``ml``, ``reml`` or ``laplace``.

        Raises
        ------
        SpecificationError
            No linear mixed model, or a fit without a likelihood.
        FitError
            The variance parameters have no covariance.
        """
        require_linear(fit, "Satterthwaite's degrees of freedom")
        return cls(LinearMarginal.of(fit), _uncertainty(fit))

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the coefficients at the estimated variances, (X' V^-1 X)^-1."""
        return self.marginal.covariance

    def degrees(self, combination: np.ndarray) -> float:
        """Return 2 (l'Cl)^2 / (g' S g)."""
        gradient = self.marginal.variance_gradient(combination)
        spread = float(gradient @ self.uncertainty @ gradient)
        row = self.marginal.basis.combinations(combination[None, :])[0]
        variance = float(row @ self.marginal.basis_covariance @ row)
        return 2.0 * variance**2 / spread if spread > 0.0 else float("inf")

    def joint(self, L: np.ndarray, beta: np.ndarray) -> Joint:
        """Return F = mean of the squared independent t statistics."""
        variances, vectors = directions(self.marginal.basis.combinations(L), self.marginal.basis_covariance)
        rows = vectors.T @ L
        statistic = float(((rows @ beta) ** 2 / variances).mean())
        return Joint(statistic, len(rows), _denominator(np.array([self.degrees(row) for row in rows])))


def _denominator(df: np.ndarray) -> float:
    """Return the degrees of freedom of the F whose mean is that of the average of squared t variables."""
    if np.ptp(df) < 1e-8 or not np.isfinite(df).all():
        return float(df.mean())
    if (df <= 2.0).any():  # a t variable without a variance: the average has no mean to match
        return 2.0
    total = float((df / (df - 2.0)).sum())
    return 2.0 * total / (total - len(df))


def _uncertainty(fit: Fit) -> np.ndarray:
    """Return the covariance of (theta, log sigma) from the Hessian of the likelihood or of the REML criterion."""
    hessian, p = fit.optimum.hessian, len(fit.design.coefficients)
    # REML has no coefficients among its parameters: their rows are nan, as are those of what lies on the boundary.
    known = np.flatnonzero(np.isfinite(np.diagonal(hessian)) & ~fit.optimum.pinned)
    information = -hessian[np.ix_(known, known)]
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"the variance parameters of this fit have no standard errors, and so no degrees of freedom: "
            f"{fit.optimum.message} Use ddf=None (z)."
        ) from error
    covariance = np.zeros_like(hessian)
    covariance[np.ix_(known, known)] = np.linalg.inv(information)
    return covariance[p:, p:]
