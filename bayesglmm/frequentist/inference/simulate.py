"""A new response from a fitted model: u ~ N(0, G), then y given u."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.inference.layout import is_of_mixed_model
from bayesglmm.frequentist.working import Working

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Simulator"]


@dataclass(frozen=True, eq=False)
class Simulator:
    """A fitted model as a distribution of responses.

    Attributes
    ----------
    design : Design
        Data.
    fixed : ndarray, shape (n,)
        X beta + offset.
    A : EffectColumns
        Z Lambda.
    phi : float
        Dispersion.
    """

    design: Design
    fixed: np.ndarray
    A: EffectColumns
    phi: float

    @classmethod
    def of(cls, fit: Fit) -> Simulator:
        """Take the estimates of ``fit``.

        Raises
        ------
        SpecificationError
            A fit that says nothing about the distribution of groups, or weighted rows.
        """
        design = fit.design
        working = Working.of(design)
        if not is_of_mixed_model(fit):
            raise SpecificationError(
                f"a fit by {fit.method!r} does not estimate how groups vary, so no new ones can be simulated from it; "
                'use a fit by "laplace" or "ml".'
            )
        if (design.weights != 1.0).any():
            raise SpecificationError(
                "rows with weights stand for more or less than one response, so that one response a row cannot be "
                "simulated; give the rows one by one, or use fit.profile()."
            )
        beta, theta, log_phi = working.split(fit.optimum.x)
        effects = EffectColumns.of(design, centered=True)
        A = effects.with_values(working.layout.at(theta).rows(effects.value))
        return cls(design, design.offset + design.X @ beta, A, float(np.exp(log_phi)))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return a response (n,), new group effects included."""
        z, at = rng.standard_normal(self.A.size), 0
        for group in self.design.groups:
            own = slice(at, at + group.size)
            at = own.stop
            if group.structure.relationship is not None:
                z[own] = group.structure.relationship.factor @ z[own]
        eta = self.fixed + self.A.times(z)
        design = self.design
        mu = design.family_link.link.inverse(eta)
        return np.asarray(design.family.simulate(rng, mu, design.size, self.phi), dtype=np.float64)
