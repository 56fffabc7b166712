"""What every sampler returns, whatever it sampled: draws by chain, statistics under ArviZ's names, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["SAMPLER_NAMES", "STATISTICS", "RawDraws", "kept_chains", "standard_statistics"]

#: Statistics that every posterior has: ArviZ's name -> (type, names that samplers use, the one preferred first).
STATISTICS: Mapping[str, tuple[type, tuple[str, ...]]] = {
    "tree_depth": (np.int64, ("tree_depth", "depth")),
    "reached_max_treedepth": (np.bool_, ("reached_max_treedepth", "maxdepth_reached")),
    "diverging": (np.bool_, ("diverging",)),
    "energy": (np.float64, ("energy",)),
    "lp": (np.float64, ("lp", "logp")),
    "n_steps": (np.int64, ("n_steps",)),
    "step_size": (np.float64, ("step_size",)),
    "acceptance_rate": (np.float64, ("acceptance_rate", "mean_tree_accept")),
}

#: Every name under which a sampler may record one of them.
SAMPLER_NAMES = frozenset(alias for _, aliases in STATISTICS.values() for alias in aliases)


@dataclass(frozen=True, eq=False)
class RawDraws:
    """Draws of the model's parameters before they are labelled.

    Attributes
    ----------
    values : mapping of str to ndarray
        ``beta``, ``sd_<label>``, ``cor_<label>`` (matrices), ``u_<label>``, the dispersion; each (chains, draws, ...).
    statistics : mapping of str to ndarray
        Sampler statistics under ArviZ's names, each (chains, draws).
    sampler : str
        What sampled, with its version.
    seconds : float
        Wall time of everything from the search for coordinates to draws on the natural scale, compilation included
        where the sampler compiles.
    tune : int
        Warm-up iterations a chain.
    interrupted : bool
        Whether the run was stopped by hand, so that fewer draws than asked for are here.
    notes : tuple of str
        Sentences that the verdict should pass on.
    coordinates : str
        In which coordinates the sampler moved.
    fallback : str
        Why they were not better; empty if they are all there is to have.
    """

    values: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray]
    sampler: str
    seconds: float
    tune: int
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())
    coordinates: str = "those of the PyMC graph"
    fallback: str = ""


def standard_statistics(found: Mapping[str, Any], max_depth: int) -> dict[str, np.ndarray]:
    """Return a sampler's statistics, each (chains, draws), under ArviZ's names and with one type each.

    Parameters
    ----------
    found : mapping of str to array
        What the sampler recorded, under the names that it uses.
    max_depth : int
        Largest tree depth allowed; a sampler that does not say whether it was reached is judged by this.
    """
    statistics: dict[str, np.ndarray] = {}
    for name, (kind, aliases) in STATISTICS.items():
        for alias in aliases:
            if alias in found:
                statistics[name] = np.asarray(found[alias]).astype(kind)
                break
    if "reached_max_treedepth" not in statistics and "tree_depth" in statistics:
        statistics["reached_max_treedepth"] = statistics["tree_depth"] >= max_depth
    return statistics


def kept_chains(lengths: Sequence[int]) -> tuple[list[int], int]:
    """Choose what an interrupted run keeps: chains cut to one length, as many draws in all as possible.

    Parameters
    ----------
    lengths : sequence of int
        Draws after warm-up of each chain.

    Returns
    -------
    list of int
        Positions of the chains to keep, in order.
    int
        Draws to keep of each; 0 if there is no draw.
    """
    length = max(set(lengths), key=lambda n: (n * sum(other >= n for other in lengths), n), default=0)
    return [k for k, n in enumerate(lengths) if n >= length > 0], length
