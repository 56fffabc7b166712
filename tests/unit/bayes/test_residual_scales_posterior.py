"""Sampling correlated residuals with a dispersion formula: known truth, exact gradients, row densities, simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.residuals import SCALES, STRUCTURES, dense_correlation, dense_sds, make_visits

import bayesglmm as bg
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.bayes.verify import verify_draws
from bayesglmm.density import JointDensity
from bayesglmm.engine.penalised import PenalisedMarginal

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

#: What `simulated` draws from.
TRUTH = {
    "Intercept": 2.0,
    "x": 0.5,
    "sd(patient)": 0.8,
    "cor(residual)": 0.6,
    "log_sigma[sex[F]]": np.log(0.6),
    "log_sigma[sex[M]]": np.log(1.7),
}
FORMULA, RESIDUAL, DISPERSION = "y ~ x + (1 | patient)", "ar1(week | patient)", "~ 0 + sex"


def simulated(seed: int, patients: int = 80, weeks: int = 9) -> pd.DataFrame:
    """Return rows with the parameters `TRUTH`, a quarter of them missing, so that weeks have gaps."""
    rng = np.random.default_rng(seed)
    rho, found = TRUTH["cor(residual)"], []
    for p in range(patients):
        sex, level = "FM"[p % 2], TRUTH["sd(patient)"] * rng.normal()
        e, x = rng.normal(), rng.normal(size=weeks)
        for week in range(weeks):
            e = e if week == 0 else rho * e + np.sqrt(1.0 - rho**2) * rng.normal()
            mu = TRUTH["Intercept"] + TRUTH["x"] * x[week] + level
            found.append((f"p{p}", sex, week, x[week], mu + np.exp(TRUTH[f"log_sigma[sex[{sex}]]"]) * e))
    frame = pd.DataFrame(found, columns=["patient", "sex", "week", "x", "y"])
    return frame[rng.random(len(frame)) < 0.75].sample(frac=1.0, random_state=seed).reset_index(drop=True)


@cache
def model() -> bg.GLMM:
    return bg.GLMM(FORMULA, simulated(1), residual=RESIDUAL, dispersion=DISPERSION)


@cache
def posterior() -> bg.Posterior:
    return model().sample(seed=1, progress=False)


def test_known_truth_is_recovered():
    found = posterior()
    assert found.check().status.value == "converged"
    assert found.tree["sample_stats"].attrs["sampler_coordinates"].startswith("penalised fit")
    tidy = found.tidy().set_index("name")
    off = (tidy["estimate"] - pd.Series(TRUTH)) / tidy["std_error"]
    assert len(off.dropna()) == len(TRUTH)
    # Six parameters: one in 2000 data sets has one beyond 3.9 standard deviations; this data set is fixed.
    assert (off.abs() < 3.9).all()
    # The two groups' standard deviations are told apart by far more than their uncertainty.
    assert tidy.loc["log_sigma[sex[M]]", "lower"] > tidy.loc["log_sigma[sex[F]]", "upper"]
    fit = model().fit("ml").tidy().set_index("name")
    apart = (tidy["estimate"] - fit["estimate"]) / tidy["std_error"]
    assert (apart[list(TRUTH)].abs() < 0.5).all()


@pytest.mark.parametrize("residual", STRUCTURES)
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 + x | patient) + (1 | clinic)"])
def test_penalised_fit_has_an_exact_gradient_and_the_joint_density_integrated(residual, formula):
    made = bg.GLMM(formula, make_visits(), residual=residual, dispersion=SCALES)
    penalised = PenalisedMarginal.of(made.design, made.parameters)
    s = 0.4 * np.random.default_rng(2).normal(size=penalised.size)
    at = penalised(s)
    h = 1e-5
    slopes = [(penalised(s + d).value - penalised(s - d).value) / (2.0 * h) for d in h * np.eye(len(s))]
    np.testing.assert_allclose(at.gradient, slopes, rtol=1e-6, atol=1e-6)

    # The response given the head, group effects integrated out, is normal.
    design, values, layout = made.design, at.head.values, penalised.layout
    family = values[layout.family]
    d = dense_sds(make_visits(), family[:2])
    V = np.outer(d, d) * dense_correlation(design, family[2:])
    for group, Lambda in zip(design.groups, at.head.Lambda, strict=True):
        columns, codes = group.columns(), group.codes
        V += (codes[:, None] == codes) * (columns.T @ Lambda @ Lambda.T @ columns)
    expected = stats.multivariate_normal(design.X @ values[: layout.n_coefficients], V).logpdf(design.y)
    np.testing.assert_allclose(at.evaluation.value, expected, rtol=1e-9)


def test_row_densities_add_up_to_the_density_of_all_rows():
    design = model().design
    rows = posterior().with_log_likelihood().tree["log_likelihood"]["y"].values[0, :3]
    draws = posterior().tree["posterior"].to_dataset().isel(chain=0, draw=slice(0, 3))
    density = JointDensity.of(design, model().parameters)
    x, sound = recovered_points(density, {str(n): v.values for n, v in draws.items()})
    assert sound.all()
    natural, male = density.natural(x), simulated(1)["sex"].to_numpy() == "M"
    for k in range(3):
        eta = design.X @ natural.beta[k] + natural.u[0][k][design.groups[0].codes, 0]
        w = natural.family[k]
        d = np.exp(np.where(male, w[1], w[0]))
        expected = stats.multivariate_normal(eta, np.outer(d, d) * dense_correlation(design, w[2:]))
        np.testing.assert_allclose(rows[k].sum(), expected.logpdf(design.y), rtol=1e-9)


def test_replicated_rows_have_the_standard_deviations_of_their_draws():
    tree = posterior().with_posterior_predictive(seed=3).tree
    replicated = tree["posterior_predictive"]["y"].values.reshape(-1, model().design.n_rows)
    draws = tree["posterior"].to_dataset()
    u = draws["u_patient"].values.reshape(len(replicated), -1)
    eta = draws["beta"].values.reshape(len(replicated), -1) @ model().design.X.T + u[:, model().design.groups[0].codes]
    w = draws["log_sigma"].values.reshape(len(replicated), -1)
    male = simulated(1)["sex"].to_numpy() == "M"
    standard = (replicated - eta) / np.exp(np.where(male, w[:, 1:], w[:, :1]))
    # Squares of m standard normals have the mean 1 and the standard error sqrt(2 / m).
    bound = 5.0 * np.sqrt(2.0 / len(replicated))
    np.testing.assert_allclose((standard**2).mean(axis=0), 1.0, atol=bound)
    rows, rho = model().design.residual, draws["cor_residual"].values.ravel()
    firsts = rows.order[rows.starts[:-1]]
    after = rows.order[np.minimum(rows.starts[:-1] + 1, len(rows.order) - 1)]
    alone = np.diff(rows.starts) < 2
    gap = rows.times[after] - rows.times[firsts]
    product = (standard[:, firsts] * standard[:, after] - rho[:, None] ** gap)[:, ~alone]
    assert product.mean() == pytest.approx(0.0, abs=5.0 * np.sqrt(2.0 / product.size))


def test_prior_predictive_scales_rows():
    prior = model().prior_predictive(800, seed=1)
    draws, design = prior["prior"].to_dataset(), model().design
    u = draws["u_patient"].values[0][:, design.groups[0].codes]
    eta = draws["beta"].values[0] @ design.X.T + u
    male = (simulated(1)["sex"].to_numpy() == "M").astype(int)
    standard = (prior["prior_predictive"]["y"].values[0] - eta) / np.exp(draws["log_sigma"].values[0][:, male])
    np.testing.assert_allclose((standard**2).mean(axis=0), 1.0, atol=5.0 * np.sqrt(2.0 / 800))


def test_density_and_graph_agree_at_the_corners_of_the_posterior():
    found = verify_draws(posterior(), model().design, model().parameters, lambda: model().pymc)
    assert found.agrees
    assert found.left_out == 0


def test_names_saving_and_loading(tmp_path):
    title = f"{FORMULA}, residuals {RESIDUAL}, dispersion {DISPERSION}"
    assert repr(posterior()).startswith(f"Posterior of {title}\n")
    assert posterior().tree.attrs["title"] == title
    tidy = posterior().tidy().set_index("name")
    assert dict(tidy.loc[list(TRUTH), "term"]) == {
        "Intercept": "fixed",
        "x": "fixed",
        "sd(patient)": "sd",
        "cor(residual)": "cor",
        "log_sigma[sex[F]]": "family",
        "log_sigma[sex[M]]": "family",
    }
    loaded = bg.load_posterior(posterior().save(tmp_path / "p.nc"))
    assert repr(loaded) == repr(posterior())
    one, other = (p.with_log_likelihood().tree["log_likelihood"]["y"].values for p in (posterior(), loaded))
    np.testing.assert_array_equal(one, other)


def test_print_out_and_equation():
    shown, lines = repr(model()), model().equation().splitlines()
    assert "log of sigma: ~ 0 + sex" in shown
    assert "residuals ar1(week | patient): autocorrelated" in shown
    assert "log_sigma[sex[F]]" in shown
    assert r"\text{y}_i &\sim \mathcal{N}(\mu_i, \sigma_i^2) \\" in lines
    assert any(r"\log(\sigma_i) &= \gamma_{1}\,\text{sex[F]}_i + \gamma_{2}\,\text{sex[M]}_i" in s for s in lines)
    assert any(r"\mid \mu) &= \rho^{|t_i - t_k|}" in s for s in lines)


def test_residual_groups_across_a_factor_are_sampled_without_the_map():
    data = make_visits()
    data["rater"] = np.arange(len(data)) % 3
    found = bg.GLMM("y ~ x + (1 | rater)", data, residual="ar1(week | patient)", dispersion=SCALES).sample(
        draws=200, chains=2, tune=300, seed=1, progress=False
    )
    assert (
        found.tree["sample_stats"].attrs["sampler_fallback"] == "residuals correlate across levels of a grouping factor"
    )
    assert found.summary().loc["cor(residual)", "r_hat"] < 1.05
