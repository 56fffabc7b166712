"""Poisson responses: counts with mean mu."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bayesglmm.families.defaults import mean_is_mu
from bayesglmm.families.elementary import NEAR, exp_real, exp_remainder, inlined_scalar, log_positive
from bayesglmm.families.links import LOG, SQRT
from bayesglmm.families.record import Array, Encoded, Family, FamilyLink, RowValues, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.support import not_whole, occurring

__all__ = ["POISSON", "SATURATED", "log_row", "sqrt_row"]

#: Counts beyond which l is relative to its value at mu = y.
SATURATED = 1e4

_NEEDS = "counts >= 0"
# NumPy's generator refuses means near 2^63; from here on the rounded normal is the Poisson to 3e-8.
_LARGE = 1e15


@inlined_scalar
def log_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = exp(eta). Where exp(eta) overflows (eta > 709.78), l and its derivatives are -inf.

    For large counts l is relative to its value at mu = y: y log(mu) and mu would leave few digits of their difference.
    Without branches, for vector instructions: both forms are worked out, and one is taken.
    """
    mu = exp_real(eta)
    d1 = y - mu
    large = y > SATURATED
    r = eta - log_positive(y if large else 1.0)
    relative = -y * exp_remainder(r) if abs(r) < NEAR else y * r + d1
    return relative if large else y * eta - mu, d1, -mu, -mu, 0.0, 0.0, 0.0


@compiled_scalar
def sqrt_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = eta^2: l = 2 y log|eta| - eta^2.

    Bimodal: l is even in eta, and with y > 0 it has two modes, sqrt(y) and -sqrt(y), and is -inf at 0.
    """
    if y == 0.0:
        return -eta * eta, -2.0 * eta, -2.0, 0.0, 0.0, 0.0, 0.0
    ratio = y / eta
    if y > SATURATED:
        r = 2.0 * math.log(abs(eta)) - math.log(y)
        l = y * (r - math.expm1(r))
    else:
        l = 2.0 * y * math.log(abs(eta)) - eta * eta
    return (
        l,
        2.0 * (ratio - eta),
        -2.0 * (ratio / eta + 1.0),
        4.0 * ratio / eta / eta,
        0.0,
        0.0,
        0.0,
    )


def _log_information(eta: Array, size: Array, phi: float) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(np.asarray(eta))


def _sqrt_information(eta: Array, size: Array, phi: float) -> Array:
    return np.full(np.shape(eta), 4.0)


def _log_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Poisson(name, mu=pt.exp(eta), observed=observed, dims=dims)


def _sqrt_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Poisson(name, mu=pt.sqr(eta), observed=observed, dims=dims)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "poisson", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y = np.asarray(y)
    return occurring(Violation(y < 0.0, "below 0"), Violation(not_whole(y), "not a whole number"))


def _log_constant(y: Array, size: Array) -> Array:
    y, _ = np.broadcast_arrays(y, size)
    large = np.maximum(y, SATURATED)
    # Stirling's series of the log density at mu = y (Loader 2000); its next term is below 1e-23.
    saturated = -0.5 * np.log(2.0 * math.pi * large) - (1.0 - 1.0 / (30.0 * large**2)) / (12.0 * large)
    return np.asarray(np.where(y > SATURATED, saturated, -special.gammaln(y + 1.0)))


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    mu, _ = np.broadcast_arrays(mu, size)
    counts = rng.poisson(np.minimum(mu, _LARGE)).astype(np.float64)
    if np.any(mu > _LARGE):
        counts = np.where(mu > _LARGE, np.rint(rng.normal(mu, np.sqrt(mu))), counts)
    return counts


def _location(y: Array, size: Array, link: str) -> float:
    if link == "sqrt":
        return float(np.mean(np.sqrt(y)))
    total = float(np.sum(y))
    return math.log((total if total > 0.0 else 0.5) / np.size(y))  # half a count where none was seen


def _scale(y: Array, size: Array, link: str) -> float:
    sd = float(np.std(np.sqrt(y), ddof=1)) if link == "sqrt" and np.size(y) > 1 else 1.0
    # By range: the standard deviation of equal numbers is not exactly 0 in floating point.
    return sd if np.ptp(y) > 0.0 else 1.0


POISSON = Family(
    name="poisson",
    links=MappingProxyType(
        {
            "log": FamilyLink(
                LOG,
                log_row,
                _log_graph,
                'mu = pt.exp(eta)\npm.Poisson("y", mu=mu, observed=observed)\n',
                _log_information,
            ),
            "sqrt": FamilyLink(
                SQRT,
                sqrt_row,
                _sqrt_graph,
                'mu = pt.sqr(eta)\npm.Poisson("y", mu=mu, observed=observed)\n',
                _sqrt_information,
            ),
        }
    ),
    default_link="log",
    dispersion=None,
    size=None,
    needs=_NEEDS,
    remedy='Recode them or choose family="gaussian".',
    latex=r"\mathrm{Poisson}(\mu_i)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=_log_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=_location,
    scale=_scale,
)
