"""Fits that begin where Laplace's approximation has its maximum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from bayesglmm.design import Design
from bayesglmm.engine.threads import blas_threads
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.likelihood import Likelihood, MaximumLikelihood
from bayesglmm.frequentist.search.start import find_start, natural_units

__all__ = ["FromLaplace"]

#: Largest slope, per standard error, where the search by Laplace's approximation ends and the other begins.
_NEAR = 0.03


@dataclass(frozen=True, eq=False)
class FromLaplace:
    """A likelihood that is maximised from the maximum of Laplace's approximation; a `Prepared` estimator.

    With few nodes a likelihood by quadrature is no smooth hill; from the Laplace fit the nearest top is found.

    Attributes
    ----------
    laplace : Likelihood
        Laplace's approximation, or the same by quadrature with one node.
    method : MaximumLikelihood
        What is maximised, with the ``marginal`` that finds where Laplace's search starts.
    """

    laplace: Likelihood
    method: MaximumLikelihood

    @property
    def design(self) -> Design:
        """Data."""
        return self.method.design

    def with_response(self, y: np.ndarray) -> FromLaplace:
        """Return the same for another response y (n,)."""
        return FromLaplace(self.laplace.with_response(y), self.method.with_response(y))

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Maximise from ``start``, or from near the Laplace fit."""
        return self.method.fit(self._laplace_maximum() if start is None else start)

    def _laplace_maximum(self) -> np.ndarray:
        """Return the maximum of Laplace's approximation to a fraction of a standard error."""
        working, marginal = self.laplace.working, self.method.marginal
        assert marginal is not None
        with blas_threads(marginal.rows.pattern.n_tail):
            first = find_start(marginal, working)
            if not len(first):
                return first
            units = natural_units(marginal, working, first)
            evaluate = self.laplace.evaluator()

            def negative(w: np.ndarray) -> tuple[float, np.ndarray]:
                value, gradient = evaluate(units @ w)
                usable = np.isfinite(value) and np.isfinite(gradient).all()
                return (-value, -units.T @ gradient) if usable else (1e100, np.zeros_like(w))

            lower = np.where(working.nonnegative(), 0.0, -np.inf)
            bounds = [(low, None) for low in lower]
            begin = np.linalg.solve(units, first)
            options = {"ftol": 1e-7, "gtol": _NEAR}
            found = minimize(negative, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return np.asarray(units @ found.x)
