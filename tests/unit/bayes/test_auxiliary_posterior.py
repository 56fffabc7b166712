"""Posteriors of models with auxiliary predictors: sampled, stored, replicated, and equal to the graph's at a point."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from support.graph_point import graph_density

import bayesglmm as bg
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.density import JointDensity
from bayesglmm.errors import DataWarning
from bayesglmm.priors import Prior
from bayesglmm.pymc_model import build_pymc_model

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def data_of(n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g, x = np.arange(n) % 16, rng.normal(size=n)
    eta = 0.5 + 0.5 * x + 0.5 * rng.normal(size=16)[g]
    zero = rng.random(n) < special.expit(-0.8 + 0.6 * x)
    return pd.DataFrame(
        {
            "g": g.astype(str),
            "x": x,
            "sex": np.where(np.arange(n) % 3 == 0, "F", "M"),
            "count": np.where(zero, 0, rng.poisson(np.exp(eta))),
            "grade": ((eta + rng.logistic(size=n))[:, None] > [-1.0, 0.4, 1.6]).sum(axis=1),
            "normal": eta + rng.normal(size=n) * np.where(np.arange(n) % 3 == 0, 0.4, 1.1),
            "heavy": eta + 0.5 * rng.standard_t(4.0, n),
        }
    )


DATA = data_of()
MODELS = {
    "dispersion": ("normal ~ x + (1 | g)", {"dispersion": "~ 0 + sex"}),
    "student_t": ("heavy ~ x + (1 | g)", {"family": "student_t"}),
    "cumulative": ("grade ~ x + (1 | g)", {"family": "cumulative"}),
    "zero": ("count ~ x + (1 | g)", {"family": "zero_inflated_poisson", "zero": "~ x"}),
    "hurdle": ("count ~ x + (1 | g)", {"family": "hurdle_poisson", "zero": "~ x"}),
    "zinb": (
        "count ~ x + (1 | g)",
        # As many counts as here say little of phi, whose default prior has a long tail.
        {"family": "zero_inflated_negative_binomial", "priors": {"phi": Prior("Gamma", alpha=2, beta=0.5)}},
    ),
}


def model_of(name: str, **changes) -> bg.GLMM:
    formula, options = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return bg.GLMM(formula, DATA, **{**options, **changes})


@pytest.fixture(scope="module", params=MODELS)
def sampled(request):
    model = model_of(request.param)
    return request.param, model, model.sample(draws=400, chains=2, seed=5, progress=False)


def test_default_settings_converge_near_the_likelihoods_estimates(sampled):
    _, model, posterior = sampled
    table, laplace = posterior.tidy().set_index("name"), model.fit("laplace").tidy().set_index("name")
    assert posterior.tree["sample_stats"]["diverging"].sum() == 0
    assert table["r_hat"].max() < 1.03
    assert table["ess_bulk"].min() > 100
    assert list(table.index) == list(laplace.index)
    for name in table.index.difference(["nu", "phi"]):  # skewed: mean and mode lie apart
        assert abs(table.loc[name, "estimate"] - laplace.loc[name, "estimate"]) < 1.5 * table.loc[name, "std_error"], (
            name
        )


def test_variables_have_their_dimensions(sampled):
    _, model, posterior = sampled
    draws = posterior.tree["posterior"]
    for part in model.design.family_parts:
        assert draws[part.name].dims == ("chain", "draw", *([part.dim] if part.dim else []))
        if part.dim:
            assert draws[part.dim].values.tolist() == list(part.labels)


def test_replicated_responses_look_like_those_seen(sampled):
    _, model, posterior = sampled
    group = posterior.with_posterior_predictive(seed=1).tree["posterior_predictive"].to_dataset()
    replicated = group[next(iter(group))].values.reshape(-1, model.design.n_rows)
    y = model.design.y
    for statistic in (np.mean, lambda v, **k: np.mean(v == 0.0, **k), lambda v, **k: np.mean(v > 1.0, **k)):
        center, spread = statistic(replicated, axis=1).mean(), statistic(replicated, axis=1).std()
        assert abs(statistic(y) - center) < 3.5 * spread + 1e-12


def test_pointwise_log_likelihoods_are_scipys_after_a_saved_file(sampled, tmp_path):
    name, model, posterior = sampled
    posterior.save(tmp_path / "p.nc")
    loaded = bg.load_posterior(tmp_path / "p.nc").with_log_likelihood()
    group = loaded.tree["log_likelihood"].to_dataset()
    got = group[next(iter(group))].values[0, 7]
    draw = {str(k): v.values[0, 7] for k, v in loaded.tree["posterior"].to_dataset().items()}
    design, x = model.design, DATA["x"].to_numpy()
    eta = design.X @ draw["beta"] + draw["u_g"][design.groups[0].codes]
    y = design.y
    match name:
        case "dispersion":
            expected = stats.norm.logpdf(y, eta, np.exp(draw["log_sigma"][(DATA["sex"] == "M").astype(int)]))
        case "student_t":
            expected = stats.t.logpdf(y, draw["nu"], eta, draw["sigma"])
        case "cumulative":
            cuts = np.concatenate([[-np.inf], draw["cutpoint"], [np.inf]])
            k = y.astype(int)
            expected = np.log(special.expit(cuts[k + 1] - eta) - special.expit(cuts[k] - eta))
        case "zero":
            pi = special.expit(draw["zero"][0] + draw["zero"][1] * x)
            expected = np.log(np.where(y == 0, pi, 0.0) + (1 - pi) * stats.poisson.pmf(y, np.exp(eta)))
        case "hurdle":
            pi, mu = special.expit(draw["zero"][0] + draw["zero"][1] * x), np.exp(eta)
            above = (1 - pi) * stats.poisson.pmf(y, mu) / stats.poisson.sf(0, mu)
            expected = np.log(np.where(y == 0, pi, above))
        case "zinb":
            pi, phi = special.expit(draw["zero"][0]), draw["phi"]
            pmf = stats.nbinom.pmf(y, phi, phi / (phi + np.exp(eta)))
            expected = np.log(np.where(y == 0, pi, 0.0) + (1 - pi) * pmf)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_log_priors_and_coordinates_come_back(sampled):
    _, model, posterior = sampled
    group = posterior.with_log_prior().tree["log_prior"].to_dataset()
    part, priors = model.design.family_parts[-1], model.parameters.family[-1]
    drawn = posterior.tree["posterior"][part.name].values[1, 3]
    if priors[0].dist == "Normal":
        expected = stats.norm.logpdf(drawn, [p.params["mu"] for p in priors], [p.params["sigma"] for p in priors])
        np.testing.assert_allclose(group[part.name].values[1, 3], expected, rtol=1e-12)
    density = JointDensity.of(model.design, model.parameters)
    x = 0.3 * np.random.default_rng(0).normal(size=(3, density.size))
    from bayesglmm.bayes.named import named_values

    values = {k: v[0] for k, v in named_values(density, x[None]).items()}
    back, sound = recovered_points(density, values)
    assert sound.all()
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)


def test_prior_predictive_draws_are_ordered():
    tree = model_of("cumulative").prior_predictive(draws=50, seed=2)
    assert (np.diff(tree["prior"]["cutpoint"].values, axis=-1) > 0.0).all()
    centres = {f"cutpoint[{k}|{k + 1}]": Prior("Normal", mu=2.0 * k, sigma=1.5) for k in range(3)}
    apart = model_of("cumulative", priors=centres).prior_predictive(draws=200, seed=2)["prior"]["cutpoint"].values
    assert (np.diff(apart, axis=-1) > 0.0).all()


def test_graph_and_source_with_offsets_and_priors_of_several_kinds():
    given = {"log_sigma[x]": Prior("StudentT", nu=4, sigma=0.5), "log_sigma[Intercept]": Prior("Normal", sigma=2)}
    model = model_of("dispersion", dispersion="~ x + offset(x)", priors=given)
    density = JointDensity.of(model.design, model.parameters)
    graph = graph_density(build_pymc_model(model.design, model.parameters), density)
    x = 0.4 * np.random.default_rng(3).normal(size=density.size)
    value, gradient = density.evaluator()(x)
    expected, expected_gradient = graph(x)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-10 * np.abs(expected_gradient).max())
    made: dict[str, object] = {}
    exec(compile(model.to_pymc_code(), "model", "exec"), made)
    source = made["model"]
    point = source.initial_point()
    assert float(source.compile_logp()(point)) == pytest.approx(float(model.pymc.compile_logp()(point)), rel=1e-12)
