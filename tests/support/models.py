"""Small data with every kind of column, and models of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayesglmm.build import build_design
from bayesglmm.covariance import read_relationships
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.errors import DataWarning
from bayesglmm.parameters import build_parameters
from bayesglmm.priors import Prior
from bayesglmm.spec import ModelSpec

RESPONSES = {
    "gaussian": "normal",
    "bernoulli": "success",
    "binomial": "successes | trials(trials)",
    "poisson": "count",
    "negative_binomial": "count",
    "gamma": "positive",
    "beta": "share",
    "beta_binomial": "successes | trials(trials)",
    "student_t": "normal",
    "cumulative": "grade",
    "zero_inflated_poisson": "count",
    "zero_inflated_negative_binomial": "count",
    "hurdle_poisson": "count",
}

#: What keeps a linear predictor in the range of its link.
KEPT = {"inverse": " + offset(far)"}


def make_frame(n: int = 40, seed: int = 1, covariates: int = 12) -> pd.DataFrame:
    """Return n rows: a response for each family, covariates x0, x1, ..., factors, positive numbers."""
    rng = np.random.default_rng(seed)
    columns = {f"x{k}": rng.normal(size=n).round(3) for k in range(covariates)}
    levels = {name: 4 + k % 3 for k, name in enumerate("abcdefghijkl")}
    columns |= {name: rng.permutation(np.arange(n) % size) for name, size in levels.items()}
    trials = rng.integers(1, 9, n)
    columns |= {
        "normal": rng.normal(1.0, 1.5, n).round(3),
        "success": rng.permutation(np.arange(n) % 2),
        "trials": trials,
        "successes": rng.binomial(trials, 0.4),
        "count": rng.poisson(3.0, n),
        "positive": rng.lognormal(0.0, 0.5, n).round(3),
        "exposure": rng.uniform(0.5, 2.0, n).round(3),
        "cell": np.array(["red", "green", "blue"])[rng.permutation(np.arange(n) % 3)],
    }
    # After all others, so that these stay what they were.
    columns |= {"share": rng.beta(2.0, 3.0, n).round(3), "far": 20.0 + 0.1 * rng.random(n)}
    columns["grade"] = rng.permutation(np.arange(n) % 4)
    return pd.DataFrame(columns)


def make_relationship(levels: int, seed: int = 5) -> tuple[np.ndarray, list[str]]:
    """Return a covariance matrix of the levels 0, 1, ... and their names."""
    W = np.random.default_rng(seed).normal(size=(levels, 2 * levels))
    return W @ W.T / levels, [str(k) for k in range(levels)]


def make_design(
    formula: str,
    data: pd.DataFrame | None = None,
    family: str = "gaussian",
    link: str = "",
    priors: Mapping[str, Prior] | None = None,
    known: Mapping[str, object] | None = None,
    **options: str,
) -> Design:
    """Return a design; warnings about small data are of no interest here."""
    spec = ModelSpec(formula=formula, family=family, link=link, priors=dict(priors or {}), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return build_design(spec, make_frame() if data is None else data, read_relationships(spec.formula, known))


def make_density(formula: str, *args: object, **options: object) -> JointDensity:
    """Return the compiled density of a model; arguments as for `make_design`."""
    design = make_design(formula, *args, **options)
    return JointDensity.of(design, build_parameters(design))
