"""The parametric bootstrap: reproducible, honest about failures, in agreement with lme4::bootMer and with theory."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import DataError, FitError, Problem, SpecificationError
from bayesglmm.frequentist.inference.simulate import Simulator

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "inference.csv")
REFERENCE = REFERENCE[REFERENCE["kind"] == "bootstrap"]
pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@cache
def sleepstudy() -> bg.Fit:
    return bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy")).fit("ml")


@cache
def cbpp() -> bg.Fit:
    formula = "incidence | trials(size) ~ period + (1 | herd)"
    return bg.GLMM(formula, bg.load_dataset("cbpp"), family="binomial").fit("laplace")


def test_simulated_responses_have_the_moments_of_the_model() -> None:
    fit = sleepstudy()
    simulator = Simulator.of(fit)
    rng = np.random.default_rng(8)
    draws = np.array([simulator.draw(rng) for _ in range(4000)])
    table = fit.variance_components["estimate"]
    s0, s1, r = table.iloc[:3]
    G = np.array([[s0**2, r * s0 * s1], [r * s0 * s1, s1**2]])
    first = np.flatnonzero(fit.design.groups[0].codes == 0)
    Z = fit.design.X[first]
    expected = Z @ G @ Z.T + np.eye(10) * table["sigma"] ** 2
    spread = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / 4000)
    assert (np.abs(np.cov(draws[:, first].T) - expected) < 5 * spread).all()
    mean = fit.design.X @ fit.coefficients["estimate"].to_numpy()
    assert (np.abs(draws.mean(axis=0) - mean)[first] < 5 * np.sqrt(np.diag(expected) / 4000)).all()
    other = np.flatnonzero(fit.design.groups[0].codes == 1)
    assert abs(np.corrcoef(draws[:, first[0]], draws[:, other[0]])[0, 1]) < 5 / np.sqrt(4000)


def test_a_binomial_response_stays_within_its_trials() -> None:
    y = Simulator.of(cbpp()).draw(np.random.default_rng(1))
    assert ((y >= 0) & (y <= cbpp().design.size) & (y == np.round(y))).all()


def test_the_seed_gives_the_draws_however_many_cores() -> None:
    one = cbpp().bootstrap(6, seed=5, progress=False)
    two = cbpp().bootstrap(6, seed=5, cores=2, progress=False)
    pd.testing.assert_frame_equal(one.draws, two.draws, check_exact=True)
    more = cbpp().bootstrap(8, seed=5, progress=False)  # further draws leave the first as they are
    pd.testing.assert_frame_equal(one.draws, more.draws.iloc[:6], check_exact=True)
    assert not one.draws.equals(cbpp().bootstrap(6, seed=6, progress=False).draws)
    fresh = cbpp().bootstrap(2, progress=False)
    pd.testing.assert_frame_equal(fresh.draws, cbpp().bootstrap(2, seed=fresh.seed, progress=False).draws)


def test_intervals_and_standard_errors_are_those_of_the_draws() -> None:
    boot = cbpp().bootstrap(40, seed=2, progress=False)
    draws, estimate = boot.draws["sd(herd)"].to_numpy(), boot.estimates["sd(herd)"]
    assert boot.std_errors["sd(herd)"] == pytest.approx(draws.std(ddof=1))
    low, high = np.quantile(draws, [0.05, 0.95])
    assert boot.interval(0.9).loc["sd(herd)"].to_list() == pytest.approx([low, high])
    assert boot.interval(0.9, "basic").loc["sd(herd)"].to_list() == pytest.approx(
        [2 * estimate - high, 2 * estimate - low]
    )
    assert "40 draws, seed 2" in repr(boot)
    with pytest.raises(SpecificationError, match="Did you mean 'percentile'"):
        boot.interval(kind="percentil")
    with pytest.raises(SpecificationError, match="level"):
        boot.interval(95)


def test_failures_are_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = bg.Fit.refit
    calls = [0]

    def refit(self: bg.Fit, y: np.ndarray) -> bg.Fit:
        calls[0] += 1
        if calls[0] % 3 == 0:
            raise FitError("no answer for this one.")
        if calls[0] == 4:
            raise DataError([Problem("incidence", "is out of its range.", "support")])
        return original(self, y)

    monkeypatch.setattr(bg.Fit, "refit", refit)
    boot = cbpp().bootstrap(6, seed=3, progress=False)
    assert [k for k, _ in boot.failures] == [2, 3, 5]
    assert boot.failures[0][1] == "no answer for this one."
    assert boot.draws.index[boot.draws.isna().all(axis=1)].to_list() == [2, 3, 5]
    assert np.isfinite(boot.std_errors.to_numpy()).all()
    with pytest.raises(FitError, match="3 of 6 simulated data sets could not be fitted"):
        boot.interval()
    assert "3 draws failed and are left out; the first, number 2: no answer" in repr(boot)


def test_when_nearly_all_fail_there_is_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    def refit(self: bg.Fit, y: np.ndarray) -> bg.Fit:
        raise FitError("never.")

    fit = cbpp()
    monkeypatch.setattr(bg.Fit, "refit", refit)
    boot = fit.bootstrap(3, seed=1, progress=False)
    with pytest.raises(FitError, match="3 of 3 simulated data sets could not be fitted"):
        boot.interval()


def test_what_cannot_be_simulated_is_refused_in_words() -> None:
    data = bg.load_dataset("sleepstudy").assign(w=2.0)
    weighted = bg.GLMM("reaction ~ days + (1 | subject)", data, weights="w").fit()
    with pytest.raises(SpecificationError, match="rows with weights"):
        weighted.bootstrap(5)
    model = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", bg.load_dataset("cbpp"), family="binomial")
    for method in ("gee", "fixed"):
        with pytest.raises(SpecificationError, match=f"'{method}' does not estimate how groups vary"):
            model.fit(method).bootstrap(5)
    for settings in ({"draws": 1}, {"draws": 2.5}, {"cores": 0}, {"seed": -1}, {"seed": "a"}):
        with pytest.raises(SpecificationError, match="give a whole number"):
            cbpp().bootstrap(**{"draws": 2, **settings})


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "fit"), [("sleep_slopes", sleepstudy), ("cbpp", cbpp)])
def test_intervals_are_those_of_bootmer_within_simulation_error(problem: str, fit: object) -> None:
    theirs = REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")
    boot = fit().bootstrap(1000, seed=11, progress=False)  # type: ignore[operator]
    assert len(boot.failures) <= 10
    ours = boot.interval()
    for name, row in theirs.iterrows():
        # Both ends are sample quantiles of 1000 draws: standard error about 0.085 standard deviations each.
        spread = boot.std_errors[name] * 0.085 * np.sqrt(2.0)
        for end in ("lower", "upper"):
            assert abs(ours.loc[name, end] - row[end]) < 4.0 * spread, (name, end)


def test_a_fit_that_is_no_maximum_is_not_simulated_from() -> None:
    x = np.linspace(-1.0, 1.0, 60)
    data = pd.DataFrame({"y": (x > 0.1).astype(int), "x": x, "g": [f"g{k % 6}" for k in range(60)]})
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit("laplace")
    assert not fit.converged
    with pytest.raises(FitError, match="this fit is none: flat"):
        fit.bootstrap(5)


def test_too_few_draws_have_standard_errors_but_no_interval() -> None:
    boot = cbpp().bootstrap(2, seed=1, progress=False)
    assert np.isfinite(boot.std_errors.to_numpy()).all()
    with pytest.raises(FitError, match=r"^2 draws have no quantiles in their tails.*at least 20"):
        boot.interval()
    assert "2 draws, seed 1; no intervals, which take at least 20" in repr(boot)


def test_a_column_called_sigma_keeps_a_column_of_draws() -> None:
    data = bg.load_dataset("sleepstudy").rename(columns={"days": "sigma"})
    boot = bg.GLMM("reaction ~ sigma + (1 | subject)", data).fit("ml").bootstrap(20, seed=1, progress=False)
    assert list(boot.draws.columns) == ["Intercept", "sigma (coefficient)", "sd(subject)", "sigma"]
    assert boot.estimates["sigma (coefficient)"] == pytest.approx(10.467286, abs=1e-5)
    assert boot.interval().shape == (4, 2)
