"""Profile likelihoods against lme4's confint(profile(fit)), constrained searches by other means, and at boundaries."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import bayesglmm as bg
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.inference.held import held_parameter

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "inference.csv")
REFERENCE = REFERENCE[REFERENCE["kind"] == "profile"]
PROBLEMS = {
    "sleep_slopes": ("sleepstudy", "reaction ~ days + (days | subject)", "gaussian"),
    "cbpp": ("cbpp", "incidence | trials(size) ~ period + (1 | herd)", "binomial"),
    "penicillin": ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian"),
}
#: lme4's binomial log-likelihood is that of an inner search with a tolerance; its gaussian one is exact.
TOLERANCE = {"sleep_slopes": 1e-5, "cbpp": 1e-4, "penicillin": 1e-5}
pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@cache
def fitted(problem: str, method: str = "laplace") -> bg.Fit:
    dataset, formula, family = PROBLEMS[problem]
    return bg.GLMM(formula, bg.load_dataset(dataset), family=family).fit(method)


def three_effects() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(20), 8)
    x, w = rng.normal(size=(2, 160))
    u = rng.normal(size=(20, 3))
    eta = 1.0 + (1 + u[g, 0]) * x + (0.5 * u[g, 1] + u[g, 2]) * w + u[g, 1]
    return pd.DataFrame({"y": eta + rng.normal(size=160), "x": x + 3.0, "w": w, "g": g.astype(str)})


def without_variance() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(12), 6)
    x = rng.normal(size=72)
    data = pd.DataFrame({"y": 1.0 + 0.5 * x + rng.normal(size=72), "x": x, "g": g.astype(str)})
    data["y"] -= data.groupby("g")["y"].transform("mean") - data["y"].mean()
    return data


@pytest.mark.parametrize("problem", PROBLEMS)
def test_intervals_are_those_of_lme4(problem: str) -> None:
    theirs = REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")
    ours = fitted(problem).profile().interval(0.95)
    assert set(ours.index) == set(theirs.index)
    width = ours["upper"] - ours["lower"]
    for end in ("lower", "upper"):
        off = (ours[end] - theirs.loc[ours.index, end]).abs() / width
        assert off.max() < TOLERANCE[problem], off


def test_the_figures_of_the_issue() -> None:
    for method in ("laplace", "ml"):
        ends = fitted("sleep_slopes", method).profile("sd(subject, Intercept)", level=0.95).interval().iloc[0]
        # lme4: 14.38142 to 37.71600; the upper end there is interpolated coarsely, exact is 37.71605 (inference.csv).
        assert ends.to_list() == pytest.approx([14.38139, 37.71605], abs=2e-5)


@pytest.mark.parametrize("family", ["sleep_slopes", "three"])
def test_held_coordinates_lead_to_the_same_likelihood_with_the_right_gradient(family: str) -> None:
    fit = fitted("sleep_slopes") if family != "three" else bg.GLMM("y ~ x + w + (x + w | g)", three_effects()).fit()
    likelihood = fit.prepared.likelihood  # type: ignore[attr-defined]
    evaluate = likelihood.evaluator()
    for estimate in fit.estimates:
        held = held_parameter(likelihood.working, estimate.term, estimate.name)
        v = held.start(fit.optimum.x)
        np.testing.assert_allclose(held.embed(estimate.estimate, v), fit.optimum.x, atol=1e-7)
        value, v = 0.9 * estimate.estimate, v + 0.02
        moved = held.pull_back(value, v, evaluate(held.embed(value, v))[1])
        step = 1e-5 * np.eye(len(v))
        differences = [
            (evaluate(held.embed(value, v + s))[0] - evaluate(held.embed(value, v - s))[0]) / 2e-5 for s in step
        ]
        np.testing.assert_allclose(moved, differences, rtol=1e-5, atol=1e-5 * np.abs(moved).max())


def test_a_correlated_sd_against_a_search_with_a_constraint() -> None:
    fit = fitted("sleep_slopes")
    evaluate = fit.prepared.likelihood.evaluator()  # type: ignore[attr-defined]
    B = fit.design.groups[0].origin
    curve = fit.profile("sd(subject, Intercept)", level=0.9)["sd(subject, Intercept)"]
    k = int(np.argmax(curve.zeta))
    scale = np.array([1.0, 1.0, 10.0, 10.0, 10.0, 0.1])

    def sd(w: np.ndarray) -> float:
        Lambda = np.array([[w[2] * 10, 0.0], [w[3] * 10, w[4] * 10]])
        return float(np.linalg.norm((B @ Lambda)[0]))

    found = minimize(
        lambda w: -evaluate(w * scale)[0],
        fit.optimum.x / scale,
        jac=lambda w: -evaluate(w * scale)[1] * scale,
        method="SLSQP",
        constraints=[{"type": "eq", "fun": lambda w: sd(w) - curve.values[k]}],
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert sd(found.x) == pytest.approx(curve.values[k], rel=1e-8)
    assert 2.0 * (fit.loglik + found.fun) == pytest.approx(curve.deviance[k], abs=1e-6)


def test_intervals_of_three_correlated_effects_hold_the_estimates() -> None:
    fit = bg.GLMM("y ~ x + w + (x + w | g)", three_effects()).fit()
    names = ["sd(g, Intercept)", "sd(g, w)", "cor(g, x, w)"]
    table = fit.profile(names, level=0.95).table()
    assert ((table["lower"] < table["estimate"]) & (table["estimate"] < table["upper"])).all()
    # The origin of x is no part of what the slopes do: the interval of a slope's sd is the same without the shift.
    centred = bg.GLMM("y ~ x + w + (x + w | g)", three_effects().assign(x=lambda d: d["x"] - 3.0)).fit()
    moved = centred.profile(["sd(g, w)"], level=0.95).interval()
    assert moved.iloc[0].to_list() == pytest.approx(table.loc["sd(g, w)", ["lower", "upper"]].to_list(), rel=1e-4)


def test_an_sd_on_the_boundary_has_a_lower_end_of_zero_and_says_so() -> None:
    fit = bg.GLMM("y ~ x + (1 | g)", without_variance()).fit()
    profile = fit.profile("sd(g)")
    lower, upper = profile.interval().iloc[0]
    assert lower == 0.0
    curve = profile["sd(g)"]
    assert curve.zeta[0] == 0.0
    held = held_parameter(fit.prepared.likelihood.working, "sd", "sd(g)")  # type: ignore[attr-defined]
    evaluate = fit.prepared.likelihood.evaluator()  # type: ignore[attr-defined]
    found = minimize(
        lambda v: -evaluate(held.embed(upper, v))[0],
        held.start(fit.optimum.x),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 5000},
    )
    assert 2.0 * (fit.loglik + found.fun) == pytest.approx(3.841459, abs=1e-4)
    assert "sd(g) is estimated as 0" in repr(profile)


def test_an_sd_that_zero_cannot_be_excluded_for_ends_there() -> None:
    data = without_variance()
    data["y"] += 0.5 * np.random.default_rng(5).normal(size=12)[data["g"].astype(int)]
    fit = bg.GLMM("y ~ x + (1 | g)", data).fit()
    plain = bg.GLMM("y ~ x", data).fit()
    deviance = 2.0 * (fit.loglik - plain.loglik)
    assert 0.0 < deviance < 3.84  # the point of the example
    profile = fit.profile("sd(g)")
    assert profile.interval().loc["sd(g)", "lower"] == 0.0
    assert profile["sd(g)"].deviance[0] == pytest.approx(deviance, abs=1e-7)
    assert f"the deviance there is {deviance:.3g}" in "\n".join(profile.notes)


def test_a_correlation_of_one_has_a_lower_end_alone() -> None:
    data = bg.load_dataset("salamander")
    formula = "mated ~ 0 + cross + (1 | female_linked) + (0 + season | male_linked)"
    name = "cor(male_linked, season[summer], season[fall])"
    fit = bg.GLMM(formula, data, family="bernoulli").fit()
    profile = fit.profile(name, level=0.95)
    lower, upper = profile.interval().iloc[0]
    assert upper == 1.0
    assert 0.0 < lower < 0.5
    assert f"{name} is estimated as 1" in repr(profile)
    # At lower correlations the likelihood falls to that of a model without the linked males of one season.
    assert (np.diff(profile[name].deviance) <= 1e-9).all()


def test_a_correlation_with_an_sd_of_zero_is_said_to_have_none() -> None:
    fit = bg.GLMM("y ~ x + (x | g)", without_variance()).fit()
    assert fit.variance_components.loc["sd(g, Intercept)", "estimate"] == 0.0
    profile = fit.profile(["cor(g, Intercept, x)", "sigma"], level=0.9)
    assert [c.name for c in profile.curves] == ["sigma"]
    assert "cor(g, Intercept, x) is not defined" in repr(profile)


def test_with_much_data_profiles_are_wald_intervals() -> None:
    fit = bg.GLMM("r2 ~ anger + (1 | id)", bg.load_dataset("verbagg"), family="bernoulli").fit()
    profiled, wald = fit.profile(level=0.95).interval(), fit.tidy().set_index("name")
    width = wald["upper"] - wald["lower"]
    for end in ("lower", "upper"):
        assert ((profiled[end] - wald.loc[profiled.index, end]).abs() / width).max() < 0.02


def test_without_group_terms_sigma_has_the_closed_form() -> None:
    fit = bg.GLMM("y ~ x", without_variance()).fit()
    curve = fit.profile("sigma", level=0.95)["sigma"]
    n, ratio = 72, curve.values / curve.estimate
    # 2 (l_max - l(sigma)) = n (2 log r + 1 / r^2 - 1) with r = sigma / estimate.
    np.testing.assert_allclose(curve.deviance, n * (2 * np.log(ratio) + ratio**-2 - 1), atol=1e-7)
    assert (np.diff(curve.zeta) > 0.0).all()


def test_quadrature_has_profiles_too() -> None:
    fit = fitted("cbpp", "agq")
    ends = fit.profile("sd(herd)", level=0.95).interval().iloc[0]
    laplace = fitted("cbpp").profile("sd(herd)", level=0.95).interval().iloc[0]
    assert ends.to_list() == pytest.approx(laplace.to_list(), rel=0.02)
    assert ends.to_list() != pytest.approx(laplace.to_list(), rel=1e-4)


def test_what_has_no_profile_is_refused_in_words() -> None:
    fit = fitted("sleep_slopes")
    with pytest.raises(SpecificationError, match=r"Did you mean 'sd\(subject, days\)'"):
        fit.profile("sd(subject, day)")
    with pytest.raises(SpecificationError, match=r"ask for profile\(level=0.99\)"):
        fit.profile("sigma", level=0.9).interval(0.99)
    with pytest.raises(SpecificationError, match="level"):
        fit.profile("sigma", level=1.5)
    with pytest.raises(SpecificationError, match="'days' was not profiled"):
        fit.profile("sigma", level=0.5)["days"]
    with pytest.raises(SpecificationError, match="'reml' offers no likelihood"):
        fitted("sleep_slopes", "reml").profile("sigma")
    with pytest.raises(SpecificationError, match="'gee' offers no likelihood"):
        fitted("cbpp", "gee").profile("period[2]")


def test_a_held_fit_that_is_better_than_the_fit_is_said() -> None:
    from dataclasses import replace

    fit = fitted("sleep_slopes")
    with pytest.raises(FitError, match="the fit is no maximum"):
        replace(fit, loglik=fit.loglik - 1.0).profile("sigma")


def test_the_frame_holds_what_a_figure_needs() -> None:
    profile = fitted("cbpp").profile(["sd(herd)", "Intercept"], level=0.9)
    assert profile.frame.columns.to_list() == ["name", "value", "zeta", "deviance"]
    assert profile.frame["name"].nunique() == 2
    zero = profile.frame.query("zeta == 0")
    assert zero["value"].to_list() == pytest.approx(
        [
            fitted("cbpp").variance_components.loc["sd(herd)", "estimate"],
            fitted("cbpp").coefficients["estimate"].iloc[0],
        ]
    )


def test_columns_that_are_called_like_other_parameters() -> None:
    plain = fitted("sleep_slopes", "ml")
    names = {"days": "sigma"}
    fit = bg.GLMM("reaction ~ sigma + (sigma | subject)", bg.load_dataset("sleepstudy").rename(columns=names)).fit("ml")
    expected = plain.profile(["days", "sigma"]).table()
    both = fit.profile(["sigma (coefficient)", "sigma"])
    assert list(both.table().index) == ["sigma (coefficient)", "sigma"]
    np.testing.assert_allclose(both.table(), expected, rtol=1e-6)
    np.testing.assert_allclose(fit.profile("sigma").table(), expected.loc[["sigma"]], rtol=1e-6)
    assert both["sigma (coefficient)"].estimate == pytest.approx(10.467286, abs=1e-5)


def test_a_column_called_like_a_standard_deviation() -> None:
    data = bg.load_dataset("sleepstudy").rename(columns={"days": "sd(subject)"})
    fit = bg.GLMM("reaction ~ `sd(subject)` + (1 | subject)", data).fit("ml")
    plain = bg.GLMM("reaction ~ days + (1 | subject)", bg.load_dataset("sleepstudy")).fit("ml")
    ours = fit.profile(["sd(subject) (coefficient)", "sd(subject)"]).table()
    np.testing.assert_allclose(ours, plain.profile(["days", "sd(subject)"]).table(), rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (3, "takes a name or a list of names, not 3"),
        ([], "was given no name"),
        ([3], "3 is not a parameter"),
        ([["sigma"]], "is not a parameter"),
        ({"sigma": 1}, "takes a name or a list of names"),
    ],
)
def test_names_that_are_none_are_refused_in_words(names: object, words: str) -> None:
    with pytest.raises(SpecificationError, match=words):
        fitted("sleep_slopes").profile(names)  # type: ignore[arg-type]
