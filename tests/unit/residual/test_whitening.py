"""L^-1 of every residual structure against dense Cholesky factors, its derivatives against differences."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from support.residuals import STRUCTURES, dense_correlation, make_visits

import bayesglmm as bg
from bayesglmm.residual import structure_of
from bayesglmm.residual.draws import coordinate_draws, correlation_draws

RNG = np.random.default_rng(7)


def design_of(residual: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bg.GLMM("y ~ x", make_visits(), residual=residual).design


def whitening_of(design, x):
    return structure_of(design.residual).whitening(design.residual, x)


def coordinates(design, spread: float = 0.7) -> np.ndarray:
    return spread * np.random.default_rng(11).normal(size=design.n_residual)


def in_order(design, columns: np.ndarray) -> np.ndarray:
    return design.residual.sorted(columns)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_whitening_is_the_inverse_cholesky_factor(residual):
    design = design_of(residual)
    at = whitening_of(design, coordinates(design))
    order = design.residual.order
    R = dense_correlation(design, coordinates(design))[np.ix_(order, order)]
    L = np.linalg.cholesky(R)
    e = RNG.normal(size=(design.n_rows, 3))
    np.testing.assert_allclose(at.columns(e), np.linalg.solve(L, e), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(at.times(e), L @ e, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(at.sds, np.diagonal(L), rtol=1e-12)
    np.testing.assert_allclose(at.log_determinant, np.linalg.slogdet(R)[1], rtol=1e-10)
    starts = design.residual.starts
    for group, (a, b) in enumerate(itertools.pairwise(starts)):
        np.testing.assert_allclose(at.matrix(group), R[a:b, a:b], rtol=1e-12)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_derivatives_are_those_of_differences(residual):
    design = design_of(residual)
    x = coordinates(design)
    e, g = RNG.normal(size=(2, design.n_rows, 3))

    def slopes(f) -> np.ndarray:
        h = 1e-5
        steps = h * np.eye(len(x))
        return np.array([(f(x + s) - f(x - s)) / (2.0 * h) for s in steps])

    at = whitening_of(design, x)
    # Differences of order h^2 are good to about 1e-9 of what they are of.
    expected = slopes(lambda v: float((g * whitening_of(design, v).columns(e)).sum()))
    np.testing.assert_allclose(at.pull_back(e, g), expected, rtol=1e-7, atol=1e-7)
    expected = slopes(lambda v: whitening_of(design, v).log_determinant)
    np.testing.assert_allclose(at.log_determinant_gradient(), expected, rtol=1e-7, atol=1e-7)
    expected = slopes(lambda v: whitening_of(design, v).correlations).T
    np.testing.assert_allclose(at.jacobian, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_draws_of_correlations_and_back(residual):
    design = design_of(residual)
    x = 0.7 * RNG.normal(size=(5, design.n_residual))
    rows = design.residual
    draws = correlation_draws(rows, x)
    stored = draws[(..., *np.tril_indices(draws.shape[-1], -1))] if rows.patterned else draws
    at = [whitening_of(design, one).correlations for one in x]
    np.testing.assert_allclose(stored.reshape(5, -1), at, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(coordinate_draws(rows, stored), x, rtol=1e-9, atol=1e-10)


def test_rows_need_not_be_sorted():
    data = make_visits()
    shuffled = data.sample(frac=1.0, random_state=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [bg.GLMM("y ~ x", d, residual="ar1(week | patient)").fit("reml") for d in (data, shuffled)]
    np.testing.assert_allclose(fits[0].loglik, fits[1].loglik, rtol=1e-11)


def test_compound_symmetry_reaches_below_zero_as_far_as_its_largest_group_lets_it():
    design = design_of("cs(week | patient)")
    q = design.residual.largest
    assert structure_of(design.residual).lower(design.residual) == -1.0 / (q - 1)
    at = whitening_of(design, np.array([-12.0]))
    largest = int(np.argmax(np.diff(design.residual.starts)))
    assert 0.0 < np.linalg.eigvalsh(at.matrix(largest))[0] < 1e-4
    assert np.isfinite(at.log_determinant)


@pytest.mark.parametrize("residual", ["ar1(week | patient)", "car1(day | patient)"])
def test_near_one_no_digits_are_lost(residual):
    """s of a row with a gap of 1 (ar1) is sqrt(1 - rho^2) = sqrt((1 - rho)(1 + rho)), 1 - rho from the coordinate."""
    design = design_of(residual)
    x = 30.0
    at = whitening_of(design, np.array([x]))
    width = 1.0 - structure_of(design.residual).lower(design.residual)
    rest = width / (1.0 + np.exp(x))
    gaps = design.residual.gaps
    later = gaps > 0.0
    # 1 - rho^(2 gap) = 2 gap (1 - rho) up to (1 - rho)^2, which is 1e-26.
    np.testing.assert_allclose(at.sds[later] ** 2, 2.0 * gaps[later] * rest, rtol=1e-10)
