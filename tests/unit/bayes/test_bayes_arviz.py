"""What ArviZ does runs on the tree without a warning, and its figures are ours."""

from __future__ import annotations

import arviz as az
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

#: What the docstring of Posterior tells a user to say.
WITHOUT_GROUPS = {"var_names": "~^u_", "filter_vars": "regex"}


@pytest.fixture(autouse=True)
def figures():
    before = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(before)


@pytest.fixture(scope="module")
def rich(sleepstudy_posterior):
    return sleepstudy_posterior.with_log_likelihood().with_log_prior().with_posterior_predictive(seed=1)


def test_summary_without_group_effects(sleepstudy_posterior):
    frame = az.summary(sleepstudy_posterior.tree, round_to="none", **WITHOUT_GROUPS)
    ours = sleepstudy_posterior.summary()
    assert list(frame.index) == [
        *("beta[Intercept]", "beta[days]", "sd_subject[Intercept]", "sd_subject[days]"),
        *("cor_subject[Intercept, days]", "sigma"),
    ]
    for column in ("mean", "sd", "r_hat", "ess_bulk", "mcse_mean"):
        np.testing.assert_allclose(ours[column], frame[column], rtol=1e-8, err_msg=column)
    # az.summary takes the tails where its interval ends; ours are the paper's 5% and 95%.
    tails = az.ess(sleepstudy_posterior.tree, method="tail", prob=(0.05, 0.95), var_names=["beta", "sigma"])
    expected = [*tails["beta"].values, float(tails["sigma"])]
    np.testing.assert_allclose(ours["ess_tail"].iloc[[0, 1, 5]], expected, rtol=1e-8)


def test_summary_of_everything(sleepstudy_posterior):
    assert len(az.summary(sleepstudy_posterior.tree)) == 6 + 36


def test_forest(salamander_posterior):
    assert az.plot_forest(salamander_posterior.tree, **WITHOUT_GROUPS) is not None
    assert plt.get_fignums()


def test_trace(sleepstudy_posterior):
    assert az.plot_trace_dist(sleepstudy_posterior.tree, **WITHOUT_GROUPS) is not None
    assert plt.get_fignums()


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto distribution:UserWarning")
def test_cross_validation(salamander_posterior):
    loo = az.loo(salamander_posterior.with_log_likelihood().tree)
    assert loo.n_data_points == 360
    # 40,000 draws give -202.33; four runs of 4,000 lay within 0.5 of it.
    assert loo.elpd == pytest.approx(-202.3, abs=1.5)
    assert 50 < loo.p < 75


def test_posterior_predictive_check(rich):
    assert az.plot_ppc_dist(rich.tree, num_samples=20) is not None
    assert plt.get_fignums()


def test_prior_predictive_check(sleepstudy_model):
    tree = sleepstudy_model.prior_predictive(50, seed=1)
    assert az.plot_ppc_dist(tree, group="prior_predictive", num_samples=20) is not None
    assert az.plot_dist(tree, group="prior", var_names=["beta", "sigma"]) is not None


def test_sensitivity(rich):
    frame = az.psense_summary(rich.tree, **WITHOUT_GROUPS)
    assert list(frame.index) == list(az.summary(rich.tree, **WITHOUT_GROUPS).index)
    # Weak priors: the likelihood moves these, the priors do not.
    assert (frame["prior"] < 0.05).all()
    assert frame.loc["sigma", "likelihood"] > 0.05
    # Given the subjects' effects the rows say little more of the mean slope: its sensitivity is near 0.05 either way.
    assert frame.loc["beta[days]", "likelihood"] > 2.0 * frame.loc["beta[days]", "prior"]
