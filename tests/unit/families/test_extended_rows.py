"""Rows with auxiliary predictors against mpmath: value, three derivatives in eta, and the slopes of all in a and b.

An error may be a few units of rounding of the exact value, and what a few units of rounding in eta, a and b make of it:
nothing that is computed from rounded arguments can be nearer.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from bayesglmm.families import FAMILIES, get_family
from bayesglmm.families.extended import compile_extended_rows, extended_row

EPS = sys.float_info.epsilon
#: Orders in (eta, a, b) of what a row gives.
ORDERS = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]
ORDERS += [(0, 1, 0), (1, 1, 0), (2, 1, 0), (0, 0, 1), (1, 0, 1), (2, 0, 1)]
#: Relative errors allowed: l, first, second and third derivatives.
TOLERANCE = (3e-14, 3e-14, 1e-12, 1e-11)
INFINITE = mpf("inf")


def rows(family: str, link: str, y: float, eta: float, a: float, b: float) -> np.ndarray:
    """Return the ten numbers of one row."""
    out = np.empty((10, 1))
    kernels = compile_extended_rows(FAMILIES[family].links[link].row, extended_row)
    kernels.derivatives(np.array([y]), np.array([1.0, a, b]), np.ones(1), np.array([eta]), 1.0, out)
    return out[:, 0]


def student_t(y: float) -> Callable[..., Any]:
    def density(eta, a, b):
        nu, z = mpmath.exp(b), (y - eta) / mpmath.exp(a)
        constant = mpmath.loggamma((nu + 1) / 2) - mpmath.loggamma(nu / 2) - mpmath.log(nu * mpmath.pi) / 2 - a
        return constant - (nu + 1) / 2 * mpmath.log1p(z * z / nu)

    return density


def beyond(link: str, x):
    """Return 1 - F(x)."""
    if abs(x) == INFINITE:
        return mpf(x < 0)
    if link == "logit":
        return 1 / (1 + mpmath.exp(x))
    return mpmath.ncdf(-x) if link == "probit" else mpmath.exp(-mpmath.exp(x))


def cumulative(link: str) -> Callable[..., Any]:
    return lambda eta, a, b: mpmath.log(beyond(link, b - eta) - beyond(link, a - eta))


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def poisson(y: float, eta):
    return y * eta - mpmath.exp(eta)


def zero_inflated_poisson(y: float) -> Callable[..., Any]:
    def density(eta, a, b):
        chance = logistic(-a) * mpmath.exp(poisson(y, eta))
        return mpmath.log(logistic(a) + chance if y == 0 else chance)

    return density


def zero_inflated_negative_binomial(y: float) -> Callable[..., Any]:
    def density(eta, a, b):
        mu, phi = mpmath.exp(eta), mpmath.exp(a)
        l = mpmath.loggamma(y + phi) - mpmath.loggamma(phi) + phi * mpmath.log(phi / (mu + phi))
        chance = logistic(-b) * mpmath.exp(l + y * mpmath.log(mu / (mu + phi)))
        return mpmath.log(logistic(b) + chance if y == 0 else chance)

    return density


def hurdle_poisson(y: float) -> Callable[..., Any]:
    def density(eta, a, b):
        if y == 0:
            return mpmath.log(logistic(a)) + 0 * eta
        above = -mpmath.expm1(-mpmath.exp(eta))
        return mpmath.log(logistic(-a)) + poisson(y, eta) - mpmath.log(above)

    return density


def assert_row(family: str, link: str, y: float, density: Callable[..., Any], point: tuple[float, ...]) -> None:
    got = rows(family, link, y, *point)
    free = [k for k in range(3) if np.isfinite(point[k])]

    def of_free(*values):
        whole = [mpf(p) for p in point]
        for k, value in zip(free, values, strict=True):
            whole[k] = value
        return density(*whole)

    with mpmath.workdps(50):
        at = [mpf(point[k]) for k in free]
        for k, order in enumerate(ORDERS):
            if any(order[j] for j in range(3) if j not in free):
                assert got[k] == 0.0, (order, point)
                continue
            n = tuple(order[j] for j in free)
            exact = mpmath.diff(of_free, at, n) if any(n) else of_free(*at)
            moved = mpf(0)
            for j in range(len(free)):
                more = tuple(m + (i == j) for i, m in enumerate(n))
                # Where an argument is 0 its rounding is too.
                moved += abs(at[j] * mpmath.diff(of_free, at, more))
            allowed = TOLERANCE[sum(order)] * abs(exact) + 16 * EPS * moved + mpf("1e-55")
            error = abs(mpf(float(got[k])) - exact)
            assert error <= allowed, (
                f"{family} {link} y={y} at {point}, order {order}: {got[k]!r}, {mpmath.nstr(exact, 17)}"
            )


@pytest.mark.parametrize("y", [0.7, 40.0])
def test_student_t(y):
    for eta, a, b in itertools.product((0.69,), (-1.5,), (-0.7, 12.0)):
        assert_row("student_t", "identity", y, student_t(y), (eta, a, b))


def test_student_t_is_the_normal_distribution_for_many_degrees_of_freedom():
    got = rows("student_t", "identity", 1.3, 0.2, 0.4, 34.0)
    sigma = np.exp(0.4)
    z = 1.1 / sigma
    normal = [-0.5 * np.log(2 * np.pi) - 0.4 - 0.5 * z * z, z / sigma, -1 / sigma**2]
    np.testing.assert_allclose(got[:3], normal, rtol=1e-13)
    assert 0.0 < abs(got[7]) < 1e-13


def test_student_t_far_out_is_finite():
    assert np.isfinite(rows("student_t", "identity", 1e200, 0.0, 0.0, 1.0)).all()


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_cumulative(link):
    inf = float("inf")
    cuts = [(inf, 0.4), (-0.6, -inf), (0.5, -0.7), (0.2, 0.19)]
    for eta, (a, b) in itertools.product((-8.0, 0.3, 9.0), cuts):
        if link == "cloglog" and b - eta > 6.0:
            continue  # log probabilities of -1e6 and less
        assert_row("cumulative", link, 1.0, cumulative(link), (eta, a, b))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_cutpoints_out_of_order_have_no_density(link):
    assert rows("cumulative", link, 1.0, 0.3, 0.5, 0.5)[0] == -np.inf
    assert rows("cumulative", link, 1.0, 0.3, 0.4, 0.5)[0] == -np.inf


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_categories_share_all_probability(link):
    cuts = [-np.inf, -1.0, 0.2, 1.7, np.inf]
    shares = [np.exp(rows("cumulative", link, 0.0, 0.6, a, b)[0]) for b, a in itertools.pairwise(cuts)]
    assert sum(shares) == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("y", [0.0, 1.0, 6.0])
@pytest.mark.parametrize(
    ("family", "density"),
    [("zero_inflated_poisson", zero_inflated_poisson), ("hurdle_poisson", hurdle_poisson)],
)
def test_zero_parts_of_poisson(family, density, y):
    for eta, a in itertools.product((-9.0, 0.3, 5.5), (-6.0, 0.5)):
        assert_row(family, "log", y, density(y), (eta, a, 0.0))


@pytest.mark.parametrize("y", [0.0, 3.0])
def test_zero_inflated_negative_binomial(y):
    for eta, a, b in itertools.product((-4.0, 3.5), (2.0,), (0.5,)):
        assert_row("zero_inflated_negative_binomial", "log", y, zero_inflated_negative_binomial(y), (eta, a, b))


def test_a_zero_of_an_impossible_count_is_of_the_zero_part():
    for family in ("zero_inflated_poisson", "zero_inflated_negative_binomial"):
        zero = {"zero_inflated_poisson": (0.3, 0.0)}.get(family, (5.0, 0.3))
        got = rows(family, "log", 0.0, 800.0, *zero)
        assert got[0] == pytest.approx(float(mpmath.log(logistic(mpf("0.3")))), rel=2e-2 if "neg" in family else 1e-14)
        assert np.isfinite(got).all()


def test_log_densities_with_constants_are_those_of_scipy():
    from scipy import stats

    y = np.arange(12.0)
    family = get_family("zero_inflated_poisson")
    mu, pi = 2.2, float(logistic(mpf("-0.4")))
    ours = [rows("zero_inflated_poisson", "log", k, np.log(mu), -0.4, 0.0)[0] for k in y]
    expected = np.log((y == 0) * pi + (1 - pi) * stats.poisson.pmf(y, mu))
    np.testing.assert_allclose(ours + family.log_constant(y, np.ones(12)), expected, rtol=1e-12)
    hurdle = [rows("hurdle_poisson", "log", k, np.log(mu), -0.4, 0.0)[0] for k in y]
    positive = np.log((1 - pi) * stats.poisson.pmf(y, mu) / stats.poisson.sf(0, mu))
    np.testing.assert_allclose(hurdle + family.log_constant(y, np.ones(12)), np.where(y == 0, np.log(pi), positive))
