"""Quasi-random draws of a multivariate t (or normal) for every block, in independent scramblings.

One scrambled Sobol net a replicate serves all blocks, each under a random digital shift of its own: a shifted net is as
even as the net, and the errors of different blocks are uncorrelated (Owen 1995; L'Ecuyer & Lemieux 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, gammaln, ndtri, stdtrit
from scipy.stats import qmc

from bayesglmm.frequentist.simulation.partition import Partition

__all__ = ["StandardDraws", "standard_draws"]

_BITS = 30


@dataclass(frozen=True, eq=False)
class StandardDraws:
    """Draws around 0 with unit scale.

    Attributes
    ----------
    t : ndarray, shape (Q, S)
        Draws, effects in the order of `Partition.effects`, replicate after replicate.
    base : ndarray, shape (B, S)
        -D/2 log(2 pi) minus the log density of each block's draw.
    replicates : int
        Number R of independent scramblings.
    """

    t: np.ndarray
    base: np.ndarray
    replicates: int

    def mirrored(self, effects: np.ndarray) -> StandardDraws:
        """Return the draws, and again the draws with the sign of ``effects`` changed, replicate by replicate."""
        t = self.t.reshape(len(self.t), self.replicates, -1)
        flipped = t.copy()
        flipped[effects] *= -1.0
        base = self.base.reshape(len(self.base), self.replicates, -1)
        both = np.concatenate([t, flipped], axis=2).reshape(len(t), -1)
        return StandardDraws(both, np.concatenate([base, base], axis=2).reshape(len(base), -1), self.replicates)


def standard_draws(partition: Partition, df: float, replicates: int, per_replicate: int, seed: int) -> StandardDraws:
    """Draw for every block.

    Parameters
    ----------
    partition : Partition
        Blocks.
    df : float
        Degrees of freedom of the t; infinite for the normal distribution.
    replicates, per_replicate : int
        Number R of scramblings, and of points in each, a power of 2.
    seed : int
        Of the scramblings.
    """
    net, shifts = _scramble(partition, replicates, per_replicate, seed)
    count = replicates * per_replicate
    t, base = np.empty((len(partition.block), count)), np.empty((partition.n_blocks, count))
    for b, size in enumerate(partition.sizes.tolist()):
        where = slice(partition.effect_starts[b], partition.effect_starts[b + 1])
        cube = _uniform(net[1 : size + 1], shifts[where])
        if np.isinf(df):
            drawn = ndtri(cube)
        elif size == 1:
            drawn = stdtrit(df, cube)  # no chi-square needed: points on a line are far more even than in a plane
        else:
            mixing = gammaincinv(0.5 * df, _uniform(net[0], shifts[len(t) + b])) * (2.0 / df)
            drawn = ndtri(cube) / np.sqrt(mixing)
        t[where] = drawn.reshape(size, count)
        squares = np.einsum("ds,ds->s", t[where], t[where])
        base[b] = -0.5 * size * np.log(2.0 * np.pi) - _log_density(squares, size, df)
    return StandardDraws(t, base, replicates)


def _scramble(partition: Partition, replicates: int, per_replicate: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scrambled nets as whole numbers (D + 1, R, M), and digital shifts of effects and of blocks (Q + B, R)."""
    streams = np.random.SeedSequence(seed).spawn(replicates + 1)
    dimension = int(partition.sizes.max()) + 1  # the first coordinate is for the chi-square of the t
    nets = []
    for stream in streams[:-1]:
        engine = qmc.Sobol(dimension, scramble=True, bits=_BITS, rng=np.random.default_rng(stream))
        nets.append(np.floor(engine.random(per_replicate).T * 2.0**_BITS).astype(np.int64))
    count = len(partition.block) + partition.n_blocks
    return np.stack(nets, axis=1), np.random.default_rng(streams[-1]).integers(0, 2**_BITS, (count, replicates))


def _uniform(net: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    return np.asarray(((net ^ shifts[..., None]) + 0.5) * 2.0**-_BITS)


def _log_density(squares: np.ndarray, size: int, df: float) -> np.ndarray:
    """Return log densities of draws with these squared lengths."""
    if np.isinf(df):
        return np.asarray(-0.5 * (size * np.log(2.0 * np.pi) + squares))
    constant = gammaln(0.5 * (df + size)) - gammaln(0.5 * df) - 0.5 * size * np.log(df * np.pi)
    return np.asarray(constant - 0.5 * (df + size) * np.log1p(squares / df))
