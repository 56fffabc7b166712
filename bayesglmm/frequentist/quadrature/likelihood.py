"""The log-likelihood by Gauss-Hermite quadrature, adapted or not, as every fit takes one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.likelihood import Evaluate
from bayesglmm.frequentist.quadrature.integrand import Integrand
from bayesglmm.frequentist.quadrature.nested_integral import Memory, integrate
from bayesglmm.frequentist.working import Working

__all__ = ["QuadratureLikelihood"]


@dataclass(frozen=True, eq=False)
class QuadratureLikelihood:
    """The log-likelihood by Gauss-Hermite quadrature; a `Likelihood`.

    Attributes
    ----------
    integrand : Integrand
        What is integrated, and at which nodes.
    laplace : LaplaceLikelihood
        Layout of x, and the conditional modes.
    """

    integrand: Integrand
    laplace: LaplaceLikelihood

    @property
    def working(self) -> Working:
        """Layout of x."""
        return self.laplace.working

    def with_response(self, y: np.ndarray) -> QuadratureLikelihood:
        """Return the same for another response y (n,)."""
        return replace(self, integrand=self.integrand.with_response(y), laplace=self.laplace.with_response(y))

    def evaluator(self) -> Evaluate:
        """Return x -> (value, exact gradient), each search for the modes starting where the last one ended."""
        memory: Memory = {}
        design, working = self.integrand.design, self.working
        constant = float(design.weights @ design.log_constants)
        nowhere = -np.inf, np.full(working.size, np.nan)

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            beta, theta, family = working.split(x)
            factor = working.layout.at(theta)
            fixed = design.offset + design.X @ beta
            found = integrate(self.integrand, fixed, factor, self.integrand.at(family), memory)
            if found is None or not np.isfinite(found.value).all():
                return nowhere
            parts = [design.X.T @ found.r[0], factor.pull_back(self._blocks(found.G))]
            if design.auxiliary is not None:
                parts.append(design.auxiliary.pull_back(*found.r[1:]))
            elif design.dispersion is not None:
                parts.append(found.slope.sum(keepdims=True))
            return float(found.value.sum()) + constant, np.concatenate(parts)

        return evaluate

    def _blocks(self, G: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Return the gradient in each term's block of Lambda, from those in each level's sections' (J, S, q, q)."""
        design = self.integrand.design
        found: dict[int, np.ndarray] = {}
        for level, whole in zip(self.integrand.levels, G, strict=True):
            for s, section in enumerate(level.sections):
                at = 0
                for t in section.terms:
                    q = design.groups[t].n_effects
                    part = whole[:, s, at : at + q, at : at + q].sum(axis=0)
                    found[t] = found[t] + part if t in found else part  # a term may be of several sections
                    at += q
        return tuple(found[t] for t in range(len(design.groups)))

    def modes(self, x: np.ndarray) -> pd.DataFrame:
        """Return conditional modes with prediction error sds from the joint curvature at x, as Laplace does."""
        return self.laplace.modes(x)
