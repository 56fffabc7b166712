"""Summaries: the one schema, the figures in it, print-outs with the verdict above them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from support.posteriors import made_posterior, quiet_model, scattered_values

import bayesglmm as bg
from bayesglmm.schema import TERMS, TIDY_COLUMNS, TIDY_DIAGNOSTICS


def test_the_schema_is_that_of_a_fit(sleepstudy_posterior, sleepstudy_model):
    posterior, fit = sleepstudy_posterior.tidy(), sleepstudy_model.fit("laplace").tidy()
    assert tuple(fit.columns) == TIDY_COLUMNS
    assert tuple(posterior.columns) == (*TIDY_COLUMNS, *TIDY_DIAGNOSTICS)
    assert list(posterior["name"]) == list(fit["name"])
    assert list(posterior["term"]) == list(fit["term"])
    for column in TIDY_COLUMNS:
        assert posterior[column].dtype == fit[column].dtype, column
    groups = sleepstudy_posterior.tidy(group=True), sleepstudy_model.fit("laplace").tidy(group=True)
    assert list(groups[0]["name"]) == list(groups[1]["name"])


def test_names_and_order(sleepstudy_posterior):
    frame = sleepstudy_posterior.tidy(group=True)
    assert list(frame["name"][:9]) == [
        *("Intercept", "days", "sd(subject, Intercept)", "sd(subject, days)"),
        *("cor(subject, Intercept, days)", "sigma", "subject[308, Intercept]", "subject[308, days]"),
        "subject[309, Intercept]",
    ]
    assert list(frame["term"].unique()) == list(TERMS)
    assert list(sleepstudy_posterior.tidy()["name"]) == list(frame["name"][:6])
    assert (frame["method"] == "nuts").all()
    assert (frame["estimand"] == "conditional").all()


def test_figures_are_those_of_the_draws():
    model = quiet_model("normal ~ x0 + (1 + x1 + x2 | a)")
    values = scattered_values(model, 2, 300)
    frame = made_posterior(model, values, chains=2, draws=300).tidy(level=0.8).set_index("name")
    expected = {
        "x0": values["beta"][..., 1],
        "sd(a, x1)": values["sd_a"][..., 1],
        "cor(a, x1, x2)": values["cor_a"][..., 2, 1],
        "sigma": values["sigma"],
    }
    for name, draws in expected.items():
        row = frame.loc[name]
        assert row["estimate"] == pytest.approx(draws.mean())
        assert row["std_error"] == pytest.approx(draws.std(ddof=1))
        assert (row["lower"], row["upper"]) == pytest.approx(tuple(np.quantile(draws, [0.1, 0.9])))
        assert row["level"] == 0.8
        assert row["mcse_mean"] == pytest.approx(draws.std(ddof=1) / np.sqrt(600), rel=0.3)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, np.nan, "95%", True, None])
def test_a_level_outside_0_to_1_is_refused(salamander_posterior, level):
    with pytest.raises(bg.SpecificationError, match=r"is not a number between 0 and 1; a 95% interval is level=0.95"):
        salamander_posterior.tidy(level=level)


def test_summary(salamander_posterior):
    summary = salamander_posterior.summary(level=0.9)
    assert list(summary.columns) == ["mean", "sd", "lower 90%", "upper 90%", *TIDY_DIAGNOSTICS]
    assert list(summary.index) == [
        *("cross[RR]", "cross[RW]", "cross[WR]", "cross[WW]"),
        *("sd(female)", "sd(male)"),
    ]
    assert summary.attrs["verdict"] == str(salamander_posterior.check())
    assert len(salamander_posterior.summary(group=True)) == 126
    assert salamander_posterior.summary(group=True).index[6] == "female[1]"


def test_the_verdict_stands_above_the_figures(salamander_posterior):
    lines = repr(salamander_posterior).splitlines()
    assert lines[0] == "Posterior of mated ~ 0 + cross + (1 | female) + (1 | male)"
    assert lines[1].split(":")[0] in ("converged", "doubtful", "failed")
    assert any(line.startswith("sd(female)") for line in lines)
    assert not any("female[1]" in line for line in lines)
    page = salamander_posterior._repr_html_()
    assert page.index("4 chains x 500 draws") < page.index("<table")
    assert "sd(female)" in page


def test_html_is_escaped():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=30), "<b>": rng.normal(size=30), "g": np.arange(30) % 6})
    page = made_posterior(quiet_model("y ~ `<b>` + (1 | g)", data), chains=2, draws=20)._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_one_draw_has_no_spread_and_no_warning():
    frame = made_posterior(quiet_model("normal ~ x0"), chains=1, draws=1).tidy()
    assert np.isnan(frame["std_error"]).all()
    assert np.isfinite(frame["estimate"]).all()


def test_a_posterior_is_frozen(salamander_posterior):
    with pytest.raises(dataclasses.FrozenInstanceError):
        salamander_posterior.tree = None


def test_two_terms_of_one_factor():
    model = quiet_model("normal ~ 1 + (1 | a) + (0 + x1 | a)")
    frame = made_posterior(model, chains=2, draws=10).tidy(group=True)
    assert list(frame["name"][1:4]) == ["sd(a)", "sd(a, x1)", "sigma"]
    assert {"a[0]", "a[0, x1]"} <= set(frame["name"])
    assert frame["name"].is_unique
