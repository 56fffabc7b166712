"""Log-likelihood of every row and log prior of every parameter against SciPy; the memory they may take."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from support.posteriors import made_posterior, quiet_model

import bayesglmm as bg
from bayesglmm.bayes import predictor

FAMILIES = {
    "gaussian": ("normal ~ x0 + (1 + x1 | a)", {}),
    "gaussian with known errors": ("normal | se(positive) ~ x0 + (1 | a)", {}),
    "gaussian, weighted": ("normal ~ x0 + (1 | a)", {"weights": "positive"}),
    "bernoulli": ("success ~ 0 + cell + (0 + x1 | b)", {"family": "bernoulli"}),
    "binomial": ("successes | trials(trials) ~ x0 + (1 + x2 || c)", {"family": "binomial", "link": "cloglog"}),
    "poisson": ("count ~ x0 + offset(log(exposure)) + (1 | a) + (1 | d:e)", {"family": "poisson"}),
    "nothing but an offset": ("count ~ 0 + offset(log(exposure)) + (1 | a)", {"family": "poisson"}),
}


def linear_predictor(model: bg.GLMM, draws) -> np.ndarray:
    """Return eta (chains, draws, rows) from the draws, one row at a time."""
    design = model.design
    eta = np.zeros((draws.sizes["chain"], draws.sizes["draw"], design.n_rows))
    for i in range(design.n_rows):
        eta[..., i] = design.offset[i]
        for k in range(len(design.coefficients)):
            eta[..., i] += design.X[i, k] * draws["beta"].values[..., k]
        for group in design.groups:
            u = draws[f"u_{group.label}"].values[:, :, group.codes[i]]
            for k, column in enumerate(group.columns()):
                eta[..., i] += column[i] * (u if group.n_effects == 1 else u[..., k])
    return eta


def scipy_log_likelihood(model: bg.GLMM, draws) -> np.ndarray:
    design, eta = model.design, linear_predictor(model, draws)
    y, size = design.y, design.size
    match model.spec.family, model.spec.link:
        case "gaussian", _:
            sigma = draws["sigma"].values[..., None] if "sigma" in draws else 1.0
            values = stats.norm.logpdf(y, eta, sigma * size)
        case "bernoulli", _:
            values = stats.bernoulli.logpmf(y, special.expit(eta))
        case "binomial", _:
            # Through logarithms: where p rounds to 1, SciPy's binomial is -inf.
            values = y * np.log(-np.expm1(-np.exp(eta))) - (size - y) * np.exp(eta) + np.log(special.binom(size, y))
        case _:
            values = stats.poisson.logpmf(y, np.exp(eta))
    return design.weights * values


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    formula, options = FAMILIES[request.param]
    model = quiet_model(formula, **options)
    return model, made_posterior(model, chains=2, draws=7)


def test_log_likelihood_is_scipys(case):
    model, posterior = case
    tree = posterior.with_log_likelihood().tree
    found = tree["log_likelihood"].to_dataset()
    assert list(found.data_vars) == list(tree["observed_data"].to_dataset().data_vars)
    assert next(iter(found.data_vars.values())).dims == ("chain", "draw", "row")
    expected = scipy_log_likelihood(model, tree["posterior"].to_dataset())
    np.testing.assert_allclose(next(iter(found.data_vars.values())), expected, rtol=1e-8, atol=1e-10)


def test_chunks_give_the_same_figures(case, monkeypatch):
    _, posterior = case
    whole = posterior.with_log_likelihood().with_posterior_predictive(seed=1).tree
    monkeypatch.setattr(predictor, "_CHUNK_BYTES", 8 * 40 * 3)  # three draws of 40 rows
    assert len(list(predictor.linear_predictor_chunks(posterior))) == 5
    parts = posterior.with_log_likelihood().with_posterior_predictive(seed=1).tree
    for group in ("log_likelihood", "posterior_predictive"):
        assert parts[group].to_dataset().equals(whole[group].to_dataset())


def test_a_chunk_is_at_least_a_draw(case, monkeypatch):
    _, posterior = case
    monkeypatch.setattr(predictor, "_CHUNK_BYTES", 1)
    assert [part for part, _, _ in predictor.linear_predictor_chunks(posterior)][:2] == [slice(0, 1), slice(1, 2)]


def test_adding_groups_changes_nothing(case):
    _, posterior = case
    before = list(posterior.tree.children)
    added = posterior.with_log_likelihood()
    assert list(posterior.tree.children) == before
    assert list(added.tree.children) == [*before, "log_likelihood"]
    assert added.tree.attrs == posterior.tree.attrs
    assert added.tree["posterior"].to_dataset().equals(posterior.tree["posterior"].to_dataset())


@pytest.mark.parametrize("verb", ["with_log_likelihood", "with_posterior_predictive"])
def test_too_large_a_group_is_refused_with_its_size(case, verb):
    _, posterior = case
    needed = 2 * 7 * 40 * 8
    assert getattr(posterior, verb)(memory=needed)
    with pytest.raises(bg.SamplingError) as caught:
        getattr(posterior, verb)(memory=needed - 1)
    words = "would take 4.48e-06 GB (2 chains x 7 draws x 40 rows x 8 bytes)"
    assert words in str(caught.value)
    assert f"Allow more with memory={needed}, or sample fewer draws." in str(caught.value)


PRIORS = {
    "Normal": (("Normal", {"mu": 1, "sigma": 2}), stats.norm(1, 2)),
    "StudentT": (("StudentT", {"nu": 3, "mu": 1, "sigma": 2}), stats.t(3, 1, 2)),
    "Cauchy": (("Cauchy", {"alpha": 1, "beta": 2}), stats.cauchy(1, 2)),
    "HalfNormal": (("HalfNormal", {"sigma": 2}), stats.halfnorm(0, 2)),
    "HalfCauchy": (("HalfCauchy", {"beta": 2}), stats.halfcauchy(0, 2)),
    "Exponential": (("Exponential", {"lam": 2}), stats.expon(0, 0.5)),
    "Gamma": (("Gamma", {"alpha": 2, "beta": 3}), stats.gamma(2, 0, 1 / 3)),
    "InverseGamma": (("InverseGamma", {"alpha": 2, "beta": 3}), stats.invgamma(2, 0, 3)),
    "Uniform": (("Uniform", {"lower": 0, "upper": 9}), stats.uniform(0, 9)),
}
FOR_COEFFICIENTS = ("Normal", "StudentT", "Cauchy")


@pytest.mark.parametrize("name", FOR_COEFFICIENTS)
def test_log_prior_of_coefficients_is_scipys(name):
    given, scipy_prior = PRIORS[name]
    tree = made_posterior(quiet_model("normal ~ x0", priors={"beta": given}), chains=2, draws=5).with_log_prior().tree
    np.testing.assert_allclose(tree["log_prior"]["beta"], scipy_prior.logpdf(tree["posterior"]["beta"]), rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in PRIORS if n not in FOR_COEFFICIENTS])
@pytest.mark.parametrize("on", ["sd", "variance", "precision"])
def test_log_prior_of_scales_is_scipys(name, on):
    given, scipy_prior = PRIORS[name]
    words = {"dist": given[0], **given[1], "on": on}
    model = quiet_model("normal ~ x0 + (1 | a) + (1 + x1 || b)", priors={"sd": words, "sigma": words})
    tree = made_posterior(model, chains=2, draws=5).with_log_prior().tree
    draws, found = tree["posterior"].to_dataset(), tree["log_prior"].to_dataset()
    power = {"sd": 1, "variance": 2, "precision": -2}[on]
    for variable in ("sd_a", "sd_b", "sigma"):
        assert found[variable].dims == draws[variable].dims
        expected = scipy_prior.logpdf(draws[variable].values ** float(power))
        np.testing.assert_allclose(found[variable], expected, rtol=1e-9)


def test_log_prior_of_a_centred_intercept_is_that_at_the_columns_means():
    model = quiet_model("normal ~ x0 + (1 + x1 + x2 | a)")
    tree = made_posterior(model, chains=1, draws=6).with_log_prior().tree
    draws, found = tree["posterior"].to_dataset(), tree["log_prior"].to_dataset()
    assert model.parameters.centered
    prior = model.parameters.coefficients[0]
    at_means = draws["beta"].values[..., 0] + model.design.X[:, 1].mean() * draws["beta"].values[..., 1]
    expected = stats.norm(prior.params["mu"], prior.params["sigma"]).logpdf(at_means)
    np.testing.assert_allclose(found["beta"].values[..., 0], expected, rtol=1e-9)


@pytest.mark.parametrize("eta", [0.5, 1.0, 4.0])
def test_log_prior_of_correlations_is_lkjs_up_to_a_constant(eta):
    model = quiet_model("normal ~ 1 + (1 + x1 + x2 | a)", priors={"cor(a)": ("LKJ", {"eta": eta})})
    tree = made_posterior(model, chains=1, draws=6).with_log_prior().tree
    lower = tree["posterior"]["cor_a"].values[0]
    for draw, (r, s, t) in enumerate(lower):
        determinant = np.linalg.det(np.array([[1, r, s], [r, 1, t], [s, t, 1]]))
        assert tree["log_prior"]["cor_a"].values[0, draw] == pytest.approx((eta - 1) * np.log(determinant), abs=1e-9)
