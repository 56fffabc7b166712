"""Maximum likelihood by the Laplace approximation, for every family, link and structure, crossed effects included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.errors import FitError
from bayesglmm.frequentist.likelihood import Evaluate, MaximumLikelihood, Words
from bayesglmm.frequentist.modes import mode_table, prediction_variances
from bayesglmm.frequentist.working import Working

__all__ = ["MAX_TAIL", "Laplace", "LaplaceLikelihood"]

#: All group terms but the largest share a dense matrix: beyond this side a fit would take minutes and gigabytes.
MAX_TAIL = 5000


@dataclass(frozen=True)
class Laplace:
    """Maximum likelihood, the group effects integrated out by Laplace's method.

    For Gaussian responses with the identity link the integral, and so the fit, is exact.

    Notes
    -----
    The curvature at the mode is that of the log density itself (as in TMB), not its expectation (as in lme4): on
    non-canonical links the two differ slightly.
    """

    method: ClassVar[str] = "laplace"

    def prepare(self, design: Design) -> MaximumLikelihood:
        """Lay the method out; FitError for more than `MAX_TAIL` group effects beside the largest term."""
        tail = design.n_effects - max((g.size for g in design.groups), default=0)
        if tail > MAX_TAIL:
            raise FitError(
                f"beside the largest group term there are {tail} group effects, more than the {MAX_TAIL} that this "
                "version keeps in a dense matrix; sample the posterior instead (model.sample()), or leave out a term."
            )
        words = Words(
            self.method,
            "Laplace",
            "maximum likelihood by the Laplace approximation (observed information at the conditional modes)",
            design.family.laplace_caveat,
        )
        likelihood = LaplaceLikelihood.of(design)
        return MaximumLikelihood(likelihood, words, likelihood.marginal)


@dataclass(frozen=True, eq=False)
class LaplaceLikelihood:
    """The Laplace-marginal log-likelihood of the working parameters.

    Attributes
    ----------
    marginal : LaplaceMarginal
        The approximation.
    working : Working
        Layout of x.
    """

    marginal: LaplaceMarginal
    working: Working

    @classmethod
    def of(cls, design: Design) -> LaplaceLikelihood:
        """Lay out ``design``."""
        return cls(LaplaceMarginal.of(design), Working.of(design))

    def with_response(self, y: np.ndarray) -> LaplaceLikelihood:
        """Return the same for another response y (n,)."""
        marginal = self.marginal.with_response(y)
        return replace(self, marginal=marginal, working=Working.of(marginal.design))

    def evaluator(self) -> Evaluate:
        """Return x -> (value, gradient), each search for the modes starting where the last good one ended."""
        last = [np.zeros(self.marginal.rows.effects.size)]

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            evaluation = self.marginal.evaluate(*self.working.split(x), last[0])
            if np.isfinite(evaluation.value):
                last[0] = evaluation.mode.z
            return evaluation.value, evaluation.gradient

        return evaluate

    def modes(self, x: np.ndarray) -> pd.DataFrame:
        """Return conditional modes and prediction error sds from the joint curvature of (beta, z) (Henderson 1975)."""
        zero = np.zeros(self.marginal.rows.effects.size)
        at = self.marginal.evaluate(*self.working.split(x), zero)
        assert at.mode.elimination is not None
        variance = prediction_variances(
            self.working.design, at.factor, at.mode.elimination, at.mode.A, -at.mode.rows[2]
        )
        return mode_table(self.working.design, at.factor.effects(at.mode.z), variance)
