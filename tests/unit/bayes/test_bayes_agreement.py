"""One posterior, several samplers: the compiled density against PyMC, Bambi, nutpie, numpyro and long Gibbs chains.

Two Monte Carlo means may differ by 4 standard errors of their difference (5 where over a hundred group effects are
compared at once).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from support.posteriors import quiet_model

import bayesglmm as bg
from bayesglmm.engine.penalised import PenalisedMarginal

pytestmark = pytest.mark.mcmc

REFERENCE = Path(__file__).parents[2] / "reference" / "salamander_gibbs.csv"


def assert_agree(a: bg.Posterior, b: bg.Posterior) -> None:
    assert a.check().status.value != "failed", a.check()
    assert b.check().status.value != "failed", b.check()
    both = a.tidy(group=True).merge(b.tidy(group=True), on=["term", "name"], validate="one_to_one")
    assert len(both) == len(a.tidy(group=True)) == len(b.tidy(group=True))
    z = (both["estimate_x"] - both["estimate_y"]).abs() / np.hypot(both["mcse_mean_x"], both["mcse_mean_y"])
    groups = both["term"] == "group"
    assert z[~groups].max() < 4, both.loc[z[~groups].idxmax()]
    assert z[groups].max() < 5, both.loc[z[groups].idxmax()]
    ratio = both["std_error_x"] / both["std_error_y"]
    assert ratio.between(0.85, 1.18).all(), both.loc[(ratio - 1).abs().idxmax()]


@pytest.fixture(scope="module")
def salamander(salamander_model: bg.GLMM) -> bg.Posterior:
    return salamander_model.sample(draws=2000, tune=1000, chains=4, seed=1, progress=False)


def test_salamanders_by_gibbs_sampling(salamander):
    reference = pd.read_csv(REFERENCE, index_col="parameter")
    found = salamander.summary()
    assert list(found.index) == list(reference.index)
    assert salamander.check().converged, salamander.check()
    allowed = np.maximum(4 * np.hypot(found["mcse_mean"], reference["mcse_mean"]), 0.05 * reference["sd"])
    assert ((found["mean"] - reference["mean"]).abs() < allowed).all()
    np.testing.assert_allclose(found["sd"], reference["sd"], rtol=0.07)
    np.testing.assert_allclose(found["lower 95%"], reference["q2.5"], atol=0.08)
    np.testing.assert_allclose(found["upper 95%"], reference["q97.5"], atol=0.08)


def test_salamanders_by_pymc(salamander, salamander_model):
    by_pymc = salamander_model.sample(draws=1000, tune=700, chains=4, seed=2, sampler="pymc", progress=False)
    assert_agree(salamander, by_pymc)
    assert set(by_pymc.tree["posterior"].to_dataset().variables) == set(
        salamander.tree["posterior"].to_dataset().variables
    )
    for name, statistic in salamander.tree["sample_stats"].to_dataset().data_vars.items():
        assert by_pymc.tree["sample_stats"][name].dtype == statistic.dtype


@pytest.mark.filterwarnings("ignore")  # Bambi's and PyMC's own
def test_salamanders_by_bambi(salamander):
    bmb = pytest.importorskip("bambi")

    def effects() -> object:
        return bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=2.5))

    model = bmb.Model(
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        bg.load_dataset("salamander"),
        family="bernoulli",
        priors={"cross": bmb.Prior("Normal", mu=0, sigma=2.5), "1|female": effects(), "1|male": effects()},
    )
    draws = model.fit(draws=1500, tune=500, chains=4, random_seed=3, inference_method="nutpie", progressbar=False)[
        "posterior"
    ].to_dataset()
    import arviz as az

    names = {f"cross[{level}]": draws["cross"].sel(cross_dim=level) for level in ("RR", "RW", "WR", "WW")}
    names |= {"sd(female)": draws["1|female_sigma"], "sd(male)": draws["1|male_sigma"]}
    ours = salamander.summary()
    for name, values in names.items():
        mcse = np.hypot(float(az.mcse(values.values, method="mean")), ours.loc[name, "mcse_mean"])
        assert abs(float(values.mean()) - ours.loc[name, "mean"]) < 4 * mcse, name


def test_correlated_slopes_by_nutpie_on_the_graph(sleepstudy_model):
    ours = sleepstudy_model.sample(draws=2000, tune=1000, chains=4, seed=4, progress=False)
    assert_agree(ours, sleepstudy_model.sample(draws=1500, tune=800, seed=5, sampler="nutpie", progress=False))


@pytest.mark.parametrize("sampler", ["numpyro", "blackjax"])
def test_a_small_model_by_a_sampler_in_jax(sampler):
    if importlib.util.find_spec(sampler) is None:
        pytest.skip(f"{sampler} is an extra")
    # A prior without much of a tail: numpyro's chains do not get into that of four levels under HalfNormal(2.5).
    formula, priors = "count ~ x0 + offset(log(exposure)) + (1 | a)", {"sd": ("HalfNormal", {"sigma": 0.5})}
    model = quiet_model(formula, family="poisson", priors=priors)
    ours = model.sample(draws=1500, tune=1000, seed=6, target_accept=0.95, progress=False)
    theirs = model.sample(
        draws=1000, tune=600, seed=7, sampler=sampler, target_accept=0.95, max_depth=8, progress=False
    )
    assert_agree(ours, theirs)
    recorded, known = (set(p.tree["sample_stats"].to_dataset().data_vars) for p in (theirs, ours))
    assert recorded == (known - {"step_size"} if sampler == "blackjax" else known)


def test_the_far_tail_of_a_standard_deviation():
    """Four levels leave sd(a) a tail to ten times its mean, which plain non-centred chains cut off at about 2.3.

    The reference integrates the coefficients out by Laplace's method on a grid of log sd(a), which is good to a few
    percent here (Poisson means of 1 to 20 in ten rows a level).
    """
    model = quiet_model("count ~ x0 + offset(log(exposure)) + (1 | a)", family="poisson")
    penalised = PenalisedMarginal.of(model.design, model.parameters)
    grid = np.linspace(-7.0, 2.5, 60)
    logs, beta = [], np.array([1.2, 0.0])
    for log_sd in grid:
        found = minimize(lambda b: -penalised(np.r_[b, log_sd]).value, beta, method="BFGS")  # noqa: B023
        beta = found.x
        steps = np.eye(2) * 1e-3
        ends = [[penalised(np.r_[beta + sign * e, log_sd]).gradient[:2] for e in steps] for sign in (-1.0, 1.0)]
        logs.append(-found.fun - 0.5 * np.linalg.slogdet((np.array(ends[0]) - ends[1]) / 2e-3)[1])
    fine = np.linspace(grid[0], grid[-1], 2000)
    weights = np.exp(CubicSpline(grid, logs)(fine) - max(logs))
    weights /= weights.sum()
    posterior = model.sample(draws=50_000, seed=1, progress=False)
    sd = posterior.tree["posterior"]["sd_a"].values
    for beyond in (1.0, 2.0):
        wanted = float(weights[np.exp(fine) > beyond].sum())
        # 0.023 and 0.0036 of 200,000 draws. Visits to the far tail are long: of 40,000 draws its share has an error of
        # 12 to 35 percent.
        assert (sd > beyond).mean() == pytest.approx(wanted, rel=0.25)
    assert sd.max() > 4.0
