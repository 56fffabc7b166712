"""The Laplace-marginal objective: gradient, exactness for Gaussian rows, one group integrated by quadrature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayesglmm as bg
from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.frequentist.working import Working

CASES = [
    ("gaussian", "identity", "y ~ x + (1 + x | g) + (1 | h)"),
    ("gaussian", "log", "positive ~ x + (1 | g)"),
    ("bernoulli", "logit", "b ~ x + (1 + x || g) + (1 | h)"),
    ("bernoulli", "probit", "b ~ x + (1 | g:h)"),
    ("bernoulli", "cloglog", "b ~ x + (0 + x | g)"),
    ("bernoulli", "cauchit", "b ~ x + (1 | g)"),
    ("poisson", "log", "count ~ x + (1 + x | g)"),
    ("poisson", "sqrt", "large ~ x + (1 | g)"),
]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 120
    frame = pd.DataFrame({"g": rng.integers(0, 8, n).astype(str), "h": rng.integers(0, 5, n).astype(str)})
    frame["x"] = rng.normal(size=n)
    eta = 0.4 + 0.5 * frame["x"] + rng.normal(size=8)[frame["g"].astype(int)]
    frame["y"] = eta + rng.normal(size=n)
    frame["positive"] = np.exp(0.3 * eta) + 0.1 * rng.normal(size=n)
    frame["b"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["count"] = rng.poisson(np.exp(0.5 * eta))
    frame["large"] = rng.poisson((3.0 + 0.3 * eta) ** 2)
    return frame


@pytest.mark.parametrize("expected", [False, True])
@pytest.mark.parametrize(("family", "link", "formula"), CASES)
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_gradient_is_exact(family: str, link: str, formula: str, expected: bool) -> None:
    design = bg.GLMM(formula, data(), family=family, link=link).design
    marginal, working = LaplaceMarginal.of(design, expected), Working.of(design)
    rng = np.random.default_rng(1)
    x = working.with_spread(working.start(), 0.6) + 0.05 * rng.uniform(size=working.size)
    zero = np.zeros(marginal.rows.effects.size)

    def value(at: np.ndarray) -> float:
        return marginal.evaluate(*working.split(at), zero).value

    gradient = marginal.evaluate(*working.split(x), zero).gradient
    for k in range(working.size):
        e = np.zeros(working.size)
        e[k] = 1e-3 * max(1.0, abs(x[k]))
        numeric = (8 * (value(x + e) - value(x - e)) - value(x + 2 * e) + value(x - 2 * e)) / (12 * e[k])
        assert gradient[k] == pytest.approx(numeric, rel=1e-6, abs=1e-6)


def test_laplace_errs_as_one_over_n_against_quadrature() -> None:
    rng = np.random.default_rng(3)
    errors = []
    for n in (100, 1600):
        y = (rng.random(n) < 0.6).astype(int)
        frame = pd.DataFrame({"y": np.r_[y, y], "g": np.repeat(["a", "b"], n)})
        with pytest.warns(bg.DataWarning, match="2 levels"):
            design = bg.GLMM("y ~ 1 + (1 | g)", frame, family="bernoulli").design
        value = LaplaceMarginal.of(design).evaluate(np.array([0.2]), np.array([0.8]), np.zeros(0), np.zeros(2)).value

        def log_joint(u: float, y: np.ndarray = y) -> float:
            eta = 0.2 + u
            return float(y.sum() * eta - len(y) * np.logaddexp(0, eta) + stats.norm.logpdf(u, scale=0.8))

        top = max(log_joint(u) for u in np.linspace(-2, 2, 401))
        area = integrate.quad(lambda u, f=log_joint, t=top: np.exp(f(u) - t), -3, 3, epsabs=0, epsrel=1e-12, limit=900)
        errors.append(abs(value - 2 * (np.log(area[0]) + top)))
    assert errors[0] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.4)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_expected_information_is_lme4s_laplace() -> None:
    model = bg.GLMM(
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        bg.load_dataset("salamander"),
        family="bernoulli",
        link="probit",
    )
    expected, observed = model.fit("laplace", information="expected"), model.fit("laplace")
    # glmer of lme4 1.1-31 with bobyqa, tolPwrss 1e-12 and rhoend 1e-9.
    assert expected.loglik == pytest.approx(-210.10485708, abs=1e-6)
    theirs = [0.6011614002, 0.1823411443, -1.1310134921, 0.5922088455]
    assert expected.coefficients["estimate"].to_numpy() == pytest.approx(theirs, abs=2e-6)
    variances = expected.variance_components["estimate"].to_numpy() ** 2
    assert variances == pytest.approx([0.3924987268, 0.3331562621], abs=2e-6)
    assert observed.loglik == pytest.approx(-208.1118, abs=1e-4)
    assert (expected.heading, observed.heading) == ("Laplace, Fisher (se)", "Laplace (se)")
    logit = bg.GLMM("mated ~ 0 + cross + (1 | female)", bg.load_dataset("salamander"), family="bernoulli")
    assert logit.fit(information="expected").loglik == pytest.approx(logit.fit().loglik, abs=1e-9)
    with pytest.raises(bg.SpecificationError, match="information='fisher' is not a curvature"):
        logit.fit(information="fisher")
