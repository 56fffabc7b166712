"""Rows of ordered categories: P(y <= k) = F(c_k - eta), a and b the cutpoints above and below a row's category.

l = log(F(t) - F(s)), t = a - eta, s = b - eta; a is infinite in the last category, b minus infinite in the first. Each
link has a form without the difference of two probabilities, which would lose every digit in the tails.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.special import log_cloglog_jet, log_ndtr_jet

__all__ = ["cloglog_row", "expit", "log_expit", "logit_row", "probit_row"]

type Values = tuple[float, float, float, float, float, float, float, float, float, float]

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_NOWHERE = (-math.inf, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
#: Intervals this narrow, and this narrow beside one over their distance from 0, are integrated.
_NARROW, _FLAT = 1.0, 2.0
#: Gauss-Legendre with 16 nodes on (-1, 1): nodes above 0 and their weights.
_NODES = (
    0.09501250983763744,
    0.2816035507792589,
    0.45801677765722737,
    0.6178762444026438,
    0.755404408355003,
    0.8656312023878318,
    0.9445750230732326,
    0.9894009349916499,
)
_WEIGHTS = (
    0.1894506104550685,
    0.18260341504492358,
    0.16915651939500254,
    0.14959598881657674,
    0.12462897125553388,
    0.09515851168249279,
    0.062253523938647894,
    0.027152459411754096,
)


@compiled_scalar
def _log1mexp(u: float) -> float:
    """Return log(1 - exp(-u)), u > 0 (Maechler 2012)."""
    return math.log(-math.expm1(-u)) if u < 0.6931471805599453 else math.log1p(-math.exp(-u))


@compiled_scalar
def log_expit(x: float) -> float:
    """Return log(1 / (1 + exp(-x)))."""
    return x - math.log1p(math.exp(x)) if x < 0.0 else -math.log1p(math.exp(-x))


@compiled_scalar
def expit(x: float) -> float:
    """Return 1 / (1 + exp(-x)) with its digits in both tails."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@compiled_scalar
def logit_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of the logistic distribution: F(t) - F(s) = F(t) F(-s) (1 - exp(s - t)); concave in eta, a and b."""
    if not a > b:
        return _NOWHERE
    t, s, u = a - eta, b - eta, a - b
    p_t, q_t, p_s, q_s = expit(t), expit(-t), expit(s), expit(-s)
    v_t, v_s = p_t * q_t, p_s * q_s
    l = _log1mexp(u)
    if a < math.inf:
        l += log_expit(t)
    if b > -math.inf:
        l += log_expit(-s)
    h = 1.0 / math.expm1(u)
    return (
        l,
        p_s - q_t,
        -v_t - v_s,
        v_t * (q_t - p_t) + v_s * (q_s - p_s),
        q_t + h,
        v_t,
        -v_t * (q_t - p_t),
        -p_s - h,
        v_s,
        -v_s * (q_s - p_s),
    )


@compiled_scalar
def cloglog_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of F(x) = 1 - exp(-exp(x)): F(t) - F(s) = exp(-exp(s)) (1 - exp(-D)), D = exp(t) - exp(s).

    log(D) moves with eta one to one, and log(1 - exp(-D)) is the complementary log-log of it.
    """
    if not a > b:
        return _NOWHERE
    t, s, u = a - eta, b - eta, a - b
    w = math.exp(s)
    log_d = t + _log1mexp(u) if a < math.inf else math.inf
    j0, j1, j2, j3 = log_cloglog_jet(log_d)
    above, below = 1.0 / -math.expm1(-u), 1.0 / math.expm1(u)
    return (
        j0 - w,
        w - j1,
        j2 - w,
        w - j3,
        j1 * above,
        -j2 * above,
        j3 * above,
        -w - j1 * below,
        w + j2 * below,
        -w - j3 * below,
    )


@compiled_scalar
def _narrow(t: float, s: float) -> tuple[float, float, float, float]:
    """Return log(Phi(t) - Phi(s)) and mean, variance less 1 and third cumulant of a standard normal between s and t.

    By quadrature about the middle: nothing cancels where both ends have nearly the same probability.
    """
    middle, half = 0.5 * (t + s), 0.5 * (t - s)
    total, first, second, third = 0.0, 0.0, 0.0, 0.0
    for k in range(8):
        for sign in (-1.0, 1.0):
            d = sign * half * _NODES[k]
            weight = _WEIGHTS[k] * math.exp(-d * (middle + 0.5 * d))
            total += weight
            first += weight * d
            second += weight * d * d
            third += weight * d * d * d
    m1, m2, m3 = first / total, second / total, third / total
    value = -0.5 * middle * middle - _LOG_SQRT_2PI + math.log(half * total)
    return value, middle + m1, m2 - m1 * m1 - 1.0, m3 - 3.0 * m2 * m1 + 2.0 * m1 * m1 * m1


@compiled_scalar
def _wide(t: float, s: float) -> tuple[float, float, float, float]:
    """Return the same for t + s <= 0 from the jets of log Phi: log Phi(t) + log(1 - exp(-D)), D their difference."""
    l0, l1, l2, l3 = log_ndtr_jet(t)
    if s == -math.inf:
        return l0, -l1, l2, -l3
    m0, m1, m2, m3 = log_ndtr_jet(s)
    D, D1, D2, D3 = l0 - m0, l1 - m1, l2 - m2, l3 - m3
    g1 = 1.0 / math.expm1(D)
    g2 = -g1 * (1.0 + g1)
    g3 = -g2 * (1.0 + 2.0 * g1)
    return (
        l0 + _log1mexp(D),
        -(l1 + g1 * D1),
        l2 + g2 * D1 * D1 + g1 * D2,
        -(l3 + g3 * D1 * D1 * D1 + 3.0 * g2 * D1 * D2 + g1 * D3),
    )


@compiled_scalar
def _end(x: float, value: float, mean: float, variance: float) -> tuple[float, float, float]:
    """Return the density at an end x over the probability between the ends, and how mean and variance move."""
    if abs(x) == math.inf:
        return 0.0, 0.0, 0.0
    r = math.exp(-0.5 * x * x - _LOG_SQRT_2PI - value)
    return r, r * (x - mean), r * ((x - mean) * (x - mean) - variance)


@compiled_scalar
def probit_row(y: float, size: float, eta: float, a: float, b: float) -> Values:
    """Row of the standard normal distribution; concave in eta, a and b.

    Derivatives in eta are cumulants of a standard normal between s and t: the mean, the variance less 1, the third.
    Intervals on the right of 0 are mirrored, where the left tail keeps its digits.
    """
    if not a > b:
        return _NOWHERE
    t, s = a - eta, b - eta
    mirrored = t + s > 0.0
    upper, lower = (-s, -t) if mirrored else (t, s)
    width = upper - lower
    if width <= _NARROW and -lower * width <= _FLAT:
        value, mean, less, third = _narrow(upper, lower)
    else:
        value, mean, less, third = _wide(upper, lower)
    at_upper = _end(upper, value, mean, 1.0 + less)
    at_lower = _end(lower, value, mean, 1.0 + less)
    if mirrored:
        return (
            value,
            -mean,
            less,
            -third,
            at_lower[0],
            -at_lower[1],
            at_lower[2],
            -at_upper[0],
            at_upper[1],
            -at_upper[2],
        )
    return (
        value,
        mean,
        less,
        third,
        at_upper[0],
        at_upper[1],
        at_upper[2],
        -at_lower[0],
        -at_lower[1],
        -at_lower[2],
    )
