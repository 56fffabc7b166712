"""Satterthwaite and Kenward-Roger against lmerTest and pbkrtest (tests/reference/inference.csv), and invariances."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.inference import kenward_roger
from bayesglmm.frequentist.inference.linear_marginal import LinearMarginal

REFERENCE = pd.read_csv(
    Path(__file__).parents[2] / "reference" / "inference.csv", keep_default_na=False, na_values=[""]
)
PROBLEMS = {
    "sleep_slopes": ("sleepstudy", "", "reaction ~ days + (days | subject)"),
    "sleep_intercept": ("sleepstudy", "", "reaction ~ days + (1 | subject)"),
    "sleep_independent": ("sleepstudy", "", "reaction ~ days + (days || subject)"),
    "sleep_unbalanced": ("sleepstudy", "days <= 3 or reaction > 300", "reaction ~ days + (days | subject)"),
    "sleep_singular": ("sleepstudy", "", "reaction ~ days + (1 | subject)"),
    "oats": ("oats", "", "yield ~ nitro + variety + (1 | block / variety)"),
    "penicillin": ("penicillin", "", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    "salamander_linear": ("salamander", "", "mated ~ 0 + cross + (1 | female) + (1 | male)"),
}
JOINT = {
    "oats": ["variety[Marvellous]", "variety[Victory]"],
    "salamander_linear": [
        {"cross[RR]": 1, "cross[RW]": -1},
        {"cross[RW]": 1, "cross[WR]": -1},
        {"cross[WR]": 1, "cross[WW]": -1},
    ],
}
pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@cache
def fitted(problem: str, method: str) -> bg.Fit:
    dataset, rows, formula = PROBLEMS[problem]
    data = bg.load_dataset(dataset)
    if problem == "sleep_singular":  # subjects without a variance of their own, and the last one short of four days
        data = data.head(176)
        data["reaction"] -= data.groupby("subject", observed=True)["reaction"].transform("mean")
    return bg.GLMM(formula, data.query(rows) if rows else data).fit(method)


#: The fit's Hessian is of differences, good to the fifth digit, and so are Satterthwaite's degrees of freedom;
#: Kenward-Roger's come from the expected information, to the digits of the estimates.
TOLERANCE = {"satterthwaite": 2e-5, "kenward-roger": 2e-6}
CASES = [
    (p, k, m)
    for p in PROBLEMS
    for k, m in [("satterthwaite", "ml"), ("satterthwaite", "reml"), ("kenward-roger", "reml")]
]


@pytest.mark.parametrize(("problem", "ddf", "method"), CASES)
def test_degrees_of_freedom_are_the_references(problem: str, ddf: str, method: str) -> None:
    theirs = REFERENCE[(REFERENCE["problem"] == problem) & (REFERENCE["kind"] == f"{ddf} {method}")]
    theirs = theirs.set_index("parameter")
    fit = fitted(problem, method)
    assert fit.loglik == pytest.approx(theirs["loglik"].iloc[0], abs=1e-7)
    ours = fit.tests(ddf=ddf)
    singles = theirs.drop("joint", errors="ignore")
    assert set(ours.index) == set(singles.index)
    for column, reference in (("estimate", "estimate"), ("std_error", "std_error"), ("df", "ddf")):
        rtol = TOLERANCE[ddf] if column == "df" else 1e-6
        np.testing.assert_allclose(ours[column], singles.loc[ours.index, reference], rtol=rtol, err_msg=column)
    # So far out in the tail a p value magnifies the fifth digit of the degrees of freedom; its logarithm does not.
    np.testing.assert_allclose(np.log(ours["p_value"]), np.log(singles.loc[ours.index, "p_value"]), rtol=2e-5)
    if "joint" not in theirs.index:
        return
    test, joint = fit.wald(JOINT.get(problem, ["Intercept", "days"]), ddf=ddf), theirs.loc["joint"]
    assert test.df == joint["df"]
    assert test.denominator_df == pytest.approx(joint["ddf"], rel=TOLERANCE[ddf])
    assert test.statistic == pytest.approx(joint["statistic"], rel=2e-6)
    assert np.log(test.p_value) == pytest.approx(np.log(joint["p_value"]), rel=2e-5)


def test_laplace_of_a_linear_model_has_the_degrees_of_freedom_of_ml() -> None:
    ml, laplace = fitted("sleep_unbalanced", "ml"), fitted("sleep_unbalanced", "laplace")
    columns = ["estimate", "std_error", "df", "lower", "upper"]
    np.testing.assert_allclose(
        laplace.tests(ddf="satterthwaite")[columns], ml.tests(ddf="satterthwaite")[columns], rtol=2e-5
    )


def test_without_group_terms_they_are_the_rows_that_sigma_is_estimated_from() -> None:
    # By maximum likelihood the variance of log sigma is 1 / (2 n), whatever the coefficients.
    fit = bg.GLMM("reaction ~ days", bg.load_dataset("sleepstudy")).fit("laplace")
    assert fit.tests(ddf="satterthwaite")["df"].to_numpy() == pytest.approx(
        [180.0, 180.0], rel=TOLERANCE["satterthwaite"]
    )
    assert fit.wald(["Intercept", "days"], ddf="satterthwaite").denominator_df == pytest.approx(180.0, rel=2e-5)


def test_without_group_terms_reml_has_those_of_least_squares() -> None:
    fit = bg.GLMM("reaction ~ days", bg.load_dataset("sleepstudy")).fit("reml")
    for ddf in ("satterthwaite", "kenward-roger"):
        assert fit.tests(ddf=ddf)["df"].to_numpy() == pytest.approx([178.0, 178.0], rel=TOLERANCE[ddf])
        assert fit.wald(["Intercept", "days"], ddf=ddf).denominator_df == pytest.approx(178.0, rel=TOLERANCE[ddf])


def dense(fit: bg.Fit) -> np.ndarray:
    """Return V (n, n) by the textbook, from the natural sds and correlations."""
    table, design = fit.variance_components["estimate"], fit.design
    V = np.diag(table["sigma"] ** 2 * design.size**2 / design.weights)
    for group in design.groups:
        sd = table[[group.sd_name(e) for e in group.effects]].to_numpy()
        R = np.eye(len(sd))
        pairs = [(row, column) for row in range(len(sd)) for column in range(row)]
        for (i, k), name in zip(pairs, group.cor_names(), strict=False):
            R[i, k] = R[k, i] = table[name]
        together = group.codes[:, None] == group.codes[None, :]
        V += together * (group.columns().T @ (np.outer(sd, sd) * R) @ group.columns())
    return V


@pytest.mark.parametrize("problem", ["sleep_slopes", "oats", "salamander_linear"])
def test_the_marginal_covariance_is_never_formed_but_right(problem: str) -> None:
    fit = fitted(problem, "reml")
    V, marginal = dense(fit), LinearMarginal.of(fit)
    np.testing.assert_allclose(marginal.solve(fit.design.X), np.linalg.solve(V, fit.design.X), rtol=1e-8, atol=1e-12)
    expected = np.linalg.inv(fit.design.X.T @ np.linalg.solve(V, fit.design.X))
    np.testing.assert_allclose(marginal.covariance, expected, rtol=1e-8, atol=1e-12)


def test_weights_and_known_standard_errors_enter_v() -> None:
    data = bg.load_dataset("sleepstudy").assign(se=lambda d: 1.0 + 0.1 * d["days"], w=lambda d: 1.0 + (d["days"] > 4))
    weighted = bg.GLMM("reaction ~ days + (1 | subject)", data, weights="w").fit("ml")
    np.testing.assert_allclose(
        LinearMarginal.of(weighted).solve(weighted.design.X),
        np.linalg.solve(dense(weighted), weighted.design.X),
        rtol=1e-8,
    )
    copies = pd.concat([data, data[data["days"] > 4]], ignore_index=True)
    copied = bg.GLMM("reaction ~ days + (1 | subject)", copies).fit("ml")
    np.testing.assert_allclose(weighted.tests(ddf="satterthwaite"), copied.tests(ddf="satterthwaite"), rtol=1e-4)
    with pytest.raises(SpecificationError, match="these rows have weights"):
        bg.GLMM("reaction ~ days + (1 | subject)", data, weights="w").fit("reml").tests(ddf="kenward-roger")
    known = bg.GLMM("reaction | se(se) ~ days + (1 | subject)", data).fit("reml")
    for ddf in ("satterthwaite", "kenward-roger"):
        # Rows are exact to one unit: only the 18 subjects' variance is uncertain, and the slope hardly depends on it.
        table = known.tests(ddf=ddf)
        assert table.loc["Intercept", "df"] == pytest.approx(17.0, rel=0.01)
        assert table.loc["days", "df"] > 1e4


def test_units_of_the_response_and_of_covariates_change_nothing() -> None:
    data = bg.load_dataset("sleepstudy").assign(reaction=lambda d: d["reaction"] / 1000, days=lambda d: 24 * d["days"])
    moved = bg.GLMM("reaction ~ days + (days | subject)", data.query("days <= 72 or reaction > 0.3")).fit("reml")
    for ddf in ("satterthwaite", "kenward-roger"):
        ours, before = moved.tests(ddf=ddf), fitted("sleep_unbalanced", "reml").tests(ddf=ddf)
        np.testing.assert_allclose(ours[["df", "statistic"]], before[["df", "statistic"]], rtol=1e-5)


def test_a_variance_of_zero_leaves_satterthwaite_an_answer() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(12), 6)
    x = rng.normal(size=72)
    data = pd.DataFrame({"x": x, "y": 1.0 + 0.5 * x + rng.normal(size=72), "g": g.astype(str)})
    data["y"] -= data.groupby("g")["y"].transform("mean") - data["y"].mean()
    fit = bg.GLMM("y ~ x + (1 | g)", data).fit("reml")
    assert fit.variance_components.loc["sd(g)", "estimate"] == 0.0
    # Nothing but sigma is uncertain: the degrees of freedom of least squares.
    assert fit.tests(ddf="satterthwaite")["df"].to_numpy() == pytest.approx([70.0, 70.0], rel=1e-5)


def test_too_many_effects_for_kenward_roger_are_refused_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kenward_roger, "MAX_EFFECTS", 20)
    with pytest.raises(
        SpecificationError, match=r"number of group effects, 36; this version stops at 20.*satterthwaite"
    ):
        fitted("sleep_slopes", "reml").tests(ddf="kenward-roger")


def test_fits_without_variances_of_the_mixed_model_are_refused() -> None:
    fit = bg.GLMM("reaction ~ days + (1 | subject)", bg.load_dataset("sleepstudy")).fit("fixed")
    with pytest.raises(SpecificationError, match="need a fit by REML or maximum likelihood, not by 'fixed'"):
        fit.tests(ddf="satterthwaite")


@pytest.mark.parametrize("shift", [1e4, 1e5, 1e6])
@pytest.mark.parametrize("ddf", ["kenward-roger", "satterthwaite"])
def test_the_origin_of_a_slope_covariate_changes_nothing(ddf: str, shift: float) -> None:
    data = bg.load_dataset("sleepstudy").assign(days=lambda d: d["days"] + shift)
    moved = bg.GLMM("reaction ~ days + (days | subject)", data).fit("reml")
    ours, before = moved.tests(ddf=ddf).loc["days"], fitted("sleep_slopes", "reml").tests(ddf=ddf).loc["days"]
    assert before["std_error"] == pytest.approx(1.5458, abs=5e-5)
    rtol = 1e-6 if ddf == "kenward-roger" else TOLERANCE[ddf]  # the latter's Hessian is of differences
    np.testing.assert_allclose(ours[["estimate", "std_error"]], before[["estimate", "std_error"]], rtol=1e-6)
    assert ours["df"] == pytest.approx(before["df"], rel=rtol)
    test, there = moved.wald("days", ddf=ddf), fitted("sleep_slopes", "reml").wald("days", ddf=ddf)
    assert test.statistic == pytest.approx(there.statistic, rel=1e-6)
    assert test.denominator_df == pytest.approx(there.denominator_df, rel=rtol)
    if ddf == "kenward-roger":  # both coefficients are 0 wherever days begin: its rank is not lost, nor counted twice
        start = moved.wald([{"Intercept": 1, "days": shift}, "days", "Intercept"], ddf=ddf)
        there = fitted("sleep_slopes", "reml").wald(["Intercept", "days"], ddf=ddf)
        assert start.df == 2
        assert start.statistic == pytest.approx(there.statistic, rel=1e-5)
        assert start.denominator_df == pytest.approx(there.denominator_df, rel=1e-5)


@pytest.mark.parametrize("ddf", [["satterthwaite"], 3, {"a": 1}])
def test_a_ddf_that_is_no_name_is_refused_in_words(ddf: object) -> None:
    with pytest.raises(SpecificationError, match=r"ddf=.*Allowed: 'satterthwaite', 'kenward-roger', or None"):
        fitted("sleep_slopes", "reml").tests(ddf=ddf)  # type: ignore[arg-type]


@pytest.mark.parametrize("ddf", [None, "satterthwaite", "kenward-roger"])
def test_without_coefficients_the_table_is_empty(ddf: str | None) -> None:
    fit = bg.GLMM("reaction ~ 0 + (1 | subject)", bg.load_dataset("sleepstudy")).fit("reml")
    table = fit.tests(ddf=ddf)
    assert table.shape == (0, 7)
    assert list(table.columns) == list(fitted("sleep_slopes", "reml").tests().columns)
