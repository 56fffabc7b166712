"""Singular fits of correlated slopes end at the same maximum from wherever the search begins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.frequentist.search.optimum import OptimumStatus

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def made(seed: int) -> pd.DataFrame:
    """Eight small groups whose slopes hardly vary, or vary with the intercepts."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(8), 4)
    x = rng.normal(size=32)
    u = rng.normal(size=8) * 0.6
    slope = u * rng.choice([0.0, 0.5, -0.5]) + 0.05 * rng.normal(size=8)
    eta = 0.3 + 0.4 * x + u[g] + slope[g] * x
    counts = rng.poisson(np.exp(eta))
    return pd.DataFrame({"g": g.astype(str), "x": x, "y": eta + rng.normal(size=32), "n": counts})


@pytest.mark.parametrize(("response", "family", "method"), [("y", "gaussian", "ml"), ("n", "poisson", "laplace")])
def test_every_start_ends_at_the_same_maximum(response: str, family: str, method: str) -> None:
    singular = 0
    for seed in range(15):
        fit = bg.GLMM(f"{response} ~ x + (x | g)", made(seed), family=family).fit(method)
        singular += fit.optimum.status is OptimumStatus.BOUNDARY
        rng = np.random.default_rng(100 + seed)
        for theta in ([0.0, 0.0, 0.5], [0.9, -0.3, 0.0], rng.uniform(0.1, 1.0, 3)):
            x = fit.optimum.x.copy()
            x[2:5] = theta
            assert fit.prepared.fit(x).loglik == pytest.approx(fit.loglik, abs=2e-6), (seed, theta)
    assert singular >= 5  # else the test would not test what it says


def test_refit_from_a_singular_fit_is_a_fresh_fit() -> None:
    checked = 0
    for seed in range(12):
        data = made(seed)
        model = bg.GLMM("y ~ x + (x | g)", data)
        fit = model.fit("reml")
        if fit.optimum.status is not OptimumStatus.BOUNDARY:
            continue
        checked += 1
        y = made(seed + 500)["y"].to_numpy() + data["x"].to_numpy()
        fresh = bg.GLMM("y ~ x + (x | g)", data.assign(y=y)).fit("reml")
        assert fit.refit(y).loglik == pytest.approx(fresh.loglik, abs=2e-6), seed
    assert checked >= 3


def test_the_likelihood_that_rises_from_zero_and_falls_again_is_climbed() -> None:
    """The correlation of the schools' intercepts and slopes is .48; a search that pins it at 1 loses .03."""
    fit = bg.GLMM("math ~ ses + (ses | school)", bg.load_dataset("highschool")).fit("ml")
    assert fit.optimum.status is OptimumStatus.CONVERGED


def test_caveat_and_estimand_are_printed() -> None:
    data = bg.load_dataset("multicenter")
    model = bg.GLMM(
        f"{data.columns[2]} | trials({data.columns[3]}) ~ treatment + (1 | clinic)", data, family="binomial"
    )
    text = repr(model.fit("pql"))
    assert "Penalised quasi-likelihood under" in text
    assert "coefficients of the population's average" in repr(model.fit("gee"))
