"""(D L)^-1, the whitening of residuals with standard deviations by row: against dense factors, and differences."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from support.residuals import SCALES, STRUCTURES, correlation_point, dense_correlation, dense_sds, make_visits

import bayesglmm as bg
from bayesglmm.engine.correlated import CorrelatedMixed

W = np.array([0.3, -0.4])


def mixed_of(residual: str) -> CorrelatedMixed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CorrelatedMixed.of(bg.GLMM("y ~ x", make_visits(), residual=residual, dispersion=SCALES).design)


def point(mixed: CorrelatedMixed) -> np.ndarray:
    return np.concatenate([W, correlation_point(mixed.design)])


@pytest.mark.parametrize("residual", STRUCTURES)
def test_it_is_the_inverse_cholesky_factor(residual):
    mixed = mixed_of(residual)
    x = point(mixed)
    at, order = mixed.whitening(x), mixed.rows.order
    d = dense_sds(make_visits(), W)
    V = (np.outer(d, d) * dense_correlation(mixed.design, x[2:]))[np.ix_(order, order)]
    L = np.linalg.cholesky(V)
    e = np.random.default_rng(7).normal(size=(len(d), 3))
    np.testing.assert_allclose(at.columns(e), np.linalg.solve(L, e), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(at.times(e), L @ e, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(at.sds, np.diagonal(L), rtol=1e-12)
    np.testing.assert_allclose(at.log_determinant, np.linalg.slogdet(V)[1], rtol=1e-10)
    for group, (a, b) in enumerate(itertools.pairwise(mixed.rows.starts)):
        np.testing.assert_allclose(at.matrix(group), V[a:b, a:b], rtol=1e-12)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_derivatives_are_those_of_differences(residual):
    mixed = mixed_of(residual)
    x = point(mixed)
    at = mixed.whitening(x)
    e, g = np.random.default_rng(8).normal(size=(2, mixed.design.n_rows, 3))
    steps = 1e-5 * np.eye(len(x))

    def slopes(f) -> np.ndarray:
        return np.array([(f(mixed.whitening(x + s)) - f(mixed.whitening(x - s))) / 2e-5 for s in steps])

    # Differences of order h^2 are good to about 1e-9 of what they are of.
    expected = slopes(lambda w: float((g * w.columns(e)).sum()))
    np.testing.assert_allclose(at.pull_back(e, g), expected, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(at.log_determinant_gradient(), slopes(lambda w: w.log_determinant), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(at.jacobian, slopes(lambda w: w.correlations).T, rtol=1e-7, atol=1e-9)


def test_relative_scales_multiply_back():
    design = mixed_of("cs(week | patient)").design
    scales = design.residual_scales
    np.testing.assert_allclose(np.exp(scales.relative_to(2.5).logs(W)) * 2.5, np.exp(scales.logs(W)), rtol=1e-14)
    # A known part cannot be undone by the columns: what is nearest to 1 has logarithms that add up to 0 with them.
    np.testing.assert_allclose(scales.columns @ scales.logs(scales.start()), 0.0, atol=1e-12)
    U = scales.units()
    np.testing.assert_allclose(U @ U.T, np.linalg.inv(2.0 * scales.columns @ scales.columns.T), rtol=1e-10)
