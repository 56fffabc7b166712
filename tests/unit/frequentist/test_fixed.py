"""Group effects as coefficients: against least squares, R's glm, and what separation and aliasing leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayesglmm as bg
from bayesglmm.frequentist.search.optimum import OptimumStatus

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def test_fixed_clinics_are_the_logistic_regression() -> None:
    """R 4.2.2: glm(cbind(favorable, n - favorable) ~ factor(clinic) + treatment, binomial)."""
    data = bg.load_dataset("multicenter")
    fit = bg.GLMM("favorable | trials(n) ~ treatment + (1 | clinic)", data, family="binomial").fit("fixed")
    drug = fit.coefficients.loc["treatment[drug]"]
    assert drug["estimate"] == pytest.approx(0.7769, abs=5e-5)
    assert drug["std_error"] == pytest.approx(0.3067, abs=5e-5)
    assert fit.modes["mode"].sum() == pytest.approx(0.0, abs=1e-12)
    eta = (
        fit.coefficients.loc["Intercept", "estimate"]
        + fit.modes.set_index("level")["mode"].loc[data["clinic"].astype(str)].to_numpy()
        + drug["estimate"] * (data["treatment"] == "drug").to_numpy()
    )
    score = data["favorable"].to_numpy() - data["n"].to_numpy() * special.expit(eta)
    assert data.assign(score=score).groupby("clinic", observed=True)["score"].sum().to_numpy() == pytest.approx(
        0.0, abs=1e-9
    )
    assert fit.loglik == pytest.approx(stats.binom.logpmf(data["favorable"], data["n"], special.expit(eta)).sum())
    assert fit.n_parameters == 9
    assert fit.optimum.status is OptimumStatus.CONVERGED
    assert (fit.estimand, fit.method) == ("conditional", "fixed")


def dummies(codes: pd.Series) -> np.ndarray:
    return pd.get_dummies(codes).to_numpy(dtype=float)


def least_squares(D: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return coefficients, covariance, sigma and the log-likelihood at its maximum."""
    n, k = D.shape
    assert np.linalg.matrix_rank(D) == k
    b = np.linalg.lstsq(D, y, rcond=None)[0]
    rss = float(((y - D @ b) ** 2).sum())
    loglik = -0.5 * n * (np.log(2.0 * np.pi * rss / n) + 1.0)
    return b, rss / (n - k) * np.linalg.inv(D.T @ D), float(np.sqrt(rss / (n - k))), loglik


