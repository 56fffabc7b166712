"""Convergence figures of every scalar parameter (Vehtari et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.bayes.labels import Labelled
from bayesglmm.bayes.mixing import ess_mean, ess_tail, rank_figures

__all__ = ["FEWEST_DRAWS", "Diagnostics", "diagnose"]

#: Draws a chain without which nothing can be said.
FEWEST_DRAWS = 4

_AT_A_TIME = 64


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Figures for k scalars, each array of shape (k,).

    All are nan for a scalar that does not move or is not finite, and for chains of fewer than `FEWEST_DRAWS` draws.

    Attributes
    ----------
    terms, names : tuple of str
        What the scalars are.
    r_hat : ndarray
        Rank-normalised split R-hat; nan with a single chain too.
    ess_bulk, ess_tail : ndarray
        Effective sample sizes, all chains together.
    mcse_mean : ndarray
        Monte Carlo standard error of the mean.
    """

    terms: tuple[str, ...]
    names: tuple[str, ...]
    r_hat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    mcse_mean: np.ndarray


def diagnose(labelled: Sequence[Labelled]) -> Diagnostics:
    """Compute the convergence figures of every labelled scalar."""
    figures = np.full((4, len(labelled)), np.nan)
    for start in range(0, len(labelled), _AT_A_TIME):
        part = labelled[start : start + _AT_A_TIME]
        figures[:, start : start + len(part)] = _figures(np.stack([item.draws for item in part]))
    terms = tuple(item.term for item in labelled)
    return Diagnostics(terms, tuple(item.name for item in labelled), *figures)


def _figures(draws: np.ndarray) -> np.ndarray:
    """Return R-hat, bulk ESS, tail ESS and MCSE of draws (k, chains, draws), shape (4, k)."""
    figures = np.full((4, len(draws)), np.nan)
    if draws.shape[2] < FEWEST_DRAWS:
        return figures
    moving = np.isfinite(draws).all(axis=(1, 2))
    moving[moving] = np.ptp(draws[moving], axis=(1, 2)) > 0.0
    if moving.any():
        draws = draws[moving]
        r_hat, bulk = rank_figures(draws)
        mcse = draws.std(axis=(1, 2), ddof=1) / np.sqrt(ess_mean(draws))
        figures[:, moving] = r_hat, bulk, ess_tail(draws), mcse
    return figures
