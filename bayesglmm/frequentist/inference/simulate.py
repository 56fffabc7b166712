"""A new response from a fitted model: u ~ N(0, G), then y given u."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.inference.layout import is_of_mixed_model
from bayesglmm.frequentist.working import Working
from bayesglmm.residual import Whitening, structure_of

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
    given : tuple
        What the family's ``simulate`` takes beside mean and size: phi.
    whitening : Whitening or None
        How residuals correlate.
    """

    design: Design
    fixed: np.ndarray
    A: EffectColumns
    given: tuple[Any, ...]
    whitening: Whitening | None = None

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
        beta, theta, family = working.split(fit.optimum.x)
        effects = EffectColumns.of(design, centered=True)
        A = effects.with_values(working.layout.at(theta).rows(effects.value))
        if design.auxiliary is not None:
            given: tuple[Any, ...] = design.auxiliary.simulation(family)
        else:
            given = (float(np.exp(family[0])) if len(family) else 1.0,)
        rows, whitening = design.residual, None
        if rows is not None:
            whitening = structure_of(rows).whitening(rows, fit.optimum.x[working.residual])
        return cls(design, design.offset + design.X @ beta, A, given, whitening)

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
        if design.residual is not None and self.whitening is not None:
            rows, noise = design.residual, rng.standard_normal((design.n_rows, 1))
            return eta + self.given[0] * rows.unsorted(self.whitening.times(noise)[:, 0])
        mu = design.family_link.link.inverse(eta)
        simulate = design.family_link.simulate or design.family.simulate
        return np.asarray(simulate(rng, mu, design.size, *self.given), dtype=np.float64)
