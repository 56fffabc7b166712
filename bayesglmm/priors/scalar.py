"""One scalar parameter as the joint density sees it: a row of numbers and one compiled function of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesglmm.compiled import compiled, source_stamp
from bayesglmm.errors import SpecificationError
from bayesglmm.priors.densities import log_density_of
from bayesglmm.priors.registry import DISTRIBUTIONS
from bayesglmm.priors.transforms import (
    IDENTITY,
    INTERVAL,
    LOG,
    ON_CODES,
    ORDERED,
    SHORT_LOG,
    scale_of_inline,
    to_value_inline,
)

if TYPE_CHECKING:
    from bayesglmm.priors.prior import Prior

__all__ = ["ROW_LENGTH", "ScalarPrior", "evaluate_scalar", "prior_table", "scalar_prior"]

ROW_LENGTH = 8
_KINDS = {"real": IDENTITY, "positive": LOG, "interval": INTERVAL}


@dataclass(frozen=True)
class ScalarPrior:
    """Prior and transform of one scalar parameter, in codes and numbers.

    Attributes
    ----------
    distribution : int
        `Distribution.code`.
    transform : int
        ``IDENTITY``, ``LOG``, ``INTERVAL``, ``SHORT_LOG`` or ``ORDERED`` of `transforms`.
    on : int
        A value of ``ON_CODES``: whether the prior sits on the parameter, its variance or its precision.
    a, b, c : float
        Parameters of the distribution; 0 where it has fewer.
    lower, upper : float
        Bounds of an interval, or the scale of a short logarithm; 0 and 1 otherwise (not read).
    """

    distribution: int
    transform: int
    on: int = 0
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    lower: float = 0.0
    upper: float = 1.0

    def shortened(self, scale: float) -> ScalarPrior:
        """Return the same prior of a standard deviation in the coordinate `SHORT_LOG`, or ``self`` for others.

        Where the data cannot tell sigma from 0 the density of log sigma falls off as slowly as sigma itself.

        Parameters
        ----------
        scale : float
            Above it the coordinate is about log sigma; below it 0 comes near.
        """
        if self.transform != LOG or self.on != ON_CODES["sd"]:
            return self
        return replace(self, transform=SHORT_LOG, lower=scale)

    def above_the_last(self) -> ScalarPrior:
        """Return the same prior of a parameter that lies above the one before it."""
        return replace(self, transform=ORDERED)

    def row(self) -> np.ndarray:
        """Return the row that compiled code reads, float64 shape (8,), in the order of the attributes."""
        return np.array(astuple(self), dtype=np.float64)


def scalar_prior(prior: Prior, role: Literal["coefficient", "scale"]) -> ScalarPrior:
    """Encode a prior.

    Parameters
    ----------
    prior : Prior
        Any prior but LKJ.
    role : {"coefficient", "scale"}
        A scale is positive: a flat prior is flat on the half line there.
    """
    distribution = DISTRIBUTIONS[prior.dist]
    if role == "scale" and distribution.half_line is not None:
        distribution = DISTRIBUTIONS[distribution.half_line]
    if distribution.support == "correlation":
        raise SpecificationError(f"{prior.dist} is a prior of correlation matrices; a {role} cannot have it.")
    values = [prior.params[name] for name in distribution.parameters]
    a, b, c = (*values, 0.0, 0.0, 0.0)[:3]
    lower, upper = (a, b) if distribution.support == "interval" else (0.0, 1.0)
    kind = _KINDS[distribution.support]
    return ScalarPrior(distribution.code, kind, ON_CODES[prior.on], a, b, c, lower, upper)


def prior_table(priors: Sequence[ScalarPrior]) -> np.ndarray:
    """Return one row a parameter, float64 shape (n, 8)."""
    return np.array([p.row() for p in priors], dtype=np.float64).reshape(len(priors), ROW_LENGTH)


def _build(stamp: int):  # type: ignore[no-untyped-def]  # compiled
    @compiled
    def evaluate_scalar(x, row):  # type: ignore[no-untyped-def]  # compiled
        """Evaluate one scalar parameter.

        Parameters
        ----------
        x : float
            Its unconstrained coordinate.
        row : ndarray, shape (8,)
            See `ScalarPrior.row`.

        Returns
        -------
        value, slope : float
            The parameter (an sd, also where the prior is on a variance or precision) and d value / d x.
        log_density, derivative : float
            Log prior plus log Jacobian of the transform, and its derivative in x; ``-inf`` and 0 where
            the prior vanishes or arithmetic overflows (beyond |x| = 350 or so).
        """
        _ = stamp  # a closure variable is part of numba's cache key
        r, slope, log_slope, log_slope_derivative = to_value_inline(int(row[1]), x, row[6], row[7])
        value, value_slope = scale_of_inline(int(row[2]), r)
        log_prior, prior_slope = log_density_of(int(row[0]), r, row[3], row[4], row[5])
        total = log_prior + log_slope
        derivative = prior_slope * slope + log_slope_derivative
        value_slope *= slope
        if not (math.isfinite(total) and math.isfinite(derivative) and math.isfinite(value_slope)):
            return value, 0.0, -math.inf, 0.0
        return value, value_slope, total, derivative

    return evaluate_scalar


evaluate_scalar = _build(source_stamp())
