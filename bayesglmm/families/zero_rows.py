"""Rows of counts with a part of their own for zeros: mixtures that inflate the zeros, and hurdles that replace them.

The zero part's predictor is a logit: pi = 1 / (1 + exp(-zero)).
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

from bayesglmm.families.cumulative_rows import expit, log_expit
from bayesglmm.families.negative_binomial import log_row as negative_binomial_row
from bayesglmm.families.poisson import log_row as poisson_row
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.special import log_cloglog_jet

__all__ = ["hurdle_poisson_row", "zero_inflated_negative_binomial_row", "zero_inflated_poisson_row"]

type Values = tuple[float, float, float, float, float, float, float, float, float, float]
type Mixed = tuple[float, float, float, float, float, float, float, float, float, float]

#: Beyond so many units of log odds one of the two explanations of a zero is all there is.
_CERTAIN = 700.0


@compiled_scalar
def _zero_mixture(zero: float, B: float, B1: float, B2: float, B3: float, Bp: float, B1p: float, B2p: float) -> Mixed:
    """Return l = log(pi + (1 - pi) exp(B)), B the log probability of a zero by chance, and its derivatives.

    The order is l, d1, d2, d3 (in eta), then in the zero part's logit, then in log(phi), of l, d1 and d2 each. With v
    the probability that a zero is of the zero part, dv/dzero = v (1 - v) and dv/dB = -v (1 - v): all follow. v - pi is
    written as a product, and l by the probability of no zero where that is small.
    """
    rest = expit(-zero)
    if zero - B > _CERTAIN:
        return log_expit(zero), 0.0, 0.0, 0.0, rest, 0.0, 0.0, 0.0, 0.0, 0.0
    v, q = expit(zero - B), expit(B - zero)
    vq = v * q
    some = -rest * math.expm1(B)
    if some < 0.5:
        l = math.log1p(-some)
    elif zero > B:
        l = log_expit(zero) + math.log1p(math.exp(B - zero))
    else:
        l = B + math.log1p(math.exp(zero - B)) + log_expit(-zero)
    return (
        l,
        q * B1,
        q * B2 + vq * B1 * B1,
        q * B3 + 3.0 * vq * B1 * B2 + vq * (v - q) * B1 * B1 * B1,
        -v * rest * math.expm1(B),
        -vq * B1,
        -vq * B2 - vq * (v - q) * B1 * B1,
        q * Bp,
        q * B1p + vq * Bp * B1,
        q * B2p + vq * (Bp * B2 + 2.0 * B1 * B1p) + vq * (v - q) * Bp * B1 * B1,
    )


@compiled_scalar
def zero_inflated_poisson_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of mu = exp(eta) with a probability pi, logit a, of a zero that no chance made."""
    l, d1, d2, d3, _lp, _d1p, _d2p = poisson_row(y, size, eta, 1.0)
    if y > 0.0:
        return log_expit(-a) + l, d1, d2, d3, -expit(a), 0.0, 0.0, 0.0, 0.0, 0.0
    m = _zero_mixture(a, l, d1, d2, d3, 0.0, 0.0, 0.0)
    return m[0], m[1], m[2], m[3], m[4], m[5], m[6], 0.0, 0.0, 0.0


@compiled_scalar
def zero_inflated_negative_binomial_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of a negative binomial, mu = exp(eta) and phi = exp(a), with a probability pi, logit b, of another zero."""
    l, d1, d2, d3, lp, d1p, d2p = negative_binomial_row(y, size, eta, math.exp(a))
    if y > 0.0:
        return log_expit(-b) + l, d1, d2, d3, lp, d1p, d2p, -expit(b), 0.0, 0.0
    m = _zero_mixture(b, l, d1, d2, d3, lp, d1p, d2p)
    return m[0], m[1], m[2], m[3], m[7], m[8], m[9], m[4], m[5], m[6]


@compiled_scalar
def hurdle_poisson_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row that is 0 with probability pi, logit a, and else a Poisson count of mean exp(eta) that is not 0.

    Of a count of 1 and a small mean mu - 1 + mu / (exp(mu) - 1) is left, which the jet has without a difference.
    """
    if y == 0.0:
        return log_expit(a), 0.0, 0.0, 0.0, expit(-a), 0.0, 0.0, 0.0, 0.0, 0.0
    l, d1, d2, d3, _lp, _d1p, _d2p = poisson_row(y, size, eta, 1.0)
    j0, j1, j2, j3 = log_cloglog_jet(eta)
    m = math.exp(eta)
    if m < 0.1:  # without the logarithm of the mean, which j0 holds too
        mm = m * m
        rest = -0.5 * m - mm * (1.0 / 24.0 - mm * (1.0 / 2880.0 - mm / 181440.0))
        above = (y - 1.0) * eta + rest
    else:
        above = l - j0
    first = (y - 1.0) + j2 / j1 if j1 > 0.0 else d1
    return log_expit(-a) + above, first, d2 - j2, d3 - j3, -expit(a), 0.0, 0.0, 0.0, 0.0, 0.0
