"""What a model prints: response, terms, levels, rows, every prior with the given ones marked, both scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame
from support.posteriors import quiet_model

from bayesglmm.describe import prior_rows


def test_the_salamanders(salamander_model):
    assert repr(salamander_model).splitlines() == [
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        "family bernoulli, link logit; 360 rows",
        "  response mated: 0 to 1, mean 0.525",
        "  common part: cross[RR], cross[RW], cross[WR], cross[WW]",
        "  by female (60 levels: 1, 2, 3, ...): Intercept, scalar",
        "  by male (60 levels: 1, 2, 3, ...): Intercept, scalar",
        "priors (given ones marked *):",
        "  cross[RR]*   Normal(mu=0, sigma=2.5)",
        "  cross[RW]*   Normal(mu=0, sigma=2.5)",
        "  cross[WR]*   Normal(mu=0, sigma=2.5)",
        "  cross[WW]*   Normal(mu=0, sigma=2.5)",
        "  sd(female)*  HalfNormal(sigma=2.5)",
        "  sd(male)*    HalfNormal(sigma=2.5)",
    ]


def priors_of(model) -> dict[str, tuple[str, str]]:
    return {name: (prior, words) for name, prior, words in prior_rows(model.design, model.parameters)}


def normal_in(text: str) -> tuple[float, float]:
    mu, sigma = (float(part.split("=")[1]) for part in text[text.index("Normal(") + 7 : text.index(")")].split(", "))
    return mu, sigma


def test_both_scales_of_default_priors(sleepstudy_model):
    priors = priors_of(sleepstudy_model)
    assert list(priors) == ["Intercept", "days", "sd(subject, Intercept)", "sd(subject, days)", "cor(subject)", "sigma"]
    data, days = sleepstudy_model.design.y, sleepstudy_model.design.X[:, 1]
    sd = data.std(ddof=1)
    prior, words = priors["Intercept"]
    assert normal_in(prior) == pytest.approx((data.mean(), 2.5 * sd), rel=1e-4)
    assert words.startswith("at the columns' means; raw intercept: ")
    slope = 2.5 * sd / days.std()
    assert normal_in(words) == pytest.approx((data.mean(), np.hypot(2.5 * sd, days.mean() * slope)), rel=1e-3)
    prior, words = priors["days"]
    assert normal_in(prior) == pytest.approx((0.0, slope), rel=1e-4)
    assert words.startswith("per sd of the column: ")
    assert normal_in(words) == pytest.approx((0.0, 2.5 * sd), rel=1e-3)
    prior, words = priors["sd(subject, days)"]
    assert words == f"per sd of the column: HalfNormal(sigma={2.5 * sd:.4g})"
    assert priors["sd(subject, Intercept)"][1] == ""
    assert priors["cor(subject)"] == ("LKJ(eta=1)", "")


def test_the_implied_raw_intercept_is_that_of_simulation(sleepstudy_model):
    _, words = priors_of(sleepstudy_model)["Intercept"]
    raw = sleepstudy_model.prior_predictive(20_000, seed=1)["prior"]["beta"].values[0, :, 0]
    mu, sigma = normal_in(words)
    assert abs(raw.mean() - mu) < 4 * sigma / np.sqrt(20_000)
    assert raw.std() == pytest.approx(sigma, rel=0.03)


def test_given_priors_are_marked_and_shown_as_given():
    given = {
        "x0": ("StudentT", {"nu": 3, "mu": 1, "sigma": 0.5}),
        "sd(a)": {"dist": "InverseGamma", "alpha": 2, "beta": 3, "on": "variance"},
        "cor(b)": ("LKJ", {"eta": 4}),
        "sigma": ("Exponential", {"lam": 2}),
    }
    priors = priors_of(quiet_model("normal ~ x0 + x1 + (1 | a) + (1 + x2 | b)", priors=given))
    assert priors["x0*"][0] == "StudentT(nu=3, mu=1, sigma=0.5)"
    assert "per sd of the column: StudentT(nu=3, mu=" in priors["x0*"][1]
    assert priors["sd(a)*"] == ("InverseGamma(alpha=2, beta=3) on variance", "")
    assert priors["cor(b)*"] == ("LKJ(eta=4)", "")
    assert priors["sigma*"] == ("Exponential(lam=2)", "")
    assert priors["Intercept"][1] == (
        "at the columns' means; raw intercept: that less the columns' means times the slopes"
    )
    assert "x1" in priors
    assert "x1*" not in priors


def test_a_given_intercept_is_raw():
    priors = priors_of(quiet_model("normal ~ x0", priors={"Intercept": ("Normal", {"mu": 0, "sigma": 10})}))
    assert priors["Intercept*"] == ("Normal(mu=0, sigma=10)", "")


def test_cell_means_are_on_the_scale_of_the_response():
    priors = priors_of(quiet_model("normal ~ 0 + cell"))
    assert {words for name, (_, words) in priors.items() if name.startswith("cell")} == {""}


def test_responses():
    assert "  response successes: " in repr(quiet_model("successes | trials(trials) ~ x0", family="binomial"))
    frame = make_frame()
    words = f"{frame['successes'].sum()} successes in {frame['trials'].sum()} trials"
    assert words in repr(quiet_model("p(successes, trials) ~ x0", family="binomial"))
    labelled = frame.assign(alive=np.where(frame["success"] == 1, "yes", "no"))
    shown = repr(quiet_model("alive ~ x0", labelled, family="bernoulli"))
    assert "  response alive: 'yes' is a success (20 rows), 'no' a failure" in shown


def test_offsets_weights_and_terms():
    shown = repr(
        quiet_model(
            "count ~ 0 + offset(log(exposure)) + (0 + x1 || a) + (1 | d:e)", family="poisson", weights="positive"
        )
    )
    assert "  common part: nothing" in shown
    assert "  offset: log(exposure)" in shown
    assert "  weights: positive" in shown
    assert "  by a (4 levels: 0, 1, 2, ...): x1, scalar" in shown
    assert "  by d:e (" in shown


def test_few_levels_are_all_shown():
    data = pd.DataFrame({"y": np.arange(12.0), "g": list("abc") * 4})
    assert "  by g (3 levels: a, b, c): Intercept, scalar" in repr(quiet_model("y ~ 1 + (1 | g)", data))


def test_dropped_rows_are_listed():
    data = make_frame()
    data.index = [f"row {k}" for k in range(len(data))]
    data.loc[["row 3", "row 8"], "x0"] = np.nan
    shown = repr(quiet_model("normal ~ x0", data, missing="drop"))
    assert "38 rows (2 left out for missing values: row 3, row 8)" in shown
    data.loc[data.index[:10], "x0"] = np.nan
    shown = repr(quiet_model("normal ~ x0", data, missing="drop"))
    assert "(10 left out for missing values: row 0, row 1, row 2, row 3, row 4, ...)" in shown
