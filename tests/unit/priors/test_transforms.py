"""Transforms to the line and scales: stable far out, derivatives exact."""

from __future__ import annotations

import math

import mpmath as mp
import pytest

from bayesglmm.priors import scale_of, to_value
from bayesglmm.priors.transforms import IDENTITY, INTERVAL, LOG, ON_CODES

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


def test_log_and_identity():
    assert to_value(LOG, 1.5, 0.0, 1.0) == (math.exp(1.5), math.exp(1.5), 1.5, 1.0)
    assert to_value(IDENTITY, -1e9, 0.0, 1.0) == (-1e9, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(("on", "power"), [("sd", 1.0), ("variance", 0.5), ("precision", -0.5)])
@pytest.mark.parametrize("r", [1e-12, 0.3, 1.0, 49.0, 1e12])
def test_scale_is_a_power_of_what_the_prior_sits_on(on, power, r):
    sd, slope = scale_of(ON_CODES[on], r)
    assert sd == pytest.approx(r**power, rel=1e-15)
    assert slope == pytest.approx(power * r ** (power - 1.0), rel=1e-14)
