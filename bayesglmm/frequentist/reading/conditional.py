"""What a fit says of a row given the group effects: coefficients, effects, their covariances, the dispersion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.row_kernels import row_kernels
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.working import Working
from bayesglmm.grouping import GroupEffects
from bayesglmm.residual import Whitening, structure_of

__all__ = ["ConditionalModel"]


@dataclass(frozen=True, eq=False)
class ConditionalModel:
    """Estimates in the places where the linear predictor has them.

    Attributes
    ----------
    design : Design
        Data.
    beta : ndarray, shape (p,)
        Coefficients.
    u : ndarray, shape (Q,)
        Group effects, term after term, level after level, as the formula codes them.
    G : tuple of ndarray, each shape (q, q)
        Covariance of each term's effects.
    phi : float
        Dispersion; 1 without one, or where it is not one for all rows.
    family : ndarray, shape (K,)
        Natural family scalars.
    whitening : Whitening or None
        How residuals correlate.
    """

    design: Design
    beta: np.ndarray
    u: np.ndarray
    G: tuple[np.ndarray, ...]
    phi: float
    family: np.ndarray
    whitening: Whitening | None = None

    @classmethod
    def of(cls, fit: Any, wanted: str) -> ConditionalModel:
        """Read a fit for the function called ``wanted``; SpecificationError where it has no variances of effects."""
        if not isinstance(fit, Fit):
            raise SpecificationError(
                f"{wanted}() takes a classical fit, such as model.fit('laplace') returns, not one of type "
                f"{type(fit).__name__!r}."
            )
        sds = {e.name for e in fit.estimates if e.term == "sd"}
        # What rows share may be a matter of their residuals alone.
        correlated = fit.design.residual is not None and wanted == "marginal_covariance"
        if fit.estimand != "conditional" or not (sds or correlated):
            raise SpecificationError(
                f"{wanted}() needs a fit with standard deviations of group effects, and method {fit.method!r} of "
                f"{fit.formula} has none; take model.fit('laplace') of a model with a group term."
            )
        design = fit.design
        value = {(e.term, e.name): e.estimate for e in fit.estimates}
        return cls(
            design=design,
            beta=np.array([value["fixed", name] for name in design.coefficients]),
            u=fit.modes["mode"].to_numpy(dtype=np.float64),
            G=tuple(_covariance(g, value) for g in design.groups),
            phi=value["family", design.dispersion] if design.dispersion is not None else 1.0,
            family=np.array([value["family", name] for name in design.family_names]),
            whitening=_whitening(fit),
        )

    def row_sds(self) -> np.ndarray:
        """Return the standard deviation of each row of a gaussian model given the group effects, shape (n,)."""
        auxiliary, design = self.design.auxiliary, self.design
        phi = self.phi if auxiliary is None else auxiliary.simulation(auxiliary.working(self.family))[0]
        return np.asarray(phi * design.size / np.sqrt(design.weights))

    @property
    def fixed(self) -> np.ndarray:
        """Offset and common part of the linear predictor, shape (n,)."""
        return np.asarray(self.design.offset + self.design.X @ self.beta)

    def row_variances(self) -> np.ndarray:
        """Return the variance of the group effects' sum in each row, sum over terms of z' G z, shape (n,)."""
        total = np.zeros(self.design.n_rows)
        for group, G in zip(self.design.groups, self.G, strict=True):
            z = group.columns()
            own = np.einsum("ki,kl,li->i", z, G, z)
            relationship = group.structure.relationship
            total += own if relationship is None else own * relationship.matrix.diagonal()[group.codes]
        return total

    def derivatives(self) -> np.ndarray:
        """Return weighted (l, d1, d2, d3, lp, d1p, d2p, ...) of every row at its eta, (7, n) or (10, n)."""
        design = self.design
        eta = self.fixed + EffectColumns.of(design).times(self.u)
        kernels = row_kernels(design)
        out = np.empty((kernels.height, design.n_rows))
        known = design.size
        if design.auxiliary is not None:
            known = design.auxiliary.known(known, design.auxiliary.working(self.family))
        kernels.derivatives(design.y, known, design.weights, eta, self.phi, out)
        return out


def _whitening(fit: Fit) -> Whitening | None:
    rows = fit.design.residual
    if rows is None:
        return None
    return structure_of(rows).whitening(rows, fit.optimum.x[Working.of(fit.design).residual])


def _covariance(group: GroupEffects, value: dict[tuple[str, str], float]) -> np.ndarray:
    """Return G of a term from its standard deviations and correlations (q, q)."""
    sd = np.array([value["sd", group.sd_name(effect)] for effect in group.effects])
    R = np.eye(group.n_effects)
    lower = group.structure.lower
    if lower is not None:
        rho, low = np.nan_to_num(value["cor", group.cor_name]), lower(group.n_effects)
        angle = np.arcsin(np.clip((2.0 * rho - low - 1.0) / (1.0 - low), -1.0, 1.0))
        Lambda = group.structure.theta.factor(np.array([sd[0], angle]), group.n_effects)
        return Lambda @ Lambda.T
    pairs = [(i, k) for i in range(group.n_effects) for k in range(i)]
    for (i, k), name in zip(pairs, group.cor_names(), strict=False):
        # Beside a standard deviation of 0 there is no correlation, nor does it matter.
        R[i, k] = R[k, i] = np.nan_to_num(value["cor", name])
    return np.asarray(R * np.outer(sd, sd))
