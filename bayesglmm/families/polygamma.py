"""The logarithm of the gamma function and its derivatives, as what Stirling's formula leaves: nothing cancels.

Densities with a precision phi hold differences such as log Gamma(y + phi) - log Gamma(phi), and derivatives with
digamma(y + phi) - digamma(phi). Each term grows like phi log(phi), their sum is of order 1. Every log Gamma is split,

    log Gamma(x) = (x - 1/2) log(x) - x + log(2 pi) / 2 + S(x),

the elementary parts are put together on paper, and S, which is 1 / (12 x) and less, is all that is evaluated. Its
derivatives are taken in log(x): they stay bounded as x goes to 0, where digamma, trigamma and tetragamma do not.

    S_1 = x digamma(x) - x log(x) + 1/2
    S_2 = S_1 - 1/2 + x^2 trigamma(x) - x
    S_3 = S_2 + 2 x^2 trigamma(x) + x^3 tetragamma(x) - x
"""

from __future__ import annotations

import math

from bayesglmm.families.elementary import log1p_remainder
from bayesglmm.families.rows import compiled_scalar

__all__ = ["log1p_excess", "rising_from", "rising_jet", "stirling_jet"]

type Jet = tuple[float, float, float, float]

#: From here on Stirling's series is good to 1e-17 of its first term, third derivative included.
_ASYMPTOTIC = 15.0
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
#: Below this x is held: x (x + 1) ... and 1 / x stay finite.
_SMALLEST = 1e-300


@compiled_scalar
def _stirling_series(x: float) -> Jet:
    """Return S and its three derivatives in log(x) for x >= `_ASYMPTOTIC`.

    S = sum of B_2j / (2j (2j - 1)) x^(1 - 2j), j = 1 to 9 (Abramowitz & Stegun 6.1.41), term by term.
    """
    r = 1.0 / (x * x)
    value, first, second, third = 0.0, 0.0, 0.0, 0.0
    power = 1.0 / x
    order = 1.0
    for c in (
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360360.0,
        1.0 / 156.0,
        -3617.0 / 122400.0,
        43867.0 / 244188.0,
    ):
        term = c * power
        value += term
        first -= order * term
        second += order * order * term
        third -= order * order * order * term
        power *= r
        order += 2.0
    return value, first, second, third


@compiled_scalar
def stirling_jet(x: float) -> Jet:
    """Return S(x) and its first three derivatives in log(x), x > 0.

    Below `_ASYMPTOTIC` by recurrence, log Gamma(x) = log Gamma(x + 1) - log(x) and its derivatives (Abramowitz & Stegun
    6.1.15 and 6.4.6), to 1e-14 of the largest of x log(x), x and 1; x below 1e-300 counts as 1e-300.
    """
    if x >= _ASYMPTOTIC:
        return _stirling_series(x)
    x = max(x, _SMALLEST)
    product, s1, s2, s3 = 1.0, 0.0, 0.0, 0.0
    above = x
    while above < _ASYMPTOTIC:
        product *= above
        w = x / above
        s1 += w
        s2 += w * w
        s3 += w * w * w
        above += 1.0
    value, first, second, third = _stirling_series(above)
    steps = above - x
    ratio = x / above
    log_ratio = math.log(above / x)
    # x^2 trigamma(x) and x^3 tetragamma(x) from those at `above`.
    trigamma = ratio * ratio * (second - first + 0.5 + above) + s2
    tetragamma = ratio * ratio * ratio * (third - second - 2.0 * (second - first + 0.5 + above) + above) - 2.0 * s3
    s_0 = (above - 0.5) * math.log(above) - (x - 0.5) * math.log(x) - steps + value - math.log(product)
    s_1 = x * log_ratio + ratio * (first - 0.5) - s1 + 0.5
    s_2 = s_1 - 0.5 + trigamma - x
    return s_0, s_1, s_2, s_2 + 2.0 * trigamma + tetragamma - x


@compiled_scalar
def log1p_excess(t: float) -> float:
    """Return log(1 + t) - t for t > -1; near 0 too, where that is -t^2 / 2."""
    return log1p_remainder(t) if abs(t) < 0.5 else math.log1p(t) - t


@compiled_scalar
def rising_jet(x: float, k: float) -> Jet:
    """Return R = log Gamma(x + k) - log Gamma(x) - k log(x) and its first three derivatives in log(x), x > 0, k >= 0.

    The logarithm of x (x + 1) ... (x + k - 1) / x^k; of the order of k^2 / (2 x) for large x, and exact to rounding
    there. x below 1e-300 counts as 1e-300.
    """
    if k == 0.0:
        return 0.0, 0.0, 0.0, 0.0
    x = max(x, _SMALLEST)
    return rising_from(x, k, stirling_jet(x + k), stirling_jet(x))


@compiled_scalar
def rising_from(x: float, k: float, upper: Jet, lower: Jet) -> Jet:
    """Return `rising_jet` from the jets of S at x + k and at x, x >= 1e-300 and k > 0."""
    t = k / x
    w = x / (x + k)
    v = k / (x + k)
    excess = log1p_excess(t)
    # x ((1 + t) log(1 + t) - t): t^2 is there twice and once, of which half is left.
    entropy = x * ((1.0 + t) * excess + t * t) if t < 0.5 else (x + k) * math.log1p(t) - k
    leading = x * excess + k * v
    return (
        entropy - 0.5 * math.log1p(t) + upper[0] - lower[0],
        x * excess + 0.5 * v + upper[1] * w - lower[1],
        leading - 0.5 * v * w + upper[2] * w * w + upper[1] * w * v - lower[2],
        leading
        - k * v * w
        + 0.5 * v * w * (w - v)
        + w * (upper[3] * w * w + 3.0 * upper[2] * w * v + upper[1] * v * (v - w))
        - lower[3],
    )
