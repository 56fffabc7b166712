"""Fits that maximise a log-likelihood, whatever computes it: Laplace, quadrature, simulation.

A method supplies a `Likelihood`; starting point, search, standard errors and words are the same for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError
from bayesglmm.frequentist.boundary import boundary_notes, unbounded_spreads
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.dispersion import left_without_bound, limit_note, reproduces_exactly
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.search.maximise import Objective, maximise
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus, better
from bayesglmm.frequentist.search.start import find_start, natural_units
from bayesglmm.frequentist.working import Working

__all__ = ["Evaluate", "Likelihood", "MaximumLikelihood", "Words", "objective_of"]

type Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Likelihood(Protocol):
    """A log-likelihood of the working parameters x = (beta, theta, working family scalars)."""

    @property
    def working(self) -> Working:
        """Layout of x."""
        ...

    def evaluator(self) -> Evaluate:
        """Return x -> (log-likelihood with every constant, exact gradient (k,)); -inf where it cannot be computed.

        The function may start each search for modes where its last one ended; every call of ``evaluator`` returns one
        with a memory of its own.
        """
        ...

    def modes(self, x: np.ndarray) -> pd.DataFrame:
        """Return the table of conditional modes (`frequentist.modes.mode_table`) at x."""
        ...

    def with_response(self, y: np.ndarray) -> Likelihood:
        """Return the same for another response y (n,)."""
        ...


@dataclass(frozen=True)
class Words:
    """How a method presents itself.

    Attributes
    ----------
    method : str
        As ``model.fit`` takes it.
    label : str
        As it stands above a column: ``Laplace``.
    description : str
        What the method is, in a sentence.
    caveat : str
        What it is known to do to these estimates with such data; empty if nothing.
    """

    method: str
    label: str
    description: str
    caveat: str = ""


@dataclass(frozen=True, eq=False)
class MaximumLikelihood:
    """A likelihood laid out for one design; a `Prepared` estimator.

    Attributes
    ----------
    likelihood : Likelihood
        What is maximised.
    words : Words
        How the method presents itself.
    marginal : LaplaceMarginal or None
        The Laplace approximation of the same design, which finds the starting point; laid out when needed if None.
    """

    likelihood: Likelihood
    words: Words
    marginal: LaplaceMarginal | None = None

    @property
    def design(self) -> Design:
        """Data."""
        return self.likelihood.working.design

    def with_response(self, y: np.ndarray) -> MaximumLikelihood:
        """Return the same for another response y (n,)."""
        marginal = None if self.marginal is None else self.marginal.with_response(y)
        return MaximumLikelihood(self.likelihood.with_response(y), self.words, marginal)

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Maximise from ``start``, or from the fit without group effects."""
        working = self.likelihood.working
        marginal = LaplaceMarginal.of(working.design) if self.marginal is None else self.marginal
        with blas_threads(marginal.rows.pattern.n_tail):
            first = find_start(marginal, working) if start is None else working.lifted(start)
            objective = objective_of(self.likelihood, natural_units(marginal, working, first))
            optimum = maximise(objective, first)
            if working.shares_columns(optimum.pinned):
                # Correlations on the boundary can be a trap: look once more from independent effects.
                optimum = better(optimum, maximise(objective, working.with_spread(optimum.x, 0.5)))
            _refuse_without_maximum(working, optimum)
            optimum = left_without_bound(working, optimum)
            if unbounded_spreads(working, optimum):
                optimum = replace(optimum, status=OptimumStatus.FLAT)
            return self._assemble(optimum)

    def _assemble(self, optimum: Optimum) -> Fit:
        working = self.likelihood.working
        p = working.n_beta
        covariance = optimum.covariance()
        std_errors = np.sqrt(np.diagonal(covariance)[:p])
        fixed = [
            Estimate("fixed", name, float(b), float(se))
            for name, b, se in zip(working.design.coefficients, optimum.x[:p], std_errors, strict=True)
        ]
        components = variance_components(working, optimum.x, covariance)
        return Fit(
            design=working.design,
            method=self.words.method,
            label=self.words.label,
            description=self.words.description,
            estimand="conditional",
            estimates=(*fixed, *components),
            covariance=covariance[:p, :p],
            mode_source=functools.partial(self.likelihood.modes, optimum.x),
            loglik=optimum.value,
            optimum=optimum,
            notes=(*limit_note(working, optimum), *boundary_notes(working, optimum, components)),
            caveat=self.words.caveat,
            prepared=self,
        )


def objective_of(likelihood: Likelihood, units: np.ndarray | None = None) -> Objective:
    """Return ``likelihood`` as the optimiser takes it, with ``units`` (k, k) of x or those of `Working.units`."""
    working = likelihood.working
    units = working.units() if units is None else units
    return Objective(
        evaluate=likelihood.evaluator(),
        units=units,
        nonnegative=working.nonnegative(),
        natural=working.units(),
        columns=working.columns(),
        absorb=working.absorb,
        central=not working.design.is_large,
    )


def _refuse_without_maximum(working: Working, optimum: Optimum) -> None:
    """Raise FitError where the likelihood has no maximum, or was finite nowhere that the search came."""
    if working.design.dispersion is not None:
        _, _, log_phi = working.split_phi(optimum.x)
        rule = working.design.family.phi
        if rule is not None and reproduces_exactly(rule, log_phi, working.scales.scale):
            end = "0" if rule.exact_at == 0.0 else "infinity"
            raise FitError(
                f"{working.design.dispersion} goes to {end}: the model reproduces the response exactly, and the "
                "likelihood grows without bound. Look for a constant response, a predictor that determines it, or as "
                "many effects as rows."
            )
    if not np.isfinite(optimum.value):
        raise FitError(
            "the log-likelihood is not finite where the search ended; look at the scale of the columns and of the "
            "offset, and rescale what is above 1e6 or below 1e-6."
        )
