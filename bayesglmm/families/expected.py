"""Expected information of one row along the linear predictor, E[-d2] = (d mu/d eta)^2 / Var(y), for each link.

The working weights of Fisher scoring (McCullagh & Nelder 1989, section 2.5); in closed forms that hold in both tails.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

import numpy as np
from scipy import special

from bayesglmm.families.record import Array, Information

__all__ = [
    "beta_binomial_information",
    "beta_information",
    "cauchit_information",
    "cloglog_information",
    "logit_information",
    "probit_information",
]

_LOG_2PI = math.log(2.0 * math.pi)
#: Above this eta, exp(2 eta - exp(eta)) is 0 in double precision.
_CLOGLOG_END = 7.0


def logit_information(eta: Array, size: Array, phi: float) -> Array:
    """Return size mu (1 - mu), shape (n,)."""
    return np.asarray(size * special.expit(eta) * special.expit(-eta))


def probit_information(eta: Array, size: Array, phi: float) -> Array:
    """Return size f^2 / (F (1 - F)) with the standard normal's density f and distribution function F, shape (n,)."""
    with np.errstate(over="ignore", under="ignore"):
        logs = -(eta * eta) - _LOG_2PI - special.log_ndtr(eta) - special.log_ndtr(-eta)
        return np.asarray(size * np.exp(logs))


def cloglog_information(eta: Array, size: Array, phi: float) -> Array:
    """Return size w^2 / (exp(w) - 1) with w = exp(eta), shape (n,)."""
    with np.errstate(under="ignore"):
        w = np.exp(np.minimum(eta, _CLOGLOG_END))
        return np.asarray(size * w / special.exprel(w))


def cauchit_information(eta: Array, size: Array, phi: float) -> Array:
    """Return size f^2 / (F (1 - F)) with the standard Cauchy's density f and distribution function F, shape (n,)."""
    with np.errstate(over="ignore", under="ignore"):
        c = 1.0 / (1.0 + eta * eta)
        return np.asarray(size * c * c / (np.arctan2(1.0, -eta) * np.arctan2(1.0, eta)))


def _log_probabilities(link: str, eta: Array) -> tuple[Array, Array, Array]:
    """Return log(mu), log(1 - mu) and log(d mu / d eta), shape (n,)."""
    if link == "logit":
        return special.log_expit(eta), special.log_expit(-eta), special.log_expit(eta) + special.log_expit(-eta)
    if link == "probit":
        return special.log_ndtr(eta), special.log_ndtr(-eta), -0.5 * (eta * eta + _LOG_2PI)
    w = np.exp(np.minimum(eta, _CLOGLOG_END))
    # exp(eta) underflows before its logarithm does.
    return np.where(eta < -30.0, eta, np.log(-np.expm1(-np.maximum(w, 1e-300)))), -w, eta - w


def beta_information(link: str) -> Information:
    """Return the information of a beta row, phi^2 (trigamma(a) + trigamma(b)) (d mu / d eta)^2.

    a = mu phi, b = phi - a (Ferrari & Cribari-Neto 2004); the pole is taken out, trigamma(a) = trigamma(a + 1) + a^-2.
    """

    def information(eta: Array, size: Array, phi: float) -> Array:
        with np.errstate(under="ignore"):
            A, B, slope = _log_probabilities(link, np.asarray(eta, dtype=np.float64))
            rest = special.polygamma(1, 1.0 + phi * np.exp(A)) + special.polygamma(1, 1.0 + phi * np.exp(B))
            return np.exp(2.0 * (slope - A)) + np.exp(2.0 * (slope - B)) + rest * np.square(phi * np.exp(slope))

    return information


#: Probabilities of all outcomes are held for so many outcomes at a time.
_OUTCOMES = 1_000_000


def _spread_of_trials(n: float, a: Array, b: Array) -> Array:
    """Return sum over r < n of P(Y > r) / (a + r)^2 for Y ~ BetaBinomial(n, a, b), shape like a."""
    r = np.arange(n)
    y = r + 1.0
    choose = -special.betaln(y + 1.0, n - y + 1.0) - np.log1p(n)
    log_p = choose + special.betaln(y + a[:, None], n - y + b[:, None]) - special.betaln(a, b)[:, None]
    above = np.cumsum(np.exp(log_p)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((above / np.square(a[:, None] + r)).sum(axis=1))


def beta_binomial_information(link: str) -> Information:
    """Return the information of a beta-binomial row, phi^2 (f(a, b) + f(b, a)) (d mu / d eta)^2.

    f is the mean of trigamma(a) - trigamma(y + a) over all outcomes (Prentice 1986, J. Am. Stat. Assoc. 81:321).
    """

    def information(eta: Array, size: Array, phi: float) -> Array:
        eta, size = np.broadcast_arrays(np.asarray(eta, dtype=np.float64), np.asarray(size, dtype=np.float64))
        found = np.zeros(eta.shape)
        with np.errstate(under="ignore"):
            A, B, slope = _log_probabilities(link, eta)
            a, b, slope = (np.maximum(phi * np.exp(v), 1e-100) for v in (A, B, slope))
            for n in np.unique(size[size > 0.0]):
                rows = np.flatnonzero(size == n)
                for part in np.array_split(rows, math.ceil(len(rows) * n / _OUTCOMES)):
                    both = _spread_of_trials(n, a[part], b[part]) + _spread_of_trials(n, b[part], a[part])
                    found[part] = np.square(slope[part]) * both
        return found

    return information
