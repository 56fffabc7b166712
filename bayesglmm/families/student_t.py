"""Student t responses: y = mu + sigma t, t with nu degrees of freedom; a = log(sigma), b = log(nu)."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.defaults import mean_is_mu, no_constant, no_information
from bayesglmm.families.gaussian import GAUSSIAN
from bayesglmm.families.links import IDENTITY
from bayesglmm.families.parts import Predictor
from bayesglmm.families.polygamma import log1p_excess, stirling_jet
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.rows import compiled_scalar

__all__ = ["STUDENT_T", "identity_row"]

_NEEDS = "finite numbers"
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
#: Beyond so many sigmas the square of z is held: every derivative is 0 there, and its logarithm goes on.
_FAR = 1e50

type Values = tuple[float, float, float, float, float, float, float, float, float, float]


@compiled_scalar
def identity_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of mu = eta. Not concave in eta where (y - eta)^2 > nu sigma^2.

    With z = (y - eta) / sigma, q = z^2 / nu and w = 1 / (1 + q) the derivatives are rational. log Gamma((nu + 1) / 2) -
    log Gamma(nu / 2) goes by what Stirling's formula leaves (`polygamma`), so that l and its slope in log(nu), which
    falls off like 1 / nu, keep their digits up to the normal distribution.
    """
    sigma, nu = math.exp(a), math.exp(b)
    z = (y - eta) / sigma
    distance = abs(z)
    if distance > _FAR:
        z = math.copysign(_FAR, z)
    q = z * z / nu
    w = 1.0 / (1.0 + q)
    x = 0.5 * nu
    t = 0.5 / x
    x_excess = x * log1p_excess(t)
    upper, lower = stirling_jet(x + 0.5), stirling_jet(x)
    log_tail = math.log1p(q) if distance <= _FAR else 2.0 * math.log(distance) - b
    l = x_excess + upper[0] - lower[0] - _LOG_SQRT_2PI - a - 0.5 * (nu + 1.0) * log_tail
    of_gamma = x_excess + 0.5 * t / (1.0 + t) + upper[1] * x / (x + 0.5) - lower[1]
    # Near the middle log(1 + q) - q, small beside both; far out the logarithm alone.
    of_z = 0.5 * q * (1.0 - z * z) * w - x * log1p_excess(q) if q < 0.5 else 0.5 * (nu + 1.0) * q * w - x * log_tail
    k = (nu + 1.0) / nu
    u = z / sigma
    s = 1.0 / (sigma * sigma)
    return (
        l,
        k * u * w,
        -k * w * w * (1.0 - q) * s,
        -2.0 * k * u * w * w * w * (3.0 - q) * s / nu,
        (z * z - 1.0) * w,
        -2.0 * k * u * w * w,
        2.0 * k * w * w * w * (1.0 - 3.0 * q) * s,
        of_gamma + of_z,
        u * w * w * (z * z - 1.0) / nu,
        -w * w * w * (3.0 * z * z - z * z * q + 3.0 * q - 1.0) * s / nu,
    )


def _graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    sigma, nu = phi
    return pm.StudentT(name, nu=nu, mu=eta, sigma=sigma, observed=observed, dims=dims)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "student_t", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    return ()


def _simulate(rng: np.random.Generator, mu: Array, size: Array, sigma: Array, nu: Array) -> Array:
    mu, sigma, nu, _ = np.broadcast_arrays(mu, sigma, nu, size)
    return np.asarray(mu + sigma * rng.standard_t(nu))


STUDENT_T = Family(
    name="student_t",
    links=MappingProxyType(
        {
            "identity": FamilyLink(
                IDENTITY,
                identity_row,
                _graph,
                'pm.StudentT("y", nu=nu, mu=eta, sigma=sigma, observed=observed)\n',
                no_information,
            ),
        }
    ),
    default_link="identity",
    dispersion="sigma",
    size=None,
    needs=_NEEDS,
    remedy="Correct these rows or leave them out.",
    latex=r"t_\nu(\mu_i, \sigma^2)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=no_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=GAUSSIAN.location,
    scale=GAUSSIAN.scale,
    phi=GAUSSIAN.phi,
    predictors=(
        Predictor("sigma", "scale", GAUSSIAN.phi),
        # Juarez & Steel (2010) J. Bus. Econ. Stat. 28:52: mean 20, little below 2, a long tail towards the normal.
        Predictor(
            "nu", "scale", Dispersion(prior=lambda _: ("Gamma", {"alpha": 2.0, "beta": 0.1}), start=lambda _: 10.0)
        ),
    ),
)
