"""One scalar parameter: encoding, and prior + transform + scale together against finite differences."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from bayesglmm.errors import SpecificationError
from bayesglmm.priors import DISTRIBUTIONS, Prior, evaluate_scalar, prior_table, scalar_prior
from bayesglmm.priors.scalar import ROW_LENGTH
from bayesglmm.priors.transforms import IDENTITY, INTERVAL, LOG

EXAMPLES = {
    "Flat": {},
    "HalfFlat": {},
    "Normal": {"mu": 0.3, "sigma": 1.2},
    "StudentT": {"nu": 3.0, "mu": -0.5, "sigma": 2.0},
    "Cauchy": {"alpha": 0.0, "beta": 2.5},
    "HalfNormal": {"sigma": 2.5},
    "HalfStudentT": {"nu": 4.0, "sigma": 2.0},
    "HalfCauchy": {"beta": 1.5},
    "Exponential": {"lam": 0.7},
    "Gamma": {"alpha": 2.0, "beta": 0.5},
    "InverseGamma": {"alpha": 0.5, "beta": 0.2},
    "Uniform": {"lower": 0.0, "upper": 10.0},
}
SCALES = [n for n in EXAMPLES if DISTRIBUTIONS[n].support != "real" or DISTRIBUTIONS[n].half_line]


def test_examples_cover_the_registry():
    assert set(EXAMPLES) == {n for n, d in DISTRIBUTIONS.items() if d.support != "correlation"}


@pytest.mark.parametrize("on", ["sd", "variance", "precision"])
@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("x", [-3.1, -0.4, 0.0, 1.7])
def test_derivatives_of_a_scale_are_those_of_its_values(name, on, x):
    row = scalar_prior(Prior(name, **EXAMPLES[name], on=on), "scale").row()
    step = 1e-5
    value, slope, _, derivative = evaluate_scalar(x, row)
    below, above = evaluate_scalar(x - step, row), evaluate_scalar(x + step, row)
    assert value > 0.0
    assert slope == pytest.approx((above[0] - below[0]) / (2 * step), rel=1e-8, abs=1e-10)
    assert derivative == pytest.approx((above[2] - below[2]) / (2 * step), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", [n for n in SCALES if n not in ("Flat", "HalfFlat")])
def test_density_on_the_line_integrates_to_one(name):
    row = scalar_prior(Prior(name, **EXAMPLES[name]), "scale").row()
    x = np.linspace(-60.0, 60.0, 240_001)
    density = np.exp([evaluate_scalar(v, row)[2] for v in x])
    assert density.sum() * (x[1] - x[0]) == pytest.approx(1.0, abs=2e-6)


def test_a_variance_prior_is_the_precision_prior_seen_from_the_other_side():
    # 1 / Gamma(a, b) is InverseGamma(a, b): the same prior, the line turned round.
    variance = scalar_prior(Prior("InverseGamma", alpha=0.4, beta=0.3, on="variance"), "scale").row()
    precision = scalar_prior(Prior("Gamma", alpha=0.4, beta=0.3, on="precision"), "scale").row()
    for x in (-4.0, 0.3, 2.0):
        one, other = evaluate_scalar(x, variance), evaluate_scalar(-x, precision)
        assert one == pytest.approx((other[0], -other[1], other[2], -other[3]), rel=1e-13)


def test_encoding():
    assert scalar_prior(Prior("Normal", mu=1.0, sigma=2.0), "coefficient").transform == IDENTITY
    assert scalar_prior(Prior("Gamma", alpha=1.0, beta=2.0), "scale").transform == LOG
    uniform = scalar_prior(Prior("Uniform", lower=0.5, upper=2.0), "scale")
    assert (uniform.transform, uniform.lower, uniform.upper) == (INTERVAL, 0.5, 2.0)
    with pytest.raises(SpecificationError, match="correlation matrices"):
        scalar_prior(Prior("LKJ", eta=1.0), "scale")


def test_a_flat_prior_is_flat_on_the_half_line_for_a_scale_and_on_the_line_for_a_coefficient():
    x = 0.7
    assert evaluate_scalar(x, scalar_prior(Prior("Flat"), "coefficient").row()) == (x, 1.0, 0.0, 0.0)
    value, slope, density, derivative = evaluate_scalar(x, scalar_prior(Prior("Flat"), "scale").row())
    assert (value, slope, density, derivative) == (math.exp(x), math.exp(x), x, 1.0)


def test_table_has_one_row_a_parameter():
    encoded = [scalar_prior(Prior("Normal", sigma=1.0), "coefficient"), scalar_prior(Prior("Flat"), "scale")]
    table = prior_table(encoded)
    assert table.shape == (2, ROW_LENGTH)
    np.testing.assert_array_equal(table[1], encoded[1].row())
    assert prior_table([]).shape == (0, ROW_LENGTH)


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("on", ["sd", "variance", "precision"])
@pytest.mark.parametrize("x", [-1e4, -800.0, -400.0, 400.0, 800.0, 1e4])
def test_far_out_nothing_is_nan(name, on, x):
    row = scalar_prior(Prior(name, **EXAMPLES[name], on=on), "scale").row()
    _, slope, density, derivative = evaluate_scalar(x, row)
    assert not math.isnan(density)
    assert density < math.inf
    assert math.isfinite(derivative)
    assert math.isfinite(slope)


def exact_density(name, parameters, x, on):
    """Parameter, and log prior + log Jacobian, at x: from the density on the distribution's own scale."""
    a, b = ([mp.mpf(p) for p in parameters] + [None, None])[:2]
    r = mp.exp(x) if name != "Uniform" else a + (b - a) / (1 + mp.exp(-x))
    log_prior = {
        "HalfNormal": lambda: mp.log(2) - r**2 / (2 * a**2) - mp.log(a) - mp.log(2 * mp.pi) / 2,
        "Gamma": lambda: a * mp.log(b) - mp.loggamma(a) + (a - 1) * mp.log(r) - b * r,
        "InverseGamma": lambda: a * mp.log(b) - mp.loggamma(a) - (a + 1) * mp.log(r) - b / r,
        "Uniform": lambda: -mp.log(b - a),
    }[name]()
    log_slope = x if name != "Uniform" else mp.log(r - a) + mp.log(b - r) - mp.log(b - a)
    return r ** {"sd": 1, "variance": mp.mpf(1) / 2, "precision": -mp.mpf(1) / 2}[on], log_prior + log_slope


