"""The joint log density as an object: data, layout and kernel together, callable from several threads."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesglmm.density.kernel import compile_joint
from bayesglmm.density.layout import Layout
from bayesglmm.density.natural import Natural, natural_draws
from bayesglmm.design import Design
from bayesglmm.parameters import Parameters

__all__ = ["JointDensity"]

Evaluator = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class JointDensity:
    """log p(y, u, beta, theta, phi) in the unconstrained, non-centred coordinates of `Layout`.

    The density is that of x: it holds the priors, their log Jacobians, the standard normal density of z and every
    normalising constant, so that it equals the PyMC graph's.

    Attributes
    ----------
    design : Design
        Data and coding.
    parameters : Parameters
        Priors and centring.
    layout : Layout
        Positions in x.
    """

    design: Design
    parameters: Parameters
    layout: Layout

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> JointDensity:
        """Build the density of ``design`` under ``parameters``' priors."""
        return cls(design, parameters, Layout.of(design))

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
        return weighted + z + lkj

    @functools.cached_property
    def slopes(self) -> np.ndarray:
        """Slope columns of all group terms, stacked, shape (k, n)."""
        stacked = [g.slopes for g in self.design.groups]
        return np.ascontiguousarray(np.vstack(stacked)) if stacked else np.empty((0, self.design.n_rows))

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """Level of each row in every group term, int32, shape (terms, n)."""
        codes = [g.codes for g in self.design.groups]
        return np.ascontiguousarray(np.vstack(codes)) if codes else np.empty((0, self.design.n_rows), dtype=np.int32)

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Return the arrays that the kernel reads, in its order (see `kernel.joint`); none is written to."""
        design, parameters = self.design, self.parameters
        return (
            design.rows,
            design.X,
            parameters.center,
            self.slopes,
            self.codes,
            self.layout.terms,
            parameters.table,
            parameters.lkj,
        )

    def evaluator(self) -> Evaluator:
        """Return a function x -> (log density, gradient) with work space of its own: one for each thread.

        The gradient is overwritten by the next call.
        """
        layout = self.layout
        kernel = compile_joint(self.design.family_link.row)
        work = np.empty((2, self.design.n_rows))
        u, gu = np.empty(layout.n_effects), np.empty(layout.n_effects)
        grad = np.empty(layout.size)
        constant = self.constant
        arguments = (*self.arguments(), work, u, gu, grad)

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            return kernel(x, *arguments) + constant, grad

        return evaluate

    def __call__(self, x: np.ndarray) -> float:
        """Return the log density at x."""
        return self.evaluator()(np.ascontiguousarray(x, dtype=np.float64))[0]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density at x, shape (size,)."""
        return self.evaluator()(np.ascontiguousarray(x, dtype=np.float64))[1]

    def natural(self, x: np.ndarray) -> Natural:
        """Return beta, sds, correlations, dispersion and u at draws ``x`` (..., size)."""
        return natural_draws(self.design, self.parameters, self.layout, x)
