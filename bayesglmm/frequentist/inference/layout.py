"""Whether a fit's parameters are those of the mixed model: coefficients, entries of Lambda, dispersion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesglmm.frequentist.working import Working

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["is_of_mixed_model"]


def is_of_mixed_model(fit: Fit) -> bool:
    """Return False for marginal fits and for those that estimate the groups one by one."""
    return fit.estimand == "conditional" and len(fit.optimum.x) == Working.of(fit.design).size
