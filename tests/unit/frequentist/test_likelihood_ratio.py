"""Likelihood ratio tests: figures of lme4, mixtures at the boundary, and what is refused and why."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.errors import FitError, SpecificationError

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "inference.csv")
REFERENCE = REFERENCE[REFERENCE["kind"] == "likelihood ratio"].set_index("problem")
pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

PLAIN, INTERCEPTS = "reaction ~ days", "reaction ~ days + (1 | subject)"
INDEPENDENT, CORRELATED = "reaction ~ days + (days || subject)", "reaction ~ days + (days | subject)"


@cache
def sleepstudy(formula: str, method: str = "laplace") -> bg.Fit:
    return bg.GLMM(formula, bg.load_dataset("sleepstudy")).fit(method)


@cache
def cbpp(formula: str) -> bg.Fit:
    return bg.GLMM(f"incidence | trials(size) ~ {formula}", bg.load_dataset("cbpp"), family="binomial").fit("laplace")


@pytest.mark.parametrize(
    ("problem", "small", "large"),
    [
        ("sleep_slope", INTERCEPTS, CORRELATED),
        ("sleep_correlation", INDEPENDENT, CORRELATED),
        ("sleep_subject", PLAIN, INTERCEPTS),
    ],
)
def test_statistics_are_those_of_lme4(problem: str, small: str, large: str) -> None:
    test, theirs = bg.likelihood_ratio(sleepstudy(small), sleepstudy(large)), REFERENCE.loc[problem]
    assert test.statistic == pytest.approx(theirs["statistic"], abs=1e-7)
    assert test.df == theirs["df"]
    assert test.p_naive == pytest.approx(theirs["p_value"], rel=1e-6)


def test_coefficients_of_a_binomial_model() -> None:
    test = bg.likelihood_ratio(cbpp("1 + (1 | herd)"), cbpp("period + (1 | herd)"))
    theirs = REFERENCE.loc["cbpp_period"]
    assert test.statistic == pytest.approx(theirs["statistic"], abs=2e-5)
    assert test.df == 3
    assert test.p_value == test.p_naive == pytest.approx(theirs["p_value"], rel=2e-5)
    assert np.isnan(test.p_mixture)
    assert test.zeroed == ()


def test_one_variance_more_is_referred_to_a_mixture() -> None:
    test = bg.likelihood_ratio(sleepstudy(INTERCEPTS), sleepstudy(CORRELATED))
    assert test.zeroed == ("sd(subject, days)",)
    x = test.statistic
    # Stram & Lee (1994), case 3: one effect correlated with k = 1 other, 0.5 chi-square(1) + 0.5 chi-square(2).
    assert test.p_mixture == pytest.approx(0.5 * stats.chi2.sf(x, 1) + 0.5 * stats.chi2.sf(x, 2), rel=1e-12)
    assert test.p_value == test.p_mixture < test.p_naive
    for words in ("0.5 chi-square(1) + 0.5 chi-square(2)", "sd(subject, days) to 0", f"{test.p_naive:.4g}"):
        assert words in repr(test)
    # A first variance: half the null distribution is a point at 0 (Self & Liang 1987, case 5).
    first = bg.likelihood_ratio(sleepstudy(PLAIN), sleepstudy(INTERCEPTS))
    assert first.p_value == pytest.approx(0.5 * first.p_naive, rel=1e-12)


def test_a_correlation_lies_inside_its_range() -> None:
    test = bg.likelihood_ratio(sleepstudy(INDEPENDENT), sleepstudy(CORRELATED))
    assert test.zeroed == ()
    assert test.p_value == test.p_naive


def test_several_variances_at_once_have_a_bound_and_say_so() -> None:
    test = bg.likelihood_ratio(sleepstudy(PLAIN), sleepstudy(CORRELATED))
    assert test.zeroed == ("sd(subject, Intercept)", "sd(subject, days)")
    assert np.isnan(test.p_mixture)
    assert "p <=" in repr(test)
    assert "bootstrap=1000" in repr(test)


def test_a_coding_that_spans_the_same_is_nested() -> None:
    data = bg.load_dataset("salamander")
    cells = bg.GLMM("mated ~ 0 + cross + (1 | female)", data, family="bernoulli").fit()
    factors = bg.GLMM("mated ~ wsf + wsm + (1 | female)", data, family="bernoulli").fit()
    test = bg.likelihood_ratio(factors, cells)
    assert test.df == 1
    assert test.statistic == pytest.approx(2 * (cells.loglik - factors.loglik), abs=1e-12)


def test_no_variance_gives_a_statistic_of_zero_and_a_p_value_of_one() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=72), "g": np.repeat(np.arange(12), 6).astype(str)})
    data["y"] -= data.groupby("g")["y"].transform("mean")
    test = bg.likelihood_ratio(bg.GLMM("y ~ 1", data).fit(), bg.GLMM("y ~ 1 + (1 | g)", data).fit())
    assert test.statistic == pytest.approx(0.0, abs=1e-7)
    assert test.p_value == pytest.approx(1.0, abs=1e-3)


def assert_refused(words: str, small: bg.Fit, large: bg.Fit) -> None:
    with pytest.raises(SpecificationError, match=words):
        bg.likelihood_ratio(small, large)


def test_what_is_not_nested_is_refused() -> None:
    assert_refused("Give the smaller model first", sleepstudy(CORRELATED), sleepstudy(INTERCEPTS))
    assert_refused("correlated effects Intercept, days of subject", sleepstudy(CORRELATED), sleepstudy(INDEPENDENT))
    assert_refused(
        "the coefficients of the first fit", sleepstudy(INTERCEPTS), sleepstudy("reaction ~ 1 + (days | subject)")
    )
    assert_refused("models that differ", sleepstudy(INTERCEPTS), sleepstudy(INTERCEPTS))
    data = bg.load_dataset("salamander")
    female, male = (bg.GLMM(f"mated ~ cross + (1 | {g})", data, family="bernoulli").fit() for g in ("female", "male"))
    assert_refused("effects Intercept of female in the first", female, male)


def test_what_is_not_comparable_is_refused() -> None:
    data = bg.load_dataset("sleepstudy")
    assert_refused("not on one scale", sleepstudy(INTERCEPTS), sleepstudy(CORRELATED, "ml"))
    fewer = bg.GLMM(CORRELATED, data.query("days > 0")).fit()
    assert_refused("different data: 180 and 162 rows", sleepstudy(INTERCEPTS), fewer)
    other = bg.GLMM(CORRELATED, data.assign(reaction=data["reaction"] + 1)).fit()
    assert_refused("different responses", sleepstudy(INTERCEPTS), other)
    logged = bg.GLMM(CORRELATED, data, link="log").fit()
    assert_refused("different families or links", sleepstudy(INTERCEPTS), logged)
    model = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", bg.load_dataset("cbpp"), family="binomial")
    assert_refused("'gee' has no log-likelihood", model.fit("gee"), model.fit("gee"))
    assert_refused("'fixed' estimates the groups one by one", model.fit("fixed"), model.fit("fixed"))


def test_reml_compares_variances_and_refuses_coefficients() -> None:
    small, large = sleepstudy(INTERCEPTS, "reml"), sleepstudy(CORRELATED, "reml")
    # lme4: -871.814136 against -893.232543.
    assert bg.likelihood_ratio(small, large).statistic == pytest.approx(2 * (-871.814136 + 893.232543), abs=1e-5)
    assert_refused(
        "REML log-likelihoods of models with different coef", sleepstudy("reaction ~ 1 + (1 | subject)", "reml"), large
    )


def test_a_larger_model_that_fits_worse_is_a_finding_about_its_search() -> None:
    from dataclasses import replace

    worse = replace(sleepstudy(CORRELATED), loglik=sleepstudy(INTERCEPTS).loglik - 1.0)
    with pytest.raises(FitError, match="below the smaller's"):
        bg.likelihood_ratio(sleepstudy(INTERCEPTS), worse)


def test_bootstrap_p_value_needs_no_theory_and_repeats_by_seed() -> None:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(15), 4)
    data = pd.DataFrame({"y": 0.45 * rng.normal(size=15)[g] + rng.normal(size=60), "g": g.astype(str)})
    small, large = bg.GLMM("y ~ 1", data).fit(), bg.GLMM("y ~ 1 + (1 | g)", data).fit()
    test = bg.likelihood_ratio(small, large, bootstrap=99, seed=3, progress=False)
    few = [bg.likelihood_ratio(small, large, bootstrap=10, seed=seed, progress=False).p_bootstrap for seed in (3, 3)]
    assert few[0] == few[1]
    assert test.bootstrap_failures == ()
    # The mixture is the limit for many groups; 99 draws have a standard error of sqrt(p (1 - p) / 99).
    spread = np.sqrt(test.p_mixture * (1 - test.p_mixture) / 99)
    assert abs(test.p_bootstrap - test.p_mixture) < 4 * spread + 0.01
    assert "99 of 99 data sets fitted" in repr(test)


def test_what_is_no_fit_is_refused_in_words() -> None:
    fit = sleepstudy(INTERCEPTS)
    with pytest.raises(
        SpecificationError, match=r"first argument of likelihood_ratio\(\) is 3, which is no classical fit"
    ):
        bg.likelihood_ratio(3, fit)  # type: ignore[arg-type]
    with pytest.raises(SpecificationError, match=r"second argument .* is a list, which is no classical fit"):
        bg.likelihood_ratio(fit, [fit])  # type: ignore[arg-type]
