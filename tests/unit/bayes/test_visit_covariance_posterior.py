"""Sampling any covariance of the visits, us beside a standard deviation for each: exact draws, truth, REML."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.residuals import dense_correlation

import bayesglmm as bg
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.bayes.verify import verify_draws
from bayesglmm.density import JointDensity

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FLAT = {"beta": ("Flat", {}), "log_sigma": ("Flat", {}), "cor(residual)": ("LKJ", {"eta": 1.0})}
#: What `simulated` draws from: standard deviations of the visits, and the strict lower triangle row by row.
SDS = np.array([0.6, 1.0, 1.3, 1.8])
PAIRS = np.array([0.7, 0.4, 0.6, 0.1, 0.3, 0.5])
BETA = {"Intercept": 2.0, "x": 0.5}


@cache
def simulated(subjects: int = 250) -> pd.DataFrame:
    """Return rows with the parameters above in random order, a quarter of them missing."""
    rng = np.random.default_rng(6)
    R = np.eye(4)
    R[np.tril_indices(4, -1)] = PAIRS
    R = R + R.T - np.eye(4)
    e = rng.standard_normal((subjects, 4)) @ np.linalg.cholesky(np.outer(SDS, SDS) * R).T
    x = rng.normal(size=(subjects, 4))
    frame = pd.DataFrame({"subject": np.repeat(np.arange(subjects), 4), "visit": np.tile(list("abcd"), subjects)})
    frame["x"], frame["y"] = x.ravel(), (BETA["Intercept"] + BETA["x"] * x + e).ravel()
    return frame[rng.random(len(frame)) < 0.75].sample(frac=1.0, random_state=2).reset_index(drop=True)


@cache
def model() -> bg.GLMM:
    return bg.GLMM("y ~ x", simulated(), residual="us(visit | subject)", dispersion="~ 0 + visit")


@cache
def posterior() -> bg.Posterior:
    return model().sample(seed=1, progress=False)


def names() -> tuple[list[str], list[str]]:
    """Return the names of the log standard deviations and of the correlations, in the order of the truth."""
    pairs = zip(*np.tril_indices(4, -1), strict=True)
    return [f"log_sigma[visit[{v}]]" for v in "abcd"], [f"cor(residual, {'abcd'[k]}, {'abcd'[i]})" for i, k in pairs]


def test_truth_is_recovered_and_reml_agrees():
    found = posterior()
    assert found.check().status.value == "converged"
    assert found.tree["sample_stats"].attrs["sampler_coordinates"].startswith("penalised fit")
    tidy = found.tidy().set_index("name")
    logs, pairs = names()
    truth = pd.Series(BETA | dict(zip(logs, np.log(SDS), strict=True)) | dict(zip(pairs, PAIRS, strict=True)))
    assert set(tidy.index) == set(truth.index)
    off = (tidy["estimate"] - truth) / tidy["std_error"]
    # Twelve parameters: one in 800 data sets has one beyond 3.9 standard deviations; this data set is fixed.
    assert (off.abs() < 3.9).all()
    reml = model().fit("reml").tidy().set_index("name")
    apart = ((tidy["estimate"] - reml["estimate"]) / reml["std_error"]).abs()
    # Skewness and priors move coefficients by nothing to speak of. Uniform correlation matrices pull correlations to 0,
    # by 0.9 of a standard deviation where 27 children have four visits; that goes as 1 / sqrt(n), to 0.35 here.
    assert (
        apart[list(BETA)] < 0.05 + 4.0 * tidy.loc[list(BETA), "mcse_mean"] / tidy.loc[list(BETA), "std_error"]
    ).all()
    assert (apart[logs + pairs] < 0.5).all()
    np.testing.assert_allclose(tidy["std_error"], reml["std_error"].reindex(tidy.index), rtol=0.15)


def test_complete_visits_have_a_weighted_inverse_wishart_posterior():
    """Flat priors of beta and log sd, every visit of every sex a mean: beta integrated out, V is known exactly.

    The likelihood of V is |V|^(-d/2) exp(-tr(V^-1 A) / 2), A the cross-products about the means and d = 25 degrees; the
    prior is prod V_tt^(-(T + 1)/2), for dV = 2^T prod sd^(T + 1) d log sd dR. So V is inverse Wishart (d, A) with the
    weights |R|^((T + 1)/2).
    """
    data = bg.load_dataset("orthodont")
    found = bg.GLMM(
        "distance ~ C(age) * sex", data, residual="us(age | subject)", dispersion="~ 0 + C(age)", priors=FLAT
    ).sample(seed=2, progress=False)
    assert found.check().status.value == "converged"
    wide = data.pivot(index=["sex", "subject"], columns="age", values="distance")
    e = (wide - wide.groupby("sex").transform("mean")).to_numpy()
    T = e.shape[1]
    V = stats.invwishart(df=len(e) - 2, scale=e.T @ e).rvs(200_000, random_state=np.random.default_rng(3))
    sds = np.sqrt(np.diagonal(V, axis1=1, axis2=2))
    R = V / (sds[:, :, None] * sds[:, None, :])
    at = np.tril_indices(T, -1)
    exact = np.column_stack([np.log(sds), R[:, at[0], at[1]]])
    weights = np.exp(0.5 * (T + 1) * np.linalg.slogdet(R)[1])
    weights /= weights.sum()
    # Ten times what 4000 draws can tell.
    assert 1.0 / (weights**2).sum() > 40_000
    mean = weights @ exact
    sd = np.sqrt(weights @ (exact - mean) ** 2)
    logs = [f"log_sigma[C(age)[{a}]]" for a in wide.columns]
    pairs = [f"cor(residual, {wide.columns[k]}, {wide.columns[i]})" for i, k in zip(*at, strict=True)]
    tidy = found.tidy().set_index("name").loc[logs + pairs]
    # Five Monte Carlo standard errors: of means; of standard deviations 1 / sqrt(2 m) from m = 2000 effective draws.
    assert (np.abs(tidy["estimate"] - mean) < 5.0 * tidy["mcse_mean"]).all()
    np.testing.assert_allclose(tidy["std_error"], sd, rtol=5.0 / np.sqrt(4000.0))


def test_row_densities_add_up_to_the_density_of_all_rows():
    design = model().design
    rows = posterior().with_log_likelihood().tree["log_likelihood"]["y"].values[0, :2]
    draws = posterior().tree["posterior"].to_dataset().isel(chain=0, draw=slice(0, 2))
    density = JointDensity.of(design, model().parameters)
    x, sound = recovered_points(density, {str(n): v.values for n, v in draws.items()})
    assert sound.all()
    natural, visit = density.natural(x), simulated()["visit"].map("abcd".index).to_numpy()
    for k in range(2):
        w = natural.family[k]
        d = np.exp(w[visit])
        expected = stats.multivariate_normal(
            design.X @ natural.beta[k], np.outer(d, d) * dense_correlation(design, w[4:])
        )
        np.testing.assert_allclose(rows[k].sum(), expected.logpdf(design.y), rtol=1e-9)


def test_replicated_rows_have_the_covariance_of_their_draws():
    tree = posterior().with_posterior_predictive(seed=3).tree
    replicated = tree["posterior_predictive"]["y"].values.reshape(-1, model().design.n_rows)
    draws = tree["posterior"].to_dataset()
    eta = draws["beta"].values.reshape(len(replicated), -1) @ model().design.X.T
    visit = simulated()["visit"].map("abcd".index).to_numpy()
    d = np.exp(draws["log_sigma"].values.reshape(len(replicated), -1))
    standard = (replicated - eta) / d[:, visit]
    np.testing.assert_allclose((standard**2).mean(axis=0), 1.0, atol=5.0 * np.sqrt(2.0 / len(replicated)))
    # Rows of one subject at the visits a and d: their correlation is the fourth pair.
    place = {key: i for i, key in enumerate(zip(simulated()["subject"], visit, strict=True))}
    both = [s for s in simulated()["subject"].unique() if (s, 0) in place and (s, 3) in place]
    a, b = ([place[s, v] for s in both] for v in (0, 3))
    rho = draws["cor_residual"].values.reshape(len(replicated), -1)[:, 3]
    product = standard[:, a] * standard[:, b] - rho[:, None]
    assert product.mean() == pytest.approx(0.0, abs=5.0 * np.sqrt(2.0 / product.size))


def test_prior_predictive_scales_rows():
    prior = model().prior_predictive(800, seed=1)
    draws = prior["prior"].to_dataset()
    visit = simulated()["visit"].map("abcd".index).to_numpy()
    eta = draws["beta"].values[0] @ model().design.X.T
    standard = (prior["prior_predictive"]["y"].values[0] - eta) / np.exp(draws["log_sigma"].values[0][:, visit])
    np.testing.assert_allclose((standard**2).mean(axis=0), 1.0, atol=5.0 * np.sqrt(2.0 / 800))


def test_density_and_graph_agree_at_the_corners_of_the_posterior():
    found = verify_draws(posterior(), model().design, model().parameters, lambda: model().pymc)
    assert found.agrees
    assert found.left_out == 0


def test_saving_loading_and_print_outs(tmp_path):
    loaded = bg.load_posterior(posterior().save(tmp_path / "p.nc"))
    assert repr(loaded) == repr(posterior())
    one, other = (p.with_log_likelihood().tree["log_likelihood"]["y"].values for p in (posterior(), loaded))
    np.testing.assert_array_equal(one, other)
    shown, equation = repr(model()), model().equation()
    assert "log of sigma: ~ 0 + visit" in shown
    assert "residuals us(visit | subject): unstructured" in shown
    assert r"\log(\sigma_i)" in equation
    assert r"\rho_{t_i t_k}" in equation
