"""Sampling with a residual structure: converges in preconditioned coordinates, agrees with REML and quadrature."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from scipy import stats
from support.residuals import STRUCTURES, dense_correlation, make_visits

import bayesglmm as bg
from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.bayes.verify import verify_draws
from bayesglmm.density import JointDensity
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.engine.penalised import PenalisedMarginal
from bayesglmm.errors import NotAvailableError

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FLAT = {"beta": ("Flat", {}), "sigma": ("HalfFlat", {}), "cor(residual)": ("LKJ", {"eta": 1.0})}


@cache
def model_of(problem: str) -> bg.GLMM:
    if problem == "ovary":
        formula = "follicles ~ sine + cosine + (1 + sine || mare)"
        return bg.GLMM(formula, bg.load_dataset("ovary"), residual="ar1(day | mare)")
    data = bg.load_dataset("orthodont")
    data["visit"] = (data["age"] - 6) // 2
    residual = {"cs": "cs(1 | subject)", "us": "us(age | subject)", "ar1": "ar1(visit | subject)"}[problem]
    return bg.GLMM("distance ~ age * sex", data, residual=residual)


@cache
def posterior_of(problem: str) -> bg.Posterior:
    return model_of(problem).sample(seed=1, progress=False)


@pytest.mark.parametrize("problem", ["ovary", "us", "cs", "ar1"])
def test_converges_at_default_settings(problem):
    posterior = posterior_of(problem)
    assert posterior.check().status.value == "converged"
    assert posterior.tree["sample_stats"].attrs["sampler_coordinates"].startswith("penalised fit")


@pytest.mark.parametrize("residual", STRUCTURES)
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 + x | patient) + (1 | clinic)"])
def test_penalised_fit_has_an_exact_gradient_and_the_joint_density_integrated(residual, formula):
    model = bg.GLMM(formula, make_visits(), residual=residual)
    penalised = PenalisedMarginal.of(model.design, model.parameters)
    s = 0.4 * np.random.default_rng(2).normal(size=penalised.size)
    at = penalised(s)
    h = 1e-5
    steps = h * np.eye(len(s))
    slopes = [(penalised(s + d).value - penalised(s - d).value) / (2.0 * h) for d in steps]
    np.testing.assert_allclose(at.gradient, slopes, rtol=1e-6, atol=1e-6)

    # The response given the head, group effects integrated out, is normal.
    design, values = model.design, at.head.values
    layout = penalised.layout
    sigma, x = values[layout.family][0], values[layout.family][1:]
    V = sigma**2 * dense_correlation(design, x)
    for group, Lambda in zip(design.groups, at.head.Lambda, strict=True):
        columns, codes = group.columns(), group.codes
        V += (codes[:, None] == codes) * (columns.T @ Lambda @ Lambda.T @ columns)
    expected = stats.multivariate_normal(design.X @ values[: layout.n_coefficients], V).logpdf(design.y)
    np.testing.assert_allclose(at.evaluation.value, expected, rtol=1e-9)


def test_group_effects_are_not_integrated_out():
    model = model_of("ovary")
    density = JointDensity.of(model.design, model.parameters)
    assert "penalised fit" in choose_target(density).coordinates
    with pytest.raises(NotAvailableError, match=r"ar1\(day \| mare\)"):
        GaussianMarginal.of(model.design, model.parameters)


def test_residual_groups_across_a_factor_are_sampled_without_the_map():
    data = make_visits()
    data["rater"] = np.arange(len(data)) % 3
    posterior = bg.GLMM("y ~ x + (1 | rater)", data, residual="ar1(week | patient)").sample(
        draws=200, chains=2, tune=300, seed=1, progress=False
    )
    attributes = posterior.tree["sample_stats"].attrs
    assert attributes["sampler_fallback"] == "residuals correlate across levels of a grouping factor"
    assert posterior.summary().loc["cor(residual)", "r_hat"] < 1.05


def test_flat_priors_agree_with_reml():
    """With flat priors of beta and sigma and rho uniform the posterior of (sigma, rho) is REML's likelihood.

    Its mean differs from REML's maximum by the skewness of a posterior of 27 children: 0.24 of its sd for sigma, 0.07
    for rho. Coefficients have no skewness and agree within Monte Carlo error and a twentieth.
    """
    data = bg.load_dataset("orthodont")
    model = bg.GLMM("distance ~ age * sex", data, residual="cs(1 | subject)", priors=FLAT)
    found = model.sample(draws=2000, seed=3, progress=False).tidy().set_index("name")
    reml = model.fit("reml").tidy().set_index("name")
    off = (found["estimate"] - reml["estimate"]) / found["std_error"]
    for name in model.design.coefficients:
        assert abs(off[name]) < 0.05 + 4.0 * found.loc[name, "mcse_mean"] / found.loc[name, "std_error"]
    assert abs(off["sigma"]) < 0.35
    assert abs(off["cor(residual)"]) < 0.25


def test_posterior_of_rho_is_that_of_quadrature():
    """cs without covariates, flat priors: p(rho | y) is the REML criterion, integrated on a grid of rho."""
    data = make_visits(patients=20)
    priors = {"beta": ("Flat", {}), "sigma": ("HalfFlat", {})}
    model = bg.GLMM("y ~ 1", data, residual="cs(1 | patient)", priors=priors)
    posterior = model.sample(draws=2000, seed=2, progress=False)
    rho = posterior.tree["posterior"]["cor_residual"].values.ravel()
    design, y = model.design, model.design.y
    n = len(y)

    lower = -1.0 / (design.residual.largest - 1)
    grid = lower + (1.0 - lower) * (np.arange(800) + 0.5) / 800
    logs = []
    for r in grid:
        R = dense_correlation(design, np.array([np.log((r - lower) / (1.0 - r))]))
        one = np.ones(n)
        inverse = np.linalg.inv(R)
        information = one @ inverse @ one
        rss = y @ inverse @ y - (one @ inverse @ y) ** 2 / information
        # sigma, flat on the half line, is integrated out: rss^{-(n - 2) / 2}.
        logs.append(-0.5 * np.linalg.slogdet(R)[1] - 0.5 * np.log(information) - 0.5 * (n - 2) * np.log(rss))
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    mean = weights @ grid
    sd = np.sqrt(weights @ (grid - mean) ** 2)
    mcse = posterior.tidy().set_index("name").loc["cor(residual)", "mcse_mean"]
    assert rho.mean() == pytest.approx(mean, abs=4.0 * mcse + 1e-3)
    assert rho.std() == pytest.approx(sd, rel=0.08)


def test_tree_names_saving_and_loading(tmp_path):
    posterior = posterior_of("us")
    pairs = posterior.tree["posterior"]["cor_residual"]
    assert pairs.dims == ("chain", "draw", "residual_pair")
    assert list(pairs["residual_pair"].values)[:2] == ["8, 10", "8, 12"]
    tidy = posterior.tidy().set_index("name")
    assert set(tidy.loc[tidy["term"] == "cor"].index) >= {"cor(residual, 8, 10)", "cor(residual, 12, 14)"}
    loaded = bg.load_posterior(posterior.save(tmp_path / "p.nc"))
    np.testing.assert_array_equal(loaded.tree["posterior"]["cor_residual"].values, pairs.values)
    replicated = loaded.with_posterior_predictive(seed=2).tree["posterior_predictive"]["distance"].values
    residuals = (replicated - replicated.mean(axis=(0, 1)))[..., :2].reshape(-1, 2)
    # Rows 0 and 1 are one child's at 8 and 10 years: what they have in common is the residuals' correlation.
    assert np.corrcoef(residuals.T)[0, 1] > 0.3


@pytest.mark.parametrize("problem", ["ovary", "us", "cs"])
def test_row_densities_add_up_to_the_density_of_all_rows(problem):
    posterior = posterior_of(problem)
    model = model_of(problem)
    rows = posterior.with_log_likelihood().tree["log_likelihood"].to_dataset()
    values = rows[posterior.record.response].values[0, :3]
    draws = posterior.tree["posterior"].to_dataset().isel(chain=0, draw=slice(0, 3))
    density = JointDensity.of(model.design, model.parameters)
    x, sound = recovered_points(density, {str(n): v.values for n, v in draws.items()})
    assert sound.all()
    other = JointDensity.of(model.design.with_response(model.design.y + 1.0), model.parameters)
    natural = density.natural(x)
    for k in range(3):
        eta = model.design.X @ natural.beta[k]
        for group, u in zip(model.design.groups, natural.u, strict=True):
            eta = eta + np.einsum("kn,nk->n", group.columns(), u[k][group.codes])
        V = natural.family[k, 0] ** 2 * dense_correlation(model.design, natural.family[k, 1:])
        expected = stats.multivariate_normal(eta, V)
        np.testing.assert_allclose(values[k].sum(), expected.logpdf(model.design.y), rtol=1e-8)
        difference = expected.logpdf(model.design.y) - expected.logpdf(other.design.y)
        np.testing.assert_allclose(density(x[k]) - other(x[k]), difference, rtol=1e-7)


def test_prior_predictive_has_the_prior_of_the_correlation():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bg.GLMM(
            "y ~ x", make_visits(), residual="cs(week | patient)", priors={"cor(residual)": ("LKJ", {"eta": 2.0})}
        )
    prior = model.prior_predictive(2000, seed=1)
    rho = prior["prior"]["cor_residual"].values.ravel()
    lower = -1.0 / (model.design.residual.largest - 1)
    beta = stats.beta(2.0, 2.0, loc=lower, scale=1.0 - lower)
    assert stats.kstest(rho, beta.cdf).pvalue > 1e-3
    # Standardised by its own draw, a pair of rows of one patient has the correlation of that draw.
    draws = prior["prior"].to_dataset()
    eta = draws["beta"].values[0] @ model.design.X.T
    r = (prior["prior_predictive"]["y"].values[0] - eta) / draws["sigma"].values[0][:, None]
    codes = model.design.residual.codes
    a, b = np.flatnonzero(codes == 0)[:2]
    assert np.mean(r[:, a] * r[:, b] - rho) == pytest.approx(0.0, abs=4.0 * 1.5 / np.sqrt(2000))
    log_prior = posterior_of("cs").with_log_prior().tree["log_prior"]["cor_residual"].values
    assert (log_prior == 0.0).all()  # LKJ(1)


def test_print_out_equation_and_keys_of_priors():
    model = model_of("cs")
    shown = repr(model)
    assert "residuals cs(1 | subject): compound symmetry, one correlation; 27 groups of at most 4 rows" in shown
    assert "between -0.3333 and 1" in shown
    assert r"\mid \mu) &= \rho" in model.equation()
    assert 'residual = "cs(1 | subject)"' in model.to_toml()
    with pytest.raises(bg.SpecificationError, match="speaks of no parameter"):
        bg.GLMM("distance ~ age", bg.load_dataset("orthodont"), priors={"cor(residual)": ("LKJ", {"eta": 2.0})})


def test_comparison_names_the_structures():
    other = bg.GLMM("distance ~ age * sex", bg.load_dataset("orthodont"))
    shown = repr(bg.compare(posterior_of("cs"), model_of("cs").fit("reml"), other.fit("reml")))
    assert "different models" in shown
    assert "distance ~ age * sex, residuals cs(1 | subject)" in shown
    assert "different data" not in shown
    assert repr(posterior_of("cs")).startswith("Posterior of distance ~ age * sex, residuals cs(1 | subject)\n")


@pytest.mark.parametrize("problem", ["ovary", "us"])
def test_density_and_graph_agree_at_the_corners_of_a_posterior(problem):
    model = model_of(problem)
    found = verify_draws(posterior_of(problem), model.design, model.parameters, lambda: model.pymc)
    assert found.agrees
    assert found.left_out == 0
