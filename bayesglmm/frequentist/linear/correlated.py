"""ml and reml of linear mixed models whose residuals correlate: the profiled search goes over the correlations too."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.correlated import CorrelatedMixed, straddled
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.boundary import boundary_notes, held_at_bounds
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.linear.blups import blup_table
from bayesglmm.frequentist.linear.correlated_criterion import CorrelatedCriterion
from bayesglmm.frequentist.search.maximise import Objective, maximise
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus, better
from bayesglmm.frequentist.working import Working
from bayesglmm.residual.draws import correlation_draws

__all__ = ["CorrelatedFit"]

#: A sigma so many times smaller than the response's spread is on its way to 0.
_VANISHED = 1e-6
#: A coordinate beyond this is at most 3e-4 of its range from a bound, and may be on its way there; at the second one
#: the correlation is the bound to rounding.
_FAR, _BOUND = 8.0, 40.0
#: How much lower the log-likelihood may be at a bound that counts as its maximum.
_GAIN = 1e-6
#: Least eigenvalue of a correlation matrix of visits that counts as positive.
_SINGULAR = 1e-6


@dataclass(frozen=True, eq=False)
class CorrelatedFit:
    """A linear mixed model with a residual structure laid out for one design; a `Prepared` estimator.

    Attributes
    ----------
    mixed : CorrelatedMixed
        Data and structure.
    working : Working
        Layout of x.
    reml : bool
        Whether the criterion is that of REML.
    known_sigma : float
        What standard deviations that differ by row are measured by; 1 where sigma is estimated.
    """

    mixed: CorrelatedMixed
    working: Working
    reml: bool
    known_sigma: float = 1.0

    @classmethod
    def of(cls, design: Design, reml: bool) -> CorrelatedFit:
        """Lay out ``design``; SpecificationError where its residual groups lie across a grouping factor."""
        term, factor = design.spec.residual, straddled(design)
        if factor is not None:
            assert term is not None
            group = ":".join(term.factor.columns)
            raise SpecificationError(
                f"{term} beside group effects of {factor}: rows of one {group} lie in several levels of {factor}, and "
                f"this method takes residual groups that lie within one level each. Sample the posterior "
                f"(model.sample()), or let the residuals correlate within combinations, {group}:{factor}."
            )
        working = Working.of(design)
        sigma = 1.0 if design.residual_scales is None else _spread(design, working)
        return cls(CorrelatedMixed.of(design, sigma), working, reml, sigma)

    @property
    def design(self) -> Design:
        """Data."""
        return self.mixed.design

    def with_response(self, y: np.ndarray) -> CorrelatedFit:
        """Return the same for another response y (n,)."""
        mixed = self.mixed.with_response(y)
        return replace(self, mixed=mixed, working=replace(self.working, design=mixed.design))

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Maximise from ``start`` (working parameters), or from a step of EM."""
        criterion = CorrelatedCriterion(self.mixed, self.reml, self.known_sigma)
        with blas_threads(max(self.mixed.pattern.n_tail, len(self.mixed.rows.visits))):
            first = criterion.start()
            v = first if start is None else self._relative(start)
            optimum = self._maximise(criterion, v)
            if start is None:
                optimum = self._second_look(criterion, first, optimum)
            self._require_spread(criterion, optimum.x)
            optimum = self._at_bound(criterion, optimum)
            return self._assemble(criterion, optimum)

    def _relative(self, x: np.ndarray) -> np.ndarray:
        _, theta, family = self.working.split(self.working.lifted(x))
        # From a bound nothing moves.
        correlations = np.clip(x[self.working.residual], -_FAR, _FAR)
        scaled = self.mixed.scales is not None
        sigma = self.known_sigma if scaled else np.exp(family[0])
        relative = np.where(self.working.layout.scales, theta / sigma, theta)
        return np.concatenate([relative, family if scaled else np.zeros(0), correlations])

    def _maximise(self, criterion: CorrelatedCriterion, v: np.ndarray, held: bool = False) -> Optimum:
        """Return the maximum reached from v = (theta, x); with the one correlation held at v's if ``held``."""
        working, p = self.working, self.working.n_beta
        k, q = working.layout.size, len(v) - held

        def evaluate(w: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = criterion.evaluate(np.concatenate([w, v[q:]]))
            return value, gradient[:q]

        def absorb(w: np.ndarray, column: np.ndarray) -> np.ndarray:
            point = np.zeros(working.size)
            point[working.theta] = w[:k]
            return np.concatenate([working.absorb(point, column + p)[working.theta], w[k:]])

        objective = Objective(
            evaluate=evaluate,
            units=criterion.units(v)[:q, :q],
            nonnegative=np.concatenate([working.layout.diagonal, np.zeros(q - k, dtype=bool)]),
            natural=np.diag(criterion.natural(v)[:q]),
            columns=tuple(column - p for column in working.columns()),
            absorb=absorb,
            mixes=working.layout.mixes(),
            central=not self.design.is_large,
        )
        return maximise(objective, v[:q])

    def _second_look(self, criterion: CorrelatedCriterion, first: np.ndarray, found: Optimum) -> Optimum:
        """Look once more from small group effects: they and the correlations explain some of the same.

        So a search may end where one of the two has taken all.
        """
        k = self.working.layout.size
        if not k or (found.status is OptimumStatus.CONVERGED and not found.pinned.any()):
            return found
        apart = first.copy()
        apart[:k] = np.where(self.working.layout.diagonal, 0.3 * first[:k], 0.0)
        return better(found, self._maximise(criterion, apart))

    def _at_bound(self, criterion: CorrelatedCriterion, found: Optimum) -> Optimum:
        """Return the maximum with the one correlation held at its bound, if that is where it was going."""
        last = len(found.x) - 1
        if self.mixed.structure.coordinates(self.mixed.rows) != 1 or abs(found.x[last]) < _FAR:
            return found
        there = np.append(found.x[:last], np.copysign(_BOUND, found.x[last]))
        if criterion.at(criterion.split(there)[1])[1] is None:
            return found
        held = self._maximise(criterion, there, held=True)
        if not held.value > found.value - _GAIN or held.status in (OptimumStatus.STOPPED_EARLY, OptimumStatus.FLAT):
            return found
        hessian = np.full((last + 1, last + 1), np.nan)
        hessian[:last, :last] = held.hessian
        return replace(
            held,
            start=found.start,
            x=np.append(held.x, there[last]),
            pinned=np.append(held.pinned, True),
            hessian=hessian,
            status=OptimumStatus.BOUNDARY,
            iterations=held.iterations + found.iterations,
            evaluations=held.evaluations + found.evaluations,
        )

    def _assemble(self, criterion: CorrelatedCriterion, relative: Optimum) -> Fit:
        working, design = self.working, self.design
        self._require_spread(criterion, relative.x)
        profiled, at, white = criterion.require(relative.x)
        sigma = profiled.sigma(at)
        covariance = sigma**2 * white.model.covariance(at)
        optimum = held_at_bounds(working, criterion.in_working_parameters(relative, working, covariance))
        fixed = [
            Estimate("fixed", name, float(b), float(se))
            for name, b, se in zip(design.coefficients, optimum.x, np.sqrt(np.diagonal(covariance)), strict=False)
        ]
        components = variance_components(working, optimum.x, optimum.covariance())
        words = "restricted maximum likelihood (REML)" if self.reml else "maximum likelihood"
        profiled_out = "coefficients and sigma" if self.mixed.scales is None else "coefficients"
        return Fit(
            design=design,
            method="reml" if self.reml else "ml",
            label="REML" if self.reml else "ML",
            description=f"{words} of a linear mixed model with residuals {design.spec.residual}, {profiled_out} "
            "profiled out",
            estimand="conditional",
            estimates=(*fixed, *components),
            covariance=covariance,
            mode_source=functools.partial(blup_table, design, at, sigma),
            loglik=optimum.value,
            optimum=optimum,
            notes=(*self._bound_notes(optimum, components), *boundary_notes(working, optimum, components)),
            prepared=self,
        )

    def _require_spread(self, criterion: CorrelatedCriterion, v: np.ndarray) -> None:
        """Raise FitError where the standard deviation of the residuals, or of those of some rows, goes to 0."""
        profiled, at, _ = criterion.require(v)
        scales, k = self.mixed.scales, self.working.layout.size
        least = 1.0 if scales is None else float(np.exp(scales.logs(v[k : k + scales.size]).min()))
        if profiled.sigma(at) * least > _VANISHED * self.working.scales.scale:
            return
        where = "" if scales is None else " in some of the rows"
        raise FitError(
            f"sigma goes to 0{where}: the model reproduces the response exactly, and the likelihood grows without "
            "bound. Look for a constant response, a predictor that determines it, or as many effects as rows."
        )

    def _singular(self, optimum: Optimum) -> bool:
        rows = self.mixed.rows
        if not rows.patterned:
            return False
        R = correlation_draws(rows, optimum.x[self.working.residual])
        return bool(np.linalg.eigvalsh(R)[0] < _SINGULAR)

    def _bound_notes(self, optimum: Optimum, components: tuple[Estimate, ...]) -> tuple[str, ...]:
        """Say that the correlations of the residuals lie at the end of their range."""
        if self._singular(optimum):
            return (
                f"The correlation matrix of {self.design.spec.residual} is singular here: the data tell fewer "
                "directions than there are visits, and the likelihood may grow without bound. Use ar1, car1 or cs, or "
                "sample.",
            )
        if not optimum.pinned[self.working.residual].any():
            return ()
        name = self.mixed.structure.names(self.mixed.rows)[0]
        value = next(c.estimate for c in components if c.name == name)
        words = "the residuals of one group do not correlate" if value == 0.0 else "this is the end of its range"
        return (f"{name} is estimated as {value:.3g}: {words}.",)


def _spread(design: Design, working: Working) -> float:
    """Return the standard deviation of the rows about their least squares fit, or the response's where that is 0."""
    y = design.y - design.offset
    residual = y - design.X @ np.linalg.lstsq(design.X, y, rcond=None)[0]
    found = float(np.sqrt((residual**2).mean()))
    return found if found > _VANISHED * working.scales.scale else working.scales.scale
