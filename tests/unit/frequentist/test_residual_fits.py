"""ml and reml with residual structures: against nlme (tests/reference/residual.csv), and what is said at the edges."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.residuals import STRUCTURES, dense_correlation, make_visits

import bayesglmm as bg
from bayesglmm.engine.correlated import CorrelatedMixed
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.inference.simulate import Simulator
from bayesglmm.frequentist.linear.correlated_criterion import CorrelatedCriterion
from bayesglmm.frequentist.registry import CORRELATED, METHODS
from bayesglmm.frequentist.search.optimum import OptimumStatus
from bayesglmm.residual import structure_of

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "residual.csv", na_values="NA")
CASES = [
    pytest.param(key, id="-".join(key))
    for key in REFERENCE[["problem", "method"]].drop_duplicates().itertuples(index=False)
]


def data_of(dataset: str, thinned: bool) -> pd.DataFrame:
    """Return the data as residual.R has them, in another order."""
    data = bg.load_dataset(dataset)
    if dataset == "orthodont":
        data["visit"] = (data["age"] - 6) // 2
    if thinned:
        i = np.arange(1, len(data) + 1)
        data = data[(7 * i**2 + 3 * i) % 11 != 0]
    return data.sample(frac=1.0, random_state=3)


@cache
def fitted(problem: str, method: str) -> bg.Fit:
    first = REFERENCE[REFERENCE["problem"] == problem].iloc[0]
    data = data_of(first["dataset"], bool(first["thinned"]))
    return bg.GLMM(first["formula"], data, residual=first["residual"]).fit(method)


def rows_of(problem: str, method: str) -> pd.DataFrame:
    return REFERENCE[(REFERENCE["problem"] == problem) & (REFERENCE["method"] == method)].set_index("parameter")


@pytest.mark.parametrize("key", CASES)
def test_log_likelihoods_are_those_of_nlme(key):
    problem, method = key
    expected = rows_of(problem, method)["loglik"].iloc[0]
    # nlme stops at changes of 1e-9 and less, and at a standard deviation of 1e-4 where the maximum is at 0 (glucose).
    tolerance = 1e-7 if problem == "glucose" else 1e-8
    assert fitted(problem, method).loglik == pytest.approx(expected, abs=tolerance)
    assert fitted(problem, method).loglik > expected - 1e-8


@pytest.mark.parametrize("key", CASES)
def test_estimates_are_those_of_nlme(key):
    fit, expected = fitted(*key), rows_of(*key)
    found = pd.concat([fit.coefficients, fit.variance_components]).reindex(expected.index)
    difference = (found["estimate"] - expected["estimate"]).abs()
    clear = found["estimate"] != 0.0
    # At a maximum reached to 1e-9 in log-likelihood an estimate is good to sqrt(2e-9), 4e-5, of its standard error.
    assert (difference[clear] < 4e-5 * found["std_error"][clear]).all()
    assert (difference[~clear] < 2e-4).all()
    known = expected["std_error"].notna()
    np.testing.assert_allclose(found["std_error"][known], expected["std_error"][known], rtol=2e-5)


def test_ovary_is_as_published():
    """Pinheiro & Bates (2000), section 5.3: REML log-likelihood -774.724, phi 0.5722."""
    fit = fitted("ovary", "reml")
    assert fit.loglik == pytest.approx(-774.723958, abs=1e-6)
    assert fit.variance_components.loc["cor(residual)", "estimate"] == pytest.approx(0.572187, abs=1e-6)


def test_glucose_says_that_the_intercept_is_gone():
    fit = fitted("glucose", "reml")
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert fit.variance_components.loc["cor(residual)", "estimate"] == pytest.approx(0.7738, abs=1e-4)
    assert any("sd(subject:date) is estimated as 0" in note for note in fit.notes)


@pytest.mark.parametrize("residual", STRUCTURES)
@pytest.mark.parametrize("reml", [False, True])
def test_criterion_is_the_normal_log_likelihood_and_its_gradient_is_exact(residual, reml):
    model = bg.GLMM("y ~ x + (1 + x | clinic)", make_visits(), residual=residual)
    design = model.design
    criterion = CorrelatedCriterion(CorrelatedMixed.of(design), reml)
    v = np.concatenate([[0.6, 0.2, 0.5], 0.5 * np.random.default_rng(2).normal(size=design.n_residual)])
    value, gradient = criterion.evaluate(v)
    h = 1e-5
    steps = h * np.eye(len(v))
    slopes = [(criterion.evaluate(v + s)[0] - criterion.evaluate(v - s)[0]) / (2.0 * h) for s in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)

    profiled, at, white = criterion.require(v)
    sigma, group = profiled.sigma(at), design.groups[0]
    Lambda = sigma * at.factor.natural_blocks[0]
    columns = np.zeros((design.n_rows, group.size))
    for k, column in enumerate(group.columns()):
        columns[np.arange(design.n_rows), group.codes * 2 + k] = column
    G = np.kron(np.eye(group.n_levels), Lambda @ Lambda.T)
    V = columns @ G @ columns.T + sigma**2 * dense_correlation(design, v[3:])
    X, beta = design.X, white.model.beta(at)
    expected = stats.multivariate_normal(X @ beta, V).logpdf(design.y)
    if reml:
        expected += 0.5 * X.shape[1] * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1]
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_without_autocorrelation_the_correlation_is_zero_and_this_is_said():
    data = bg.load_dataset("orthodont")
    fit = bg.GLMM("distance ~ age * sex + (1 | subject)", data, residual="car1(age | subject)").fit("reml")
    plain = bg.GLMM("distance ~ age * sex + (1 | subject)", data).fit("reml")
    assert fit.variance_components.loc["cor(residual)", "estimate"] == 0.0
    assert fit.loglik == pytest.approx(plain.loglik, abs=1e-9)
    assert "cor(residual) is estimated as 0: the residuals of one group do not correlate." in fit.notes
    assert fit.converged


def test_a_singular_correlation_matrix_is_said():
    data = bg.load_dataset("orthodont")
    i = np.arange(1, len(data) + 1)
    fit = bg.GLMM("distance ~ age * sex", data[(7 * i**2 + 3 * i) % 11 >= 3], residual="us(age | subject)").fit("ml")
    assert any("is singular here" in note for note in fit.notes)
    assert not fit.converged


def test_residual_groups_across_a_factor_are_refused_with_the_remedy():
    data = make_visits()
    data["rater"] = np.arange(len(data)) % 3
    model = bg.GLMM("y ~ x + (1 | rater)", data, residual="ar1(week | patient)")
    with pytest.raises(SpecificationError, match="rows of one patient lie in several levels of rater"):
        model.fit("reml")


@pytest.mark.parametrize("method", [name for name in METHODS if name not in CORRELATED])
def test_other_methods_refuse(method):
    model = bg.GLMM("y ~ x + (1 | clinic)", make_visits(), residual="ar1(week | patient)")
    with pytest.raises(SpecificationError, match="fit it by 'ml' or 'reml', or sample"):
        model.fit(method)


def test_what_reads_a_fit_knows_of_the_structure_or_refuses():
    model = bg.GLMM("y ~ x + (1 | clinic)", make_visits(), residual="cs(week | patient)")
    fit = model.fit("ml")
    refused = (
        lambda: fit.profile(),
        lambda: fit.tests(ddf="satterthwaite"),
        lambda: fit.tests(ddf="kenward-roger"),
        lambda: fit.mixed_model_equations(),
        lambda: bg.shrinkage(fit),
    )
    for call in refused:
        with pytest.raises(SpecificationError, match=r"residuals? .*cs\(week \| patient\)|has cs\(week \| patient\)"):
            call()
    value = {e.name: e.estimate for e in fit.estimates}
    V = fit.marginal_covariance()
    rho, sigma, sd = value["cor(residual)"], value["sigma"], value["sd(clinic)"]
    design = model.design
    clinic, patient = design.groups[0].codes, design.residual.codes
    expected = sd**2 * (clinic[:, None] == clinic) + rho * sigma**2 * (patient[:, None] == patient)
    expected[np.diag_indices(len(V))] = sd**2 + sigma**2
    np.testing.assert_allclose(V.to_numpy(), expected, rtol=1e-10, atol=1e-12)


def test_likelihood_ratio_of_a_correlation():
    data = bg.load_dataset("orthodont")
    formula = "distance ~ age * sex"
    none = bg.GLMM(formula, data).fit("ml")
    fits = {r: bg.GLMM(formula, data, residual=r).fit("ml") for r in ("car1(age | subject)", "cs(1 | subject)")}
    assert bg.likelihood_ratio(none, fits["car1(age | subject)"]).zeroed == ("cor(residual)",)
    assert bg.likelihood_ratio(none, fits["cs(1 | subject)"]).zeroed == ()
    with pytest.raises(SpecificationError, match="not nested"):
        bg.likelihood_ratio(fits["cs(1 | subject)"], bg.GLMM(formula, data, residual="us(age | subject)").fit("ml"))


def test_bootstrap_simulates_correlated_residuals():
    model = bg.GLMM("y ~ 1", make_visits(patients=60), residual="cs(1 | patient)")
    rows, fit = model.design.residual, model.fit("ml")
    simulator = replace(Simulator.of(fit), whitening=structure_of(rows).whitening(rows, np.array([3.0])))
    rho = simulator.whitening.correlations[0]
    rng = np.random.default_rng(5)
    draws = np.array([simulator.draw(rng) for _ in range(2000)]) - simulator.fixed
    pair = np.flatnonzero(rows.codes == 0)[:2]
    # The standard error of a correlation from 2000 draws is (1 - rho^2) / sqrt(2000), 0.0224 at most.
    assert np.corrcoef(draws[:, pair].T)[0, 1] == pytest.approx(rho, abs=4 * 0.0224 * (1.0 - rho**2))
    apart = [np.flatnonzero(rows.codes == g)[0] for g in (0, 1)]
    assert np.corrcoef(draws[:, apart].T)[0, 1] == pytest.approx(0.0, abs=4 * 0.0224)
    assert len(fit.bootstrap(20, seed=1, progress=False).draws) == 20


def test_refit_and_intervals():
    fit = fitted("orthodont_cs", "reml")
    again = fit.refit(fit.design.y + 1.0)
    np.testing.assert_allclose(again.loglik, fit.loglik, rtol=1e-9)
    row = fit.tidy().set_index("name").loc["cor(residual)"]
    assert row["term"] == "cor"
    assert -1.0 / 3.0 < row["lower"] < row["estimate"] < row["upper"] < 1.0


#: 95% intervals of nlme (residual.out), by REML.
INTERVALS = [
    ("ovary", "cor(residual)", 0.430965579909, 0.68605001426),
    ("ovary", "sigma", 3.02209224408, 4.06984048702),
    ("ovary", "sd(mare, Intercept)", 1.699698159222, 4.80696027201),
    ("orthodont_cs", "cor(residual)", 0.441641275999, 0.775976629455),
    ("orthodont_cs", "sigma", 1.86101376997, 2.80529308130),
    ("orthodont_us", "cor(residual, 8, 10)", 0.240641131421, 0.787833300030),
    ("orthodont_us", "cor(residual, 12, 14)", 0.499895585511, 0.853417237582),
]


@pytest.mark.parametrize(("problem", "name", "lower", "upper"), INTERVALS)
def test_intervals_are_those_of_nlme(problem, name, lower, upper):
    """Both are symmetric on one scale (logit of the range, log); nlme differentiates by differences: four digits."""
    row = fitted(problem, "reml").tidy().set_index("name").loc[name]
    assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), rel=5e-4)


@pytest.mark.parametrize("dispersion", [None, "~ 0 + sex"])
@pytest.mark.parametrize("term", ["cs(0 + place | subject)", "ar1(0 + place | subject)", "cs(0 + place | sex)"])
def test_correlations_of_effects_beside_those_of_residuals_are_not_multiplied_by_sigma(term, dispersion):
    """What a fit reports has the log-likelihood that it reports: the coordinate of a correlation is no size."""
    data = data_of("orthodont", thinned=False)
    data["place"] = data["visit"].map("v{}".format)
    model = bg.GLMM(f"distance ~ age + {term}", data, residual="car1(age | subject)", dispersion=dispersion)
    fit = model.fit("reml")
    V, X = fit.marginal_covariance().to_numpy(), fit.design.X
    normal = stats.multivariate_normal(X @ fit.coefficients["estimate"].to_numpy(), V).logpdf(fit.design.y)
    information = np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1]
    expected = normal + 0.5 * X.shape[1] * np.log(2.0 * np.pi) - 0.5 * information
    assert fit.loglik == pytest.approx(expected, abs=1e-8)
    again = fit.refit(fit.design.y)
    assert again.loglik == pytest.approx(fit.loglik, abs=1e-7)


def test_marginal_covariance_of_visits_without_group_effects():
    """The usual model of repeated measures: what rows share is a matter of their residuals."""
    data = data_of("orthodont", thinned=True)
    fit = bg.GLMM("distance ~ age * sex", data, residual="us(age | subject)", dispersion="~ 0 + C(age)").fit("reml")
    whole, blocks = fit.marginal_covariance(), fit.marginal_covariance("subject")
    assert set(blocks) == set(data["subject"])
    for level, block in blocks.items():
        rows = data.index[data["subject"] == level]
        assert set(block.index) == set(rows)
        np.testing.assert_allclose(block, whole.loc[block.index, block.index])
        assert not np.any(whole.loc[block.index].drop(columns=block.index))
    sds = np.exp(fit.tidy().set_index("name")["estimate"].filter(like="log_sigma"))
    found = np.sqrt(np.unique(np.diag(whole).round(10)))
    np.testing.assert_allclose(np.sort(sds), found, rtol=1e-8)
    with pytest.raises(bg.SpecificationError, match="Did you mean 'subject'"):
        fit.marginal_covariance("subjct")
    with pytest.raises(bg.SpecificationError, match="standard deviations of group effects"):
        bg.shrinkage(fit)
