"""What Stirling's formula leaves of log Gamma, and rising products, against mpmath."""

from __future__ import annotations

import mpmath
import numba
import numpy as np
import pytest

from bayesglmm.families.polygamma import log1p_excess, rising_jet, stirling_jet


@numba.njit
def stirling(x, out):
    for i in range(len(x)):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = stirling_jet(x[i])


@numba.njit
def rising(x, k, out):
    for i in range(len(x)):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = rising_jet(x[i], k)


@numba.njit
def excess(x, out):
    for i in range(len(x)):
        out[i] = log1p_excess(x[i])


def exact_stirling(t):
    """S as a function of t = log(x)."""
    x = mpmath.exp(t)
    return mpmath.loggamma(x) - (x - 0.5) * t + x - mpmath.log(2 * mpmath.pi) / 2


def exact_rising(t, k):
    x = mpmath.exp(t)
    return mpmath.loggamma(x + k) - mpmath.loggamma(x) - k * t


def jet(function, x):
    coefficients = mpmath.taylor(function, mpmath.log(mpmath.mpf(float(x))), 3)
    return [c * mpmath.factorial(j) for j, c in enumerate(coefficients)]


def table(loop, x, *more):
    out = np.zeros((len(x), 4))
    loop(x, *more, out)
    return out


def test_beyond_fifteen_every_derivative_to_fourteen_digits_of_itself() -> None:
    x = np.concatenate([[15.0, 15.001, 16.0, 17.5], np.geomspace(20.0, 1e12, 12)])
    got = table(stirling, x)
    with mpmath.workdps(80):
        for i, at in enumerate(x):
            for j, exact in enumerate(jet(exact_stirling, at)):
                assert abs(got[i, j] / exact - 1) < 1e-14, (at, j)


def test_below_fifteen_to_the_rounding_of_its_parts() -> None:
    x = np.concatenate([np.geomspace(1e-12, 0.1, 6), [0.5, 0.99, 1.0, 1.4616, 2.0, 3.7, 7.0, 11.3, 14.999]])
    got = table(stirling, x)
    with mpmath.workdps(80):
        for i, at in enumerate(x):
            largest = max(abs(at * np.log(at)), at, abs(np.log(at)), 1.0)
            for j, exact in enumerate(jet(exact_stirling, at)):
                assert abs(got[i, j] - exact) < 1e-14 * largest, (at, j)


@pytest.mark.parametrize("k", [1.0, 7.0, 400.0, 1e6])
def test_rising_products_vanish_for_large_x_with_their_digits(k: float) -> None:
    x = np.concatenate([[1e-8, 0.03, 1.0, 9.0, 300.0], np.geomspace(1e4, 1e14, 6)])
    got = table(rising, x, k)
    with mpmath.workdps(80):
        for i, at in enumerate(x):
            for j, exact in enumerate(jet(lambda t: exact_rising(t, k), at)):
                # All parts are of the order of k where x is not beyond it, and of k^2 / x where it is.
                assert abs(got[i, j] - exact) < 4e-14 * min(k, k * k / at) + 1e-14 * abs(exact) + 2e-15 * min(
                    1.0, k / at
                ), (at, j)


def test_no_step_is_no_product() -> None:
    np.testing.assert_array_equal(table(rising, np.array([1e-300, 1.0, 1e300]), 0.0), np.zeros((3, 4)))


def test_log_beyond_its_tangent() -> None:
    x = np.concatenate([np.geomspace(1e-150, 40.0, 300), -np.geomspace(1e-150, 0.999, 300)])
    out = np.empty_like(x)
    excess(x, out)
    with mpmath.workdps(400):
        exact = [mpmath.log1p(v) - v for v in map(mpmath.mpf, map(float, x))]
        assert max(abs(mpmath.mpf(float(g)) / e - 1) for g, e in zip(out, exact, strict=True)) < 5e-15
