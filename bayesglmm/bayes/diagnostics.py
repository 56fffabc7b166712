"""Convergence figures of every scalar parameter (Vehtari et al. 2021, through ArviZ's array functions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.bayes.labels import Labelled

__all__ = ["Diagnostics", "diagnose"]


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Figures for k scalars, each array of shape (k,).

    Attributes
    ----------
    terms, names : tuple of str
        What the scalars are.
    r_hat : ndarray
        Rank-normalised split R-hat; nan with a single draw.
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
    from arviz_stats.base import array_stats

    terms = tuple(item.term for item in labelled)
    names = tuple(item.name for item in labelled)
    if not labelled:
        empty = np.empty(0)
        return Diagnostics((), (), empty, empty, empty, empty)
    # array_stats works over the last axes: chains and draws there, scalars first.
    draws = np.stack([item.draws for item in labelled])
    axes = {"chain_axis": -2, "draw_axis": -1}
    if draws.shape[-1] < 4:
        nothing = np.full(len(names), np.nan)
        return Diagnostics(terms, names, nothing, nothing, nothing, nothing)
    return Diagnostics(
        terms,
        names,
        r_hat=np.atleast_1d(array_stats.rhat(draws, method="rank", **axes)),
        ess_bulk=np.atleast_1d(array_stats.ess(draws, method="bulk", **axes)),
        ess_tail=np.atleast_1d(array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes)),
        mcse_mean=np.atleast_1d(array_stats.mcse(draws, method="mean", **axes)),
    )
