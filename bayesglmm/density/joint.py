"""The joint log density as an object: data, layout and kernel together, callable from several threads."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.density.centring import Centring
from bayesglmm.density.layout import Layout
from bayesglmm.density.native import native_density
from bayesglmm.density.natural import Natural, natural_draws
from bayesglmm.density.row_likelihood import RowLikelihood, row_likelihood
from bayesglmm.design import Design
from bayesglmm.parameters import Parameters
from bayesglmm.residual import structure_of

__all__ = ["JointDensity"]

Evaluator = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class JointDensity:
    """log p(y, u, beta, theta, phi) in the unconstrained coordinates of `Layout`.

    The density is that of x: it holds the priors, all log Jacobians, the standard normal density of z and every
    normalising constant. In non-centred coordinates (no centring) it equals the PyMC graph's.

    Attributes
    ----------
    design : Design
        Data and coding.
    parameters : Parameters
        Priors and centring.
    layout : Layout
        Positions in x.
    centring : Centring
        What the last part of x stands for: spherical effects z, or partially centred ones.
    """

    design: Design
    parameters: Parameters
    layout: Layout
    centring: Centring

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> JointDensity:
        """Build the density of ``design`` under ``parameters``' priors, in non-centred coordinates."""
        layout = Layout.of(design)
        return cls(design, parameters, layout, Centring.none(layout))

    def centered(self, centring: Centring) -> JointDensity:
        """Return the same density in other coordinates of the group effects."""
        return replace(self, centring=centring)

    @property
    def size(self) -> int:
        """Number of unconstrained coordinates."""
        return self.layout.size

    @functools.cached_property
    def constant(self) -> float:
        """Part of the log density that does not depend on x."""
        weighted = float(self.design.weights @ self.design.log_constants)
        z = -0.5 * math.log(2.0 * math.pi) * self.layout.n_effects
        lkj = sum(
            g.structure.log_constant(g.n_effects, float(eta))
            for g, eta in zip(self.design.groups, self.parameters.lkj, strict=True)
        )
        return weighted + z + lkj + self._residual_constant

    @property
    def _residual_constant(self) -> float:
        rows, prior = self.design.residual, self.parameters.residual
        return 0.0 if rows is None or prior is None else structure_of(rows).constant(rows, prior.params["eta"])

    @functools.cached_property
    def row_likelihood(self) -> RowLikelihood:
        """The rows' part of the density."""
        prior = self.parameters.residual
        return row_likelihood(self.design, self.layout, 1.0 if prior is None else prior.params["eta"])

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Return the arrays that the kernel reads, in its order (see `native`); none is written to."""
        parameters = self.parameters
        return (
            self.layout.terms,
            parameters.center,
            parameters.table,
            parameters.lkj,
            *self.centring.arrays,
            *self.layout.precision,
        )

    def evaluator(self) -> Evaluator:
        """Return a function x -> (log density, gradient) with work space of its own: one for each thread.

        The gradient is overwritten by the next call.
        """
        return native_density(self).evaluator()

    def __call__(self, x: np.ndarray) -> float:
        """Return the log density at x."""
        return self.evaluator()(np.ascontiguousarray(x, dtype=np.float64))[0]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density at x, shape (size,)."""
        return self.evaluator()(np.ascontiguousarray(x, dtype=np.float64))[1]

    def natural(self, x: np.ndarray) -> Natural:
        """Return beta, sds, correlations, family scalars and u at draws ``x`` (..., size)."""
        return natural_draws(self.design, self.parameters, self.layout, self.centring, x)
