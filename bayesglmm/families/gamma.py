"""Gamma responses: positive numbers with mean mu and variance phi mu^2.

phi is the dispersion of McCullagh & Nelder (1989, chapter 8), the squared coefficient of variation: one over the shape,
and the square of glmmTMB's sigma().
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.defaults import half_normal_root, mean_is_mu, start_at
from bayesglmm.families.elementary import NEAR, exp_remainder
from bayesglmm.families.links import INVERSE, LOG
from bayesglmm.families.polygamma import stirling_jet
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, RowValues, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.support import occurring

__all__ = ["GAMMA", "inverse_row", "log_row"]

_LOG_2PI = math.log(2.0 * math.pi)
_NEEDS = "numbers > 0"


@compiled_scalar
def _along(w: float, log_w: float, k: float) -> tuple[float, float]:
    """Return l without -log(y) and its derivative in log(phi), for w = y / mu and shape k = 1 / phi.

    k log(k) - log Gamma(k) = k + log(k / 2 pi) / 2 - S(k), and k goes with log(w) - w, so that k (log(w) - w + 1) <= 0
    is all that grows with k.
    """
    deviance = -exp_remainder(log_w) if abs(log_w) < NEAR else log_w - w + 1.0
    s = stirling_jet(k)
    return k * deviance + 0.5 * (math.log(k) - _LOG_2PI) - s[0], -k * deviance - 0.5 + s[1]


@compiled_scalar
def log_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = exp(eta). Where exp(-eta) overflows, l and its derivatives are infinite."""
    k = 1.0 / phi
    log_w = math.log(y) - eta
    w = math.exp(log_w)
    l, lp = _along(w, log_w, k)
    d1, d2 = k * (w - 1.0), -k * w
    return l, d1, d2, k * w, lp, -d1, -d2


@compiled_scalar
def inverse_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = 1 / eta, the canonical link; for eta <= 0 there is no such mean, and l is -inf."""
    if eta <= 0.0:
        return -math.inf, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    k = 1.0 / phi
    l, lp = _along(y * eta, math.log(y) + math.log(eta), k)
    d1, d2 = k * (1.0 / eta - y), -k / (eta * eta)
    return l, d1, d2, -2.0 * d2 / eta, lp, -d1, -d2


def _log_information(eta: Array, size: Array, phi: float) -> Array:
    return np.full(np.shape(eta), 1.0 / phi)


def _inverse_information(eta: Array, size: Array, phi: float) -> Array:
    eta = np.asarray(eta, dtype=np.float64)
    return np.where(eta > 0.0, 1.0 / (phi * np.square(np.where(eta > 0.0, eta, 1.0))), 0.0)


def _log_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Gamma(name, alpha=1.0 / phi, beta=pt.exp(-eta) / phi, observed=observed, dims=dims)


def _inverse_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    return pm.Gamma(name, alpha=1.0 / phi, beta=eta / phi, observed=observed, dims=dims)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "gamma", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y = np.asarray(y)
    return occurring(Violation(y <= 0.0, "not above 0"))


def _log_constant(y: Array, size: Array) -> Array:
    y, _ = np.broadcast_arrays(y, size)
    return -np.log(y)


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    mu, _, phi = np.broadcast_arrays(mu, size, phi)
    drawn = mu * (rng.gamma(1.0 / phi) * phi)
    # With a shape far below 1 most of the mass lies below the smallest double, which is no response.
    return np.maximum(drawn, np.finfo(np.float64).tiny)


def _location(y: Array, size: Array, link: str) -> float:
    mean = float(np.mean(y))
    return 1.0 / mean if link == "inverse" else math.log(mean)


def _scale(y: Array, size: Array, link: str) -> float:
    # One unit of log(mu) is a factor of e; 1 / mu moves by about as much as it is where mu does so.
    return 1.0 / float(np.mean(y)) if link == "inverse" else 1.0


GAMMA = Family(
    name="gamma",
    links=MappingProxyType(
        {
            "log": FamilyLink(
                LOG,
                log_row,
                _log_graph,
                'pm.Gamma("y", alpha=1.0 / phi, beta=pt.exp(-eta) / phi, observed=observed)\n',
                _log_information,
            ),
            "inverse": FamilyLink(
                INVERSE,
                inverse_row,
                _inverse_graph,
                'pm.Gamma("y", alpha=1.0 / phi, beta=eta / phi, observed=observed)\n',
                _inverse_information,
            ),
        }
    ),
    default_link="log",
    dispersion="phi",
    size=None,
    needs=_NEEDS,
    remedy='Leave these rows out, or choose family="gaussian".',
    latex=r"\mathrm{Gamma}(\mu_i, \phi\mu_i^2)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=_log_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=_location,
    scale=_scale,
    phi=Dispersion(
        # phi^(1/2) is the coefficient of variation: half normal with scale 1, which is that of waiting times.
        prior=half_normal_root(inverse=False),
        start=start_at(0.5),
        power=1.0,
        exact_at=0.0,
    ),
)
