"""Row functions of y successes in `size` independent trials, shared by bernoulli (size = 1) and binomial.

l = y log(mu) + (size - y) log(1 - mu), each logarithm with its derivatives from a form that is accurate in
its own tail. A tail without weight is not evaluated, so that 0 times an infinity never arises.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

from bayesglmm.families.elementary import exp_nonpositive, inlined_scalar, log1p_unit
from bayesglmm.families.record import RowValues
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.special import log_cauchy_jet, log_cloglog_jet, log_ndtr_jet

__all__ = ["LAPLACE_CAVEAT", "cauchit_row", "cloglog_row", "logit_row", "probit_row"]

#: Breslow & Lin (1995) Biometrika 82:81; Joe (2008) Comput. Stat. Data Anal. 52:5066.
LAPLACE_CAVEAT = (
    "Laplace's method understates the variances of group effects where rows are successes and failures in small groups."
)

_NOTHING = (0.0, 0.0, 0.0, 0.0)


@inlined_scalar
def _tanh_half(eta: float, size: float) -> float:
    """Return tanh(eta / 2) from its size (1 - e) / (1 + e), by series near 0, where that cancels."""
    t = 0.5 * eta
    s = t * t
    series = t * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0))))
    sign = 1.0 if eta >= 0.0 else -1.0
    return sign * size if abs(eta) > 0.05 else series


@inlined_scalar
def logit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = 1 / (1 + exp(-eta)); finite for every finite eta. Without branches, for vector instructions."""
    e = exp_nonpositive(-abs(eta))
    near = 1.0 / (1.0 + e)
    far = e * near
    positive = eta >= 0.0
    mu = near if positive else far
    nu = far if positive else near
    misses = (size if positive else 0.0) - y
    l = -size * log1p_unit(e) - misses * eta
    d1 = y * nu - (size - y) * mu
    d2 = -size * mu * nu
    return l, d1, d2, -d2 * _tanh_half(eta, (1.0 - e) * near), 0.0, 0.0, 0.0


@compiled_scalar
def _symmetric(
    y: float,
    failures: float,
    upper: tuple[float, float, float, float],
    lower: tuple[float, float, float, float],
) -> RowValues:
    """Join the jets of log F at eta (`upper`) and at -eta (`lower`), F symmetric about 0."""
    return (
        y * upper[0] + failures * lower[0],
        y * upper[1] - failures * lower[1],
        y * upper[2] + failures * lower[2],
        y * upper[3] - failures * lower[3],
        0.0,
        0.0,
        0.0,
    )


@compiled_scalar
def probit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = Phi(eta), the standard normal distribution function."""
    upper = log_ndtr_jet(eta) if y > 0.0 else _NOTHING
    lower = log_ndtr_jet(-eta) if y < size else _NOTHING
    return _symmetric(y, size - y, upper, lower)


@compiled_scalar
def cauchit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = 1/2 + atan(eta)/pi. Not concave in eta: d2 may be positive."""
    upper = log_cauchy_jet(eta) if y > 0.0 else _NOTHING
    lower = log_cauchy_jet(-eta) if y < size else _NOTHING
    return _symmetric(y, size - y, upper, lower)


@compiled_scalar
def cloglog_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of mu = 1 - exp(-exp(eta)).

    With failures, l and its derivatives are of the order of -exp(eta): -inf where that overflows (from 709.79
    on). Without failures they have their limit 0 there.
    """
    upper = log_cloglog_jet(eta) if y > 0.0 else _NOTHING
    loss = (size - y) * math.exp(eta) if y < size else 0.0
    return y * upper[0] - loss, y * upper[1] - loss, y * upper[2] - loss, y * upper[3] - loss, 0.0, 0.0, 0.0
