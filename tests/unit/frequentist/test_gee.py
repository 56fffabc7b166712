"""Estimating equations against R's geepack (tests/reference/gee.csv), and what they refuse."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.frequentist.search.optimum import OptimumStatus

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "gee.csv")
PROBLEMS = list(REFERENCE["problem"].unique())

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@cache
def model(dataset: str, formula: str, family: str, link: str) -> bg.GLMM:
    return bg.GLMM(formula, bg.load_dataset(dataset), family=family, link=link)


def options(first: pd.Series) -> dict[str, Any]:
    given = {"correlation": first["correlation"]}
    return given | (
        {"time": bg.load_dataset(first["dataset"])[first["time"]]} if isinstance(first["time"], str) else {}
    )


@pytest.mark.parametrize("problem", PROBLEMS)
def test_geepack_agrees(problem: str) -> None:
    theirs = REFERENCE[REFERENCE["problem"] == problem]
    first = theirs.iloc[0]
    made = model(first["dataset"], first["formula"], first["family"], first["link"])
    fit = made.fit("gee", **options(first))
    trusting = made.fit("gee", covariance="model", **options(first))
    p = len(fit.coefficients)
    estimates = np.concatenate([fit.coefficients["estimate"], fit.variance_components["estimate"]])
    # geese stops when no estimate moves by 1e-13 but has been seen to leave 1e-7 of a coefficient near 0.
    np.testing.assert_allclose(estimates, theirs["estimate"], rtol=2e-8, atol=2e-9)
    np.testing.assert_allclose(fit.coefficients["std_error"], theirs["sandwich"][:p], rtol=1e-7)
    np.testing.assert_allclose(trusting.coefficients["std_error"], theirs["model"][:p], rtol=1e-7)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(trusting.coefficients["estimate"].to_numpy())


def test_the_figures_of_the_issue() -> None:
    formula = "outcome ~ treat + center + age + baseline + visit + (1 | center:id)"
    fit = model("respiratory", formula, "bernoulli", "logit").fit("gee")
    assert fit.coefficients.loc["treat[P]", "estimate"] == pytest.approx(-1.2276721, abs=1e-6)
    assert fit.coefficients.loc["treat[P]", "std_error"] == pytest.approx(0.3234369, abs=1e-6)
    assert fit.variance_components.loc["alpha", "estimate"] == pytest.approx(0.3295676, abs=1e-6)


def test_what_the_fit_says_of_itself() -> None:
    fit = model("multicenter", "favorable | trials(n) ~ treatment + (1 | clinic)", "binomial", "logit").fit("gee")
    assert (fit.estimand, fit.label, fit.method) == ("marginal", "GEE exchangeable", "gee")
    assert np.isnan(fit.loglik)
    assert len(fit.modes) == 0
    assert list(fit.variance_components.index) == ["alpha", "phi"]
    assert fit.variance_components["std_error"].isna().all()
    notes = " ".join(fit.notes)
    assert "8 clusters of clinic, of 2 rows" in notes
    assert "Mancl & DeRouen" in notes
    assert "sandwich" in notes
    laplace = model("multicenter", "favorable | trials(n) ~ treatment + (1 | clinic)", "binomial", "logit").fit()
    assert "GEE exchangeable (se), marginal" in bg.compare(laplace, fit).columns


def test_many_clusters_and_an_order_that_was_given_need_no_warning() -> None:
    data = bg.load_dataset("wheeze")
    made = model("wheeze", "resp ~ age * smoke + (1 | id)", "bernoulli", "logit")
    assert not any("Mancl" in note or "order of the data" in note for note in made.fit("gee").notes)
    assert any("order of the data" in note for note in made.fit("gee", correlation="ar1").notes)
    given = made.fit("gee", correlation="ar1", time=data["age"])
    assert not any("order of the data" in note for note in given.notes)


def test_the_order_of_the_rows_is_that_of_time() -> None:
    data = bg.load_dataset("wheeze")
    shuffled = data.sample(frac=1.0, random_state=4)
    formula = "resp ~ age * smoke + (1 | id)"
    straight = bg.GLMM(formula, data, family="bernoulli").fit("gee", correlation="unstructured", time=data["age"])
    mixed = bg.GLMM(formula, shuffled, family="bernoulli")
    moved = mixed.fit("gee", correlation="unstructured", time=shuffled["age"])
    pd.testing.assert_frame_equal(moved.tidy(), straight.tidy(), rtol=1e-8)
    assert "alpha[-2, -1]" in moved.variance_components.index


def test_a_binomial_row_is_as_many_bernoulli_rows_and_a_weight_as_many_copies() -> None:
    cbpp = bg.load_dataset("cbpp")
    rows = [
        {"herd": r.herd, "period": r.period, "ill": int(k < r.incidence), "w": 1.0}
        for r in cbpp.itertuples()
        for k in range(r.size)
    ]
    long = pd.DataFrame(rows).astype({"period": "category"})
    binomial = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", cbpp, family="binomial").fit("gee")
    bernoulli = bg.GLMM("ill ~ period + (1 | herd)", long, family="bernoulli").fit("gee")
    pd.testing.assert_frame_equal(binomial.tidy(), bernoulli.tidy(), rtol=1e-8)
    counted = long.groupby(["herd", "period", "ill"], observed=True, as_index=False)["w"].sum()
    weighted = bg.GLMM("ill ~ period + (1 | herd)", counted, family="bernoulli", weights="w").fit("gee")
    pd.testing.assert_frame_equal(weighted.tidy(), bernoulli.tidy(), rtol=1e-8)


def small(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(50), 4)
    x = rng.normal(size=200)
    s = rng.uniform(0.5, 2.0, size=200)
    y = 1.0 + 0.5 * x + rng.normal(size=50)[g] + s * rng.normal(size=200)
    return pd.DataFrame(
        {"y": y, "x": x, "g": g.astype(str), "s": s, "w": s**-2.0, "t": np.tile([0.0, 1.0, 2.5, 4.0], 50)}
    )


def test_known_standard_errors_are_weighted_least_squares() -> None:
    data = small()
    fit = bg.GLMM("y | se(s) ~ x + (1 | g)", data).fit("gee", correlation="independence")
    X = np.column_stack([np.ones(200), data["x"]])
    WX = X * data["w"].to_numpy()[:, None]
    beta = np.linalg.solve(X.T @ WX, WX.T @ data["y"])
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(beta, abs=1e-10)
    residual = data["y"].to_numpy() - X @ beta
    scores = pd.DataFrame(WX * residual[:, None]).groupby(data["g"].to_numpy()).sum().to_numpy()
    bread = np.linalg.inv(X.T @ WX)
    sandwich = bread @ scores.T @ scores @ bread
    np.testing.assert_allclose(fit.covariance, sandwich, rtol=1e-9)
    assert fit.variance_components.loc["phi", "estimate"] == pytest.approx((data["w"] * residual**2).mean())


def test_gaps_in_time_are_generalised_least_squares() -> None:
    data = small()
    made = bg.GLMM("y ~ x + (1 | g)", data)
    fit = made.fit("gee", correlation="ar1", covariance="model", time=data["t"])
    alpha, phi = fit.variance_components["estimate"]
    t = data["t"].to_numpy()[:4]
    R = np.kron(np.eye(50), alpha ** np.abs(t[:, None] - t))
    X = np.column_stack([np.ones(200), data["x"]])
    inverse = np.linalg.inv(X.T @ np.linalg.solve(R, X))
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(inverse @ X.T @ np.linalg.solve(R, data["y"]))
    np.testing.assert_allclose(fit.covariance, phi * inverse, rtol=1e-8)


def test_an_offset_moves_the_intercept() -> None:
    data = bg.load_dataset("epilepsy").assign(weeks=2.0)
    plain = bg.GLMM("y ~ trt + (1 | subject)", data, family="poisson").fit("gee")
    rate = bg.GLMM("y ~ trt + offset(log(weeks)) + (1 | subject)", data, family="poisson").fit("gee")
    moved = plain.coefficients["estimate"] - rate.coefficients["estimate"]
    assert moved.to_numpy() == pytest.approx([np.log(2.0), 0.0], abs=1e-8)


def test_scale_and_origin_of_columns_change_nothing() -> None:
    data = small()
    data["far"] = 1e4 + 1e-3 * data["x"]
    near = bg.GLMM("y ~ x + (1 | g)", data).fit("gee")
    far = bg.GLMM("y ~ far + (1 | g)", data).fit("gee")
    assert far.coefficients.loc["far", "estimate"] == pytest.approx(
        1e3 * near.coefficients.loc["x", "estimate"], rel=1e-6
    )
    assert far.coefficients.loc["far", "z"] == pytest.approx(near.coefficients.loc["x", "z"], rel=1e-6)


def test_refit() -> None:
    data = small()
    fit = bg.GLMM("y ~ x + (1 | g)", data).fit("gee")
    again = fit.refit(data["y"].to_numpy() + 3.0)
    assert (again.coefficients["estimate"] - fit.coefficients["estimate"]).to_numpy() == pytest.approx([3.0, 0.0])


@pytest.mark.parametrize("link", ["sqrt", "log"])
def test_statsmodels_remarks_become_notes(link: str) -> None:
    data = bg.load_dataset("epilepsy")
    fit = bg.GLMM("y ~ trt + (1 | subject)", data, family="poisson", link=link).fit("gee")
    assert any(note.startswith("statsmodels: ") for note in fit.notes) == (link == "sqrt")
    means = data.groupby("trt", observed=True)["y"].mean().to_numpy()
    inverse = {"sqrt": np.square, "log": np.exp}[link]
    assert inverse(np.cumsum(fit.coefficients["estimate"].to_numpy())) == pytest.approx(means)


def test_one_factor_is_needed() -> None:
    data = bg.load_dataset("penicillin")
    with pytest.raises(bg.SpecificationError, match=r"one grouping factor.*2 \(plate, sample\).*center:id"):
        bg.GLMM("diameter ~ 1 + (1 | plate) + (1 | sample)", data).fit("gee")
    with pytest.raises(bg.SpecificationError, match="this model has none"):
        bg.GLMM("diameter ~ 1", data).fit("gee")
    with pytest.raises(bg.SpecificationError, match="estimates coefficients"):
        bg.GLMM("diameter ~ 0 + (1 | plate)", data).fit("gee")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"correlation": "exchangable"}, "Did you mean 'exchangeable'"),
        ({"covariance": "robust"}, "Allowed: 'sandwich', 'model'"),
        ({"time": [1, 2]}, "says nothing to correlation='exchangeable'"),
        ({"time": "visit", "correlation": "ar1"}, "not its name"),
        ({"time": pd.date_range("2020-01-01", periods=200), "correlation": "ar1"}, "dates as days since the first"),
        ({"time": [1.0, np.nan], "correlation": "ar1"}, "one finite number for each row"),
        ({"time": [1.0, 2.0], "correlation": "ar1"}, "has 2 values and the model 200 rows"),
        ({"time": np.zeros(200), "correlation": "ar1"}, r"the same \(0\) in 4 rows of g 0"),
        ({"time": np.arange(200), "correlation": "unstructured"}, "19900 correlations, more than there are clusters"),
    ],
)
def test_options_out_of_range(given: dict[str, Any], words: str) -> None:
    with pytest.raises(bg.SpecificationError, match=words):
        bg.GLMM("y ~ x + (1 | g)", small()).fit("gee", **given)


def test_correlations_that_no_covariance_has_are_refused() -> None:
    # geese puts one of them at 1.0103 here, and goes on.
    epilepsy = model("epilepsy", "y ~ trt + age + (1 | subject)", "poisson", "log")
    with pytest.raises(bg.FitError, match="not positive definite"):
        epilepsy.fit("gee", correlation="unstructured")
    data = small()
    data["y"] -= data.groupby("g")["y"].transform("mean")
    with pytest.raises(bg.FitError, match=r"outside -0\.3333 to 1"):
        bg.GLMM("y ~ 1 + (1 | g)", data.assign(y=data["y"] * 3.0)).fit("gee")


def test_one_row_a_cluster_has_no_correlation() -> None:
    data = bg.load_dataset("grouseticks")
    made = bg.GLMM("ticks ~ year + (1 | index)", data, family="poisson")
    with pytest.raises(bg.FitError, match="one observation"):
        made.fit("gee")
    assert made.fit("gee", correlation="independence").converged


def test_separation_is_said() -> None:
    data = small()
    data["z"] = (data["x"] > 0.0).astype(int)
    with pytest.raises(bg.FitError, match="separation"):
        bg.GLMM("z ~ x + (1 | g)", data, family="bernoulli").fit("gee")


def separated() -> pd.DataFrame:
    x = np.tile([0, 1], 20)
    y = np.where(x == 1, 1, np.random.default_rng(1).binomial(1, 0.5, 40))
    return pd.DataFrame({"y": y, "x": x, "g": np.repeat(np.arange(8), 5).astype(str)})


@pytest.mark.parametrize("correlation", ["exchangeable", "independence", "ar1"])
def test_estimates_at_infinity_are_an_error_that_names_them(correlation: str) -> None:
    data = separated()
    # Counts that are 0 wherever x is 1.
    counts = data.assign(y=(1 - data["x"]) * np.arange(1, 41))
    for frame, family in ((data, "bernoulli"), (counts, "poisson")):
        with pytest.raises(bg.FitError, match=r"^separation: in 20 of 40 rows .* no finite estimate: x\. "):
            bg.GLMM("y ~ x + (1 | g)", frame, family=family).fit("gee", correlation=correlation)
    for y, family in ((1, "bernoulli"), (0, "bernoulli"), (0, "poisson")):
        with pytest.raises(bg.FitError, match=r"^separation: in every row .* no finite estimate: Intercept\. "):
            bg.GLMM("y ~ 1 + (1 | g)", data.assign(y=y), family=family).fit("gee", correlation=correlation)
    for y, family in ((3, "poisson"), (3.0, "gaussian")):
        with pytest.raises(bg.FitError, match=r"residuals of the marginal model are all 0: the response is constant"):
            bg.GLMM("y ~ x + (1 | g)", data.assign(y=y), family=family).fit("gee", correlation=correlation)


def test_rows_at_the_edge_that_others_determine_are_no_separation() -> None:
    # Means from 1e-9 to 1e5 along one covariate: far away, and finite.
    x = np.repeat(np.linspace(-20.0, 12.0, 33), 4)
    y = np.random.default_rng(3).poisson(np.exp(x))
    data = pd.DataFrame({"y": y, "x": x, "g": np.tile(np.arange(4), 33).astype(str)})
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="poisson").fit("gee", correlation="independence")
    assert fit.coefficients.loc["x", "estimate"] == pytest.approx(1.0, abs=0.02)


def test_a_coefficient_of_one_cluster_has_no_sandwich() -> None:
    data = small()
    data["first"] = (data["g"] == "0").astype(float)
    data["others"] = 1.0 - data["first"]
    made = bg.GLMM("y ~ 0 + first + others + (1 | g)", data)
    with pytest.raises(bg.FitError, match=r"0 or not finite: first\..*single cluster of g"):
        made.fit("gee", correlation="independence")
    assert made.fit("gee", correlation="independence", covariance="model").coefficients.loc["first", "std_error"] > 0.0


def test_even_gaps_have_a_positive_root() -> None:
    data = small().assign(t=np.tile([0.0, 1.0, 2.0, 3.0], 50))
    made = bg.GLMM("y ~ x + (1 | g)", data)
    one, two, four = (made.fit("gee", correlation="ar1", time=k * data["t"]) for k in (1, 2, 4))
    alpha = one.variance_components.loc["alpha", "estimate"]
    assert alpha > 0.0
    assert two.variance_components.loc["alpha", "estimate"] == pytest.approx(alpha**0.5, rel=1e-6)
    assert four.variance_components.loc["alpha", "estimate"] == pytest.approx(alpha**0.25, rel=1e-6)
    assert two.coefficients["estimate"].to_numpy() == pytest.approx(one.coefficients["estimate"].to_numpy(), rel=1e-6)


def test_slopes_of_the_group_term_and_known_errors_are_spoken_of() -> None:
    data = small()
    plain, sloped, known = (
        bg.GLMM(f, data).fit("gee") for f in ("y ~ x + (1 | g)", "y ~ x + (x | g)", "y | se(s) ~ x + (1 | g)")
    )
    pd.testing.assert_frame_equal(plain.coefficients, sloped.coefficients)
    assert any("play no part: the fit is that of (1 | g)" in note for note in sloped.notes)
    assert any("phi multiplies them: it is estimated beside the known standard errors" in n for n in known.notes)
    assert not any("play no part" in note or "phi multiplies" in note for note in plain.notes)
