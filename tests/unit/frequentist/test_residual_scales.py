"""ml and reml with correlated residuals and a dispersion formula: against nlme (reference/residual_scales.csv)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.residuals import SCALES, STRUCTURES, correlation_point, dense_correlation, dense_sds, make_visits

import bayesglmm as bg
from bayesglmm.engine.correlated import CorrelatedMixed
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.inference.simulate import Simulator
from bayesglmm.frequentist.linear.correlated_criterion import CorrelatedCriterion

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

KEYS = ["thinned", "formula", "residual", "dispersion", "method"]
REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "residual_scales.csv", na_values="NA")
CASES = [tuple(key) for key in REFERENCE[KEYS].drop_duplicates().itertuples(index=False)]


def orthodont(thinned: bool) -> pd.DataFrame:
    """Return the data as residual_scales.R has them, in another order."""
    data = bg.load_dataset("orthodont")
    data["visit"] = (data["age"] - 6) // 2
    if thinned:
        i = np.arange(1, len(data) + 1)
        data = data[(7 * i**2 + 3 * i) % 11 != 0]
    return data.sample(frac=1.0, random_state=3)


@cache
def fitted(key: tuple) -> bg.Fit:
    thinned, formula, residual, dispersion, method = key
    return bg.GLMM(formula, orthodont(thinned), residual=residual, dispersion=dispersion).fit(method)


def rows_of(key: tuple) -> pd.DataFrame:
    same = (REFERENCE[KEYS] == pd.Series(dict(zip(KEYS, key, strict=True)))).all(axis=1)
    return REFERENCE[same].set_index("parameter")


def vanishes(key: tuple) -> bool:
    """Whether the correlation is at its bound, 0, where nlme stops a few 1e-8 short of the maximum."""
    return key[1].endswith("subject)") and key[2].startswith("car1")


@pytest.mark.parametrize("key", CASES, ids=str)
def test_log_likelihoods_are_those_of_nlme(key):
    expected = rows_of(key)["loglik"].iloc[0]
    # nlme prints twelve digits and stops at changes of 1e-9 and less.
    assert fitted(key).loglik == pytest.approx(expected, abs=1e-7 if vanishes(key) else 1e-8)
    assert fitted(key).loglik > expected - 1e-8


@pytest.mark.parametrize("key", CASES, ids=str)
def test_estimates_are_those_of_nlme(key):
    fit, expected = fitted(key), rows_of(key)
    found = pd.concat([fit.coefficients, fit.variance_components])
    assert set(found.index) == set(expected.index)
    found = found.reindex(expected.index)
    difference = (found["estimate"] - expected["estimate"]).abs()
    clear = found["estimate"] != 0.0
    assert vanishes(key) == (not clear.all())
    # At a maximum reached to 1e-9 in log-likelihood an estimate is good to sqrt(2e-9), 4e-5, of its standard error.
    assert (difference[clear] < 4e-5 * found["std_error"][clear]).all()
    assert (difference[~clear] < 2e-4).all()
    known = expected["std_error"].notna()
    np.testing.assert_allclose(found["std_error"][known], expected["std_error"][known], rtol=2e-5)


@pytest.mark.parametrize("residual", STRUCTURES)
@pytest.mark.parametrize("reml", [False, True])
def test_criterion_is_the_normal_log_likelihood_and_its_gradient_is_exact(residual, reml):
    design = bg.GLMM("y ~ x + (1 + x | clinic)", make_visits(), residual=residual, dispersion=SCALES).design
    sigma, v = 1.7, np.append([0.6, 0.2, 0.5, 0.3, -0.4], correlation_point(design))
    criterion = CorrelatedCriterion(CorrelatedMixed.of(design, sigma), reml, sigma)
    value, gradient = criterion.evaluate(v)
    h = 1e-5
    slopes = [(criterion.evaluate(v + s)[0] - criterion.evaluate(v - s)[0]) / (2.0 * h) for s in h * np.eye(len(v))]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)

    _, at, white = criterion.require(v)
    Lambda, d = sigma * at.factor.natural_blocks[0], dense_sds(make_visits(), v[3:5])
    group = design.groups[0]
    columns, same = group.columns(), group.codes[:, None] == group.codes
    V = same * (columns.T @ Lambda @ Lambda.T @ columns) + np.outer(d, d) * dense_correlation(design, v[5:])
    X, beta = design.X, white.model.beta(at)
    expected = stats.multivariate_normal(X @ beta, V).logpdf(design.y)
    if reml:
        expected += 0.5 * X.shape[1] * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1]
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_one_value_for_all_rows_is_the_model_with_one_sigma():
    data = orthodont(thinned=True)
    formula, residual = "distance ~ age * sex + (1 | subject)", "ar1(visit | subject)"
    plain, by_formula = (
        bg.GLMM(formula, data, residual=residual, **o).fit("reml") for o in ({}, {"dispersion": "~ 1"})
    )
    assert by_formula.loglik == pytest.approx(plain.loglik, abs=1e-9)
    one, other = (f.tidy().set_index("name") for f in (plain, by_formula))
    shared = [*plain.coefficients.index, "sd(subject)", "cor(residual)"]
    np.testing.assert_allclose(other.loc[shared, "estimate"], one.loc[shared, "estimate"], rtol=1e-5)
    np.testing.assert_allclose(other.loc[shared, "std_error"], one.loc[shared, "std_error"], rtol=1e-3)
    log_sigma = other.loc["log_sigma[Intercept]"]
    assert np.exp(log_sigma["estimate"]) == pytest.approx(one.loc["sigma", "estimate"], rel=1e-6)
    # The Hessian in the variances is by differences of the gradient.
    relative = one.loc["sigma", "std_error"] / one.loc["sigma", "estimate"]
    assert log_sigma["std_error"] == pytest.approx(relative, rel=1e-3)
    np.testing.assert_allclose(by_formula.modes["mode"], plain.modes["mode"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_formula.modes["std_error"], plain.modes["std_error"], rtol=1e-4)


@pytest.mark.parametrize("reml", [False, True])
def test_complete_visits_with_means_of_their_own_have_a_closed_form(reml):
    """Every visit of every sex a mean: the covariance of the visits is that of the residuals about these means."""
    data = orthodont(thinned=False)
    fit = bg.GLMM("distance ~ C(age) * sex", data, residual="us(age | subject)", dispersion="~ 0 + C(age)").fit(
        "reml" if reml else "ml"
    )
    wide = data.pivot(index=["sex", "subject"], columns="age", values="distance")
    e = (wide - wide.groupby("sex").transform("mean")).to_numpy()
    N, T = e.shape
    sexes = wide.groupby("sex").size().to_numpy()
    degrees = N - len(sexes) if reml else N
    S = e.T @ e / degrees
    sds, ages = np.sqrt(np.diagonal(S)), wide.columns
    expected = {f"log_sigma[C(age)[{a}]]": np.log(s) for a, s in zip(ages, sds, strict=True)}
    expected |= {
        f"cor(residual, {ages[k]}, {ages[i]})": S[i, k] / (sds[i] * sds[k])
        for i, k in zip(*np.tril_indices(T, -1), strict=True)
    }
    assert set(fit.variance_components.index) == set(expected)
    found = fit.variance_components.loc[list(expected)]
    np.testing.assert_allclose(found["estimate"], list(expected.values()), rtol=1e-7)
    # The observed information of S, Wishart with these degrees: 1 / sqrt(2 degrees) of every log sd.
    np.testing.assert_allclose(found["std_error"].iloc[:T], 1.0 / np.sqrt(2.0 * degrees), rtol=1e-3)
    loglik = -0.5 * degrees * (T * np.log(2.0 * np.pi) + np.linalg.slogdet(S)[1] + T)
    if reml:
        # |X' V^-1 X| with the cells' means as coefficients; X is turned into them by a matrix of determinant +-1.
        loglik -= 0.5 * (T * np.log(sexes).sum())
    assert fit.loglik == pytest.approx(loglik, abs=1e-8)


def test_the_response_may_be_measured_on_another_scale():
    data = orthodont(thinned=True)
    options = {"residual": "cs(age | subject)", "dispersion": "~ 0 + sex"}
    fit = fitted((True, "distance ~ age * sex", *options.values(), "ml"))
    data["distance"] *= 1e5
    data["age"] = data["age"] + 1e4
    moved = bg.GLMM("distance ~ age * sex", data, residual="cs(visit | subject)", dispersion="~ 0 + sex").fit("ml")
    assert moved.converged
    assert moved.loglik == pytest.approx(fit.loglik - len(data) * np.log(1e5), abs=1e-6)
    names = ["log_sigma[sex[Female]]", "log_sigma[sex[Male]]"]
    was, now = (f.variance_components.loc[names, "estimate"] for f in (fit, moved))
    np.testing.assert_allclose(now - was, np.log(1e5), rtol=1e-6)


def test_what_reads_a_fit_knows_of_the_scales_or_refuses():
    model = bg.GLMM("y ~ x + (1 | clinic)", make_visits(), residual="cs(week | patient)", dispersion=SCALES)
    fit = model.fit("ml")
    for call in (lambda: fit.profile(), lambda: fit.tests(ddf="satterthwaite"), lambda: fit.mixed_model_equations()):
        with pytest.raises(SpecificationError, match=r"cs\(week \| patient\)"):
            call()
    with pytest.raises(SpecificationError, match="fit it by 'ml' or 'reml', or sample"):
        model.fit("laplace")
    value = {e.name: e.estimate for e in fit.estimates}
    d = dense_sds(make_visits(), np.array([value["log_sigma[Intercept]"], value["log_sigma[x]"]]))
    clinic, patient = model.design.groups[0].codes, model.design.residual.codes
    R = np.where(patient[:, None] == patient, value["cor(residual)"], 0.0)
    np.fill_diagonal(R, 1.0)
    expected = value["sd(clinic)"] ** 2 * (clinic[:, None] == clinic) + np.outer(d, d) * R
    np.testing.assert_allclose(fit.marginal_covariance().to_numpy(), expected, rtol=1e-10, atol=1e-12)


def test_simulated_responses_have_the_covariance_of_the_model():
    fit = bg.GLMM("y ~ x", make_visits(patients=40), residual="cs(week | patient)", dispersion=SCALES).fit("ml")
    simulator, rng, rows = Simulator.of(fit), np.random.default_rng(5), fit.design.residual
    draws = np.array([simulator.draw(rng) for _ in range(4000)]) - simulator.fixed
    w = fit.variance_components.loc[["log_sigma[Intercept]", "log_sigma[x]"], "estimate"].to_numpy()
    d, rho = dense_sds(make_visits(patients=40), w), fit.variance_components.loc["cor(residual)", "estimate"]
    # A standard deviation from m normal draws has the relative standard error 1 / sqrt(2 m); five of them hold all.
    np.testing.assert_allclose(draws.std(axis=0), d, rtol=5.0 / np.sqrt(8000))
    pair = np.flatnonzero(rows.codes == 0)[:2]
    assert np.corrcoef(draws[:, pair].T)[0, 1] == pytest.approx(rho, abs=4.0 / np.sqrt(4000))
    again = fit.bootstrap(20, seed=1, progress=False)
    assert len(again.draws) == 20
    assert not again.failures


@pytest.mark.parametrize(
    ("residual", "dispersion", "df", "clear"),
    [("cs(age | subject)", "~ 0 + sex", 1, True), ("us(age | subject)", "~ 0 + C(age)", 3, False)],
)
def test_likelihood_ratio_of_unequal_variances(residual, dispersion, df, clear):
    plain = bg.GLMM("distance ~ age * sex", orthodont(thinned=False), residual=residual).fit("ml")
    found = bg.likelihood_ratio(plain, fitted((False, "distance ~ age * sex", residual, dispersion, "ml")))
    assert found.df == df
    assert (found.p_value < 1e-3) is clear


def test_refit_starts_from_the_fit():
    fit = fitted((True, "distance ~ age * sex + (1 | subject)", "ar1(visit | subject)", "~ age", "reml"))
    again = fit.refit(fit.design.y + 1.0)
    np.testing.assert_allclose(again.loglik, fit.loglik, rtol=1e-9)


def test_a_variance_that_vanishes_is_said():
    data = orthodont(thinned=False)
    data.loc[data["sex"] == "Male", "distance"] = 20.0 + data["age"]
    with pytest.raises(bg.FitError, match="sigma goes to 0 in some of the rows"):
        bg.GLMM("distance ~ age * sex", data, residual="ar1(visit | subject)", dispersion="~ 0 + sex").fit("ml")


def test_a_singular_correlation_matrix_of_the_visits_is_said():
    data = bg.load_dataset("orthodont")
    i = np.arange(1, len(data) + 1)
    few = data[(7 * i**2 + 3 * i) % 11 >= 3]
    fit = bg.GLMM("distance ~ age * sex", few, residual="us(age | subject)", dispersion="~ 0 + C(age)").fit("reml")
    assert any("is singular here" in note for note in fit.notes)
    assert not fit.converged
