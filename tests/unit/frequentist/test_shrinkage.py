"""Shrinkage factors: exact for gaussian rows, consistent with the modes for all, and in words what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def one_way(seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(12), rng.integers(1, 15, size=12))
    return pd.DataFrame({"y": 3.0 + rng.normal(size=12)[g] + 1.5 * rng.normal(size=len(g)), "g": g.astype(str)})


def test_one_way_is_the_textbook_formula() -> None:
    """BLUP = s^2 / (s^2 + sigma^2 / n) (mean - mu) (Gelman & Hill 2007, equation 12.1), balanced or not."""
    data = one_way()
    fit = bg.GLMM("y ~ 1 + (1 | g)", data).fit()
    s, sigma = fit.variance_components["estimate"]
    groups = data.groupby("g")["y"]
    n, mean = groups.size(), groups.mean()
    assert n.nunique() > 3
    factor = s**2 / (s**2 + sigma**2 / n)
    mu = fit.coefficients.loc["Intercept", "estimate"]
    found = bg.shrinkage(fit).frame.set_index("level")
    found = found.loc[mean.index]
    assert found["n"].to_list() == n.to_list()
    assert found["own"].to_numpy() == pytest.approx(mean.to_numpy(), abs=1e-8)
    assert found["shrinkage_factor"].to_numpy() == pytest.approx(factor.to_numpy(), rel=1e-10)
    assert found["mode"].to_numpy() == pytest.approx((factor * (mean - mu)).to_numpy(), abs=1e-8)
    assert found["shrunken"].to_numpy() == pytest.approx((mu + factor * (mean - mu)).to_numpy(), abs=1e-8)
    assert (found["common"] == mu).all()
    assert not any("approximate" in note for note in bg.shrinkage(fit).notes)
    assert repr(bg.shrinkage(fit)).endswith("  - " + bg.shrinkage(fit).notes[-1])
    assert "<table" in bg.shrinkage(fit)._repr_html_()


def test_dyestuff() -> None:
    """lme4's ML fit (sd 37.26035 and 49.5101, 5 rows a batch): factor .7390, modes by hand from the batches' means."""
    fit = bg.GLMM("`yield` ~ 1 + (1 | batch)", bg.load_dataset("dyestuff")).fit()
    frame = bg.shrinkage(fit).frame
    factor = 37.26035**2 / (37.26035**2 + 49.5101**2 / 5)
    assert frame["shrinkage_factor"].to_numpy() == pytest.approx(np.full(6, factor), rel=1e-5)
    means = np.array([1505.0, 1528.0, 1564.0, 1498.0, 1600.0, 1470.0])
    assert frame["own"].to_numpy() == pytest.approx(means, rel=1e-9)
    assert frame["mode"].to_numpy() == pytest.approx(factor * (means - 1527.5), rel=1e-4)


def test_slopes_shrink_as_a_matrix() -> None:
    data = bg.load_dataset("sleepstudy")
    fit = bg.GLMM("reaction ~ days + (days | subject)", data).fit()
    result = bg.shrinkage(fit)
    lines = np.array([np.polyfit(d["days"], d["reaction"], 1)[::-1] for _, d in data.groupby("subject", observed=True)])
    own = result.frame["own"].to_numpy().reshape(18, 2)
    assert own == pytest.approx(lines, rel=1e-6)
    sd = fit.variance_components["estimate"].to_numpy()[:2]
    r, sigma = fit.variance_components["estimate"].to_numpy()[2:]
    G = np.outer(sd, sd) * np.array([[1.0, r], [r, 1.0]])
    Z = np.column_stack([np.ones(10), np.arange(10.0)])
    F = G @ np.linalg.inv(G + sigma**2 * np.linalg.inv(Z.T @ Z))
    assert result.frame["shrinkage_factor"].to_numpy()[:2] == pytest.approx(np.diag(F), rel=1e-8)
    modes = (lines - fit.coefficients["estimate"].to_numpy()) @ F.T
    assert result.frame["mode"].to_numpy().reshape(18, 2) == pytest.approx(modes, abs=1e-5)
    assert any("shrink together" in note for note in result.notes)


def test_a_level_that_does_not_tell_its_slope_has_none_of_its_own() -> None:
    data = bg.load_dataset("sleepstudy")
    data = data[(data["subject"] != 308) | (data["days"] == 3)]
    frame = bg.shrinkage(bg.GLMM("reaction ~ days + (days | subject)", data).fit()).frame
    first = frame[frame["level"] == "308"]
    assert first["own"].isna().all()
    assert np.isfinite(first[["mode", "shrinkage_factor"]].to_numpy(dtype=float)).all()
    assert frame[frame["level"] != "308"]["own"].notna().all()


@pytest.mark.parametrize(
    ("formula", "dataset", "family"),
    [
        ("favorable | trials(n) ~ treatment + (1 | clinic)", "multicenter", "binomial"),
        ("mated ~ 0 + cross + (1 | female) + (1 | male)", "salamander", "bernoulli"),
        ("y ~ trt + (1 | subject)", "epilepsy", "poisson"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "penicillin", "gaussian"),
    ],
)
def test_modes_keep_their_share(formula: str, dataset: str, family: str) -> None:
    fit = bg.GLMM(formula, bg.load_dataset(dataset), family=family).fit()
    result = bg.shrinkage(fit)
    kept = result.frame["shrinkage_factor"] * (result.frame["own"] - result.frame["common"])
    assert result.frame["mode"].to_numpy() == pytest.approx(kept.to_numpy(), abs=1e-6)
    assert result.frame["shrinkage_factor"].between(0.0, 1.0).all()
    assert result.frame["name"].to_list() == fit.modes["name"].to_list()
    assert any("approximate" in note for note in result.notes) == (family != "gaussian")
    assert any("other terms" in note for note in result.notes) == (len(fit.design.groups) > 1)
    assert "shrinkage_factor" in repr(result)
    assert "<table" in result._repr_html_()


def test_binomial_factor_by_hand() -> None:
    data = bg.load_dataset("multicenter")
    fit = bg.GLMM("favorable | trials(n) ~ treatment + (1 | clinic)", data, family="binomial").fit()
    mode = fit.modes.set_index("level")["mode"].loc[data["clinic"].astype(str)].to_numpy()
    b0, b1 = fit.coefficients["estimate"]
    p = 1.0 / (1.0 + np.exp(-(b0 + b1 * (data["treatment"] == "drug") + mode)))
    W = (data["n"] * p * (1.0 - p)).groupby(data["clinic"], observed=True).sum().to_numpy()
    s2 = fit.variance_components["estimate"].iloc[0] ** 2
    assert bg.shrinkage(fit).frame["shrinkage_factor"].to_numpy() == pytest.approx(s2 / (s2 + 1.0 / W), rel=1e-9)


def test_no_variance_is_full_shrinkage() -> None:
    data = one_way()
    data["y"] -= data.groupby("g")["y"].transform("mean")
    frame = bg.shrinkage(bg.GLMM("y ~ 1 + (1 | g)", data).fit()).frame
    assert (frame["shrinkage_factor"] == 0.0).all()
    assert (frame["mode"] == 0.0).all()


def test_what_it_refuses() -> None:
    model = bg.GLMM("resp ~ age + (1 | id)", bg.load_dataset("wheeze"), family="bernoulli")
    for method in ("gee", "fixed"):
        with pytest.raises(bg.SpecificationError, match=f"method '{method}' of resp ~ age"):
            bg.shrinkage(model.fit(method))
    with pytest.raises(bg.SpecificationError, match="takes a classical fit"):
        bg.shrinkage(model)