def test_intercepts_are_least_squares() -> None:
    data = bg.load_dataset("sleepstudy").iloc[3:]
    fit = bg.GLMM("reaction ~ days + (1 | subject)", data).fit("fixed")
    D = np.column_stack([dummies(data["subject"]), data["days"]])
    b, V, sigma, loglik = least_squares(D, data["reaction"].to_numpy())
    mean = np.append(np.full(18, 1 / 18), 0.0)
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx([mean @ b, b[-1]])
    assert fit.coefficients["std_error"].to_numpy() == pytest.approx(np.sqrt([mean @ V @ mean, V[-1, -1]]))
    assert fit.covariance[0, 1] == pytest.approx(mean @ V[:, -1])
    C = np.eye(19)[:18] - mean
    assert fit.modes["mode"].to_numpy() == pytest.approx(C @ b)
    assert fit.modes["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(C @ V @ C.T)))
    table = fit.variance_components.loc["sigma"]
    assert table["estimate"] == pytest.approx(sigma)
    assert table["std_error"] == pytest.approx(sigma / np.sqrt(2 * (len(data) - 19)), rel=1e-6)
    assert fit.loglik == pytest.approx(loglik, abs=1e-9)
    assert any("sqrt(RSS / (n - 19))" in note for note in fit.notes)


def test_slopes_are_a_line_for_every_subject() -> None:
    data = bg.load_dataset("sleepstudy")
    fit = bg.GLMM("reaction ~ days + (days | subject)", data).fit("fixed")
    lines = np.array([np.polyfit(d["days"], d["reaction"], 1)[::-1] for _, d in data.groupby("subject", observed=True)])
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(lines.mean(axis=0))
    assert fit.modes["mode"].to_numpy().reshape(18, 2) == pytest.approx(lines - lines.mean(axis=0), abs=1e-9)
    # A slope that the common part does not have is no deviation: it is the line's own.
    alone = bg.GLMM("reaction ~ 1 + (days | subject)", data).fit("fixed")
    assert alone.modes["mode"].to_numpy().reshape(18, 2)[:, 1] == pytest.approx(lines[:, 1], abs=1e-9)
    assert alone.loglik == pytest.approx(fit.loglik, abs=1e-9)


def test_two_factors_add() -> None:
    data = bg.load_dataset("penicillin").drop(index=[0, 17, 40])
    fit = bg.GLMM("diameter ~ 1 + (1 | plate) + (1 | sample)", data).fit("fixed")
    plate, sample = dummies(data["plate"]), dummies(data["sample"])
    D = np.column_stack([np.ones(len(data)), plate[:, :-1] - plate[:, -1:], sample[:, :-1] - sample[:, -1:]])
    b, V, sigma, loglik = least_squares(D, data["diameter"].to_numpy())
    assert fit.coefficients.loc["Intercept", ["estimate", "std_error"]].to_list() == pytest.approx(
        [b[0], np.sqrt(V[0, 0])]
    )
    plates = fit.modes[fit.modes["factor"] == "plate"]
    assert plates["mode"].to_numpy()[:-1] == pytest.approx(b[1:24])
    assert plates["mode"].sum() == pytest.approx(0.0, abs=1e-10)
    assert fit.variance_components.loc["sigma", "estimate"] == pytest.approx(sigma)
    assert fit.loglik == pytest.approx(loglik, abs=1e-8)


def test_what_groups_can_say_is_held_and_named() -> None:
    data = bg.load_dataset("orthodont")
    fit = bg.GLMM("distance ~ age * sex + (1 | subject)", data).fit("fixed")
    assert np.isnan(fit.coefficients.loc["sex[Female]", "estimate"])
    assert np.isnan(fit.coefficients.loc["sex[Female]", "std_error"])
    assert any("held at 0: sex[Female]." in note for note in fit.notes)
    D = np.column_stack([dummies(data["subject"]), data["age"], data["age"] * (data["sex"] == "Female")])
    b, V, _, loglik = least_squares(D, data["distance"].to_numpy())
    found = fit.coefficients.loc[["age", "age:sex[Female]"]]
    assert found["estimate"].to_numpy() == pytest.approx(b[-2:])
    assert found["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(V)[-2:]))
    assert fit.loglik == pytest.approx(loglik, abs=1e-9)
    assert fit.n_parameters == 30


def test_nested_factors_have_no_values_of_their_own() -> None:
    fit = bg.GLMM("strength ~ 1 + (1 | batch/cask)", bg.load_dataset("pastes")).fit("fixed")
    assert fit.modes["mode"].isna().all()
    assert any("Not identified beside each other" in note and "batch[A]" in note for note in fit.notes)
    assert fit.variance_components.loc["sigma", "estimate"] == pytest.approx(0.82341, abs=1e-5)  # lme4's, balanced
    assert fit.coefficients.loc["Intercept", "estimate"] == pytest.approx(60.0533, abs=1e-4)


def test_separation_names_the_levels_and_leaves_the_rest() -> None:
    data = bg.load_dataset("wheeze")
    fit = bg.GLMM("resp ~ age + (1 | id)", data, family="bernoulli").fit("fixed")
    rate = data.groupby("id", observed=True)["resp"].mean()
    modes = fit.modes.set_index("level")["mode"]
    assert (modes[(rate == 0.0).to_numpy()] == -np.inf).all()
    assert (modes[(rate == 1.0).to_numpy()] == np.inf).all()
    mixed = rate.between(0.01, 0.99).to_numpy()
    assert np.isfinite(modes[mixed]).all()
    assert modes[mixed].mean() == pytest.approx(0.0, abs=1e-10)
    notes = " ".join(fit.notes)
    assert "run to minus infinity: id[0], id[1]" in notes
    assert "run to infinity: " in notes
    assert fit.converged
    assert "biases the coefficients" in fit.caveat
    # Without the rows of such levels the others' estimates are the same, and so is the likelihood.
    kept = data[data["id"].isin(rate.index[mixed])].assign(id=lambda d: d["id"].cat.remove_unused_categories())
    rest = bg.GLMM("resp ~ age + (1 | id)", kept, family="bernoulli").fit("fixed")
    pd.testing.assert_frame_equal(rest.coefficients, fit.coefficients, rtol=1e-8)
    assert rest.loglik == pytest.approx(fit.loglik, abs=1e-8)
    assert fit.n_parameters == 1 + 537


def test_pairs_double_the_log_odds_ratio() -> None:
    """With pairs the estimate is twice the conditional one, log(n10 / n01) (Andersen 1970; Breslow & Day 1980, 7.1)."""
    rng = np.random.default_rng(2)
    treated = np.tile([0, 1], 120)
    y = rng.binomial(1, special.expit(-0.3 + 0.8 * treated + np.repeat(rng.normal(size=120), 2)))
    data = pd.DataFrame({"y": y, "treated": treated, "pair": np.repeat(np.arange(120), 2).astype(str)})
    fit = bg.GLMM("y ~ treated + (1 | pair)", data, family="bernoulli").fit("fixed")
    wide = y.reshape(-1, 2)
    more, less = ((wide[:, 1] > wide[:, 0]).sum(), (wide[:, 1] < wide[:, 0]).sum())
    assert fit.coefficients.loc["treated", "estimate"] == pytest.approx(2.0 * np.log(more / less), rel=1e-7)


def test_poisson_groups_are_conditioned_out() -> None:
    """The estimate is that of the multinomial given the groups' totals (Lancaster 2002): no bias, no caveat needed."""
    data = bg.load_dataset("epilepsy")
    fit = bg.GLMM("y ~ period + (1 | subject)", data, family="poisson").fit("fixed")
    b = fit.coefficients.loc["period", "estimate"]
    period = data["period"].to_numpy()
    total = data.groupby("subject", observed=True)["y"].transform("sum").to_numpy()
    share = np.exp(b * period) / np.exp(b * np.arange(1, 5)).sum()
    assert float(period @ (data["y"] - total * share)) == pytest.approx(0.0, abs=1e-7)
    assert any("minus infinity: subject[58]." in note for note in fit.notes)


def test_a_binomial_row_is_as_many_bernoulli_rows_and_a_weight_as_many_copies() -> None:
    data = bg.load_dataset("sleepstudy").assign(w=2.0)
    weighted = bg.GLMM("reaction ~ days + (1 | subject)", data, weights="w").fit("fixed")
    doubled = bg.GLMM("reaction ~ days + (1 | subject)", pd.concat([data, data], ignore_index=True)).fit("fixed")
    pd.testing.assert_frame_equal(weighted.tidy(group=True), doubled.tidy(group=True), rtol=1e-8)
    assert weighted.loglik == pytest.approx(doubled.loglik, abs=1e-8)


def test_known_standard_errors_are_weighted_least_squares() -> None:
    data = bg.load_dataset("sleepstudy")
    data["s"] = 20.0 + data["days"]
    fit = bg.GLMM("reaction | se(s) ~ days + (1 | subject)", data).fit("fixed")
    w = data["s"].to_numpy() ** -1.0
    D = np.column_stack([dummies(data["subject"]), data["days"]])
    V = np.linalg.inv((D * w[:, None]).T @ (D * w[:, None]))
    b = V @ (D * w[:, None]).T @ (w * data["reaction"])
    assert fit.coefficients.loc["days", ["estimate", "std_error"]].to_list() == pytest.approx(
        [b[-1], np.sqrt(V[-1, -1])]
    )
    assert fit.loglik == pytest.approx(stats.norm.logpdf(data["reaction"], D @ b, data["s"]).sum())


def test_the_log_link() -> None:
    data = bg.load_dataset("sleepstudy")
    fit = bg.GLMM("reaction ~ days + (1 | subject)", data, link="log").fit("fixed")
    mode = fit.modes.set_index("level")["mode"].loc[data["subject"].astype(str)].to_numpy()
    intercept, slope = fit.coefficients["estimate"]
    mu = np.exp(intercept + slope * data["days"].to_numpy() + mode)
    residual = data["reaction"].to_numpy() - mu
    assert float(residual @ (mu * data["days"])) == pytest.approx(0.0, abs=1e-3)
    rss = float(residual @ residual)
    assert fit.variance_components.loc["sigma", "estimate"] == pytest.approx(np.sqrt(rss / (180 - 19)))
    assert fit.loglik == pytest.approx(-90.0 * (np.log(2.0 * np.pi * rss / 180) + 1.0), abs=1e-8)


def test_a_separated_column_is_said() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=120), "g": np.repeat(np.arange(6), 20).astype(str)})
    data["y"] = (data["x"] > 0.1).astype(int)
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit("fixed")
    assert not fit.converged
    assert any("separation" in note.lower() for note in fit.notes)


