"""Contrasts and joint Wald tests: names, labels, z and chi-square, what is refused and in which words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import FitError, SpecificationError

DIFFERENCE = {"cross[RR]": 1, "cross[WR]": -1}
pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@cache
def salamander() -> bg.Fit:
    data = bg.load_dataset("salamander")
    return bg.GLMM("mated ~ 0 + cross + (1 | female) + (1 | male)", data, family="bernoulli").fit("laplace")


@cache
def sleepstudy(method: str = "laplace") -> bg.Fit:
    return bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy")).fit(method)


def test_a_difference_is_that_of_the_estimates_with_their_covariance() -> None:
    fit = salamander()
    row = fit.contrast(DIFFERENCE).loc["cross[RR] - cross[WR]"]
    at = [fit.design.coefficients.index(name) for name in DIFFERENCE]
    C = fit.covariance
    # 1.00822 + 1.89599 (tests/reference/laplace.csv).
    assert row["estimate"] == pytest.approx(2.904210, abs=1e-5)
    assert row["std_error"] ** 2 == pytest.approx(C[at[0], at[0]] + C[at[1], at[1]] - 2 * C[at[0], at[1]])
    assert np.isnan(row["df"])
    assert row["statistic"] == pytest.approx(row["estimate"] / row["std_error"])
    assert row["upper"] - row["lower"] == pytest.approx(2 * 1.959963984540054 * row["std_error"])


def test_every_coefficient_by_itself_is_the_table_of_coefficients() -> None:
    fit = salamander()
    tests = fit.tests()
    np.testing.assert_allclose(tests["p_value"], fit.coefficients["p_value"], rtol=1e-12)
    np.testing.assert_allclose(tests[["estimate", "std_error"]], fit.coefficients[["estimate", "std_error"]])
    named = fit.contrast(list(fit.design.coefficients))
    np.testing.assert_allclose(named["lower"], tests["lower"])


def test_labels_say_what_was_asked() -> None:
    fit = salamander()
    given = [DIFFERENCE, {"cross[RR]": -0.5, "cross[WW]": 2}, "cross[RW]", {"cross[RR]": 1, "cross[WW]": 0}]
    expected = ["cross[RR] - cross[WR]", "-0.5 cross[RR] + 2 cross[WW]", "cross[RW]", "cross[RR]"]
    assert fit.contrast(given).index.to_list() == expected


def test_a_joint_test_does_not_depend_on_how_the_differences_are_taken() -> None:
    fit = salamander()
    one = fit.wald([{"cross[RR]": 1, "cross[RW]": -1}, {"cross[RW]": 1, "cross[WR]": -1}])
    other = fit.wald([{"cross[RR]": 3, "cross[RW]": -3}, DIFFERENCE, {"cross[RW]": 1, "cross[WR]": -1}])
    assert one.df == other.df == 2  # the third difference repeats the others
    assert other.statistic == pytest.approx(one.statistic, rel=1e-8)
    L = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, -1.0, 0.0]])
    beta = fit.coefficients["estimate"].to_numpy()
    by_hand = (L @ beta) @ np.linalg.solve(L @ fit.covariance @ L.T, L @ beta)
    assert one.statistic == pytest.approx(by_hand, rel=1e-10)
    assert "chi-square(2)" in repr(one)


def test_a_single_contrast_squared_is_the_joint_test() -> None:
    fit = sleepstudy("reml")
    for ddf in (None, "satterthwaite", "kenward-roger"):
        single, joint = fit.contrast("days", ddf=ddf).loc["days"], fit.wald("days", ddf=ddf)
        assert joint.statistic == pytest.approx(single["statistic"] ** 2, rel=1e-9)
        assert joint.p_value == pytest.approx(single["p_value"], rel=1e-6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cross[RX]": 1}, r"'cross\[RX\]' is not a coefficient of this fit\. Did you mean"),
        ({"cross[RR]": "1"}, "give a finite number"),
        ({"cross[RR]": True}, "give a finite number"),
        ({"cross[RR]": float("nan")}, "give a finite number"),
        ({"cross[RR]": 0}, "multiplies every coefficient by 0"),
        ({}, "multiplies every coefficient by 0"),
        ([], "no contrast was given"),
        ([3], "a contrast is a coefficient's name or a mapping"),
        (3, "not as int"),
    ],
)
def test_what_is_no_contrast_is_refused_in_words(given: object, words: str) -> None:
    with pytest.raises(SpecificationError, match=words):
        salamander().contrast(given)  # type: ignore[arg-type]


def test_degrees_of_freedom_are_refused_where_they_do_not_apply() -> None:
    with pytest.raises(SpecificationError, match="gaussian responses with the identity link"):
        salamander().tests(ddf="satterthwaite")
    with pytest.raises(SpecificationError, match="Did you mean 'satterthwaite'"):
        sleepstudy().tests(ddf="satterthwait")
    with pytest.raises(SpecificationError, match=r'use model.fit\("reml"\)'):
        sleepstudy().tests(ddf="kenward-roger")
    with pytest.raises(SpecificationError, match="level"):
        sleepstudy().tests(level=95)


def test_without_standard_errors_nothing_is_tested() -> None:
    fit = replace(salamander(), covariance=np.full((4, 4), np.nan))
    with pytest.raises(FitError, match="no standard errors, so nothing can be tested"):
        fit.contrast(DIFFERENCE)
    with pytest.raises(FitError, match="no standard errors"):
        fit.wald(DIFFERENCE)


def test_marginal_and_unpooled_fits_have_contrasts_too() -> None:
    data = bg.load_dataset("cbpp")
    model = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", data, family="binomial")
    for method in ("gee", "fixed"):
        fit = model.fit(method)
        row = fit.contrast({"period[2]": 1, "period[3]": -1}).iloc[0]
        estimates = fit.coefficients["estimate"]
        assert row["estimate"] == pytest.approx(estimates["period[2]"] - estimates["period[3]"], rel=1e-12)
        assert fit.tests()["p_value"].to_numpy() == pytest.approx(fit.coefficients["p_value"].to_numpy())


def test_coefficients_without_standard_errors_are_named() -> None:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(8), 6)
    data = pd.DataFrame({"y": rng.normal(size=48), "x": rng.normal(size=48), "w": g % 3 + 0.0, "g": g.astype(str)})
    fit = bg.GLMM("y ~ x + w + (1 | g)", data).fit("fixed")
    assert np.isfinite(fit.coefficients.loc["x", "std_error"])
    for ask in (lambda: fit.wald("w"), fit.tests):
        with pytest.raises(FitError, match=r"^w of this fit's coefficients have no standard errors: .*fit\.notes"):
            ask()


@pytest.mark.parametrize("level", ["a", None, 95, True])
def test_a_level_that_is_none_is_refused_before_anything_else(level: object) -> None:
    with pytest.raises(SpecificationError, match="is not a number between 0 and 1"):
        sleepstudy().tidy(level=level)  # type: ignore[arg-type]
