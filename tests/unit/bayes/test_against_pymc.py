"""Every specification file: the preconditioned sampler against PyMC's NUTS on the graph, means and standard deviations.

Both are wrong by chance only, so that a difference has a standard error: that of a mean is its MCSE, that of a standard
deviation s is the MCSE of (x - mean)^2 over 2 s. Some 90 comparisons at 4 standard errors raise a false alarm once in
two hundred runs, and seeds are fixed.
"""

from __future__ import annotations

from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg

#: One of a kind: a PyMC graph is compiled and sampled for each.
KINDS = ("cbpp", "grouseticks", "multicenter", "salamander", "salamander_linked", "salamander_summer", "sleepstudy")
FILES = [Path(__file__).parents[3] / "models" / f"{name}.toml" for name in KINDS]
#: A model that PyMC samples in some 20 s (the salamanders are in test_bayes_agreement); the others take it minutes.
QUICK = ("multicenter",)

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def figures(posterior: bg.Posterior) -> pd.DataFrame:
    """Return mean and standard deviation of every parameter (group effects left out), each with its MCSE."""
    rows = {}
    for item in posterior._labelled:
        if item.term == "group":
            continue
        mean, sd = item.draws.mean(), item.draws.std()
        rows[item.name] = {
            "mean": mean,
            "sd": sd,
            "mean_error": float(az.mcse(item.draws, method="mean")),
            "sd_error": float(az.mcse((item.draws - mean) ** 2, method="mean")) / (2.0 * sd),
        }
    return pd.DataFrame(rows).T


def assert_same_posterior(ours: bg.Posterior, by_pymc: bg.Posterior) -> None:
    a, b = figures(ours), figures(by_pymc)
    assert list(a.index) == list(b.index)
    for figure in ("mean", "sd"):
        z = (a[figure] - b[figure]) / np.hypot(a[f"{figure}_error"], b[f"{figure}_error"])
        assert (z.abs() < 4.0).all(), (figure, z.round(2).to_dict())


@pytest.mark.mcmc
@pytest.mark.parametrize("path", [p for p in FILES if p.stem in QUICK], ids=lambda p: p.stem)
def test_a_quick_model(path):
    model = bg.read_model(path)
    ours = model.sample(draws=4000, chains=4, seed=1, progress=False)
    assert ours.check().converged, ours.check()
    by_pymc = model.sample(draws=1500, tune=500, chains=2, seed=2, sampler="pymc", target_accept=0.9, progress=False)
    assert_same_posterior(ours, by_pymc)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_model_with_many_draws(path):
    model = bg.read_model(path)
    ours = model.sample(draws=10_000, chains=4, seed=3, progress=False)
    # One divergence in 40,000 draws makes the verdict doubtful; it is the figures that are compared here.
    assert ours.check().status.value != "failed", ours.check()
    by_pymc = model.sample(draws=4000, tune=1500, chains=4, seed=4, sampler="pymc", target_accept=0.95, progress=False)
    assert by_pymc.check().status.value != "failed", by_pymc.check()
    assert_same_posterior(ours, by_pymc)
