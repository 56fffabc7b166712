"""Link functions on NumPy arrays, sound in both tails."""

from __future__ import annotations

import numpy as np
from scipy import special

from bayesglmm.families.record import Array, Link

__all__ = ["CAUCHIT", "CLOGLOG", "IDENTITY", "INVERSE", "LOG", "LOGIT", "PROBIT", "SQRT"]


def _log(mu: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(mu)


def _exp(eta: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(eta)


def _reciprocal(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.reciprocal(np.asarray(x, dtype=np.float64))


def _cloglog(mu: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(-np.log1p(-np.asarray(mu)))


def _cloglog_inverse(eta: Array) -> Array:
    return -np.expm1(-_exp(eta))


def _cauchit(mu: Array) -> Array:
    mu = np.asarray(mu, dtype=np.float64)
    # tan(pi (mu - 1/2)) forgets a small mu in the difference; the cotangent of the nearer end does not.
    end = np.minimum(mu, 1.0 - mu)
    with np.errstate(divide="ignore"):
        outer = np.sign(mu - 0.5) / np.tan(np.pi * end)
    return np.where(end < 0.25, outer, np.tan(np.pi * (mu - 0.5)))


def _cauchit_inverse(eta: Array) -> Array:
    return np.arctan2(1.0, -np.asarray(eta)) / np.pi


IDENTITY = Link("identity", np.positive, np.positive, "%s")
LOG = Link("log", _log, _exp, r"\log(%s)")
INVERSE = Link("inverse", _reciprocal, _reciprocal, r"1 / %s")
SQRT = Link("sqrt", np.sqrt, np.square, r"\sqrt{%s}")
LOGIT = Link("logit", special.logit, special.expit, r"\operatorname{logit}(%s)")
PROBIT = Link("probit", special.ndtri, special.ndtr, r"\Phi^{-1}(%s)")
CLOGLOG = Link("cloglog", _cloglog, _cloglog_inverse, r"\log(-\log(1 - %s))")
CAUCHIT = Link("cauchit", _cauchit, _cauchit_inverse, r"\tan(\pi(%s - \tfrac{1}{2}))")
