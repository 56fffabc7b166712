"""Priors: the registry of distributions, how a specification says them, defaults, and their compiled
densities.

What a specification needs loads neither numpy nor numba; the compiled part loads when one of its names is
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bayesglmm.priors.defaults import (
    coefficient_defaults,
    correlation_default,
    dispersion_default,
    sd_default,
)
from bayesglmm.priors.prior import Prior, as_prior
from bayesglmm.priors.registry import DISTRIBUTIONS, Distribution
from bayesglmm.priors.resolution import Parameter, Resolution, resolve
from bayesglmm.priors.roles import minimum_levels, refusal, role_of_key

if TYPE_CHECKING:
    from bayesglmm.priors.densities import log_density
    from bayesglmm.priors.scalar import ScalarPrior, evaluate_scalar, prior_table, scalar_prior
    from bayesglmm.priors.transforms import scale_of, to_value

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "Parameter",
    "Prior",
    "Resolution",
    "ScalarPrior",
    "as_prior",
    "coefficient_defaults",
    "correlation_default",
    "dispersion_default",
    "evaluate_scalar",
    "log_density",
    "minimum_levels",
    "prior_table",
    "refusal",
    "resolve",
    "role_of_key",
    "scalar_prior",
    "scale_of",
    "sd_default",
    "to_value",
]

_COMPILED = {
    "log_density": "densities",
    "to_value": "transforms",
    "scale_of": "transforms",
    "ScalarPrior": "scalar",
    "evaluate_scalar": "scalar",
    "prior_table": "scalar",
    "scalar_prior": "scalar",
}


def __getattr__(name: str) -> Any:
    if name not in _COMPILED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_COMPILED[name]}"), name)
