"""The polynomials that stand in for exp and log1p, against mpmath; rows of a whole block are what single rows are."""

from __future__ import annotations

import math

import mpmath
import numba
import numpy as np
import pytest

from bayesglmm.families import FAMILIES, compile_rows
from bayesglmm.families.elementary import (
    NEAR,
    exp_nonpositive,
    exp_real,
    exp_remainder,
    log1p_unit,
    log_positive,
)


def over_arrays(scalar):
    @numba.njit
    def loop(x, out):
        for i in range(len(x)):
            out[i] = scalar(x[i])

    return loop


exponentials, logarithms = over_arrays(exp_nonpositive), over_arrays(log1p_unit)
real_exponentials, positive_logarithms = over_arrays(exp_real), over_arrays(log_positive)
remainders = over_arrays(exp_remainder)


def units_off(got: float, exact: mpmath.mpf) -> float:
    return float(abs(mpmath.mpf(float(got)) - exact) / mpmath.mpf(math.ulp(float(exact))))


def test_exponential_to_two_units_in_the_last_place() -> None:
    x = np.concatenate([-np.geomspace(1e-300, 708.0, 4000), -np.linspace(0.0, 40.0, 2001), [-0.0]])
    out = np.empty_like(x)
    exponentials(x, out)
    with mpmath.workdps(40):
        assert max(units_off(g, mpmath.exp(mpmath.mpf(float(v)))) for g, v in zip(out, x, strict=True)) <= 2.0
    exponentials(np.array([-709.0, -1e300, -np.inf]), out[:3])
    np.testing.assert_allclose(out[:3], math.exp(-708.0))


def test_logarithm_to_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.geomspace(1e-300, 1.0, 4000), np.linspace(0.0, 1.0, 2001)[1:]])
    out = np.empty_like(x)
    logarithms(x, out)
    with mpmath.workdps(60):
        exact = [mpmath.log1p(mpmath.mpf(float(v))) for v in x]
        assert max(units_off(g, e) for g, e in zip(out, exact, strict=True)) <= 2.0
    logarithms(np.zeros(1), out)
    assert out[0] == 0.0


def test_exponential_of_any_number() -> None:
    x = np.concatenate(
        [np.linspace(-745.2, 709.78, 6001), np.geomspace(1e-300, 1.0, 500), -np.geomspace(1e-300, 1.0, 500)]
    )
    out = np.empty_like(x)
    real_exponentials(x, out)
    with mpmath.workdps(40):
        # math.ulp knows subnormal numbers: there the unit is 5e-324.
        assert max(units_off(g, mpmath.exp(mpmath.mpf(float(v)))) for g, v in zip(out, x, strict=True)) <= 2.0
    edge = np.array([709.782712893384, 709.7827128933841, 745.0, 1e300, np.inf, -745.2, -1e300, -np.inf, -0.0, np.nan])
    real_exponentials(edge, out)
    np.testing.assert_array_equal(out[1:10], [np.inf] * 4 + [0.0] * 3 + [1.0, np.nan])
    assert np.isfinite(out[0])


def test_logarithm_of_positive_numbers() -> None:
    near_one = 1.0 + np.concatenate([np.geomspace(1e-15, 0.5, 1000), -np.geomspace(1e-15, 0.4, 1000)])
    x = np.concatenate([np.geomspace(1e-300, 1e300, 4000), near_one, np.arange(1.0, 3000.0), [1e4 + 1, 2.0**53]])
    out = np.empty_like(x)
    positive_logarithms(x, out)
    with mpmath.workdps(60):
        exact = [mpmath.log(mpmath.mpf(float(v))) for v in x]
        assert max(units_off(g, e) for g, e in zip(out, exact, strict=True) if e != 0) <= 2.0
    assert out[x == 1.0] == 0.0


def test_what_exp_leaves_beyond_its_tangent() -> None:
    r = np.concatenate([np.linspace(-NEAR, NEAR, 4000), np.geomspace(1e-140, NEAR, 500)])
    out = np.empty_like(r)
    remainders(r, out)
    with mpmath.workdps(400):
        exact = [mpmath.exp(x) - 1 - x for x in map(mpmath.mpf, map(float, r))]
        # The polynomial is best for exp as a whole, where its share vanishes with r; of itself it is good to 5e-15.
        assert max(abs(mpmath.mpf(float(g)) / e - 1) for g, e in zip(out, exact, strict=True) if e != 0) <= 5e-15


def test_what_is_not_a_number_stays_so() -> None:
    for loop in (exponentials, real_exponentials, logarithms, remainders):
        out = np.zeros(9)
        loop(np.full(9, np.nan), out)
        assert np.all(np.isnan(out))


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_blocks_are_rows_one_by_one(n: int) -> None:
    kernels = compile_rows(FAMILIES["bernoulli"].links["logit"].row)
    rng = np.random.default_rng(n)
    y, size, weights, eta = (rng.random(n) < 0.5) * 1.0, np.ones(n), rng.uniform(0.5, 2.0, n), rng.normal(0.0, 5.0, n)
    whole, single = np.empty((7, n)), np.empty((7, 1))
    kernels.derivatives(y, size, weights, eta, 1.0, whole)
    for i in range(n):
        one = slice(i, i + 1)
        kernels.derivatives(y[one], size[one], weights[one], eta[one], 1.0, single)
        np.testing.assert_allclose(whole[:, one], single, rtol=1e-15)
    slope = np.empty(n)
    value, _ = kernels.value_gradient(y, size, weights, eta, 1.0, slope)
    assert value == pytest.approx(whole[0].sum(), rel=1e-13)
    np.testing.assert_array_equal(slope, whole[1])
