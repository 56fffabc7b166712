"""The marginal density sampled, coefficients and group effects drawn afterwards: against quadrature.

A Monte Carlo mean (or standard deviation) may lie 4 of its standard errors from the exact value.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.gaussian_quadrature import LinearModel, posterior_moments
from support.models import make_design

import bayesglmm as bg
from bayesglmm.bayes.through_nutpie import _nutpie_model
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.parameters import build_parameters
from bayesglmm.priors import Prior

SCHOOLS = pd.DataFrame(
    {
        "effect": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
        "error": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0],
        "school": list("ABCDEFGH"),
    }
)


def half_normal(sigma: float):
    return Prior("HalfNormal", sigma=sigma), lambda sd: stats.halfnorm.logpdf(sd, scale=sigma)


def exponential(lam: float):
    return Prior("Exponential", lam=lam), lambda sd: stats.expon.logpdf(sd, scale=1 / lam)


def dyestuff():
    """One way, two standard deviations."""
    return "yield ~ 1 + (1 | batch)", bg.load_dataset("dyestuff"), (1500.0, 100.0), half_normal(50), exponential(0.02)


def eight_schools():
    """Known errors, one standard deviation that may well be 0."""
    return "effect | se(error) ~ 1 + (1 | school)", SCHOOLS, (0.0, 20.0), half_normal(10), None


def penicillin():
    """Crossed, three standard deviations; five of the plates."""
    data = bg.load_dataset("penicillin")
    few = data[data["plate"].isin(sorted(data["plate"].unique())[:5])].reset_index(drop=True)
    return "diameter ~ 1 + (1 | plate) + (1 | sample)", few, (20.0, 10.0), half_normal(2), half_normal(1)


def linear_model(design: Design, intercept: tuple[float, float], sd, sigma) -> LinearModel:
    Z = [np.eye(g.n_levels)[g.codes] for g in design.groups]
    priors = [sd[1]] * len(Z)
    if sigma is not None:
        Z, priors = [*Z, np.eye(design.n_rows)], [*priors, sigma[1]]
    known = design.size**2 if sigma is None else np.zeros(design.n_rows)
    mean, spread = np.array([intercept[0]]), np.array([intercept[1]])
    return LinearModel(design.y, design.X, Z, known, mean, spread, priors)


# Points a dimension, and where logarithms of standard deviations are looked for.
CASES = {
    "dyestuff": (dyestuff, 120, [(-10.0, 7.0), (2.0, 6.0)]),
    "eight schools": (eight_schools, 400, [(-14.0, 5.0)]),
    "penicillin": (penicillin, 32, [(-6.0, 3.0), (-6.0, 3.0), (-3.0, 1.5)]),
}


def prepared(name: str):
    formula, data, intercept, sd, sigma = CASES[name][0]()
    priors = {"Intercept": Prior("Normal", mu=intercept[0], sigma=intercept[1]), "sd": sd[0]}
    priors |= {} if sigma is None else {"sigma": sigma[0]}
    design = make_design(formula, data, priors=priors)
    return design, linear_model(design, intercept, sd, sigma), *CASES[name][1:]


@pytest.mark.parametrize("name", CASES)
def test_quadrature_has_converged(name):
    """Half as many points give the same moments to a hundredth of a posterior sd, far below 4 standard errors."""
    _, model, points, bounds = prepared(name)
    fine, coarse = posterior_moments(model, points, bounds), posterior_moments(model, points // 2, bounds)
    np.testing.assert_allclose((fine.beta_mean - coarse.beta_mean) / fine.beta_sd, 0.0, atol=0.002)
    np.testing.assert_allclose((fine.sd_mean - coarse.sd_mean) / fine.sd_sd, 0.0, atol=0.002)
    np.testing.assert_allclose(coarse.beta_sd, fine.beta_sd, rtol=0.002)
    np.testing.assert_allclose(coarse.sd_sd, fine.sd_sd, rtol=0.002)


def sample(marginal: GaussianMarginal, center: np.ndarray, chains: int, draws: int, seed: int) -> np.ndarray:
    """Return draws (chains, draws, size) of the C function by nutpie, chains begun around ``center``."""
    import nutpie

    def start(number: int) -> np.ndarray:
        return center + np.random.default_rng(number).uniform(-1, 1, marginal.size)

    model = _nutpie_model(marginal.native(), start)
    trace = nutpie.sample(model, draws=draws, tune=600, chains=chains, cores=2, seed=seed, progress_bar=False)
    return np.asarray(trace["posterior"]["x"])


@pytest.mark.mcmc
@pytest.mark.parametrize("name", CASES)
def test_sampled_moments_are_those_of_quadrature(name):
    import arviz as az

    design, model, points, bounds = prepared(name)
    exact = posterior_moments(model, points, bounds)
    parameters = build_parameters(design)
    joint, marginal = JointDensity.of(design, parameters), GaussianMarginal.of(design, parameters)
    assert not marginal.holds_coefficients
    chains, draws = 4, 3000
    x = sample(marginal, np.full(marginal.size, np.log(0.5 * parameters.scales.scale)), chains, draws, seed=1)
    completed = marginal.complete(x.reshape(-1, marginal.size), seed=2)
    natural = joint.natural(completed.reshape(chains, draws, joint.size))
    sds = [sd[..., 0] for sd in natural.sd] + [natural.family[..., k] for k in range(natural.family.shape[-1])]
    sampled = [*np.moveaxis(natural.beta, -1, 0), *sds]
    means, spreads = [*exact.beta_mean, *exact.sd_mean], [*exact.beta_sd, *exact.sd_sd]
    for values, mean, sd in zip(sampled, means, spreads, strict=True):
        assert abs(values.mean() - mean) < 4 * az.mcse(values, method="mean")
        assert abs(values.std() - sd) < 4 * az.mcse(values, method="sd")
        assert az.ess(values) > 1000  # so that the standard errors are small enough to find fault
