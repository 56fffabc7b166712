"""Posteriors made by hand: draws that nobody sampled, labelled as sampled ones are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

import bayesglmm as bg
from bayesglmm.bayes.named import named_values
from bayesglmm.bayes.posterior import Posterior
from bayesglmm.bayes.raw import RawDraws
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.tree import tree_of
from bayesglmm.density import JointDensity
from support.models import make_frame


def quiet_model(formula: str, data: pd.DataFrame | None = None, **options: object) -> bg.GLMM:
    """Return a model; warnings about small data are of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.DataWarning)
        return bg.GLMM(formula, make_frame() if data is None else data, **options)


def scattered_values(model: bg.GLMM, chains: int, draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return independent draws: standard normal in the unconstrained coordinates."""
    density = JointDensity.of(model.design, model.parameters)
    x = np.random.default_rng(seed).normal(size=(chains, draws, density.size))
    return named_values(density, x)


def good_statistics(chains: int, draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return statistics of a run in which nothing went wrong."""
    shape = (chains, draws)
    return {
        "tree_depth": np.full(shape, 4),
        "reached_max_treedepth": np.zeros(shape, dtype=bool),
        "diverging": np.zeros(shape, dtype=bool),
        "energy": np.random.default_rng(seed).normal(size=shape),
        "lp": np.zeros(shape),
        "n_steps": np.full(shape, 15),
        "step_size": np.full(shape, 0.4),
        "acceptance_rate": np.full(shape, 0.9),
    }


def made_posterior(
    model: bg.GLMM,
    values: Mapping[str, np.ndarray] | None = None,
    statistics: Mapping[str, np.ndarray] | None = None,
    *,
    chains: int = 4,
    draws: int = 400,
    interrupted: bool = False,
    notes: tuple[str, ...] = (),
    asked: SampleSettings | None = None,
) -> Posterior:
    """Return a posterior with the given draws in place of good ones."""
    raw = RawDraws(
        values={**scattered_values(model, chains, draws), **(values or {})},
        statistics={**good_statistics(chains, draws), **(statistics or {})},
        sampler="by hand",
        seconds=1.5,
        tune=10,
        interrupted=interrupted,
        notes=notes,
    )
    settings = asked or SampleSettings(draws=draws, chains=chains, seed=5, target_accept=0.8)
    return Posterior(tree_of(model.design, model.parameters, raw, settings))
