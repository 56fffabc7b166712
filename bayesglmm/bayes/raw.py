"""What every sampler returns, whatever it sampled: draws by chain, statistics under ArviZ's names, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["STATISTICS", "RawDraws"]

#: Names that samplers use for a statistic -> ArviZ's name of it.
STATISTICS = {
    "depth": "tree_depth",
    "tree_depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "reached_max_treedepth": "reached_max_treedepth",
    "diverging": "diverging",
    "energy": "energy",
    "energy_error": "energy_error",
    "logp": "lp",
    "lp": "lp",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "step_size_bar": "step_size_bar",
    "mean_tree_accept": "acceptance_rate",
    "acceptance_rate": "acceptance_rate",
}


@dataclass(frozen=True, eq=False)
class RawDraws:
    """Draws of the model's parameters before they are labelled.

    Attributes
    ----------
    values : mapping of str to ndarray
        ``beta``, ``sd_<label>``, ``cor_<label>``, ``u_<label>``, the dispersion; each (chains, draws, ...).
    statistics : mapping of str to ndarray
        Sampler statistics under ArviZ's names, each (chains, draws).
    sampler : str
        What sampled, with its version.
    seconds : float
        Wall time of warm-up and sampling, compilation included where the sampler compiles.
    tune : int
        Warm-up iterations a chain.
    interrupted : bool
        Whether the run was stopped by hand, so that fewer draws than asked for are here.
    notes : tuple of str
        Sentences that the verdict should pass on.
    """

    values: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray]
    sampler: str
    seconds: float
    tune: int
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())
