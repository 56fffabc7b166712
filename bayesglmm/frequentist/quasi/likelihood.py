"""Fits without a likelihood: PQL and MQL laid out for one design, from starting point to table."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError
from bayesglmm.frequentist.boundary import boundary_notes, held_at_bounds
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.likelihood import Words
from bayesglmm.frequentist.modes import mode_table, prediction_variances
from bayesglmm.frequentist.quasi.linearisation import Expansion, Point, Settled
from bayesglmm.frequentist.quasi.options import check_dispersion
from bayesglmm.frequentist.quasi.search import Search
from bayesglmm.frequentist.quasi.working_model import WorkingModel, WorkingSolution
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.search.start import fit_without_effects
from bayesglmm.frequentist.width import require_narrow_tail
from bayesglmm.frequentist.working import Working

__all__ = ["QuasiLikelihood"]

_SPREADS = (0.5, 0.15, 1.5)
#: A dispersion that is exp(16), ten million, times smaller than it should be is on its way to 0.
_VANISHED = 16.0


@dataclass(frozen=True, eq=False)
class QuasiLikelihood:
    """A quasi-likelihood method laid out for one design; a `Prepared` estimator.

    Its working parameters are x = (beta, theta, log phi): the last one where the family has a dispersion, or where
    another is estimated, then as log sqrt(phi). The search moves in v = (theta, log sd), rows' variances being in
    proportion to sd^2: log sd is `power` times log phi.

    Attributes
    ----------
    expansion : Expansion
        How the design is linearised.
    working : Working
        Scales and boundary of x without phi.
    dispersion : bool
        Whether phi is estimated beside a family that has none of its own.
    words : Words
        How the method presents itself.
    estimand : str
        ``conditional`` or ``marginal``.
    """

    expansion: Expansion
    working: Working
    dispersion: bool
    words: Words
    estimand: str

    @classmethod
    def of(cls, design: Design, *, conditional: bool, variance: str, dispersion: bool, words: Words) -> QuasiLikelihood:
        """Lay out ``design``.

        Raises
        ------
        SpecificationError
            The family has a dispersion of its own, and another is asked for, or it does not multiply the variance.
        FitError
            Too many crossed effects (`width.MAX_TAIL`).
        """
        check_dispersion(design, dispersion)
        require_narrow_tail(design)
        expansion = Expansion.of(design, conditional, variance == "reml")
        estimand = "conditional" if conditional else "marginal"
        return cls(expansion, Working.of(design), dispersion, words, estimand)

    @property
    def design(self) -> Design:
        """Data."""
        return self.expansion.design

    def with_response(self, y: np.ndarray) -> QuasiLikelihood:
        """Return the same for another response y (n,)."""
        expansion = self.expansion.with_response(y)
        return replace(self, expansion=expansion, working=Working.of(expansion.design))

    @property
    def power(self) -> float:
        """Half of the power of the family's phi that a row's variance is in proportion to; 1 for one that is added."""
        rule = self.design.family.phi
        return 1.0 if self.design.dispersion is None or rule is None else 0.5 * rule.power

    @property
    def search(self) -> Search:
        """The search for the variances."""
        return Search(self.expansion, self.working, self.dispersion or self.design.dispersion is not None)

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Expand and solve in turn, from ``start`` or from the fit without group effects."""
        with blas_threads(self.expansion.rows.pattern.n_tail):
            point, v = self._start() if start is None else self._restart(start)
            optimum, settled = self.search.run(v, point)
            self._refuse_without_answer(optimum)
            return self._assemble(optimum, settled)

    def working_model(self, x: np.ndarray) -> WorkingModel:
        """Return the linear mixed model that the data look like at variances and coefficients x (k,).

        With ``fit.optimum.x``, the model whose joint equations beta and u solve.
        """
        point, v = self._restart(x)
        return self.expansion.settle(*self.search.split(v), point).model

    def _start(self) -> tuple[Point, np.ndarray]:
        """Return the fit without group effects, and the best of some spreads of them in its working model."""
        search = self.search
        x = fit_without_effects(self.expansion.rows, self.working)
        none = np.zeros(self.design.n_effects)
        point = self.expansion.point(x[: self.working.n_beta], none, np.zeros(self.working.layout.size))
        model = self.expansion.working_model(point)
        log_sd = [self.power * x[-1]] if self.design.dispersion is not None else [0.0] * self.dispersion
        spreads = [self.working.with_spread(x, fraction)[self.working.theta] for fraction in _SPREADS]
        candidates = [np.append(spread, log_sd) for spread in spreads]
        solutions = [model.solve(*search.split(v)) for v in candidates]
        values = [-np.inf if s is None else s.value for s in solutions]
        return point, candidates[int(np.argmax(values))]

    def _restart(self, x: np.ndarray) -> tuple[Point, np.ndarray]:
        p = self.working.n_beta
        v = x[p:].copy()
        if self.search.with_sd:
            v[-1] *= self.power
        theta, _ = self.search.split(v)
        return self.expansion.point(x[:p], np.zeros(self.design.n_effects), theta), v

    def _refuse_without_answer(self, optimum: Optimum) -> None:
        if not np.isfinite(optimum.value):
            raise FitError(
                "the working model has no finite criterion where the search ended; look for a response that does not "
                "vary, and at the scale of the columns and of the offset: rescale what is above 1e6 or below 1e-6."
            )
        search = self.search
        rule = self.design.family.phi if self.design.dispersion is not None else None
        natural = 0.0 if rule is None else self.power * float(np.log(rule.start(self.working.scales.scale)))
        if search.with_sd and search.split(optimum.x)[1] < natural - _VANISHED:
            raise FitError(
                f"{self.design.dispersion or 'phi'} goes to 0: the model reproduces the response exactly. Look for a "
                "constant response, a predictor that determines it, or as many effects as rows."
            )

    def _assemble(self, optimum: Optimum, settled: Settled) -> Fit:
        design, working, solution = self.design, self.working, settled.solution
        if solution is None:
            raise FitError(
                "the coefficients cannot be told apart in the working model; look for separation or collinear columns."
            )
        whole = held_at_bounds(working, self._whole(optimum, solution))
        covariance = whole.covariance()
        p, k = working.n_beta, working.size
        fixed = [
            Estimate("fixed", name, float(b), float(np.sqrt(variance)))
            for name, b, variance in zip(design.coefficients, solution.beta, np.diagonal(covariance), strict=False)
        ]
        components = variance_components(working, whole.x[:k], covariance[:k, :k])
        known = replace(whole, x=whole.x[:k], pinned=whole.pinned[:k], hessian=whole.hessian[:k, :k])
        notes = (*boundary_notes(working, known, components), *self._notes())
        if self.dispersion:
            components = (*components, _phi(float(whole.x[-1]), float(covariance[-1, -1])))
        errors = prediction_variances(design, solution.factor, solution.elimination, solution.A, solution.w)
        exact = not settled.point.table[3].any()  # linear link, normal rows: there is nothing to approximate
        return Fit(
            design=design,
            method=self.words.method,
            label=self.words.label,
            description=self.words.description,
            estimand=self.estimand,
            estimates=(*fixed, *components),
            covariance=covariance[:p, :p],
            mode_source=functools.partial(mode_table, design, solution.factor.effects(solution.z), errors),
            loglik=float("nan"),
            optimum=whole,
            notes=notes,
            prepared=self,
            caveat="" if exact else self.words.caveat,
        )

    def _notes(self) -> tuple[str, ...]:
        notes = ["A quasi-likelihood has no log-likelihood: no AIC, no BIC, no likelihood-ratio test."]
        if not np.array_equal(self.design.weights, np.ones(self.design.n_rows)):
            notes.append(
                "Here a weight is a row's precision, as in lme4 and glmmPQL; for the likelihood methods it multiplies "
                "the row's log-likelihood."
            )
        if self.dispersion:
            notes.append("phi multiplies the variance, Var(y) = phi v(mu); MASS::glmmPQL prints its square root.")
        return tuple(notes)

    def _whole(self, optimum: Optimum, solution: WorkingSolution) -> Optimum:
        """Return the optimum in x = (beta, v): coefficients and variances are asymptotically independent."""
        p, k = len(solution.beta), len(optimum.x)
        hessian = np.zeros((p + k, p + k))
        hessian[:p, :p] = -solution.information
        hessian[p:, p:] = optimum.hessian
        hessian[:, p + np.flatnonzero(optimum.pinned)] = np.nan
        hessian[p + np.flatnonzero(optimum.pinned), :] = np.nan
        start, v = optimum.start.copy(), optimum.x.copy()
        if self.search.with_sd:  # from log sd to log phi
            start[-1] /= self.power
            v[-1] /= self.power
            hessian[-1, :] *= self.power
            hessian[:, -1] *= self.power
        units = self.working.units()[:p, :p]
        eigenvalues = np.linalg.eigvalsh(units.T @ solution.information @ units) if p else np.ones(1)
        flat = optimum.status.usable and eigenvalues[0] <= 1e-9 * max(float(eigenvalues[-1]), 1.0)
        return replace(
            optimum,
            start=np.concatenate([np.zeros(p), start]),
            x=np.concatenate([solution.beta, v]),
            value=float("nan"),
            pinned=np.concatenate([np.zeros(p, dtype=bool), optimum.pinned]),
            hessian=hessian,
            status=OptimumStatus.FLAT if flat else optimum.status,
        )


def _phi(log_sd: float, variance: float) -> Estimate:
    phi = float(np.exp(2.0 * log_sd))
    return Estimate("family", "phi", phi, 2.0 * phi * float(np.sqrt(variance)), "log")
