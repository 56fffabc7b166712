"""Posteriors of the families with a dispersion: recovery, pointwise densities, predictions, priors."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.families import FAMILIES
from bayesglmm.priors import Prior

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

TRUTH = {"Intercept": 0.4, "x": -0.5, "sd(g)": 0.6}
PHI = {"negative_binomial": 2.5, "gamma": 0.4, "beta": 8.0, "beta_binomial": 6.0}
#: By scipy, from mean (of one trial), trials and phi.
DENSITY = {
    "negative_binomial": lambda y, mu, phi: stats.nbinom.logpmf(y, phi, phi / (phi + mu)),
    "gamma": lambda y, mu, phi: stats.gamma.logpdf(y, 1.0 / phi, scale=phi * mu),
    "beta": lambda y, mu, phi: stats.beta.logpdf(y, mu * phi, (1.0 - mu) * phi),
    "beta_binomial": lambda y, mu, phi: stats.betabinom.logpmf(y, 10, mu * phi, (1.0 - mu) * phi),
}


@cache
def model_of(family: str) -> bg.GLMM:
    rng = np.random.default_rng(8)
    n, record = 200, FAMILIES[family]
    data = pd.DataFrame({"g": np.repeat(np.arange(25), 8), "x": rng.normal(size=n), "trials": 10})
    eta = 0.4 - 0.5 * data["x"].to_numpy() + np.repeat(rng.normal(0.0, 0.6, 25), 8)
    size = np.full(n, 10.0) if record.size else np.ones(n)
    data["y"] = record.simulate(rng, record.links[record.default_link].link.inverse(eta), size, PHI[family])
    left = "y | trials(trials)" if record.size else "y"
    return bg.GLMM(f"{left} ~ x + (1 | g)", data, family=family)


@cache
def posterior_of(family: str) -> bg.Posterior:
    return model_of(family).sample(chains=2, draws=300, seed=3, cores=1)


@pytest.mark.parametrize("family", PHI)
def test_recovery(family: str) -> None:
    table = posterior_of(family).tidy().set_index("name")
    for name, value in {**TRUTH, "phi": PHI[family]}.items():
        assert abs(table.loc[name, "estimate"] - value) < 4.0 * table.loc[name, "std_error"], name


@pytest.mark.parametrize("family", PHI)
def test_pointwise_log_likelihood_is_scipys(family: str) -> None:
    tree = posterior_of(family).with_log_likelihood().tree
    draw = tree["posterior"].isel(chain=1, draw=7)
    design = model_of(family).design
    eta = design.X @ draw["beta"].values + draw["u_g"].values.ravel()[design.groups[0].codes]
    mu = design.family_link.link.inverse(eta)
    expected = DENSITY[family](design.y, mu, float(draw["phi"]))
    found = next(iter(tree["log_likelihood"].isel(chain=1, draw=7).data_vars.values()))
    np.testing.assert_allclose(found.values, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("family", PHI)
def test_replicates_look_like_the_data(family: str) -> None:
    tree = posterior_of(family).with_posterior_predictive(seed=1).tree
    replicates = next(iter(tree["posterior_predictive"].data_vars.values())).values.reshape(600, -1)
    design = model_of(family).design
    assert not design.family.violations(replicates.ravel(), np.broadcast_to(design.size, replicates.shape).ravel())
    for statistic in (np.mean, np.std):
        spread = statistic(replicates, axis=1)
        assert np.quantile(spread, 0.001) < statistic(design.y) < np.quantile(spread, 0.999)


@pytest.mark.parametrize("family", PHI)
def test_default_prior_of_phi(family: str) -> None:
    prior = model_of(family).parameters.family[0][0]
    assert prior == Prior("Gamma" if family == "gamma" else "InverseGamma", alpha=0.5, beta=0.5)
    # That is: sqrt(phi), or one over it, is half normal with scale 1.
    draws = prior.distribution.draw(np.random.default_rng(1), prior.params, 20_000)
    root = np.sqrt(draws if family == "gamma" else 1.0 / draws)
    assert stats.kstest(root, stats.halfnorm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("family", PHI)
def test_prior_predictive_stays_in_the_support(family: str) -> None:
    tree = model_of(family).prior_predictive(draws=50, seed=2)
    drawn = next(iter(tree["prior_predictive"].data_vars.values())).values
    design = model_of(family).design
    assert not design.family.violations(drawn.ravel(), np.broadcast_to(design.size, drawn.shape).ravel())
