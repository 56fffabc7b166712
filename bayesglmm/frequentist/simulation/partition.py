"""Where the data fall apart: group effects that no chain of rows connects are independent, given the data too."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bayesglmm.engine.effects import EffectColumns
from bayesglmm.grouping import GroupEffects

__all__ = ["Partition"]


@dataclass(frozen=True, eq=False)
class Partition:
    """The connected components of the group effects, two being connected if a row touches both.

    Attributes
    ----------
    block : ndarray of int64, shape (Q,)
        Block of each effect.
    rows : ndarray of int64, shape (n,)
        Rows sorted by block.
    row_starts : ndarray of int64, shape (B + 1,)
        Where each block begins among them.
    index : ndarray of int64, shape (m, n)
        Which effects each row touches, as `EffectColumns.index`; in the place of those of another kind, one that it
        touches.
    """

    block: np.ndarray
    rows: np.ndarray
    row_starts: np.ndarray
    index: np.ndarray

    @classmethod
    def of(cls, effects: EffectColumns, groups: tuple[GroupEffects, ...] = ()) -> Partition:
        """Find the blocks; there must be at least one group term.

        ``groups`` are needed where levels are of several kinds: a row touches no effect of another kind than its own.
        """
        index = _touched(effects.index, groups)
        first = np.broadcast_to(index[0], index.shape)
        edges = coo_array((np.ones(index.size), (first.ravel(), index.ravel())), shape=(effects.size, effects.size))
        count, labels = connected_components(edges, directed=False)
        block = labels.astype(np.int64)
        of_rows = block[index[0]]
        rows = np.argsort(of_rows, kind="stable")
        return cls(block, rows, np.searchsorted(of_rows[rows], np.arange(count + 1)).astype(np.int64), index)

    @property
    def n_blocks(self) -> int:
        """Number of blocks B."""
        return len(self.row_starts) - 1

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """Number of effects D of each block, int64 shape (B,)."""
        return np.bincount(self.block, minlength=self.n_blocks)

    @functools.cached_property
    def effects(self) -> np.ndarray:
        """Effects sorted by block, int64 shape (Q,)."""
        return np.argsort(self.block, kind="stable")

    @functools.cached_property
    def effect_starts(self) -> np.ndarray:
        """Where each block begins among them, int64 shape (B + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @functools.cached_property
    def entry_starts(self) -> np.ndarray:
        """Where each block's D^2 numbers begin if they stand one after another, int64 shape (B + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes**2)])

    @functools.cached_property
    def place(self) -> np.ndarray:
        """Position of each effect in its block, int64 shape (Q,)."""
        place = np.empty_like(self.block)
        place[self.effects] = np.arange(len(self.block)) - self.effect_starts[self.block[self.effects]]
        return place

    @functools.cached_property
    def row_blocks(self) -> np.ndarray:
        """Block of each row, in the order of ``rows``, int64 shape (n,)."""
        return np.repeat(np.arange(self.n_blocks), np.diff(self.row_starts))

    def by_size(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield blocks of one size D together: numbers (k,), positions of effects (k, D), entries (k, D, D)."""
        for size in np.unique(self.sizes):
            blocks = np.flatnonzero(self.sizes == size)
            square = np.arange(size * size).reshape(size, size)
            yield (
                blocks,
                self.effect_starts[blocks][:, None] + np.arange(size),
                self.entry_starts[blocks][:, None, None] + square,
            )

    def unsorted_rows(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` (..., n), given in the order of ``rows``, in that of the data."""
        out = np.empty_like(values)
        out[..., self.rows] = values
        return out


def _touched(index: np.ndarray, groups: tuple[GroupEffects, ...]) -> np.ndarray:
    if all(group.kind is None for group in groups):
        return index
    touched = np.ones(index.shape, dtype=bool)
    at = 0
    for group in groups:
        if group.kind is not None:
            touched[at : at + group.n_effects] = group.kind.inside
        at += group.n_effects
    own = index[touched.argmax(axis=0), np.arange(index.shape[1])]
    return np.where(touched, index, own)
