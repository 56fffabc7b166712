"""Gaussian responses: y ~ N(mu, (phi size)^2), phi = sigma."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.defaults import mean_is_mu, no_constant
from bayesglmm.families.links import IDENTITY, LOG
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, RowValues, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.support import occurring

__all__ = ["GAUSSIAN", "identity_row", "log_row"]

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_NEEDS = "finite numbers"


@compiled_scalar
def identity_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = eta; the sd is phi * size, and l keeps -log(phi size) - log(2 pi)/2."""
    sd = phi * size
    z = (y - eta) / sd
    l = -math.log(sd) - _LOG_SQRT_2PI - 0.5 * z * z
    d1 = z / sd
    d2 = -1.0 / (sd * sd)
    return l, d1, d2, 0.0, z * z - 1.0, -2.0 * d1, -2.0 * d2


@compiled_scalar
def log_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = exp(eta); the sd is phi * size. Not concave in eta where y > 2 mu."""
    sd = phi * size
    mu = math.exp(eta)
    z = (y - mu) / sd
    v = mu / sd
    l = -math.log(sd) - _LOG_SQRT_2PI - 0.5 * z * z
    d1 = z * v
    d2 = v * (z - v)
    return l, d1, d2, v * (z - 3.0 * v), z * z - 1.0, -2.0 * d1, -2.0 * d2


def _identity_information(eta: Array, size: Array, phi: float) -> Array:
    return np.broadcast_to(np.multiply(phi, size) ** -2.0, np.shape(eta)).copy()


def _log_information(eta: Array, size: Array, phi: float) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp(2.0 * eta) / np.square(np.multiply(phi, size)))


def _identity_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Normal(name, mu=eta, sigma=phi * size, observed=observed, dims=dims)


def _log_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Normal(name, mu=pt.exp(eta), sigma=phi * size, observed=observed, dims=dims)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "gaussian", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y, size = np.broadcast_arrays(y, size)
    return occurring(Violation(size <= 0.0, "with a standard error that is not above 0"))


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    return np.asarray(rng.normal(mu, np.multiply(phi, size)))


def _location(y: Array, size: Array, link: str) -> float:
    mean = float(np.mean(y))
    if link == "identity":
        return mean
    return math.log(mean) if mean > 0.0 else 0.0  # no exp(eta) is centred at a mean below 0


def _scale(y: Array, size: Array, link: str) -> float:
    sd = float(np.std(y, ddof=1)) if link == "identity" and np.size(y) > 1 else 1.0
    # By range: the standard deviation of equal numbers is not exactly 0 in floating point.
    return sd if np.ptp(y) > 0.0 else 1.0


GAUSSIAN = Family(
    name="gaussian",
    links=MappingProxyType(
        {
            "identity": FamilyLink(
                IDENTITY,
                identity_row,
                _identity_graph,
                'pm.Normal("y", mu=eta, sigma=phi * size, observed=observed)\n',
                _identity_information,
                linear=True,
            ),
            "log": FamilyLink(
                LOG,
                log_row,
                _log_graph,
                'mu = pt.exp(eta)\npm.Normal("y", mu=mu, sigma=phi * size, observed=observed)\n',
                _log_information,
            ),
        }
    ),
    default_link="identity",
    dispersion="sigma",
    size="se",
    needs=_NEEDS,
    remedy="Correct these rows or leave them out.",
    latex=r"\mathcal{N}(\mu_i, \sigma^2)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=no_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=_location,
    scale=_scale,
    latex_se=r"\mathcal{N}(\mu_i, %s^2)",
    phi=Dispersion(
        # As brms: heavier than normal in the tail, since the spread of y also holds what predictors explain.
        prior=lambda scale: ("HalfStudentT", {"nu": 4.0, "sigma": scale}),
        start=float,
        residual_sd=True,
        power=2.0,
        exact_at=0.0,
    ),
)
