"""Laplace fits against R (tests/reference/laplace.csv): log-likelihoods, coefficients, standard errors, components."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.frequentist.search.optimum import OptimumStatus

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "laplace.csv")
REFERENCE = REFERENCE[REFERENCE["method"] == "laplace"]
PROBLEMS = sorted(REFERENCE["problem"].unique())


@cache
def fitted(problem: str) -> bg.Fit:
    first = REFERENCE[REFERENCE["problem"] == problem].iloc[0]
    data = bg.load_dataset(first["dataset"])
    if isinstance(first["rows"], str):
        data = data.query(first["rows"])
    return bg.GLMM(first["formula"], data, family=first["family"], link=first["link"]).fit("laplace")


def reference(problem: str) -> pd.DataFrame:
    return REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_log_likelihood_is_the_references_or_better(problem: str) -> None:
    assert fitted(problem).loglik >= reference(problem)["loglik"].iloc[0] - 1e-6
    assert fitted(problem).loglik == pytest.approx(reference(problem)["loglik"].iloc[0], abs=1e-5)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_estimates_and_standard_errors_to_four_digits(problem: str) -> None:
    ours = fitted(problem).tidy().set_index("name")
    theirs = reference(problem)
    assert set(theirs.index) <= set(ours.index)
    for name, row in theirs.iterrows():
        assert ours.loc[name, "estimate"] == pytest.approx(row["estimate"], rel=1e-4, abs=2e-5), name
        if np.isfinite(row["std_error"]):
            assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=2e-3, abs=2e-5), name


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_the_figures_of_the_issue() -> None:
    salamander = fitted("salamander")
    assert salamander.loglik == pytest.approx(-209.276586, abs=1e-5)
    expected = [1.00822, 0.30618, -1.89599, 0.99041]
    assert salamander.coefficients["estimate"].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert salamander.variance_components["estimate"].to_numpy() == pytest.approx([1.08368, 1.02029], abs=1e-4)
    assert fitted("cbpp").loglik == pytest.approx(-92.0262819, abs=1e-6)
    assert fitted("verbagg").loglik == pytest.approx(-4075.69986, abs=1e-5)
    assert fitted("grouseticks").loglik == pytest.approx(-890.27133, abs=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_insteval_crossed_as_bernoulli() -> None:
    data = bg.load_dataset("insteval")
    data["good"] = (data["y"] >= 4).astype(int)
    fit = bg.GLMM("good ~ service + (1 | s) + (1 | d)", data, family="bernoulli").fit("laplace")
    assert fit.loglik == pytest.approx(-46414.521828, abs=1e-5)
    # The reference stopped a little short of the maximum, in the fifth decimal.
    assert fit.loglik >= -46414.521828 - 1e-6
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx([-0.16010, -0.13619], abs=2e-5)
    assert fit.variance_components["estimate"].to_numpy() == pytest.approx([0.47606, 0.79644], abs=2e-5)


def test_a_correlation_on_the_boundary_is_pinned_and_said() -> None:
    fit = fitted("salamander_linked")
    name = "cor(male_linked, season[summer], season[fall])"
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert fit.converged
    assert fit.variance_components.loc[name, "estimate"] == pytest.approx(1.0)
    assert np.isnan(fit.variance_components.loc[name, "std_error"])
    assert any(name in note and "estimated as 1" in note for note in fit.notes)


def small(seed: int = 1, groups: int = 12, rows: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rows)
    x = rng.normal(size=groups * rows)
    return pd.DataFrame({"y": 1.0 + 0.5 * x + rng.normal(size=groups * rows), "x": x, "g": g.astype(str)})


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize("shift", [30, 300, 2000])
def test_the_origin_of_a_slope_column_changes_nothing(shift: int) -> None:
    data = bg.load_dataset("sleepstudy")
    data["days"] += shift
    fit = bg.GLMM("reaction ~ days + (days | subject)", data).fit()
    assert fit.loglik == pytest.approx(-875.9696722316, abs=1e-8)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    original = bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy")).fit()
    table, before = fit.tidy().set_index("name"), original.tidy().set_index("name")
    for name in ("days", "sd(subject, days)", "sigma"):
        ours = table.loc[name, ["estimate", "std_error"]].to_list()
        assert ours == pytest.approx(before.loc[name, ["estimate", "std_error"]].to_list(), rel=1e-5)
    # Var(u0) at the new origin, by hand from the fit at the old one: s0^2 + c^2 s1^2 - 2 c r s0 s1.
    s0, s1, r = 23.780560, 5.716799, 0.081321
    expected = np.sqrt(s0**2 + (shift * s1) ** 2 - 2 * shift * r * s0 * s1)
    assert table.loc["sd(subject, Intercept)", "estimate"] == pytest.approx(expected, rel=1e-5)
    slopes = [f.modes.loc[f.modes["effect"] == "days", ["mode", "std_error"]].to_numpy() for f in (fit, original)]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-5)


def test_no_variance_between_groups_is_estimated_as_zero_and_said() -> None:
    data = small()
    # Take out more between-group variation than chance would leave.
    data["y"] -= data.groupby("g")["y"].transform("mean") - data["y"].mean()
    fit = bg.GLMM("y ~ x + (1 | g)", data).fit()
    assert fit.variance_components.loc["sd(g)", "estimate"] == 0.0
    assert np.isnan(fit.variance_components.loc["sd(g)", "std_error"])
    assert "sd(g) is estimated as 0" in "\n".join(fit.notes)
    assert (fit.modes["mode"] == 0.0).all()
    residual = data["y"] - np.polyval(np.polyfit(data["x"], data["y"], 1), data["x"])
    n = len(data)
    exact = -0.5 * n * (np.log(2 * np.pi * (residual**2).mean()) + 1.0)
    assert fit.loglik == pytest.approx(exact, abs=1e-8)


def test_gaussian_is_exact_against_dense_algebra() -> None:
    data = small(3)
    data["y"] += np.repeat(np.random.default_rng(5).normal(size=12), 6)
    fit = bg.GLMM("y ~ x + (1 + x | g)", data).fit()
    table = fit.variance_components["estimate"]
    sd = table.loc[["sd(g, Intercept)", "sd(g, x)"]].to_numpy()
    r = table.loc["cor(g, Intercept, x)"]
    G = np.outer(sd, sd) * np.array([[1.0, r], [r, 1.0]])
    X = np.column_stack([np.ones(len(data)), data["x"]])
    V = np.eye(len(data)) * table["sigma"] ** 2
    for level in data["g"].unique():
        rows = np.flatnonzero(data["g"] == level)
        V[np.ix_(rows, rows)] += X[rows] @ G @ X[rows].T
    beta = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, data["y"]))
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(beta, abs=1e-6)
    residual = data["y"].to_numpy() - X @ beta
    exact = -0.5 * (len(data) * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + residual @ np.linalg.solve(V, residual))
    assert fit.loglik == pytest.approx(exact, abs=1e-8)
    # BLUPs: G Z' V^-1 (y - X beta), and their prediction error variances (Henderson 1975).
    first = np.flatnonzero(data["g"] == "0")
    GZ = np.zeros((2, len(data)))
    GZ[:, first] = G @ X[first].T
    modes = fit.modes[fit.modes["level"] == "0"]
    assert modes["mode"].to_numpy() == pytest.approx(GZ @ np.linalg.solve(V, residual), abs=1e-6)
    P = np.linalg.inv(V) - np.linalg.solve(V, X) @ np.linalg.solve(X.T @ np.linalg.solve(V, X), np.linalg.solve(V, X).T)
    assert modes["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(G - GZ @ P @ GZ.T)), abs=1e-6)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_a_binomial_row_is_as_many_bernoulli_rows() -> None:
    cbpp = bg.load_dataset("cbpp")
    rows = [
        {"herd": r.herd, "period": r.period, "ill": int(k < r.incidence)}
        for r in cbpp.itertuples()
        for k in range(r.size)
    ]
    long = pd.DataFrame(rows).astype({"period": "category"})
    fit = bg.GLMM("ill ~ period + (1 | herd)", long, family="bernoulli").fit()
    binomial = fitted("cbpp")
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(
        binomial.coefficients["estimate"].to_numpy(), abs=1e-6
    )
    constant = binomial.design.log_constants.sum()
    assert fit.loglik == pytest.approx(binomial.loglik - constant, abs=1e-8)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_relabelling_and_permuting_change_nothing() -> None:
    data = bg.load_dataset("cbpp")
    moved = data.sample(frac=1.0, random_state=2)
    moved["herd"] = moved["herd"].map(lambda h: f"herd number {97 - int(h)}").astype(str)
    fit = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", moved, family="binomial").fit()
    assert fit.loglik == pytest.approx(fitted("cbpp").loglik, abs=1e-8)


def test_an_exposure_is_an_offset_and_weights_are_copies() -> None:
    data = small(9)
    data["count"] = np.random.default_rng(0).poisson(np.exp(0.3 * data["x"] + 0.5))
    data["exposure"] = np.exp(data["x"] * 0.0 + 1.5)
    plain = bg.GLMM("count ~ x + (1 | g)", data, family="poisson").fit()
    offset = bg.GLMM("count ~ x + offset(log(exposure)) + (1 | g)", data, family="poisson").fit()
    assert offset.loglik == pytest.approx(plain.loglik, abs=1e-8)
    difference = plain.coefficients["estimate"] - offset.coefficients["estimate"]
    assert difference.to_numpy() == pytest.approx([1.5, 0.0], abs=1e-6)
    data["w"] = 2.0
    weighted = bg.GLMM("count ~ x + (1 | g)", data, family="poisson", weights="w").fit()
    doubled = bg.GLMM("count ~ x + (1 | g)", pd.concat([data, data], ignore_index=True), family="poisson").fit()
    assert weighted.loglik == pytest.approx(doubled.loglik, abs=1e-8)


def test_fit_without_group_terms_is_the_glm() -> None:
    data = small(4)
    fit = bg.GLMM("y ~ x", data).fit()
    slope, intercept = np.polyfit(data["x"], data["y"], 1)
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx([intercept, slope], abs=1e-7)
    assert len(fit.modes) == 0


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_information_criteria_count_every_parameter() -> None:
    fit = fitted("cbpp")
    assert fit.n_parameters == 5
    assert fit.aic == pytest.approx(-2 * fit.loglik + 10)
    assert fit.bic == pytest.approx(-2 * fit.loglik + 5 * np.log(56))


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_print_outs_name_method_status_and_parameters() -> None:
    fit = fitted("cbpp")
    for text in (repr(fit), fit._repr_html_()):
        assert "Laplace" in text
        assert "converged" in text
        assert "period[2]" in text
        assert "sd(herd)" in text
