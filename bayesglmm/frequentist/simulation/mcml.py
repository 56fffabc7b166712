"""Simulated (Monte Carlo) maximum likelihood: exact but for an error that is measured, reported and made small."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from bayesglmm.design import Design
from bayesglmm.errors import FitError, SpecificationError, nearest
from bayesglmm.frequentist.applicable import require_independent_levels
from bayesglmm.frequentist.estimator import Prepared
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.likelihood import MaximumLikelihood
from bayesglmm.frequentist.simulation.maximum import WORDS, SimulatedMaximum, Simulation
from bayesglmm.frequentist.simulation.partition import Partition
from bayesglmm.frequentist.width import require_narrow_tail

__all__ = ["MAX_DIMENSION", "MCML"]

#: Group effects that one block may connect. Weights of a product of so many factors have lost all balance long before.
MAX_DIMENSION = 500

_PROPOSALS = ("mode", "prior")
_LEAST = 256


@dataclass(frozen=True)
class MCML:
    """Maximum likelihood, the group effects integrated out by importance sampling.

    Parameters
    ----------
    draws : int
        Draws of each block of connected group effects to begin with, 256 or more; rounded up to a power of 2.
    tolerance : float
        Draws double until the Monte Carlo standard error of every parameter is below this fraction of the parameter's
        standard error (of the log-likelihood: below twice this number).
    seed : int, optional
        Seed of the draws, 0 or more; without one a fresh one is drawn and recorded.
    proposal : {"mode", "prior"}
        ``mode``: multivariate t around the conditional modes with the curvature there; both follow the parameters as
        the search moves. ``prior``: z ~ N(0, I), the naive sampler; most draws then miss the data, and the result says
        how many.
    df : float
        Degrees of freedom of the t, at least 1; ``math.inf`` for the normal distribution.
    max_draws : int
        Where doubling stops, at the largest power of 2 that is not above it. Memory may stop it before, at 200
        megabytes of draws; the notes say which it was.

    Notes
    -----
    The standard draws are fixed while the parameters move, so that the simulated log-likelihood is smooth; its gradient
    is exact, the moving modes and curvature included. The draws are Sobol points in 16 independent scramblings; the
    spread of the scramblings' gradients, mapped through the inverse Hessian, is the Monte Carlo covariance of the
    estimates. Standard errors come from the Hessian of the simulated log-likelihood.

    References
    ----------
    Geyer & Thompson (1992) JRSS B 54:657. Booth & Hobert (1999) JRSS B 61:265. Skaug (2002) JCGS 11:458. Owen (1995).
    The naive sampler: Sung & Geyer (2007) Annals of Statistics 35:990 (there u is drawn at a fixed theta, here z).
    """

    method: ClassVar[str] = "mcml"

    draws: int = 2048
    tolerance: float = 0.005
    seed: int | None = None
    proposal: str = "mode"
    df: float = 8.0
    max_draws: int = 131072

    def __post_init__(self) -> None:
        """Check every option; SpecificationError lists all that are out of range."""
        problems = [*self._wrong_numbers()]
        if self.proposal not in _PROPOSALS:
            problems.append(
                f"proposal is {self.proposal!r}.{nearest(str(self.proposal), _PROPOSALS)} Choose 'mode' or 'prior'."
            )
        if problems:
            raise SpecificationError(" ".join(f"mcml: {problem}" for problem in problems))

    def _wrong_numbers(self) -> list[str]:
        problems = [
            f"{name} is {getattr(self, name)!r}; give a whole number of {_LEAST} or more."
            for name in ("draws", "max_draws")
            if not _is_whole(getattr(self, name), _LEAST)
        ]
        if not problems and self.max_draws < self.draws:
            problems.append(f"max_draws is {self.max_draws}, below draws ({self.draws}); raise it or begin with fewer.")
        if not (_is_real(self.tolerance) and 0.0 < self.tolerance < 1.0):
            problems.append(f"tolerance is {self.tolerance!r}; give a fraction of a standard error between 0 and 1.")
        if not (_is_real(self.df) and self.df >= 1.0):
            problems.append(f"df is {self.df!r}; give degrees of freedom of 1 or more (math.inf for the normal).")
        if self.seed is not None and not _is_whole(self.seed, 0):
            problems.append(f"seed is {self.seed!r}; give a whole number of 0 or more, or leave it out.")
        return problems

    def prepare(self, design: Design) -> Prepared:
        """Lay the method out.

        Raises
        ------
        FitError
            More than `MAX_DIMENSION` group effects in one block, or too many crossed effects (`width.MAX_TAIL`).
        """
        require_independent_levels(design, self.method)
        require_narrow_tail(design)
        likelihood = LaplaceLikelihood.of(design)
        if not design.groups:  # nothing to integrate: the likelihood is known exactly
            return MaximumLikelihood(likelihood, WORDS, likelihood.marginal)
        partition = Partition.of(likelihood.marginal.rows.effects, design.groups)
        widest = int(partition.sizes.max())
        if widest > MAX_DIMENSION:
            raise FitError(
                f"the data connect {widest} group effects in one block, more than the {MAX_DIMENSION} among which "
                'importance sampling can find its way; use method="laplace", or sample the posterior (model.sample()).'
            )
        df = self.df if self.proposal == "mode" else math.inf
        settings = Simulation(
            self.draws, float(self.tolerance), self.seed, self.proposal == "mode", float(df), self.max_draws
        )
        return SimulatedMaximum(settings, likelihood, partition)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
