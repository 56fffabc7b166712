"""Posteriors that samplers get wrong, at the default settings: the answer is right, or the verdict says what is off.

Where one group effect is all there is, the exact posterior comes from a sum over a grid of intercept and log sd with
each group integrated out. A draw's sd is compared through P(sd <= q) at the exact quantiles q: that has a Monte Carlo
error however heavy the tail is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.interpolate import CubicSpline

import bayesglmm as bg

pytestmark = [pytest.mark.mcmc, pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")]

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
FEW = (1, 2, 3, 1, 2, 3, 1, 2, 3, 2)
UNBALANCED = (1, 1, 2, 3, 5, 10, 30, 100, 300, 1000)


def half_normal(sd: np.ndarray) -> np.ndarray:
    return stats.halfnorm.logpdf(sd, scale=2.5)


def half_cauchy(sd: np.ndarray) -> np.ndarray:
    return stats.halfcauchy.logpdf(sd, scale=2.5)


def vague_precision(sd: np.ndarray) -> np.ndarray:
    """Gamma(0.001, 0.001) of 1 / sd^2, as a density of the sd: nearly 1 / sd down to 0.03."""
    return stats.gamma.logpdf(sd**-2.0, 0.001, scale=1000.0) + np.log(2.0) - 3.0 * np.log(sd)


PRIORS = {
    half_normal: ("HalfNormal", {"sigma": 2.5}),
    half_cauchy: ("HalfCauchy", {"beta": 2.5}),
    vague_precision: {"dist": "Gamma", "alpha": 0.001, "beta": 0.001, "on": "precision"},
}


@dataclass(frozen=True, eq=False)
class Case:
    """A model; ``prior`` of its one sd if the exact posterior is to be had; whether three seeds gave converged."""

    data: pd.DataFrame
    family: str
    prior: Callable[[np.ndarray], np.ndarray] | None = None
    formula: str = "y ~ 1 + (1 | g)"
    priors: Mapping[str, Any] = field(default_factory=dict)
    clean: bool = True

    def model(self) -> bg.GLMM:
        given = {} if self.prior is None else {"beta": ("Normal", {"mu": 0, "sigma": 2.5}), "sd": PRIORS[self.prior]}
        return bg.GLMM(self.formula, self.data, family=self.family, priors={**given, **self.priors})


def labels(sizes: tuple[int, ...]) -> np.ndarray:
    return np.repeat([f"g{k:04d}" for k in range(len(sizes))], sizes)


def grouped(sizes: tuple[int, ...], y: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"g": labels(sizes), "y": y, **columns})


def normal_groups(rng: np.random.Generator, sizes: tuple[int, ...]) -> np.ndarray:
    return np.repeat(rng.normal(size=len(sizes)), sizes)


def rows_without_groups() -> dict[str, Case]:
    """Funnels: ten groups of one to three rows that do not differ at all; and groups that nobody has seen much of."""
    rng = np.random.default_rng(1)
    counts = grouped(FEW, rng.poisson(4.0, sum(FEW)))
    coins = grouped(FEW, rng.integers(0, 2, sum(FEW)))
    nearly_none = np.zeros(30, dtype=int)
    nearly_none[0] = 1
    pairs = rng.binomial(1, 0.4, 2000)
    return {
        "funnel poisson": Case(counts, "poisson", half_normal),
        "funnel poisson cauchy": Case(counts, "poisson", half_cauchy),
        "funnel poisson precision": Case(counts, "poisson", vague_precision, clean=False),
        "funnel bernoulli": Case(coins, "bernoulli", half_cauchy),
        "one event": Case(grouped((3,) * 10, nearly_none), "poisson", half_normal, clean=False),
        "pairs without groups": Case(grouped((2,) * 1000, pairs), "bernoulli", half_normal),
        "three groups": Case(grouped((2, 2, 2), np.array([0, 1, 1, 1, 0, 1])), "bernoulli", half_cauchy, clean=False),
        "two groups of two": Case(grouped((2, 2), np.array([3, 1, 2, 6])), "poisson", half_normal, clean=False),
    }


def rows_with_groups() -> dict[str, Case]:
    """Groups all of zeros or of ones, two groups, groups of one row beside groups of a thousand, pairs."""
    rng = np.random.default_rng(2)
    apart = rng.binomial(1, np.repeat([0.0] * 8 + [1.0] * 8 + [0.5] * 4, 6))
    two = rng.binomial(1, np.repeat([0.2, 0.9], 10))
    u = normal_groups(rng, UNBALANCED)
    pairs = rng.binomial(1, special.expit(normal_groups(rng, (2,) * 1000) - 0.5))
    return {
        "separated": Case(grouped((6,) * 20, apart), "bernoulli", half_normal),
        "separated, wide": Case(grouped((6,) * 20, apart), "bernoulli", half_cauchy, clean=False),
        "two groups": Case(grouped((10, 10), two), "bernoulli", half_normal, clean=False),
        "unbalanced poisson": Case(
            grouped(UNBALANCED, rng.poisson(np.exp(1 + u))), "poisson", half_normal, clean=False
        ),
        "unbalanced bernoulli": Case(
            grouped(UNBALANCED, rng.binomial(1, special.expit(0.3 * u))), "bernoulli", half_normal, clean=False
        ),
        "pairs": Case(grouped((2,) * 1000, pairs), "bernoulli", half_normal),
    }


def slopes(family: str, draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]) -> Case:
    """Intercepts and slopes in proportion: a correlation of 1."""
    rng, sizes = np.random.default_rng(7), (6,) * 12
    x = np.tile(np.linspace(-1, 1, 6), 12)
    y = draw(rng, 1 + 0.5 * x + normal_groups(rng, sizes) * (0.6 + 0.5 * x))
    return Case(grouped(sizes, y, x=x), family, formula="y ~ x + (x | g)", clean=False)


def others() -> dict[str, Case]:
    rng = np.random.default_rng(3)
    schools = pd.DataFrame({"y": [28.0, 8, -3, 7, -1, 1, 18, 12], "se": [15.0, 10, 16, 11, 9, 11, 10, 18]})
    schools["g"] = list("ABCDEFGH")
    few = pd.DataFrame({"a": np.repeat(list("abcd"), 6), "b": np.repeat([f"b{k}" for k in range(12)], 2)})
    few["y"] = rng.poisson(3, 24)
    wide = {"Intercept": ("Normal", {"mu": 0, "sigma": 20}), "sd": ("HalfCauchy", {"beta": 5})}
    return {
        "eight schools": Case(schools, "gaussian", formula="y | se(se) ~ 1 + (1 | g)", priors=wide),
        "funnel gaussian": Case(grouped(FEW, rng.normal(1, 1, sum(FEW))), "gaussian"),
        "two groups gaussian": Case(grouped((10, 10), rng.normal(size=20)), "gaussian", clean=False),
        "unbalanced gaussian": Case(
            grouped(UNBALANCED, rng.normal(size=sum(UNBALANCED)) + normal_groups(rng, UNBALANCED)), "gaussian"
        ),
        "slopes gaussian": slopes("gaussian", lambda r, eta: eta + 0.5 * r.normal(size=len(eta))),
        "slopes poisson": slopes("poisson", lambda r, eta: r.poisson(np.exp(eta))),
        "nested, little": Case(few, "poisson", formula="y ~ 1 + (1 | a) + (1 | a:b)", clean=False),
    }


EXACT = {**rows_without_groups(), **rows_with_groups()}
CASES = {**EXACT, **others()}


def log_posterior(case: Case, beta: np.ndarray, log_sd: np.ndarray, points: int) -> np.ndarray:
    """Return the log density of (intercept, log sd) on a grid, groups integrated out by the trapezoidal rule."""
    z = np.linspace(-8.0, 8.0, points)
    kinds, counts = np.unique(case.data.groupby("g")["y"].agg(["sum", "count"]), axis=0, return_counts=True)
    lp = np.empty((len(beta), len(log_sd)))
    for j, sd in enumerate(np.exp(log_sd)):
        eta = beta[:, None] + sd * z
        cumulant = np.exp(np.minimum(eta, 300.0)) if case.family == "poisson" else np.logaddexp(0.0, eta)
        lp[:, j] = stats.norm.logpdf(beta, 0.0, 2.5) + case.prior(sd) + np.log(sd)
        for (total, n), times in zip(kinds, counts, strict=True):
            value = total * eta - n * cumulant - 0.5 * z**2
            largest = value.max(axis=1)
            lp[:, j] += times * (largest + np.log(np.exp(value - largest[:, None]).sum(axis=1)))
    return lp


def around(grid: np.ndarray, kept: np.ndarray, points: int) -> np.ndarray:
    """Return a grid over what is kept of another, and a step of that more on either side."""
    step = grid[1] - grid[0]
    return np.linspace(grid[kept][0] - step, grid[kept][-1] + step, points)


def exact_posterior(case: Case) -> tuple[np.ndarray, float]:
    """Return quantiles of the sd at `PROBABILITIES`, and the mean of the intercept."""
    beta, log_sd = np.linspace(-14.0, 14.0, 57), np.linspace(-16.0, 7.0, 47)
    for _ in range(3):  # each round looks closer, where the density is within e^-13 of its maximum
        lp = log_posterior(case, beta, log_sd, 201)
        inside = lp > lp.max() - 13.0
        beta = around(beta, inside.any(axis=1), 57)
    # Only now: the intercept of a small sd lies between the points of a coarse grid.
    log_sd = around(log_sd, inside.any(axis=0), 81)
    beta = np.linspace(beta[0], beta[-1], 121)
    lp = log_posterior(case, beta, log_sd, 801)
    w = np.exp(lp - lp.max())
    w /= w.sum()
    assert max(w[0].sum(), w[-1].sum(), w[:, 0].sum(), w[:, -1].sum()) < 2e-5  # all of it is on the grid
    # A sum up to some point errs with the square of the step, the integral of a spline with its fourth power.
    below = CubicSpline(log_sd, w.sum(axis=0)).antiderivative()
    fine = np.linspace(log_sd[0], log_sd[-1], 20_001)
    quantiles = np.interp(PROBABILITIES, below(fine) / below(fine[-1]), fine)
    return np.exp(quantiles), float(w.sum(axis=1) @ beta)


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_posterior(name):
    """4000 default draws, within 4 Monte Carlo errors (some 80 comparisons), whatever the verdict is."""
    case = EXACT[name]
    quantiles, mean = exact_posterior(case)
    posterior = case.model().sample(seed=1, progress=False)
    tree = posterior.tree["posterior"]
    beta, sds = tree["beta"].values[..., 0], tree["sd_g"].values
    slow = {f.check for f in posterior.check().findings} & {"r_hat", "ess_bulk", "ess_tail"}
    if slow:
        # The verdict says that so short a run has not seen the tails; its Monte Carlo errors are too small then.
        assert not case.clean, posterior.check()
        below = [(sds <= q).mean() for q in quantiles]
        np.testing.assert_allclose(below, PROBABILITIES, atol=0.1)
        return
    found = [(beta.mean() - mean) / float(az.mcse(beta, method="mean"))]
    for p, q in zip(PROBABILITIES, quantiles, strict=True):
        below = (sds <= q).astype(float)
        found.append((below.mean() - p) / float(az.mcse(below, method="mean")))
    assert np.abs(found).max() < 4, np.round(found, 2)


def assert_honest(posterior: bg.Posterior) -> None:
    """A verdict of converged is borne out by ArviZ's own figures and by the sampler's statistics."""
    verdict, statistics = posterior.check(), posterior.tree["sample_stats"]
    if not verdict.converged:
        assert verdict.findings
        return
    assert int(statistics["diverging"].sum()) == 0
    for item in posterior._labelled:
        assert float(az.rhat(item.draws)) < 1.01, item.name
        assert float(az.ess(item.draws, method="bulk")) > 400, item.name
        assert float(az.ess(item.draws, method="tail", prob=(0.05, 0.95))) > 400, item.name


@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith("pairs")])
def test_the_verdict_is_honest(name):
    posterior = CASES[name].model().sample(seed=2, progress=False)
    assert_honest(posterior)
    assert posterior.check().converged or not CASES[name].clean, posterior.check()


@pytest.mark.slow
def test_five_thousand_pairs():
    rng = np.random.default_rng(5)
    sizes = (2,) * 5000
    y = rng.binomial(1, special.expit(normal_groups(rng, sizes) - 0.5))
    posterior = Case(grouped(sizes, y), "bernoulli", half_normal).model().sample(seed=1, progress=False)
    assert_honest(posterior)
    assert int(posterior.tree["sample_stats"]["diverging"].sum()) == 0
    # The largest of 5000 R-hats of effects with some 1500 effective draws of |u| lies around 1.01 by chance alone
    # (the 99.98 % point of chi-square on 7 degrees of freedom over 7, per 190 draws of a half chain: 1.01).
    assert posterior.diagnostics.r_hat.max() < 1.02
    assert posterior.diagnostics.ess_bulk.min() > 400
