"""Transforms to the line and scales: stable far out, derivatives exact."""

from __future__ import annotations

import math

import mpmath as mp
import pytest

from bayesglmm.priors import scale_of, to_value
from bayesglmm.priors.transforms import IDENTITY, INTERVAL, LOG, ON_CODES, SHORT_LOG

mp.mp.dps = 50
POINTS = [-700.0, -40.0, -1.3, 0.0, 0.2, 3.0, 36.0, 700.0]


def exact_interval(x, lower, upper):
    x, lower, upper = mp.mpf(x), mp.mpf(lower), mp.mpf(upper)
    s = 1 / (1 + mp.exp(-x))
    slope = (upper - lower) * s * (1 - s)
    return lower + (upper - lower) * s, slope, mp.log(slope), 1 - 2 * s


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (0.0, 100.0), (-3.0, 4.5)])
def test_interval_equals_mpmath(x, lower, upper):
    with mp.workdps(700):
        wanted = [float(v) for v in exact_interval(x, lower, upper)]
    assert to_value(INTERVAL, x, lower, upper) == pytest.approx(wanted, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("x", [-1e4, -800.0, 800.0, 1e4])
def test_interval_stays_inside_its_bounds_and_finite(x):
    r, slope, log_slope, derivative = to_value(INTERVAL, x, 0.1, 0.3)
    assert 0.1 <= r <= 0.3
    assert slope >= 0.0
    assert log_slope == pytest.approx(math.log(0.3 - 0.1) - abs(x))
    assert derivative == -math.copysign(1.0, x)


def exact_short_log(x, scale):
    """Return r, slope, log slope and its derivative of r = scale exp(h), h' = 1 + (sqrt(x^2 + 1) - x) / 2."""
    x = mp.mpf(x)
    root = mp.sqrt(x * x + 1)
    h = x + (x * root + mp.asinh(x) - x * x) / 4
    h1 = 1 + (root - x) / 2
    r = scale * mp.exp(h)
    return r, r * h1, mp.log(scale) + h + mp.log(h1), h1 + (x / root - 1) / (2 * h1)


@pytest.mark.parametrize("x", [-30.0, -4.0, -0.3, 0.0, 0.4966322403461346, 3.0, 80.0])
@pytest.mark.parametrize("scale", [1e-3, 0.7, 200.0])
def test_short_logarithm_equals_mpmath(x, scale):
    wanted = [float(v) for v in exact_short_log(x, scale)]
    assert to_value(SHORT_LOG, x, scale, 1.0) == pytest.approx(wanted, rel=2e-13)


def test_a_density_that_is_flat_at_zero_falls_off_like_a_normal_one():
    below = [to_value(SHORT_LOG, x, 1.0, 1.0)[2] for x in (-20.0, -21.0, -22.0)]
    second_difference = below[0] - 2.0 * below[1] + below[2]
    assert second_difference == pytest.approx(-1.0, abs=0.01)


def test_log_and_identity():
    assert to_value(LOG, 1.5, 0.0, 1.0) == (math.exp(1.5), math.exp(1.5), 1.5, 1.0)
    assert to_value(IDENTITY, -1e9, 0.0, 1.0) == (-1e9, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(("on", "power"), [("sd", 1.0), ("variance", 0.5), ("precision", -0.5)])
@pytest.mark.parametrize("r", [1e-12, 0.3, 1.0, 49.0, 1e12])
def test_scale_is_a_power_of_what_the_prior_sits_on(on, power, r):
    sd, slope = scale_of(ON_CODES[on], r)
    assert sd == pytest.approx(r**power, rel=1e-15)
    assert slope == pytest.approx(power * r ** (power - 1.0), rel=1e-14)