def test_what_it_refuses() -> None:
    data = pd.DataFrame({"y": np.repeat([0, 1], 40), "x": np.tile([0.0, 1.0], 40), "g": np.repeat(np.arange(8), 10)})
    data["g"] = data["g"].astype(str)
    with pytest.raises(bg.FitError, match="all at one end"):
        bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit("fixed")
    with pytest.raises(bg.FitError, match="2972 effects, more than the 2000"):
        bg.GLMM("y ~ service + (1 | s)", bg.load_dataset("insteval")).fit("fixed")
    with pytest.raises(bg.FitError, match=r"sigma goes to 0|nothing is left to estimate sigma"):
        bg.GLMM("y ~ 1 + (1 | g)", data.astype({"y": float})).fit("fixed")
    with pytest.raises(bg.SpecificationError, match="it has no options"):
        bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit("fixed", nodes=3)


def test_refit_and_comparison() -> None:
    data = bg.load_dataset("multicenter")
    model = bg.GLMM("favorable | trials(n) ~ treatment + (1 | clinic)", data, family="binomial")
    fit = model.fit("fixed")
    assert fit.refit(fit.design.y).loglik == pytest.approx(fit.loglik, abs=1e-10)
    table = bg.compare(fit, model.fit()).table()
    assert table.loc["treatment[drug]", "no pooling (se)"].startswith("0.777 (0.307)")
    assert table.loc["sd(clinic)", "no pooling (se)"] == ""


