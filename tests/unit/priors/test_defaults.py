"""Default priors follow the scale of the data."""

from __future__ import annotations

import math

import pytest

from bayesglmm.priors import Prior, coefficient_defaults, correlation_default, dispersion_default, sd_default


def residual(scale):
    return "HalfStudentT", {"nu": 4, "sigma": scale}


def test_intercept_slopes_and_cell_means():
    priors = coefficient_defaults(
        {"Intercept": 1.0, "days": 2.0, "cross[RR]": 0.4}, location=300.0, scale=50.0, cell_means=["cross[RR]"]
    )
    assert priors == {
        "Intercept": Prior("Normal", mu=300, sigma=125),
        "days": Prior("Normal", mu=0, sigma=62.5),
        "cross[RR]": Prior("Normal", mu=300, sigma=125),
    }


def test_a_slope_prior_does_not_depend_on_the_units_of_its_column():
    metres, millimetres = (coefficient_defaults({"x": sd}, 0.0, 1.0)["x"].params["sigma"] for sd in (0.5, 500.0))
    assert metres == pytest.approx(1000.0 * millimetres)


def test_sd_of_a_slope_is_scaled_by_the_spread_of_its_column_alone():
    assert sd_default(1.0) == Prior("HalfNormal", sigma=2.5)
    assert sd_default(2.0, 4.0) == Prior("HalfNormal", sigma=1.25)


def test_dispersion_and_correlation():
    assert dispersion_default(residual, 3.0) == Prior("HalfStudentT", nu=4, sigma=3)
    assert correlation_default() == Prior("LKJ", eta=1)


@pytest.mark.parametrize("scale", [0.0, math.nan, math.inf])
def test_scales_that_are_none_count_as_one(scale):
    assert sd_default(scale, scale) == Prior("HalfNormal", sigma=2.5)
    assert dispersion_default(residual, scale).params["sigma"] == 1.0
    assert coefficient_defaults({"Intercept": 1.0}, math.nan, scale)["Intercept"] == Prior("Normal", mu=0, sigma=2.5)
