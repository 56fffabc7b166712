"""Replicated responses: their moments are those of the family at the draws."""

from __future__ import annotations

import numpy as np
import pytest
from support.posteriors import made_posterior, quiet_model, scattered_values

import bayesglmm as bg

CASES = {
    "gaussian": ("normal ~ x0 + (1 | a)", {}, lambda mu, size, phi: (mu, phi**2)),
    "known errors": ("normal | se(positive) ~ x0 + (1 | a)", {}, lambda mu, size, phi: (mu, size**2)),
    "bernoulli": ("success ~ x0 + (1 | a)", {"family": "bernoulli"}, lambda mu, size, phi: (mu, mu * (1 - mu))),
    "binomial": (
        "successes | trials(trials) ~ x0 + (1 | a)",
        {"family": "binomial", "link": "probit"},
        lambda mu, size, phi: (size * mu, size * mu * (1 - mu)),
    ),
    "poisson": ("count ~ x0 + (1 | a)", {"family": "poisson"}, lambda mu, size, phi: (mu, mu)),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_are_the_familys(name):
    formula, options, moments = CASES[name]
    model = quiet_model(formula, **options)
    one = scattered_values(model, 1, 1, seed=4)
    same = {n: np.repeat(np.repeat(0.3 * np.abs(v), 4, axis=0), 1000, axis=1) for n, v in one.items()}
    posterior = made_posterior(model, same, chains=4, draws=1000).with_posterior_predictive(seed=2)
    replicated = next(iter(posterior.tree["posterior_predictive"].to_dataset().data_vars.values()))
    assert replicated.dims == ("chain", "draw", "row")
    design = model.design
    eta = design.offset + design.X @ same["beta"][0, 0] + same["u_a"][0, 0][design.groups[0].codes]
    phi = same["sigma"][0, 0] if "sigma" in same else 1.0
    mean, variance = moments(design.family_link.link.inverse(eta), design.size, phi)
    draws = replicated.values.reshape(4000, -1)
    assert np.abs((draws.mean(axis=0) - mean) / np.sqrt(variance / 4000)).max() < 4.5
    assert draws.var(axis=0).sum() == pytest.approx(np.broadcast_to(variance, 40).sum(), rel=0.03)


def test_seeds_repeat_and_differ(salamander_posterior):
    def of(**seed: int) -> np.ndarray:
        return salamander_posterior.with_posterior_predictive(**seed).tree["posterior_predictive"]["mated"].values

    np.testing.assert_array_equal(of(seed=3), of(seed=3))
    np.testing.assert_array_equal(of(), of(seed=1986))
    assert (of(seed=3) != of(seed=4)).any()


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_a_seed_out_of_range_is_refused(salamander_posterior, seed):
    with pytest.raises(bg.SpecificationError, match=r"seed: .* is not a whole number from 0 to 2\*\*63 - 1"):
        salamander_posterior.with_posterior_predictive(seed=seed)
