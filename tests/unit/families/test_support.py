"""Each family's support, left-out constant, simulation and scales."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bayesglmm.families import FAMILIES, compile_rows

GAUSSIAN, BERNOULLI, BINOMIAL, POISSON = (FAMILIES[n] for n in ("gaussian", "bernoulli", "binomial", "poisson"))
ONE = np.ones(1)


def found(family, y, size=1.0) -> dict[str, list[int]]:
    y = np.asarray(y, dtype=float)
    violations = family.violations(y, np.broadcast_to(np.asarray(size, dtype=float), y.shape))
    return {v.words: np.flatnonzero(v.mask).tolist() for v in violations}


def test_poisson_violations():
    y = [0.0, 3.0, -1.0, 2.5, -0.5, np.nan]
    assert found(POISSON, y) == {"below 0": [2, 4], "not a whole number": [3, 4]}
    assert found(POISSON, [0.0, 7.0, np.nan]) == {}


def test_bernoulli_violations():
    assert found(BERNOULLI, [0.0, 1.0, 2.0, 0.5, -1.0, np.nan]) == {"neither 0 nor 1": [2, 3, 4]}
    assert found(BERNOULLI, [0.0, 1.0, np.nan]) == {}


def test_binomial_violations():
    y = [0.0, 5.0, 6.0, -1.0, 1.5, 0.0, 1.0, np.nan, 2.0]
    size = [5.0, 5.0, 5.0, 5.0, 5.0, -2.0, 4.5, 5.0, np.nan]
    assert found(BINOMIAL, y, size) == {
        "below 0": [3],
        "not a whole number": [4],
        "with more successes than trials": [2, 5],
        "with a number of trials below 0": [5],
        "with a number of trials that is not whole": [6],
    }
    assert found(BINOMIAL, [0.0, 0.0, 3.0], [0.0, 4.0, 3.0]) == {}


def test_gaussian_violations():
    words = "with a standard error that is not above 0"
    assert found(GAUSSIAN, [1.0, -2.0, 3.0, 4.0], [1.0, 0.0, -1.0, np.nan]) == {words: [1, 2]}
    assert found(GAUSSIAN, [-1e9, 0.5]) == {}


def test_counts_of_the_overdispersed_families_are_counts():
    y = [0.0, 3.0, -1.0, 2.5, np.nan]
    assert found(FAMILIES["negative_binomial"], y) == {"below 0": [2], "not a whole number": [3]}
    assert found(FAMILIES["beta_binomial"], [0.0, 5.0, 6.0, 1.5], 5.0) == {
        "not a whole number": [3],
        "with more successes than trials": [2],
    }


def test_gamma_and_beta_violations():
    assert found(FAMILIES["gamma"], [1e-300, 2.0, 0.0, -1.0, np.nan]) == {"not above 0": [2, 3]}
    assert found(FAMILIES["beta"], [1e-300, 0.5, 0.0, 1.0, -0.1, 1.1, np.nan]) == {
        "below 0": [4],
        "exactly 0": [2],
        "exactly 1": [3],
        "above 1": [5],
    }


CASES = {
    "gaussian": (
        np.array([-3.0, 0.0, 2.5]),
        np.array([1.0, 0.2, 3.0]),
        lambda y, size, mu: stats.norm.logpdf(y, mu, 0.8 * size),
    ),
    "bernoulli": (np.array([0.0, 1.0]), np.ones(2), lambda y, size, mu: stats.bernoulli.logpmf(y, mu)),
    "binomial": (
        np.array([0.0, 3.0, 8.0, 0.0, 40_000.0]),
        np.array([8.0, 8.0, 8.0, 0.0, 100_000.0]),
        lambda y, size, mu: stats.binom.logpmf(y, size.astype(int), mu),
    ),
    "poisson": (
        np.array([0.0, 1.0, 12.0, 3000.0]),
        np.ones(4),
        lambda y, size, mu: stats.poisson.logpmf(y, mu),
    ),
    "negative_binomial": (
        np.array([0.0, 1.0, 12.0, 3000.0, 40_000.0]),
        np.ones(5),
        lambda y, size, mu: stats.nbinom.logpmf(y, 0.8, 0.8 / (0.8 + mu)),
    ),
    "gamma": (np.array([1e-3, 1.0, 30.0]), np.ones(3), lambda y, size, mu: stats.gamma.logpdf(y, 1.25, scale=0.8 * mu)),
    "beta": (
        np.array([1e-6, 0.3, 0.99]),
        np.ones(3),
        lambda y, size, mu: stats.beta.logpdf(y, 0.8 * mu, 0.8 * (1.0 - mu)),
    ),
    "beta_binomial": (
        np.array([0.0, 3.0, 8.0, 40.0]),
        np.array([8.0, 8.0, 8.0, 100.0]),
        lambda y, size, mu: stats.betabinom.logpmf(y, size.astype(int), 0.8 * mu, 0.8 * (1.0 - mu)),
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_row_and_constant_are_the_whole_log_density(name):
    y, size, exact = CASES[name]
    family = FAMILIES[name]
    for link in family.links.values():
        eta, out = np.full(y.size, 0.4), np.empty((7, y.size))
        compile_rows(link.row).derivatives(y, size, np.ones(y.size), eta, 0.8, out)
        got = out[0] + family.log_constant(y, size)
        np.testing.assert_allclose(got, exact(y, size, link.link.inverse(eta)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("family", "mu", "size", "phi", "variance"),
    [
        (GAUSSIAN, 3.0, 2.0, 0.7, 1.4**2),
        (BERNOULLI, 0.2, 1.0, 1.0, 0.16),
        (BINOMIAL, 0.2, 15.0, 1.0, 15 * 0.16),
        (POISSON, 4.5, 1.0, 1.0, 4.5),
        (POISSON, 4e15, 1.0, 1.0, 4e15),
        (FAMILIES["negative_binomial"], 4.5, 1.0, 8.0, 4.5 + 4.5**2 / 8.0),
        (FAMILIES["gamma"], 4.5, 1.0, 0.3, 0.3 * 4.5**2),
        (FAMILIES["beta"], 0.2, 1.0, 7.0, 0.16 / 8.0),
        (FAMILIES["beta_binomial"], 0.2, 15.0, 7.0, 15 * 0.16 * (1.0 + 14.0 / 8.0)),
    ],
    ids=[
        "gaussian",
        "bernoulli",
        "binomial",
        "poisson",
        "poisson beyond the generator",
        "negative binomial",
        "gamma",
        "beta",
        "beta-binomial",
    ],
)
def test_simulated_moments(family, mu, size, phi, variance):
    n = 40_000
    y = family.simulate(np.random.default_rng(1986), np.full(n, mu), np.full(n, size), phi)
    mean = family.mean_of(np.full(n, mu), np.full(n, size))
    assert y.shape == mean.shape == (n,)
    assert y.dtype == np.float64
    # Five standard errors; the variance's is below sqrt(8/n) of it here (kurtosis below 9).
    assert abs(np.mean(y - mean)) < 5 * math.sqrt(variance / n)
    assert abs(np.var(y - mean) / variance - 1.0) < 5 * math.sqrt(8 / n)
    assert not family.violations(y, np.full(n, size))


ORDINARY = [family for family in FAMILIES.values() if not family.predictors]


@pytest.mark.parametrize("family", ORDINARY, ids=lambda family: family.name)
def test_simulation_broadcasts_and_depends_on_the_seed_alone(family):
    mu, size = np.full((3, 1), 0.5), np.ones(4)
    draws = [family.simulate(np.random.default_rng(5), mu, size, 1.0) for _ in range(2)]
    assert draws[0].shape == (3, 4)
    np.testing.assert_array_equal(draws[0], draws[1])


def test_binomial_mean_counts_the_trials():
    np.testing.assert_allclose(BINOMIAL.mean_of(np.array([0.25, 0.5]), np.array([8.0, 3.0])), [2.0, 1.5])


Y = np.array([1.0, 4.0, 9.0, 0.0])


@pytest.mark.parametrize(
    ("family", "link", "y", "location", "scale"),
    [
        (GAUSSIAN, "identity", Y, 3.5, np.std(Y, ddof=1)),
        (GAUSSIAN, "identity", np.full(5, 2.0), 2.0, 1.0),
        (GAUSSIAN, "identity", 2.0 * ONE, 2.0, 1.0),
        (GAUSSIAN, "log", Y, math.log(3.5), 1.0),
        (GAUSSIAN, "log", -Y, 0.0, 1.0),
        (POISSON, "log", Y, math.log(3.5), 1.0),
        (POISSON, "log", np.zeros(4), math.log(0.5 / 4), 1.0),
        (POISSON, "sqrt", Y, 1.5, np.std(np.sqrt(Y), ddof=1)),
        (POISSON, "sqrt", np.full(5, 9.0), 3.0, 1.0),
        (FAMILIES["negative_binomial"], "log", Y, math.log(3.5), 1.0),
        (FAMILIES["gamma"], "log", Y + 0.5, math.log(4.0), 1.0),
        (FAMILIES["gamma"], "inverse", Y + 0.5, 0.25, 0.25),
        (FAMILIES["beta"], "probit", ONE, 0.0, 0.625),
        (FAMILIES["beta_binomial"], "logit", ONE, 0.0, 1.0),
        (BERNOULLI, "logit", ONE, 0.0, 1.0),
        (BERNOULLI, "probit", ONE, 0.0, 0.625),
        (BINOMIAL, "probit", ONE, 0.0, 0.625),
        (BINOMIAL, "cloglog", ONE, 0.0, 1.0),
        (BINOMIAL, "cauchit", ONE, 0.0, 1.0),
    ],
)
def test_location_and_scale_of_eta(family, link, y, location, scale):
    size = np.ones(y.size)
    assert family.location(y, size, link) == pytest.approx(location)
    assert family.scale(y, size, link) == pytest.approx(scale)
