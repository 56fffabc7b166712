"""The joint density with correlated residuals and a dispersion formula: PyMC graph, source, dense normal density."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from support.graph_point import graph_density, graph_value
from support.residuals import SCALES, STRUCTURES, dense_correlation, dense_sds, make_visits

import bayesglmm as bg
from bayesglmm.density import JointDensity
from bayesglmm.density.residual_likelihood import compile_residual_pass
from bayesglmm.pymc_model import build_pymc_model


def model_of(residual: str, formula: str = "y ~ x + (1 + x | clinic)", **options) -> bg.GLMM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bg.GLMM(formula, make_visits(), residual=residual, dispersion=SCALES, **options)


def density_of(residual: str, **options) -> JointDensity:
    model = model_of(residual, **options)
    return JointDensity.of(model.design, model.parameters)


@pytest.mark.parametrize("residual", STRUCTURES)
def test_same_density_and_gradient_as_the_graph(residual):
    priors = {"cor(residual)": ("LKJ", {"eta": 2.5}), "log_sigma[x]": ("StudentT", {"nu": 4, "mu": 0.2, "sigma": 0.7})}
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
        d = dense_sds(make_visits(), natural.family[:2])
        rows = stats.multivariate_normal(eta, np.outer(d, d) * dense_correlation(design, natural.family[2:]))
        np.testing.assert_allclose(
            density(x) - other(x), rows.logpdf(design.y) - rows.logpdf(other.design.y), rtol=1e-9
        )


@pytest.mark.parametrize("residual", ["ar1(week | patient)", "cs(1 | patient)", "us(week | patient)"])
def test_source_builds_the_same_model(residual):
    model = model_of(residual, "y ~ x + (1 | clinic)")
    density = JointDensity.of(model.design, model.parameters)
    space: dict = {}
    exec(model.to_pymc_code(), space)
    x = 0.4 * np.random.default_rng(1).normal(size=density.size)
    np.testing.assert_allclose(graph_value(space["model"], density, x), density(x), rtol=1e-10)


@pytest.mark.parametrize("residual", ["car1(day | patient)", "us(week | patient)"])
def test_one_value_for_all_rows_is_the_pass_with_one_sigma(residual):
    """log sigma at the same value, one prior: densities differ by the Jacobian of log sigma and by the priors alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = bg.GLMM("y ~ x", make_visits(), residual=residual)
        formula = bg.GLMM("y ~ x", make_visits(), residual=residual, dispersion="~ 1")
    densities = [JointDensity.of(m.design, m.parameters) for m in (plain, formula)]
    assert densities[0].row_likelihood.row_pass is compile_residual_pass()
    rng = np.random.default_rng(4)
    y = rng.normal(size=plain.design.n_rows)
    others = [JointDensity.of(m.design.with_response(y), m.parameters) for m in (plain, formula)]
    for _ in range(3):
        x = 0.5 * rng.normal(size=densities[0].size)
        gaps = [one(x) - other(x) for one, other in zip(densities, others, strict=True)]
        np.testing.assert_allclose(gaps[0], gaps[1], rtol=1e-11)