@pytest.mark.parametrize("on", ["sd", "variance", "precision"])
@pytest.mark.parametrize("name", ["HalfNormal", "Gamma", "InverseGamma", "Uniform"])
@pytest.mark.parametrize("x", [-300.0, -40.0, -3.0, 0.0, 2.0, 6.0])
def test_value_and_density_to_fifty_digits(name, on, x):
    prior = Prior(name, **EXAMPLES[name], on=on)
    value, slope, density, derivative = evaluate_scalar(x, scalar_prior(prior, "scale").row())
    with mp.workdps(400):

        def exact(part, t):
            return exact_density(name, prior.params.values(), t, on)[part]

        expected = [exact(0, mp.mpf(x)), mp.diff(lambda t: exact(0, t), x, h=mp.mpf("1e-60"))]
        expected += [exact(1, mp.mpf(x)), mp.diff(lambda t: exact(1, t), x, h=mp.mpf("1e-60"))]
    if density == -math.inf:  # exp(300) in an exponent: nothing is left, exactly
        assert (slope, derivative) == (0.0, 0.0)
        assert expected[2] < -1e100
        return
    for found, wanted in zip((value, slope, density, derivative), expected, strict=True):
        assert abs(found - wanted) <= 1e-12 * abs(wanted) + mp.mpf("1e-300") * (wanted == 0), (found, wanted)
