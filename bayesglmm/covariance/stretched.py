"""One correlation rho between a lower bound and 1: a Beta(eta, eta) stretched over its range.

For two effects this is the LKJ(eta) prior of their correlation (range -1 to 1); structures with a single correlation
and a narrower range (compound symmetry: -1/(q - 1); autocorrelation in continuous time: 0) keep the same priors.
The coordinate is x = logit((rho - lower) / (1 - lower)), which is PyMC's own coordinate of a Beta variable.
"""

from __future__ import annotations

import math

from bayesglmm.compiled import jitable

__all__ = ["stretched_constant", "stretched_correlation"]


@jitable
def stretched_correlation(x, eta, lower):  # type: ignore[no-untyped-def]  # compiled
    """Return rho, d rho / dx, 1 - rho, the log density of x up to `stretched_constant`, and its derivative.

    1 - rho is given beside rho, since near 1 a difference would leave few digits of it.
    """
    # t and 1 - t each from the exponential that does not overflow.
    e = math.exp(-abs(x))
    small, large = e / (1.0 + e), 1.0 / (1.0 + e)
    t, rest = (large, small) if x >= 0.0 else (small, large)
    width = 1.0 - lower
    log_density = -eta * (abs(x) + 2.0 * math.log1p(e))
    return lower + width * t, width * t * rest, width * rest, log_density, eta * (rest - t)


def stretched_constant(eta: float) -> float:
    """Return the part of the log density that does not depend on x, -log B(eta, eta)."""
    return math.lgamma(2.0 * eta) - 2.0 * math.lgamma(eta)
