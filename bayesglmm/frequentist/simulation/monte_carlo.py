"""The record of a simulation: how many draws, how far they can be believed, in figures and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["MonteCarlo"]

_ENOUGH = 100.0
_TRUSTED_SHAPE = 0.7


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """How a log-likelihood was simulated, and its Monte Carlo error.

    Attributes
    ----------
    draws : int
        Draws of each block's effects, over all replicates.
    replicates : int
        Independent scramblings among which they are divided; their spread gives the Monte Carlo errors.
    seed : int
        Seed of the scramblings.
    proposal : str
        Where the draws come from, in words.
    tolerance : float
        Monte Carlo error that was asked for, as a fraction of each standard error.
    mc_std_errors : mapping of str to float
        Monte Carlo standard error of every estimate, by name and on its scale; nan on the boundary.
    ratio : float
        The largest of these over its parameter's standard error; nan if no parameter has both.
    loglik_draws : int
        Draws of each block from which the log-likelihood at the estimates is taken.
    loglik_mc_se : float
        Monte Carlo standard error of the log-likelihood.
    blocks : tuple of str
        Each block of group effects that the data connect, by its first effect.
    sizes : ndarray of int64, shape (B,)
        Number of effects of each block.
    effective_sizes : ndarray, shape (B,)
        Effective number of the ``loglik_draws`` of each block, (sum w)^2 / sum w^2.
    worst_shape : float
        Largest Pareto k of the weights among the blocks with the fewest effective draws.
    limit : str
        What kept the simulation from more draws; empty if the tolerance was met.
    """

    draws: int
    replicates: int
    seed: int
    proposal: str
    tolerance: float
    mc_std_errors: Mapping[str, float]
    ratio: float
    loglik_draws: int
    loglik_mc_se: float
    blocks: tuple[str, ...]
    sizes: np.ndarray
    effective_sizes: np.ndarray
    worst_shape: float
    limit: str

    @property
    def worst_effective_size(self) -> float:
        """Smallest effective number of draws of any block."""
        return float(self.effective_sizes.min())

    @property
    def precise(self) -> bool:
        """Whether every Monte Carlo error is within the tolerance."""
        return not self.limit

    @property
    def degenerate(self) -> bool:
        """Whether the weights of some block rest on so few draws that even the Monte Carlo errors mean little."""
        return self.worst_effective_size < _ENOUGH or self.worst_shape > _TRUSTED_SHAPE

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the estimates must know, in sentences."""
        count = len(self.blocks)
        blocks = "one block" if count == 1 else f"each of {count} independent blocks"
        more = f" ({self.loglik_draws} for the log-likelihood)" if self.loglik_draws > self.draws else ""
        first = (
            f"Simulated: {self.draws} draws of {blocks} of group effects{more}, {self.proposal}; {self.replicates} "
            f"scramblings, seed {self.seed}."
        )
        return (first, self._precision(), *((self._weights(),) if self.degenerate else ()))

    def _precision(self) -> str:
        known = {name: error for name, error in self.mc_std_errors.items() if np.isfinite(error)}
        if not known or not np.isfinite(self.ratio):
            return "The Monte Carlo errors are unknown: the simulated log-likelihood has no proper maximum here."
        worst = max(known, key=lambda name: known[name])
        words = (
            f"Monte Carlo standard errors are up to {known[worst]:.2g} ({worst}), {self.loglik_mc_se:.2g} for the "
            f"log-likelihood; at most {100 * self.ratio:.2g}% of a parameter's standard error"
        )
        if self.precise:
            return f"{words}."
        return f"{words}, where {100 * self.tolerance:.2g}% was asked for: {self.limit}."

    def _weights(self) -> str:
        worst = int(np.argmin(self.effective_sizes))
        effects = f"{self.sizes[worst]} effects" if self.sizes[worst] > 1 else "1 effect"
        return (
            f"Few draws carry the weight: of {self.loglik_draws} draws of the block of {self.blocks[worst]} "
            f"({effects}) only {self.effective_sizes[worst]:.3g} count (Pareto k {self.worst_shape:.2f}, trusted below "
            f"{_TRUSTED_SHAPE}). Estimates and Monte Carlo errors can be far off."
        )
