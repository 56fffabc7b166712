"""Maximum likelihood and REML of linear mixed models through the profiled criterion: `ml` and `reml`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bayesglmm.counting import count
from bayesglmm.design import Design
from bayesglmm.engine.linear import LinearMixed, Solved
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.boundary import boundary_notes, held_at_bounds
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.linear.blups import blup_table
from bayesglmm.frequentist.linear.correlated import CorrelatedFit
from bayesglmm.frequentist.linear.profiled import ProfiledCriterion
from bayesglmm.frequentist.scalar_only import require_one_dispersion
from bayesglmm.frequentist.search.maximise import Objective, maximise
from bayesglmm.frequentist.search.optimum import Optimum, better
from bayesglmm.frequentist.width import require_narrow_tail
from bayesglmm.frequentist.working import Working

__all__ = ["ML", "REML", "LinearFit"]

#: A sigma so many times smaller than the response's spread is on its way to 0.
_VANISHED = 1e-6


@dataclass(frozen=True)
class ML:
    """Maximum likelihood of a linear mixed model: gaussian responses with the identity link.

    beta and sigma are profiled out, so that the search is over theta relative to sigma alone; every evaluation solves
    Henderson's mixed model equations (Bates et al. 2015). The estimates of beta are BLUEs and the modes BLUPs at the
    estimated variances.
    """

    method: ClassVar[str] = "ml"

    def prepare(self, design: Design) -> LinearFit | CorrelatedFit:
        """Lay the method out for a design."""
        _require_applicable(design, self.method)
        if design.residual is not None:
            return CorrelatedFit.of(design, reml=False)
        return LinearFit(LinearMixed.of(design), Working.of(design), reml=False)


@dataclass(frozen=True)
class REML:
    """Restricted maximum likelihood of a linear mixed model (Patterson & Thompson 1971).

    As `ML`, with the likelihood of error contrasts: the degrees of freedom that the coefficients take are not charged
    to the variances. Its log-likelihoods compare only models with the same coefficients.
    """

    method: ClassVar[str] = "reml"

    def prepare(self, design: Design) -> LinearFit | CorrelatedFit:
        """Lay the method out for a design."""
        _require_applicable(design, self.method)
        if design.weights.sum() <= design.X.shape[1]:
            raise FitError(
                f"REML needs more rows than coefficients, and here are {count(design.n_rows, 'row')} for "
                f"{count(design.X.shape[1], 'coefficient')}; leave out coefficients, or fit by 'ml'."
            )
        if design.residual is not None:
            return CorrelatedFit.of(design, reml=True)
        return LinearFit(LinearMixed.of(design), Working.of(design), reml=True)


def _require_applicable(design: Design, method: str) -> None:
    """Raise SpecificationError unless the response is gaussian with the identity link, FitError for too wide a tail."""
    if design.family_link.linear and design.residual is None:
        require_one_dispersion(
            design,
            method,
            "solves mixed model equations, which have one sigma for all rows",
            'use "laplace", which is maximum likelihood without approximation here, or sample the posterior.',
        )
    if not design.family_link.linear:
        raise SpecificationError(
            f"method {method!r} is for gaussian responses with the identity link, and this model is "
            f"{design.spec.family} with the {design.spec.link} link; use 'laplace', 'agq' or 'mcml'."
        )
    require_narrow_tail(design)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear mixed model laid out for one design; a `Prepared` estimator.

    Attributes
    ----------
    model : LinearMixed
        Sums over rows.
    working : Working
        Layout of x.
    reml : bool
        Whether the criterion is that of REML.
    """

    model: LinearMixed
    working: Working
    reml: bool

    @property
    def design(self) -> Design:
        """Data."""
        return self.model.design

    @property
    def likelihood(self) -> LaplaceLikelihood:
        """The log-likelihood of all working parameters; exact for these responses."""
        return LaplaceLikelihood.of(self.design)

    def with_response(self, y: np.ndarray) -> LinearFit:
        """Return the same for another response y (n,)."""
        model = self.model.with_response(y)
        return replace(self, model=model, working=replace(self.working, design=model.design))

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Maximise from ``start`` (working parameters), or from a step of EM."""
        criterion = ProfiledCriterion(self.model, self.reml)
        with blas_threads(self.model.cross.pattern.n_tail):
            theta = criterion.start() if start is None else self._relative(start)
            objective = self._objective(criterion, theta)
            optimum = maximise(objective, theta)
            if self.working.shares_columns(np.concatenate([np.zeros(self.working.n_beta, dtype=bool), optimum.pinned])):
                # Correlations on the boundary can be a trap: look once more from independent effects.
                apart = np.where(self.working.layout.diagonal, 0.5 * criterion.natural(), 0.0)
                optimum = better(optimum, maximise(objective, apart))
            at = criterion.solve(optimum.x)
            if at is None or not np.isfinite(optimum.value):
                raise FitError(
                    "the log-likelihood is not finite where the search ended; look at the scale of the columns, and "
                    "rescale what is above 1e6 or below 1e-6."
                )
            return self._assemble(criterion, optimum, at)

    def _relative(self, x: np.ndarray) -> np.ndarray:
        _, theta, log_phi = self.working.split_phi(self.working.lifted(x))
        return np.where(self.working.layout.scales, theta / np.exp(log_phi), theta)

    def _objective(self, criterion: ProfiledCriterion, theta: np.ndarray) -> Objective:
        p, units = self.working.n_beta, criterion.units(theta)

        def absorb(relative: np.ndarray, column: np.ndarray) -> np.ndarray:
            x = np.zeros(self.working.size)
            x[self.working.theta] = relative
            return self.working.absorb(x, column + p)[self.working.theta]

        return Objective(
            evaluate=criterion.evaluate,
            units=np.diag(units),
            nonnegative=self.working.layout.diagonal,
            natural=np.diag(criterion.natural()),
            columns=tuple(column - p for column in self.working.columns()),
            absorb=absorb,
            mixes=self.working.layout.mixes(),
            central=not self.model.design.is_large,
        )

    def _assemble(self, criterion: ProfiledCriterion, relative: Optimum, at: Solved) -> Fit:
        working, design = self.working, self.design
        sigma = criterion.sigma(at)
        if design.dispersion is not None and not sigma > _VANISHED * working.scales.scale:
            raise FitError(
                "sigma goes to 0: the model reproduces the response exactly, and the likelihood grows without bound. "
                "Look for a constant response, a predictor that determines it, or as many effects as rows."
            )
        p = working.n_beta
        covariance = sigma**2 * self.model.covariance(at)
        optimum = held_at_bounds(working, criterion.in_working_parameters(relative, at, working, covariance))
        both = optimum.covariance()
        fixed = [
            Estimate("fixed", name, float(b), float(se))
            for name, b, se in zip(design.coefficients, optimum.x[:p], np.sqrt(np.diagonal(covariance)), strict=True)
        ]
        components = variance_components(working, optimum.x, both)
        words = "restricted maximum likelihood (REML)" if self.reml else "maximum likelihood"
        return Fit(
            design=design,
            method="reml" if self.reml else "ml",
            label="REML" if self.reml else "ML",
            description=f"{words} of a linear mixed model, coefficients and sigma profiled out",
            estimand="conditional",
            estimates=(*fixed, *components),
            covariance=covariance,
            mode_source=functools.partial(blup_table, design, at, sigma),
            loglik=optimum.value,
            optimum=optimum,
            notes=boundary_notes(working, optimum, components),
            prepared=self,
        )
