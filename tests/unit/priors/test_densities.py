"""Compiled log densities against mpmath at 50 digits and against scipy.stats."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st

from bayesglmm.priors import DISTRIBUTIONS, log_density

mp.mp.dps = 50
WIDE = [-1e8, -312.5, -3.0, -1e-3, 0.0, 1e-9, 0.4, 1.0, 7.25, 640.0, 1e9]
POSITIVE = [1e-12, 1e-3, 0.3, 1.0, 2.0, 17.0, 3e3, 1e7]


def log_t(x, nu, mu, sigma):
    z = (x - mu) / sigma
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(sigma)
    return constant - (nu + 1) / 2 * mp.log1p(z * z / nu)


def log_normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


# Each entry: log density in mpmath, then (parameters, points).
REFERENCE = {
    "Normal": (log_normal, [((0.3, 2.5), WIDE), ((-4.0, 1e-3), WIDE), ((0.0, 1e6), WIDE)]),
    "StudentT": (
        log_t,
        [((4.0, 0.5, 2.0), WIDE), ((0.7, 0.0, 1e-2), WIDE), ((39.9, 1.0, 3.0), WIDE), ((1e8, 0.0, 2.0), WIDE[1:-2])],
    ),
    "Cauchy": (lambda x, a, b: log_t(x, mp.mpf(1), a, b), [((0.0, 2.5), WIDE), ((-1.0, 1e-4), WIDE)]),
    "HalfNormal": (lambda x, s: mp.log(2) + log_normal(x, 0, s), [((2.5,), [0.0, *POSITIVE]), ((0.01,), POSITIVE)]),
    "HalfStudentT": (
        lambda x, nu, s: mp.log(2) + log_t(x, nu, 0, s),
        [((4.0, 2.0), [0.0, *POSITIVE]), ((200.0, 0.1), POSITIVE)],
    ),
    "HalfCauchy": (lambda x, b: mp.log(2) + log_t(x, mp.mpf(1), 0, b), [((2.5,), [0.0, *POSITIVE])]),
    "Exponential": (lambda x, lam: mp.log(lam) - lam * x, [((0.5,), [0.0, *POSITIVE]), ((1e3,), POSITIVE)]),
    "Gamma": (
        lambda x, a, b: a * mp.log(b) - mp.loggamma(a) + (a - 1) * mp.log(x) - b * x,
        [((2.0, 0.1), POSITIVE), ((0.001, 0.001), POSITIVE), ((1.0, 3.0), POSITIVE)],
    ),
    "InverseGamma": (
        lambda x, a, b: a * mp.log(b) - mp.loggamma(a) - (a + 1) * mp.log(x) - b / x,
        [((0.001, 0.001), POSITIVE), ((3.0, 2.0), POSITIVE)],
    ),
    "Uniform": (
        lambda x, low, high: -mp.log(high - low),
        [((0.0, 100.0), [1e-300, 0.5, 99.9]), ((-3.0, 4.0), [-3.0, 0.0, 4.0])],
    ),
}
SCALAR = [name for name, d in DISTRIBUTIONS.items() if d.support != "correlation"]
IMPROPER = {"Flat", "HalfFlat"}


def padded(parameters):
    return (*parameters, 0.0, 0.0, 0.0)[:3]


def test_every_proper_scalar_distribution_has_a_reference():
    assert set(REFERENCE) == set(SCALAR) - IMPROPER


@pytest.mark.parametrize("name", REFERENCE)
def test_value_and_derivative_equal_mpmath(name):
    reference, cases = REFERENCE[name]
    code = DISTRIBUTIONS[name].code
    for parameters, points in cases:
        exact = [mp.mpf(p) for p in parameters]
        for x in points:
            value, slope = log_density(code, x, *padded(parameters))
            wanted = reference(mp.mpf(x), *exact)
            assert value == pytest.approx(float(wanted), rel=1e-12, abs=1e-12), (parameters, x)
            if x in (0.0, 4.0, -3.0) and DISTRIBUTIONS[name].support != "real":
                continue  # the reference has no two-sided derivative at a boundary
            size = max(abs(mp.mpf(x)), 1) if DISTRIBUTIONS[name].support == "real" else mp.mpf(x)
            step = size * mp.mpf(10) ** -20
            derivative = (reference(mp.mpf(x) + step, *exact) - reference(mp.mpf(x) - step, *exact)) / (2 * step)
            assert slope == pytest.approx(float(derivative), rel=1e-10, abs=1e-15), (parameters, x)


@pytest.mark.parametrize("nu", [0.3, 1.0, 4.0, 38.0, 39.999, 40.0, 41.0, 1e3, 1e6, 1e12])
def test_normalising_constant_of_student_t_keeps_its_digits(nu):
    value, _ = log_density(DISTRIBUTIONS["StudentT"].code, 0.0, nu, 0.0, 1.0)
    assert value == pytest.approx(float(log_t(mp.mpf(0), mp.mpf(nu), 0, 1)), rel=2e-14)


@pytest.mark.parametrize(
    ("name", "parameters", "frozen"),
    [
        ("Normal", (0.3, 2.5), st.norm(0.3, 2.5)),
        ("StudentT", (3.0, 1.0, 2.0), st.t(3.0, 1.0, 2.0)),
        ("Cauchy", (1.0, 2.0), st.cauchy(1.0, 2.0)),
        ("HalfNormal", (2.0,), st.halfnorm(scale=2.0)),
        ("HalfCauchy", (2.0,), st.halfcauchy(scale=2.0)),
        ("Exponential", (0.25,), st.expon(scale=4.0)),
        ("Gamma", (2.5, 0.5), st.gamma(2.5, scale=2.0)),
        ("InverseGamma", (2.5, 0.5), st.invgamma(2.5, scale=0.5)),
        ("Uniform", (-1.0, 3.0), st.uniform(-1.0, 4.0)),
    ],
)
def test_values_equal_scipy_inside_and_outside_the_support(name, parameters, frozen):
    points = np.array([-2.5, -0.5, 0.1, 1.0, 2.9, 40.0])
    code = DISTRIBUTIONS[name].code
    ours = [log_density(code, x, *padded(parameters))[0] for x in points]
    np.testing.assert_allclose(ours, frozen.logpdf(points), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in SCALAR if DISTRIBUTIONS[n].support != "real"])
def test_outside_the_support_the_density_is_zero(name):
    assert log_density(DISTRIBUTIONS[name].code, -1e-9, 0.5, 2.0, 1.0) == (-math.inf, 0.0)


def test_boundary_of_the_gammas():
    gamma, inverse = DISTRIBUTIONS["Gamma"].code, DISTRIBUTIONS["InverseGamma"].code
    assert log_density(gamma, 0.0, 1.0, 3.0, 0.0) == (pytest.approx(math.log(3.0)), -3.0)
    assert log_density(gamma, 0.0, 2.0, 3.0, 0.0) == (-math.inf, 0.0)
    assert log_density(gamma, 0.0, 0.5, 3.0, 0.0)[0] == math.inf
    assert log_density(inverse, 0.0, 2.0, 3.0, 0.0) == (-math.inf, 0.0)


@pytest.mark.parametrize("name", sorted(IMPROPER))
def test_flat_priors_are_zero_on_their_support(name):
    assert log_density(DISTRIBUTIONS[name].code, 3.7, 0.0, 0.0, 0.0) == (0.0, 0.0)


def test_a_heavy_tail_survives_where_squares_overflow():
    value, slope = log_density(DISTRIBUTIONS["HalfCauchy"].code, 1e200, 1.0, 0.0, 0.0)
    assert value == pytest.approx(math.log(2.0 / math.pi) - 2.0 * math.log(1e200), rel=1e-12)
    assert slope == pytest.approx(-2e-200, rel=1e-12)


def test_a_matrix_distribution_is_no_scalar():
    assert math.isnan(log_density(DISTRIBUTIONS["LKJ"].code, 0.5, 1.0, 0.0, 0.0)[0])


def test_codes_are_different():
    codes = [d.code for d in DISTRIBUTIONS.values()]
    assert len(set(codes)) == len(codes)
