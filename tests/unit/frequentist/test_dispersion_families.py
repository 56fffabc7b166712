"""Negative binomial, gamma, beta, beta-binomial fits: against glmmTMB, known truth, the methods among each other."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.families import FAMILIES

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FOLDER = Path(__file__).parents[2] / "reference"
REFERENCE = pd.read_csv(FOLDER / "dispersion_families.csv")
PROBLEMS = list(REFERENCE["problem"].unique())
NEWCOMERS = ("negative_binomial", "gamma", "beta", "beta_binomial")


@cache
def data_of(dataset: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{dataset}.csv") if dataset == "dispersion_data" else bg.load_dataset(dataset)


@cache
def fitted(problem: str, method: str = "laplace") -> bg.Fit:
    first = REFERENCE[REFERENCE["problem"] == problem].iloc[0]
    model = bg.GLMM(first["formula"], data_of(first["dataset"]), family=first["family"], link=first["link"])
    return model.fit(method)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_glmmtmb_says_the_same(problem: str) -> None:
    theirs = REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")
    fit = fitted(problem)
    ours = fit.tidy().set_index("name")
    assert fit.converged
    assert fit.loglik == pytest.approx(theirs["loglik"].iloc[0], abs=1e-5)
    assert set(ours.index) == set(theirs.index)
    for name, row in theirs.iterrows():
        assert abs(ours.loc[name, "estimate"] - row["estimate"]) < 1e-4 * row["std_error"], name
        # Theirs are differences of an exact gradient, ours too.
        assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=1e-3), name


@cache
def simulated(family: str, phi: float, seed: int = 5, groups: int = 60, each: int = 8) -> tuple[pd.DataFrame, dict]:
    """Return data of 1 + x + (1 | g) with known values, and these."""
    rng = np.random.default_rng(seed)
    n = groups * each
    truth = {"Intercept": 0.4, "x": -0.5, "sd(g)": 0.6, "phi": phi}
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), each), "x": rng.normal(size=n), "trials": 10})
    eta = 0.4 - 0.5 * data["x"].to_numpy() + np.repeat(rng.normal(0.0, 0.6, groups), each)
    record = FAMILIES[family]
    size = np.full(n, 10.0) if record.size else np.ones(n)
    mu = record.links[record.default_link].link.inverse(eta)
    return data.assign(y=record.simulate(rng, mu, size, phi)), truth


def formula_of(family: str) -> str:
    return "y | trials(trials) ~ x + (1 | g)" if FAMILIES[family].size else "y ~ x + (1 | g)"


PHI = {"negative_binomial": 2.5, "gamma": 0.4, "beta": 8.0, "beta_binomial": 6.0}


@pytest.mark.parametrize("family", NEWCOMERS)
def test_laplace_recovers_what_was_simulated(family: str) -> None:
    data, truth = simulated(family, PHI[family])
    table = bg.GLMM(formula_of(family), data, family=family).fit().tidy().set_index("name")
    assert set(table.index) == set(truth)
    for name, value in truth.items():
        assert abs(table.loc[name, "estimate"] - value) < 4.0 * table.loc[name, "std_error"], name


@pytest.mark.parametrize("family", NEWCOMERS)
@pytest.mark.parametrize("method", ["agq", "gauss_hermite", "mcml"])
def test_methods_of_the_exact_likelihood_agree(family: str, method: str) -> None:
    data, _ = simulated(family, PHI[family], groups=15)
    model = bg.GLMM(formula_of(family), data, family=family)
    options = {"mcml": {"seed": 1}, "agq": {}, "gauss_hermite": {"points": 60}}[method]
    exact = model.fit("agq", points=25)
    fit = model.fit(method, **options)
    # Groups of 8 rows: 60 fixed points leave some 1e-4 of the log-likelihood, simulation its own error.
    tolerance = {"agq": 1e-3, "gauss_hermite": 1e-2, "mcml": 0.1}[method]
    assert fit.loglik == pytest.approx(exact.loglik, abs=tolerance)
    ours, theirs = (f.tidy().set_index("name") for f in (fit, exact))
    assert np.all(np.abs(ours["estimate"] - theirs["estimate"]) < tolerance**0.5 * theirs["std_error"])


@pytest.mark.parametrize("family", NEWCOMERS)
def test_groups_as_coefficients(family: str) -> None:
    data, truth = simulated(family, PHI[family])
    fit = bg.GLMM(formula_of(family), data, family=family).fit("fixed")
    x = fit.tidy().set_index("name").loc["x"]
    assert abs(x["estimate"] - truth["x"]) < 5.0 * x["std_error"]
    assert not any("least squares" in note for note in fit.notes)


def test_no_overdispersion_is_said_in_words_and_poisson_is_what_is_left() -> None:
    data, _ = simulated("negative_binomial", 1e9, seed=3)
    rng = np.random.default_rng(2)
    # Binomial counts vary less than Poisson counts with their mean.
    data = data.assign(y=rng.binomial(6, 0.5 / (1.0 + np.exp(-data["x"]))))
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="negative_binomial").fit()
    poisson = bg.GLMM("y ~ x + (1 | g)", data, family="poisson").fit()
    assert fit.notes[0].startswith("phi grows without bound")
    assert 'family="poisson" fits as well' in fit.notes[0]
    assert fit.loglik == pytest.approx(poisson.loglik, abs=1e-3)
    ours, theirs = (f.tidy().set_index("name") for f in (fit, poisson))
    np.testing.assert_allclose(ours.loc[theirs.index, "estimate"], theirs["estimate"], atol=2e-3)
    np.testing.assert_allclose(ours.loc[["Intercept", "x"], "std_error"], theirs["std_error"][:2], rtol=1e-2)
    assert np.isnan(ours.loc["phi", "std_error"])
    with pytest.raises(FitError, match="phi grows without bound: the data show no overdispersion"):
        bg.GLMM("y ~ x + (1 | g)", data, family="negative_binomial").fit("fixed")


@pytest.mark.parametrize("family", ["gamma", "beta"])
def test_a_response_that_is_reproduced_exactly_has_no_maximum(family: str) -> None:
    data, _ = simulated(family, PHI[family])
    link = FAMILIES[family].links[FAMILIES[family].default_link].link
    data = data.assign(y=link.inverse(0.2 + 0.3 * data["x"].to_numpy()))
    with pytest.raises(FitError, match="the model reproduces the response exactly"):
        bg.GLMM("y ~ x + (1 | g)", data, family=family).fit()


def test_a_level_for_every_row_is_no_contradiction_but_for_a_residual_standard_deviation() -> None:
    data, _ = simulated("gamma", 0.4)
    data = data.assign(row=np.arange(len(data)))
    bg.GLMM("y ~ x + (1 | row)", data, family="gamma")
    with pytest.raises(bg.errors.DataError, match="sigma cannot be told apart"):
        bg.GLMM("y ~ x + (1 | row)", data)


@pytest.mark.parametrize("method", ["pql", "mql"])
def test_quasi_likelihood_of_gamma_rows(method: str) -> None:
    """With the log link, gamma rows have constant weights: log-normal-like REML, phi near the moment estimate."""
    data, truth = simulated("gamma", 0.4)
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="gamma").fit(method)
    table = fit.tidy().set_index("name")
    for name, value in truth.items():
        assert abs(table.loc[name, "estimate"] - value) < (0.3 if name == "phi" else 0.2), name
    again = fit.prepared.fit(start=fit.optimum.x)
    np.testing.assert_allclose(again.tidy()["estimate"], table["estimate"], rtol=1e-6)


def test_quasi_likelihood_is_glmmpqls() -> None:
    theirs = pd.read_csv(FOLDER / "dispersion_pql.csv").set_index("parameter")["estimate"]
    model = bg.GLMM("waiting ~ x + visit + (1 | id)", data_of("dispersion_data"), family="gamma")
    ours = model.fit("pql", variance="ml").tidy().set_index("name")["estimate"]
    # nlme's own search ends at a relative change of 1e-6 or so.
    np.testing.assert_allclose(ours[theirs.index], theirs, rtol=2e-5)


@pytest.mark.parametrize("link", ["log", "inverse"])
def test_estimating_equations_of_gamma_rows(link: str) -> None:
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    data, _ = simulated("gamma", 0.4)
    # The response knows nothing of x, so that eta stays where mu = 1 / eta is positive.
    data = data.assign(x=np.random.default_rng(1).uniform(size=len(data)))
    model = bg.GLMM("y ~ x + (1 | g)", data, family="gamma", link=link)
    independent = model.fit("gee", correlation="independence").tidy().set_index("name")
    theirs = {"log": families.links.Log, "inverse": families.links.InversePower}[link]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that 1 / eta may be negative
        glm = GLM(model.design.y, model.design.X, family=families.Gamma(theirs())).fit(tol=1e-13)
    np.testing.assert_allclose(independent.loc[["Intercept", "x"], "estimate"], glm.params, rtol=1e-7)
    # phi here divides by n, there by n - p.
    assert independent.loc["phi", "estimate"] == pytest.approx(glm.scale * (480 - 2) / 480, rel=1e-6)
    assert model.fit("gee").converged


@pytest.mark.parametrize("family", ["negative_binomial", "beta", "beta_binomial"])
def test_quasi_likelihood_needs_a_phi_that_multiplies_the_variance(family: str) -> None:
    data, _ = simulated(family, PHI[family])
    model = bg.GLMM(formula_of(family), data, family=family)
    with pytest.raises(SpecificationError, match=f"that of {family} is in proportion to none of phi"):
        model.fit("pql")
    with pytest.raises(SpecificationError, match="does not know"):
        model.fit("gee")


@pytest.mark.parametrize("family", NEWCOMERS)
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_linear_methods_refuse(family: str, method: str) -> None:
    data, _ = simulated(family, PHI[family])
    with pytest.raises((FitError, SpecificationError), match="gaussian"):
        bg.GLMM(formula_of(family), data, family=family).fit(method)


@pytest.mark.parametrize("family", NEWCOMERS)
def test_marginal_coefficients(family: str) -> None:
    data, _ = simulated(family, PHI[family])
    fit = bg.GLMM(formula_of(family), data, family=family).fit()
    frame = bg.attenuation(fit).frame
    if FAMILIES[family].default_link == "log":
        s2 = fit.tidy().set_index("name").loc["sd(g)", "estimate"] ** 2
        assert frame.loc["x", "ratio"] == pytest.approx(1.0, abs=1e-8)
        assert frame.loc["Intercept", "marginal"] == pytest.approx(
            frame.loc["Intercept", "conditional"] + 0.5 * s2, abs=1e-8
        )
    else:
        # The same marginal means as for binary responses: to a percent the well-known shrinkage.
        assert frame.loc["x", "marginal"] == pytest.approx(frame.loc["x", "approximation"], rel=0.02)
