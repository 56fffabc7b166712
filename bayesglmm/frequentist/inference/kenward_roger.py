"""Kenward & Roger's adjusted covariance and degrees of freedom for coefficients of linear mixed models by REML.

V = sum_i s_i G_i is linear in the (co)variances s = (entries of each term's covariance, sigma^2), so that second
derivatives vanish. With Phi = (X' V^-1 X)^-1, P_i = -X' V^-1 G_i V^-1 X, Q_ij = X' V^-1 G_i V^-1 G_j V^-1 X and W the
inverse of the expected REML information of s,

    Phi_A = Phi + 2 Phi {sum_ij W_ij (Q_ij - P_i Phi P_j)} Phi

(Kenward & Roger 1997, section 2; the arithmetic follows Halekoh & Hojsgaard 2014, section 6, with their treatment of
the limits of the F approximation).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.inference.linear_marginal import Basis, LinearMarginal, require_linear
from bayesglmm.frequentist.inference.moments import Pieces
from bayesglmm.frequentist.inference.reference import Joint

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["MAX_EFFECTS", "KenwardRoger"]

#: Matrices of this side are dense: three of them, 130 MB each at the limit.
MAX_EFFECTS = 4000
#: Share of a variance, squared, that the uncertainty of the (co)variances may move it by without counting.
_NEGLIGIBLE = 1e-12
#: Combinations whose independent part is smaller than this repeat what others say.
_REPEATED = 1e-9


@dataclass(frozen=True, eq=False)
class KenwardRoger:
    """t and F with Kenward & Roger's adjustments.

    Attributes
    ----------
    basis : Basis
        X = Q R. What follows is of the model whose columns are Q, which does not depend on covariates' origins.
    unadjusted, adjusted : ndarray, shape (p, p)
        Phi and Phi_A.
    slopes : ndarray, shape (r, p, p)
        P_i.
    uncertainty : ndarray, shape (r, r)
        W, twice the inverse of the matrix that Halekoh & Hojsgaard call IE2.
    """

    basis: Basis
    unadjusted: np.ndarray
    adjusted: np.ndarray
    slopes: np.ndarray
    uncertainty: np.ndarray

    @classmethod
    def of(cls, fit: Fit) -> KenwardRoger:
        """Lay out for a fit by REML.

        Raises
        ------
        SpecificationError
            No linear mixed model, not by REML, weighted rows, or more than `MAX_EFFECTS` group effects.
        FitError
            The expected information of the variances is singular.
        """
        _require_applicable(fit)
        marginal = LinearMarginal.of(fit)
        Phi = marginal.basis_covariance
        P, Q, traces = Pieces.of(marginal).moments()
        information = traces - 2.0 * np.einsum("pq,ijpq->ij", Phi, Q) + np.einsum("ipq,jqp->ij", Phi @ P, Phi @ P)
        W = 2.0 * _inverse(information)
        inner = np.einsum("ij,ijpq->pq", W, Q - np.einsum("ipq,qr,jrs->ijps", P, Phi, P))
        adjusted = Phi + 2.0 * Phi @ (0.5 * (inner + inner.T)) @ Phi
        return cls(marginal.basis, Phi, adjusted, P, W)

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """Adjusted covariance of the coefficients, shape (p, p)."""
        return self.basis.covariance(self.adjusted)

    def degrees(self, combination: np.ndarray) -> float:
        """Return the denominator degrees of freedom of one combination (p,)."""
        return self._approximation(self.basis.combinations(combination[None, :]))[0]

    def joint(self, L: np.ndarray, beta: np.ndarray) -> Joint:
        """Return the scaled F of the independent combinations among the rows of L (k, p)."""
        in_basis = self.basis.combinations(L)
        # F is the same for all sets of combinations that say the same: rows of length 1 show best which repeat others.
        lengths = np.linalg.norm(in_basis, axis=1)
        vectors, sizes, _ = np.linalg.svd(in_basis / lengths[:, None], full_matrices=False)
        kept = vectors[:, sizes > _REPEATED * sizes.max()].T / lengths
        rows, tested = kept @ in_basis, kept @ L @ beta
        denominator, scaling = self._approximation(rows)
        statistic = float(tested @ np.linalg.solve(rows @ self.adjusted @ rows.T, tested)) / len(rows)
        return Joint(scaling * statistic, len(rows), denominator)

    def _approximation(self, L: np.ndarray) -> tuple[float, float]:
        """Return denominator degrees of freedom and scale of F by two moments; L is in the basis and of full rank l."""
        l, Phi = len(L), self.unadjusted
        Theta = L.T @ np.linalg.solve(L @ Phi @ L.T, L)
        moved = Theta @ Phi @ self.slopes @ Phi
        traces = np.einsum("ipp->i", moved)
        A1 = float(traces @ self.uncertainty @ traces)
        A2 = float(np.einsum("ij,ipq,jqp->", self.uncertainty, moved, moved))
        if A2 <= _NEGLIGIBLE:  # the variances hardly enter: F is a chi-square
            return float("inf"), 1.0
        B = (A1 + 6.0 * A2) / (2.0 * l)
        g = ((l + 1) * A1 - (l + 4) * A2) / ((l + 2) * A2)
        whole = 3.0 * l + 2.0 * (1.0 - g)
        V0, V1, V2 = 1.0 + g / whole * B, 1.0 - (l - g) / whole * B, 1.0 - (l + 2 - g) / whole * B
        V0 = 0.0 if abs(V0) < 1e-10 else V0
        mean = 1.0 - A2 / l
        ratio = 1.0 if abs(mean) < 1e-10 and abs(V1) < 1e-10 else mean / V1
        rho = ratio**2 * V0 / V2 / l
        df = 4.0 + (l + 2.0) / (l * rho - 1.0)
        return df, 1.0 if abs(df - 2.0) < 1e-2 else df * mean / (df - 2.0)


def _inverse(information: np.ndarray) -> np.ndarray:
    scale = 1.0 / np.sqrt(np.abs(np.diagonal(information)))
    scaled = information * np.outer(scale, scale)
    if not np.isfinite(scaled).all() or np.abs(np.linalg.eigvalsh(scaled)).min() < 1e-12:
        raise FitError(
            "the expected information of the variances is singular: the data do not tell the group terms and sigma "
            'apart, and Kenward-Roger has no answer. Leave a group term out, or use ddf="satterthwaite".'
        )
    return np.linalg.inv(scaled) * np.outer(scale, scale)


def _require_applicable(fit: Fit) -> None:
    require_linear(fit, "Kenward-Roger's degrees of freedom")
    if fit.method != "reml":
        raise SpecificationError(
            f'Kenward-Roger adjusts fits by REML, and this one is by {fit.method!r}; use model.fit("reml"), or '
            'ddf="satterthwaite".'
        )
    if (fit.design.weights != 1.0).any():
        raise SpecificationError(
            'Kenward-Roger counts every row once, and these rows have weights; use ddf="satterthwaite".'
        )
    if fit.design.n_effects > MAX_EFFECTS:
        raise SpecificationError(
            f"Kenward-Roger needs dense matrices with a side of the number of group effects, {fit.design.n_effects}; "
            f'this version stops at {MAX_EFFECTS}. Use ddf="satterthwaite", which has no such limit.'
        )
    for group in fit.design.groups:
        if group.structure.relationship is not None or not group.structure.theta.mixes:
            raise SpecificationError(
                "Kenward-Roger needs a covariance that is linear in its parameters, between independent levels, and "
                f"that of {group.name} is "
                f'{group.structure.name}; use ddf="satterthwaite".'
            )
