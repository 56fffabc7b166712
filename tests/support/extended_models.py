"""Small models whose rows have auxiliary predictors or whose levels are of several kinds, with densities by scipy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

import bayesglmm as bg
from bayesglmm.design import Design
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.quadrature.agq import AGQ
from bayesglmm.frequentist.quadrature.gauss_hermite import GaussHermite
from bayesglmm.frequentist.quadrature.likelihood import QuadratureLikelihood


@cache
def rows() -> pd.DataFrame:
    """60 rows in 20 rooms of 10 groups of 2 kinds, with responses of every kind; rows in no order."""
    rng = np.random.default_rng(0)
    n = 60
    g, room = np.repeat(np.arange(10), 6), np.repeat(np.arange(20), 3)
    x, v = rng.normal(size=n), rng.normal(size=n)
    eta = 0.3 + 0.4 * x + 0.6 * rng.normal(size=10)[g]
    columns = {
        "g": g,
        "room": room,
        "x": x,
        "v": v,
        "kind": np.where(g < 5, "a", "b"),
        "side": np.where(room % 2 == 0, "left", "right"),
        "weight": rng.uniform(0.5, 2.0, n),
        "rating": np.digitize(eta + rng.logistic(size=n), [-1.0, 0.5, 1.5]),
        "score": eta + 0.5 * rng.standard_t(4.0, n),
        "count": np.where(rng.random(n) < 0.2, 0, rng.poisson(np.exp(eta))),
        "length": rng.gamma(3.0, np.exp(eta) / 3.0),
        "passed": rng.binomial(1, expit(eta)),
    }
    return pd.DataFrame(columns).sample(frac=1.0, random_state=2).reset_index(drop=True)


def design_of(formula: str, family: str, data: pd.DataFrame | None = None, **options: str) -> Design:
    return bg.GLMM(formula, rows() if data is None else data, family=family, weights="weight", **options).design


def quadrature(design: Design, estimator: AGQ | GaussHermite) -> QuadratureLikelihood:
    likelihood = estimator.prepare(design).method.likelihood
    assert isinstance(likelihood, QuadratureLikelihood)
    return likelihood


def point(design: Design) -> np.ndarray:
    working = LaplaceLikelihood.of(design).working
    x = working.with_spread(working.start(), 0.7)
    return x + 0.05 * np.random.default_rng(3).normal(size=len(x))


# ---- densities of rows, by scipy: (data, eta, family scalars by name) -> (n,) ----------------------------------------

type Density = Callable[[pd.DataFrame, np.ndarray, dict[str, float]], np.ndarray]


def ordered(distribution: Callable[[np.ndarray], np.ndarray]) -> Density:
    def density(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
        cutpoints = np.array([-np.inf, *(s[f"cutpoint[{k}|{k + 1}]"] for k in range(3)), np.inf])
        y = data["rating"].to_numpy()
        return distribution(cutpoints[y + 1] - eta) - distribution(cutpoints[y] - eta)

    return density


def along(name: str, data: pd.DataFrame, s: dict[str, float]) -> np.ndarray:
    """Return the linear predictor of a formula from its coefficients."""
    columns = {"Intercept": 1.0, "x": data["x"].to_numpy(), "v": data["v"].to_numpy()}
    return sum(s.get(f"{name}[{c}]", 0.0) * values for c, values in columns.items()) + np.zeros(len(data))


def student(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    return stats.t.pdf(data["score"].to_numpy(), s["nu"], eta, s["sigma"])


def inflated(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    y, extra, mu = data["count"].to_numpy(), expit(along("zero", data, s)), np.exp(eta)
    counts = stats.nbinom.pmf(y, s["phi"], s["phi"] / (s["phi"] + mu)) if "phi" in s else stats.poisson.pmf(y, mu)
    return (y == 0) * extra + (1.0 - extra) * counts


def hurdle(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    y, zero, mu = data["count"].to_numpy(), expit(along("zero", data, s)), np.exp(eta)
    return np.where(y == 0, zero, (1.0 - zero) * stats.poisson.pmf(y, mu) / -np.expm1(-mu))


def negative_binomial(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    phi = np.exp(along("log_phi", data, s))
    return stats.nbinom.pmf(data["count"].to_numpy(), phi, phi / (phi + np.exp(eta)))


def gamma(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    phi = np.exp(along("log_phi", data, s))
    return stats.gamma.pdf(data["length"].to_numpy(), 1.0 / phi, scale=phi * np.exp(eta))


def normal(data: pd.DataFrame, eta: np.ndarray, s: dict[str, float]) -> np.ndarray:
    return stats.norm.pdf(data["score"].to_numpy(), eta, np.exp(along("log_sigma", data, s)))


SINGLE: dict[str, tuple[str, dict[str, str], Density]] = {
    "logit": ("rating ~ x + (1 | g)", {"family": "cumulative", "link": "logit"}, ordered(expit)),
    "probit": ("rating ~ x + (1 | g)", {"family": "cumulative", "link": "probit"}, ordered(stats.norm.cdf)),
    "cloglog": (
        "rating ~ x + (1 | g)",
        {"family": "cumulative", "link": "cloglog"},
        ordered(lambda c: -np.expm1(-np.exp(c))),
    ),
    "student_t": ("score ~ x + (1 | g)", {"family": "student_t"}, student),
    "zip": ("count ~ x + (1 | g)", {"family": "zero_inflated_poisson"}, inflated),
    "zip, formula": ("count ~ x + (1 | g)", {"family": "zero_inflated_poisson", "zero": "~ x"}, inflated),
    "zinb": ("count ~ x + (1 | g)", {"family": "zero_inflated_negative_binomial", "zero": "~ v"}, inflated),
    "hurdle": ("count ~ x + (1 | g)", {"family": "hurdle_poisson"}, hurdle),
    "negative_binomial": (
        "count ~ x + (1 | g)",
        {"family": "negative_binomial", "dispersion": "~ x"},
        negative_binomial,
    ),
    "gamma": ("length ~ x + (1 | g)", {"family": "gamma", "link": "log", "dispersion": "~ v"}, gamma),
    "gaussian": ("score ~ x + (1 | g)", {"family": "gaussian", "dispersion": "~ v"}, normal),
}
MORE: dict[str, tuple[str, dict[str, str]]] = {
    "two effects": ("rating ~ x + (x | g)", {"family": "cumulative"}),
    "three effects": ("count ~ x + (x + v || g)", {"family": "zero_inflated_poisson"}),
    "nested": ("rating ~ x + (1 | g/room)", {"family": "cumulative"}),
    "nested, formula": ("length ~ x + (1 | g/room)", {"family": "gamma", "link": "log", "dispersion": "~ v"}),
    "kinds": ("passed ~ x + (1 | g, by=kind)", {"family": "bernoulli"}),
    "kinds, two effects": ("count ~ x + (x | g, by=kind)", {"family": "poisson"}),
    "kinds of both": ("count ~ x + (1 | g, by=kind) + (1 | room, by=side)", {"family": "poisson"}),
    "kinds beside": ("count ~ x + (1 | g, by=kind) + (0 + x | g) + (1 | room)", {"family": "poisson"}),
    "kinds twice": ("count ~ x + (1 | room, by=kind) + (0 + x | room, by=side)", {"family": "negative_binomial"}),
    "three levels": (
        "count ~ x + (1 | kind) + (1 | g, by=kind) + (1 | room, by=side)",
        {"family": "hurdle_poisson", "zero": "~ v"},
    ),
    "kinds, ordered": ("rating ~ x + (1 | g, by=kind) + (1 | room)", {"family": "cumulative"}),
}
ALL = {name: found[:2] for name, found in SINGLE.items()} | MORE


@cache
def design(name: str) -> Design:
    formula, options = ALL[name]
    return design_of(formula, **options)


def differences(evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]], x: np.ndarray) -> np.ndarray:
    def difference(e: np.ndarray, h: float = 5e-4) -> float:
        a, b, c = ((evaluate(x + k * h * e)[0] - evaluate(x - k * h * e)[0]) / (2 * k * h) for k in (1, 2, 3))
        return 1.5 * a - 0.6 * b + 0.1 * c

    return np.array([difference(e) for e in np.eye(len(x))])
