"""The joint density of models with a residual structure: against PyMC graph, source, and a dense normal density."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from support.graph_point import graph_density, graph_value
from support.residuals import STRUCTURES, dense_correlation, make_visits

import bayesglmm as bg
from bayesglmm.density import JointDensity
from bayesglmm.pymc_model import build_pymc_model

FORMULA = "y ~ x + (1 + x | clinic)"


def density_of(residual: str, formula: str = FORMULA, **options) -> JointDensity:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bg.GLMM(formula, make_visits(), residual=residual, **options)
    return JointDensity.of(model.design, model.parameters)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_same_density_and_gradient_as_the_graph(residual):
    priors = {"cor(residual)": ("LKJ", {"eta": 2.5}), "sigma": ("Gamma", {"alpha": 2.5, "beta": 0.5})}
    density = density_of(residual, priors=priors)
    graph = graph_density(build_pymc_model(density.design, density.parameters), density)
    compiled = density.evaluator()
    rng = np.random.default_rng(3)
    for spread in (0.3, 0.6, 0.9):
        x = spread * rng.normal(size=density.size)
        value, gradient = compiled(x)
        expected, expected_gradient = graph(x)
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        tolerance = 1e-12 * np.abs(expected_gradient).max()
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-10, atol=tolerance)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_rows_have_a_multivariate_normal_density(residual):
    density = density_of(residual)
    design = density.design
    rng = np.random.default_rng(5)
    # Everything but the rows is the same for another response.
    other = JointDensity.of(design.with_response(rng.normal(size=design.n_rows)), density.parameters)
    for _ in range(2):
        x = 0.4 * rng.normal(size=density.size)
        natural = density.natural(x)
        effects = zip(design.groups, natural.u, strict=True)
        eta = design.X @ natural.beta + sum(np.einsum("kn,nk->n", g.columns(), u[g.codes]) for g, u in effects)
        V = natural.family[0] ** 2 * dense_correlation(design, natural.family[1:])
        rows = stats.multivariate_normal(eta, V)
        np.testing.assert_allclose(
            density(x) - other(x), rows.logpdf(design.y) - rows.logpdf(other.design.y), rtol=1e-9
        )


@pytest.mark.parametrize("residual", ["ar1(week | patient)", "cs(1 | patient)", "us(week | patient)"])
def test_source_builds_the_same_model(residual):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bg.GLMM("y ~ x + (1 | clinic)", make_visits(), residual=residual)
    density = JointDensity.of(model.design, model.parameters)
    space: dict = {}
    exec(model.to_pymc_code(), space)
    x = 0.4 * np.random.default_rng(1).normal(size=density.size)
    np.testing.assert_allclose(graph_value(space["model"], density, x), density(x), rtol=1e-10)


def test_a_singular_correlation_matrix_has_no_density():
    density = density_of("us(week | patient)")
    x = np.zeros(density.size)
    x[density.layout.family.stop - 1] = 1e12
    value, gradient = density.evaluator()(x)
    assert not np.isfinite(value) or np.isfinite(gradient).all()
