"""Logarithms of cumulative distribution functions with three derivatives, accurate in both tails.

Each function here returns a jet (F, F', F'', F''') in its argument. Subtractions that would cancel (the
hazard of the normal minus its argument, the complementary log-log near 0) are done in closed form instead.
"""

from __future__ import annotations

import math

from bayesglmm.families.rows import compiled_scalar

__all__ = ["log_cauchy_jet", "log_cloglog_jet", "log_ndtr_jet"]

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@compiled_scalar
def _log_ndtr_far_jet(t: float) -> tuple[float, float, float, float]:
    """Return the jet in x of log Phi(x) at x = -t, t >= 4, by Laplace's continued fraction of the hazard.

    The hazard is h(t) = t + T_1 with T_k = k / (t + T_{k+1}) (Abramowitz & Stegun 26.2.14). As
    T_1 (t + T_2) = 1, h' = h T_1 and h'' = h T_1^2 T_2 (T_3 - T_2); h' = h (h - t) would cancel.
    """
    terms = int(10.0 + 480.0 / (t * t))
    tail1 = 0.0
    tail2 = 0.0
    tail3 = 0.0
    for step in range(terms):
        tail3 = tail2
        tail2 = tail1
        tail1 = (terms - step) / (t + tail1)
    hazard = t + tail1
    value = -0.5 * t * t - _LOG_SQRT_2PI - math.log(hazard)
    return value, hazard, -hazard * tail1, hazard * tail1 * tail1 * tail2 * (tail3 - tail2)


@compiled_scalar
def log_ndtr_jet(x: float) -> tuple[float, float, float, float]:
    """Return log Phi(x) and its first three derivatives, Phi the standard normal distribution function."""
    if x < -4.0:
        return _log_ndtr_far_jet(-x)
    if x < 0.0:
        p = 0.5 * math.erfc(-x * _SQRT_HALF)
        value = math.log(p)
    else:
        q = 0.5 * math.erfc(x * _SQRT_HALF)
        p = 1.0 - q
        value = math.log1p(-q)
    ratio = math.exp(-0.5 * x * x) * _INV_SQRT_2PI / p
    above = x + ratio
    return value, ratio, -ratio * above, ratio * (above * (above + ratio) - 1.0)


@compiled_scalar
def log_cauchy_jet(x: float) -> tuple[float, float, float, float]:
    """Return log F(x) and its first three derivatives, F the standard Cauchy distribution function.

    With A = pi F = atan2(1, -x), c = 1/(1 + x^2), m = c/A and g = -(2 x c + m): F'/F = m, m' = m g,
    m'' = m (g^2 - m g + 2 c^2 (x^2 - 1)).
    """
    angle = math.atan2(1.0, -x)
    value = math.log(angle / math.pi) if x < 0.0 else math.log1p(-math.atan2(1.0, x) / math.pi)
    c = 1.0 / (1.0 + x * x)
    ratio = c / angle
    g = -(2.0 * x * c + ratio)
    return value, ratio, ratio * g, ratio * (g * (g - ratio) + 2.0 * c * c * (x * x - 1.0))


@compiled_scalar
def log_cloglog_jet(eta: float) -> tuple[float, float, float, float]:
    """Return log(1 - exp(-w)), w = exp(eta), and its first three derivatives in eta.

    With r = w/(exp(w) - 1) and s = 1 - w - r: the derivatives are r, r s and r (s^2 - r s - w). For small w,
    r and s come from r = 1 - w/2 + w^2/12 - w^4/720 + ... (the generating function of the Bernoulli numbers),
    since 1 - w - r loses all digits there. Beyond w = 750 everything is 0 in double precision.
    """
    w = math.exp(eta)
    if w > 750.0:
        return 0.0, 0.0, 0.0, 0.0
    if w < 0.1:
        ww = w * w
        even = ww * (1.0 / 12.0 - ww * (1.0 / 720.0 - ww * (1.0 / 30240.0 - ww / 1209600.0)))
        value = eta - 0.5 * w + ww * (1.0 / 24.0 - ww * (1.0 / 2880.0 - ww / 181440.0))
        r = 1.0 - 0.5 * w + even
        s = -(0.5 * w + even)
    else:
        q = math.exp(-w)
        value = math.log1p(-q)
        r = w * q / (1.0 - q)
        s = 1.0 - w - r
    return value, r, r * s, r * (s * (s - r) - w)
