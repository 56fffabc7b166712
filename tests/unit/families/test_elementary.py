"""The polynomials that stand in for exp and log1p, against mpmath; rows of a whole block are what single rows are."""

from __future__ import annotations

import math

import mpmath
import numba
import numpy as np
import pytest

from bayesglmm.families import FAMILIES, compile_rows
from bayesglmm.families.elementary import exp_nonpositive, log1p_unit


@numba.njit
def exponentials(x, out):
    for i in range(len(x)):
        out[i] = exp_nonpositive(x[i])


@numba.njit
def logarithms(x, out):
    for i in range(len(x)):
        out[i] = log1p_unit(x[i])


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
