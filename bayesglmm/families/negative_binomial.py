"""Negative binomial responses (NB2): counts with mean mu and variance mu + mu^2 / phi.

A Poisson count whose mean is multiplied by a gamma variable of mean 1 and variance 1 / phi. phi is Stan's
(neg_binomial_2), R's size or theta, glmmTMB's sigma() of nbinom2, and one over statsmodels' alpha.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bayesglmm.families.defaults import half_normal_root, mean_is_mu, start_at
from bayesglmm.families.elementary import NEAR, exp_remainder
from bayesglmm.families.links import LOG
from bayesglmm.families.poisson import POISSON, SATURATED
from bayesglmm.families.polygamma import log1p_excess, rising_from, stirling_jet
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, RowValues
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.rows import compiled_scalar

__all__ = ["NEGATIVE_BINOMIAL", "log_row"]

_NEEDS = "counts >= 0"
#: Beyond this eta, mu is held and its logarithm goes on.
_FAR = 700.0


@compiled_scalar
def _large_count(y: float, eta: float, mu: float, phi: float) -> float:
    """Return y log(mu / y) - (y + phi) log((mu + phi) / (y + phi)), 0 at mu = y, its digits kept for large y."""
    r = eta - math.log(y)
    s = y + phi
    if phi < y:
        return s * (math.log1p(phi / y) - math.log1p(phi / mu)) - phi * r
    t = (mu - y) / s
    if abs(r) < NEAR:
        return -y * exp_remainder(r) - s * log1p_excess(t)
    return y * r - s * math.log1p(t)


@compiled_scalar
def log_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = exp(eta); for phi to infinity that of Poisson, derivatives in phi included.

    l = y eta - (y + phi) log(1 + mu / phi) + log(phi (phi + 1) ... (phi + y - 1) / phi^y), for large counts relative to
    Poisson's l at mu = y (see `poisson`). Derivatives in log(phi) are small differences of large terms; with
    q = (y - mu) / (mu + phi) they are put together as log(1 + q) - q before anything is rounded.
    """
    mu = math.exp(min(eta, _FAR))
    s, total = y + phi, mu + phi
    p, rest = mu / total, phi / total
    upper, lower = stirling_jet(s), stirling_jet(phi)
    if y > SATURATED:
        l = _large_count(y, eta, mu, phi) - 0.5 * math.log1p(y / phi) + upper[0] - lower[0]
    else:
        log_total = math.log1p(mu / phi) if eta < _FAR else eta - math.log(phi)
        l = y * eta - s * log_total
        l += rising_from(phi, y, upper, lower)[0] if y > 0.0 else 0.0
    d1 = (y - mu) * rest
    slope = p * rest
    q = (y - mu) / total
    excess = log1p_excess(q) if q > -0.5 else math.log(s / total) - q
    return (
        l,
        d1,
        -s * slope,
        -s * slope * (rest - p),
        phi * excess + 0.5 * y / s + upper[1] * phi / s - lower[1],
        p * d1,
        slope * (y - 2.0 * s * p),
    )


def _log_information(eta: Array, size: Array, phi: float) -> Array:
    return np.asarray(phi * special.expit(np.asarray(eta) - np.log(phi)))


def _log_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.NegativeBinomial(name, mu=pt.exp(eta), alpha=phi, observed=observed, dims=dims)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "negative_binomial", _NEEDS)


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    mu, size, phi = np.broadcast_arrays(mu, size, phi)
    return POISSON.simulate(rng, mu * (rng.gamma(phi) / phi), size, 1.0)


NEGATIVE_BINOMIAL = Family(
    name="negative_binomial",
    links=MappingProxyType(
        {
            "log": FamilyLink(
                LOG,
                log_row,
                _log_graph,
                'mu = pt.exp(eta)\npm.NegativeBinomial("y", mu=mu, alpha=phi, observed=observed)\n',
                _log_information,
            ),
        }
    ),
    default_link="log",
    dispersion="phi",
    size=None,
    needs=_NEEDS,
    remedy='Recode them or choose family="gaussian".',
    latex=r"\mathrm{NegativeBinomial}(\mu_i, \phi)",
    laplace_caveat="",
    encode=_encode,
    violations=POISSON.violations,
    log_constant=POISSON.log_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=POISSON.location,
    scale=POISSON.scale,
    phi=Dispersion(
        # phi^(-1/2) is the standard deviation of what multiplies the mean: half normal with scale 1, positive at 0
        # (Poisson), next to nothing beyond 2.5 (Stan's prior choice recommendations for neg_binomial_2).
        prior=half_normal_root(inverse=True),
        start=start_at(1.0),
        limit='the data show no overdispersion beyond that of the group terms; family="poisson" fits as well',
    ),
)