@pytest.mark.parametrize(("term", "error"), [("(1 | subject)", 0.80422), ("(days | subject)", 0.66411)])
def test_the_origin_of_a_covariate_changes_nothing(term: str, error: float) -> None:
    data = bg.load_dataset("sleepstudy")
    for shift in (0.0, -1e6, 1e6):
        fit = bg.GLMM(f"reaction ~ days + {term}", data.assign(days=data["days"] + shift)).fit("fixed")
        assert fit.optimum.status is OptimumStatus.CONVERGED
        assert fit.coefficients.loc["days", "estimate"] == pytest.approx(10.4672860, rel=1e-8)
        assert fit.coefficients.loc["days", "std_error"] == pytest.approx(error, abs=1e-5)
        assert fit.coefficients.loc["Intercept", "estimate"] == pytest.approx(251.4051 - 10.4672860 * shift, rel=1e-6)
        intercepts = fit.modes[fit.modes["effect"] == "Intercept"]["mode"]
        assert abs(intercepts.sum()) <= 1e-12 * max(1.0, intercepts.abs().max()) * 1e2


def test_words_for_counts_and_weights() -> None:
    data = pd.DataFrame({"y": np.zeros(40, dtype=int), "x": np.tile([0.0, 1.0], 20), "g": np.repeat(list("abcd"), 10)})
    with pytest.raises(bg.FitError, match=r"all at one end of their range \(all 0\): "):
        bg.GLMM("y ~ x + (1 | g)", data, family="poisson").fit("fixed")
    sleep = bg.load_dataset("sleepstudy").assign(w=2.0)
    fit = bg.GLMM("reaction ~ days + (1 | subject)", sleep, weights="w").fit("fixed")
    assert any("sqrt(RSS / (360 - 19)), where 360 is the sum of the weights" in note for note in fit.notes)
