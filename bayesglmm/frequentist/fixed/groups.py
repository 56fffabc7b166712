"""No pooling: the group effects are coefficients like others, without a distribution."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import linalg

from bayesglmm.design import Design
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError
from bayesglmm.frequentist.applicable import require_plain_terms
from bayesglmm.frequentist.components import Estimate
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.fixed.notes import caveat_on, is_least_squares, notes_on
from bayesglmm.frequentist.fixed.search import Unpooled, search
from bayesglmm.frequentist.modes import mode_table
from bayesglmm.frequentist.scalar_only import require_one_dispersion
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus

__all__ = ["MAX_EFFECTS", "FixedGroups", "PreparedFixed"]

#: The information matrix is dense: beyond this side a fit would take minutes.
MAX_EFFECTS = 2000


@dataclass(frozen=True)
class FixedGroups:
    """Maximum likelihood with one coefficient for every group effect (no pooling).

    The table of modes holds the groups' deviations from their mean over the levels, so that they compare with BLUPs;
    the intercept is that mean. So for slopes whose column is also in the common part.

    Notes
    -----
    A residual standard deviation (sigma) is that of least squares, sqrt(RSS / (n - rank)), and standard errors go with
    it; the log-likelihood is at its maximum, where the divisor is n. n counts each row by its weight.
    """

    method: ClassVar[str] = "fixed"

    def prepare(self, design: Design) -> PreparedFixed:
        """Lay the method out; FitError for more than `MAX_EFFECTS` group effects."""
        require_one_dispersion(
            design, self.method, "fits a generalized linear model, whose rows have one dispersion at most"
        )
        if design.n_effects > MAX_EFFECTS:
            raise FitError(
                f"the group terms have {design.n_effects} effects, more than the {MAX_EFFECTS} that method 'fixed' "
                "estimates one by one; let them vary by chance instead, as the other methods do (model.fit())."
            )
        require_plain_terms(design, "fixed", "Write (1 | g), or take another method.")
        return PreparedFixed(design)


@dataclass(frozen=True, eq=False)
class PreparedFixed:
    """The fit laid out for one design.

    Attributes
    ----------
    design : Design
        Data.
    """

    design: Design

    def with_response(self, y: np.ndarray) -> PreparedFixed:
        """Return the same for another response y (n,)."""
        return replace(self, design=self.design.with_response(y))

    def fit(self, start: np.ndarray | None = None) -> Fit:  # noqa: ARG002  # what is identified depends on y
        """Maximise; Newton's method needs no ``start``."""
        with blas_threads(self.design.n_effects):
            return self._fit()

    def _fit(self) -> Fit:
        found = search(self.design)
        free, degrees = found.columns.T.shape[1], found.n_units - found.columns.T.shape[1]
        unbiased = 1.0
        if is_least_squares(self.design):
            if degrees <= 0:
                raise FitError(
                    f"there are {found.n_units:g} rows for {free} coefficients: nothing is left to estimate sigma "
                    "from. Leave out a term, or let the groups vary by chance, as the other methods do."
                )
            unbiased = found.n_units / degrees
        covariance = unbiased * _inverse(found.point.information)
        return self._assemble(found, covariance, float(np.sqrt(unbiased)))

    def _assemble(self, found: Unpooled, covariance: np.ndarray, widening: float) -> Fit:
        design, columns = self.design, found.columns
        p = len(design.coefficients)
        estimates = np.where(columns.known, columns.T @ found.point.x, np.nan)
        estimates[:p][columns.held] = np.nan
        beta, u = estimates[:p], np.where(found.infinite != 0.0, np.copysign(np.inf, found.infinite), estimates[p:])
        spread = np.where(np.isfinite(np.concatenate([beta, u])), 1.0, np.nan)
        variance = np.einsum("ik,kl,il->i", columns.T, covariance, columns.T) * spread
        common = columns.T[:p] @ covariance @ columns.T[:p].T * np.outer(spread[:p], spread[:p])
        fixed = [
            Estimate("fixed", name, float(b), float(np.sqrt(v)))
            for name, b, v in zip(design.coefficients, beta, variance[:p], strict=True)
        ]
        family = []
        if design.dispersion is not None:
            phi = found.phi * widening
            family = [Estimate("family", design.dispersion, phi, phi * found.log_phi_error * widening, "log")]
        optimum = _optimum(design, found)
        return Fit(
            design=design,
            method=FixedGroups.method,
            label="no pooling",
            description="maximum likelihood, a coefficient for every group effect (no pooling)",
            estimand="conditional",
            estimates=(*fixed, *family),
            covariance=common,
            mode_source=functools.partial(mode_table, design, u, variance[p:]),
            loglik=optimum.value,
            optimum=optimum,
            notes=tuple(notes_on(design, found, optimum)),
            caveat=caveat_on(design, found),
            prepared=self,
        )


def _inverse(information: np.ndarray) -> np.ndarray:
    """Return the covariance; nan where the information is not positive definite."""
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(information)), np.finfo(float).tiny))
    try:
        factor = linalg.cho_factor(information * np.outer(scale, scale))
    except linalg.LinAlgError:
        return np.full_like(information, np.nan)
    return np.asarray(linalg.cho_solve(factor, np.diag(scale)) * scale[:, None])


def _optimum(design: Design, found: Unpooled) -> Optimum:
    """Return the record: gamma, what is infinite, log phi."""
    point, gone = found.point, found.infinite[found.infinite != 0.0]
    tail = [] if design.dispersion is None else [float(np.log(found.phi))]
    x = np.concatenate([point.x, np.copysign(np.inf, gone), tail])
    k, free = len(x), len(point.x)
    hessian = np.full((k, k), np.nan)
    hessian[:free, :free] = -point.information
    pinned = np.zeros(k, dtype=bool)
    pinned[free:] = True
    scale = np.sqrt(np.maximum(np.diagonal(point.information), np.finfo(float).tiny))
    return Optimum(
        start=np.zeros(k),
        x=x,
        value=found.loglik,
        gradient_norm=float(np.abs(point.gradient / scale).max(initial=0.0)),
        iterations=found.iterations,
        evaluations=found.iterations,
        pinned=pinned,
        hessian=hessian,
        status=_status(found),
    )


def _status(found: Unpooled) -> OptimumStatus:
    if not found.converged:
        return OptimumStatus.STOPPED_EARLY
    return OptimumStatus.FLAT if found.flat.any() else OptimumStatus.CONVERGED
