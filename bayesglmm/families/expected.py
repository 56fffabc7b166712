"""Expected information of one row along the linear predictor, E[-d2] = (d mu/d eta)^2 / Var(y), for each link.

The working weights of Fisher scoring (McCullagh & Nelder 1989, section 2.5); in closed forms that hold in both tails.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

import numpy as np
from scipy import special

from bayesglmm.families.record import Array

__all__ = ["cauchit_information", "cloglog_information", "logit_information", "probit_information"]

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
