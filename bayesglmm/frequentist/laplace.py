"""Maximum likelihood by the Laplace approximation, for every family, link and structure, crossed effects included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.engine.pirls import Mode
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.likelihood import Evaluate, MaximumLikelihood, Words
from bayesglmm.frequentist.modes import mode_table, prediction_variances
from bayesglmm.frequentist.scalar_only import require_one_dispersion
from bayesglmm.frequentist.width import require_narrow_tail
from bayesglmm.frequentist.working import Working

__all__ = ["Laplace", "LaplaceLikelihood"]

_CURVATURES = {"observed": "observed information", "expected": "expected (Fisher) information"}


@dataclass(frozen=True)
class Laplace:
    """Maximum likelihood, the group effects integrated out by Laplace's method.

    For Gaussian responses with the identity link the integral, and so the fit, is exact.

    Attributes
    ----------
    information : {"observed", "expected"}
        Curvature at the mode: that of the log density itself (as in TMB: Laplace's method proper) or its expectation
        (Fisher information, as in lme4). On canonical links they are the same.
    """

    information: str = "observed"
    method: ClassVar[str] = "laplace"

    def __post_init__(self) -> None:
        if self.information not in _CURVATURES:
            raise SpecificationError(
                f"information={self.information!r} is not a curvature of method 'laplace'; allowed: "
                f"{', '.join(map(repr, _CURVATURES))}."
            )

    def prepare(self, design: Design) -> MaximumLikelihood:
        """Lay the method out; FitError for too many crossed effects (`width.MAX_TAIL`)."""
        require_narrow_tail(design)
        if self.information == "expected":
            require_one_dispersion(
                design,
                "laplace with information='expected'",
                "needs the expected information of a row, which is known for rows with one dispersion at most",
                "leave information= out: the observed information is known for all.",
            )
        words = Words(
            self.method,
            "Laplace" if self.information == "observed" else "Laplace, Fisher",
            f"maximum likelihood by the Laplace approximation ({_CURVATURES[self.information]} at the modes)",
            design.family.laplace_caveat,
        )
        likelihood = LaplaceLikelihood.of(design, self.information == "expected")
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
    def of(cls, design: Design, expected: bool = False) -> LaplaceLikelihood:
        """Lay out ``design``; ``expected`` as in `LaplaceMarginal`."""
        return cls(LaplaceMarginal.of(design, expected), Working.of(design))

    def with_response(self, y: np.ndarray) -> LaplaceLikelihood:
        """Return the same for another response y (n,)."""
        marginal = self.marginal.with_response(y)
        return replace(self, marginal=marginal, working=Working.of(marginal.design))

    def evaluator(self) -> Evaluate:
        """Return x -> (value, gradient), each search for the modes starting where the last good one ended."""
        last: list[Mode] = []

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            start = last[0].z if last else np.zeros(self.marginal.rows.effects.size)
            nearby = last[0].elimination if last else None
            evaluation = self.marginal.evaluate(*self.working.split(x), start, nearby)
            if np.isfinite(evaluation.value):
                last[:] = [evaluation.mode]
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
