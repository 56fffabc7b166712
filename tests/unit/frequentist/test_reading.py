"""The mixed model equations and the marginal covariance matrix of fits, against the fits themselves."""

from __future__ import annotations

import numpy as np
import pytest

import bayesglmm as bg

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def sleepstudy(method: str) -> bg.Fit:
    return bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy")).fit(method)


@pytest.mark.parametrize("method", ["ml", "reml"])
def test_blue_and_blup_solve_the_equations(method: str) -> None:
    fit = sleepstudy(method)
    equations = fit.mixed_model_equations()
    assert equations.matrix.shape == (38, 38)
    np.testing.assert_allclose(equations.solution[["Intercept", "days"]], fit.coefficients["estimate"], rtol=1e-9)
    modes = fit.modes.set_index("name")
    np.testing.assert_allclose(equations.solution[modes.index], modes["mode"], atol=1e-8)
    errors = np.sqrt(np.diagonal(equations.covariance))
    np.testing.assert_allclose(errors[:2], fit.coefficients["std_error"], rtol=1e-9)
    np.testing.assert_allclose(errors[2:], modes["std_error"], rtol=1e-9)


def test_pql_solves_those_of_its_working_response() -> None:
    model = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", bg.load_dataset("cbpp"), family="binomial")
    fit = model.fit("pql")
    solution = fit.mixed_model_equations().solution
    np.testing.assert_allclose(solution[list(fit.coefficients.index)], fit.coefficients["estimate"], atol=1e-7)
    np.testing.assert_allclose(solution[fit.modes["name"]], fit.modes["mode"], atol=1e-7)
    with pytest.raises(bg.SpecificationError, match="by method 'laplace' solve no mixed model equations"):
        model.fit("laplace").mixed_model_equations()


def test_a_variance_of_zero_has_no_equations() -> None:
    data = bg.load_dataset("dyestuff")
    data["yield"] = data["yield"] - data.groupby("batch", observed=True)["yield"].transform("mean")
    with pytest.raises(bg.FitError, match="covariance matrix of the effects of batch has no inverse"):
        bg.GLMM("yield ~ 1 + (1 | batch)", data).fit("reml").mixed_model_equations()


def test_marginal_covariance_as_a_whole_and_by_group() -> None:
    fit = sleepstudy("reml")
    V = fit.marginal_covariance()
    blocks = fit.marginal_covariance("subject")
    assert isinstance(blocks, dict)
    assert list(blocks) == list(fit.design.groups[0].factor.levels)
    components = fit.variance_components["estimate"]
    s0, s1, sigma = components[["sd(subject, Intercept)", "sd(subject, days)", "sigma"]]
    r = components["cor(subject, Intercept, days)"]
    for block in blocks.values():
        days = np.arange(10.0)
        expected = s0**2 + r * s0 * s1 * (days[:, None] + days) + s1**2 * np.outer(days, days) + sigma**2 * np.eye(10)
        np.testing.assert_allclose(block, expected, rtol=1e-10)
        np.testing.assert_allclose(V.loc[block.index, block.index], block)
    assert np.count_nonzero(V) == 18 * 100
    # Generalised least squares with V are the coefficients, and its criterion the log-likelihood of REML.
    X, y, W = fit.design.X, fit.design.y, np.linalg.inv(V)
    beta = np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
    np.testing.assert_allclose(beta, fit.coefficients["estimate"], rtol=1e-9)


def test_marginal_covariance_that_does_not_exist_is_refused() -> None:
    fit = sleepstudy("ml")
    with pytest.raises(bg.SpecificationError, match=r"'subjct' is no grouping factor.*Did you mean 'subject'"):
        fit.marginal_covariance("subjct")
    cbpp = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", bg.load_dataset("cbpp"), family="binomial")
    with pytest.raises(bg.SpecificationError, match="binomial with the logit link"):
        cbpp.fit().marginal_covariance()
