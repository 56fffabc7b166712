"""Simulation from the prior: shapes, moments, repeatability, and what cannot be drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.posteriors import quiet_model

import bayesglmm as bg

N = 4000


def draws_of(model: bg.GLMM, seed: int = 1, draws: int = N):
    return model.prior_predictive(draws, seed=seed)["prior"].to_dataset()


def test_groups_have_the_posteriors_names_and_dimensions(sleepstudy_model, sleepstudy_posterior):
    tree = sleepstudy_model.prior_predictive(50, seed=1)
    assert tuple(tree.children) == ("prior", "prior_predictive", "observed_data")
    prior, posterior = tree["prior"].to_dataset(), sleepstudy_posterior.tree["posterior"].to_dataset()
    assert set(prior.data_vars) == set(posterior.data_vars)
    for name, variable in prior.data_vars.items():
        assert variable.dims == posterior[name].dims
        assert variable.shape == (1, 50, *posterior[name].shape[2:])
        for dim in variable.dims[2:]:
            np.testing.assert_array_equal(prior[dim], posterior[dim])
    assert tree["prior_predictive"]["reaction"].dims == ("chain", "draw", "row")
    np.testing.assert_array_equal(tree["observed_data"]["reaction"], sleepstudy_model.design.y)
    assert tree.attrs["seed"] == 1
    assert tree.attrs["data_fingerprint"] == sleepstudy_model.design.fingerprint


def test_coefficients_have_their_priors_moments():
    priors = {"beta": ("Normal", {"mu": 1, "sigma": 2}), "x1": ("Uniform", {"lower": -1, "upper": 2})}
    beta = draws_of(quiet_model("normal ~ x0 + x1", priors=priors))["beta"].values[0]
    for k, expected in enumerate([stats.norm(1, 2), stats.norm(1, 2), stats.uniform(-1, 3)]):
        assert stats.kstest(beta[:, k], expected.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(beta.T) - np.eye(3)).max() < 0.07


def test_a_centred_intercept_has_its_prior_at_the_columns_means():
    model = quiet_model("normal ~ x0 + positive")
    beta = draws_of(model)["beta"].values[0]
    prior = model.parameters.coefficients[0]
    at_means = beta[:, 0] + beta[:, 1:] @ model.design.X[:, 1:].mean(axis=0)
    assert stats.kstest(at_means, stats.norm(prior.params["mu"], prior.params["sigma"]).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("on", "power"), [("sd", 1.0), ("variance", 2.0), ("precision", -2.0)])
def test_a_scales_prior_is_where_it_was_put(on, power):
    prior = {"dist": "Gamma", "alpha": 3, "beta": 2, "on": on}
    draws = draws_of(quiet_model("normal ~ 1 + (1 | a)", priors={"sd(a)": prior, "sigma": prior}))
    for name in ("sd_a", "sigma"):
        assert stats.kstest(draws[name].values[0] ** power, stats.gamma(3, 0, 0.5).cdf).pvalue > 1e-3


def test_group_effects_have_the_covariance_that_was_drawn():
    model = quiet_model("normal ~ 1 + (1 + x0 | a)", priors={"cor(a)": ("LKJ", {"eta": 2})})
    draws = draws_of(model)
    sd, cor, u = draws["sd_a"].values[0], draws["cor_a"].values[0, :, 0], draws["u_a"].values[0]
    assert stats.kstest((cor + 1) / 2, stats.beta(2, 2).cdf).pvalue > 1e-3
    z = u / sd[:, None, :]
    assert abs(z.var(axis=(0, 1)) - 1).max() < 0.05
    rotated = (z[..., 1] - cor[:, None] * z[..., 0]) / np.sqrt(1 - cor[:, None] ** 2)
    assert abs(np.mean(rotated * z[..., 0])) < 0.03
    assert abs(rotated.var() - 1) < 0.05


def test_responses_are_the_familys_at_the_parameters_drawn():
    priors = {"Intercept": ("Normal", {"mu": 1, "sigma": 0.001}), "sd(a)": ("HalfNormal", {"sigma": 0.001})}
    model = quiet_model("count ~ 1 + offset(log(exposure)) + (1 | a)", family="poisson", priors=priors)
    counts = model.prior_predictive(N, seed=5)["prior_predictive"]["count"].values[0]
    mu = np.exp(1.0 + model.design.offset)
    assert np.abs((counts.mean(axis=0) - mu) / np.sqrt(mu / N)).max() < 4.5
    np.testing.assert_allclose(counts.var(axis=0), mu, rtol=0.15)


def test_group_effects_reach_the_rows_of_their_level():
    priors = {"Intercept": ("Normal", {"sigma": 0.01}), "sigma": ("HalfNormal", {"sigma": 0.01})}
    model = quiet_model("normal ~ 1 + (1 | a) + (0 + x0 | b)", priors=priors)
    tree = model.prior_predictive(20, seed=5)
    draws = tree["prior"].to_dataset()
    a, b = model.design.groups
    eta = draws["u_a"].values[0][:, a.codes] + draws["u_b"].values[0][:, b.codes] * b.slopes[0]
    assert np.abs(tree["prior_predictive"]["normal"].values[0] - eta).max() < 0.1


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("normal ~ 0 + (1 | a)", {}),
        ("normal ~ x0", {}),
        ("normal | se(positive) ~ x0 + (1 | a)", {}),
        ("successes | trials(trials) ~ x0 + (1 + x1 || a)", {"family": "binomial"}),
        ("success ~ 0 + cell", {"family": "bernoulli"}),
        ("count ~ 0 + offset(log(exposure)) + (1 | a)", {"family": "poisson"}),
    ],
)
def test_every_kind_of_model(formula, options):
    model = quiet_model(formula, **options)
    values = next(iter(model.prior_predictive(10, seed=1)["prior_predictive"].to_dataset().data_vars.values()))
    assert values.shape == (1, 10, 40)
    assert np.isfinite(values).all()
    assert not model.design.family.violations(values.values.ravel(), np.tile(model.design.size, 10))


def test_heavy_tails_are_drawn_without_a_warning():
    model = quiet_model("count ~ x0", family="poisson", priors={"beta": ("Cauchy", {"alpha": 0, "beta": 10})})
    assert model.prior_predictive(300, seed=1)["prior_predictive"]["count"].shape == (1, 300, 40)


def test_seeds_repeat_and_differ(sleepstudy_model):
    first, again, other = (sleepstudy_model.prior_predictive(5, seed=s) for s in (1, 1, 2))
    assert first["prior_predictive"].to_dataset().equals(again["prior_predictive"].to_dataset())
    assert not first["prior"].to_dataset().equals(other["prior"].to_dataset())
    assert sleepstudy_model.prior_predictive(2).attrs["seed"] != sleepstudy_model.prior_predictive(2).attrs["seed"]


def test_flat_priors_are_refused_by_name():
    flat = {"x0": ("Flat", {}), "sd(a)": ("HalfFlat", {}), "sigma": {"dist": "Flat"}}
    with pytest.raises(bg.NotAvailableError) as caught:
        quiet_model("normal ~ x0 + (1 | a)", priors=flat).prior_predictive()
    assert str(caught.value) == (
        "nothing can be drawn from the flat prior of x0, sd(a), sigma: it is not a probability distribution. Give a "
        "proper one, for instance Normal for a coefficient, HalfNormal for a standard deviation."
    )


@pytest.mark.parametrize("draws", [0, -1, 2.5, True, "10", None])
def test_a_number_of_draws_out_of_range(sleepstudy_model, draws):
    with pytest.raises(bg.SpecificationError, match=r"draws: .* is not a whole number of at least 1; give one\."):
        sleepstudy_model.prior_predictive(draws)


def test_a_seed_out_of_range(sleepstudy_model):
    with pytest.raises(bg.SpecificationError, match=r"seed: -1 is not a whole number from 0"):
        sleepstudy_model.prior_predictive(5, seed=-1)
