"""Z as index and value: which group effects a row touches, and with what weight. Products with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import compiled
from bayesglmm.design import Design

__all__ = ["EffectColumns"]


@dataclass(frozen=True, eq=False)
class EffectColumns:
    """The m effects that each row touches, m = sum of q over group terms.

    Attributes
    ----------
    index : ndarray of int64, shape (m, n)
        Position in u of each effect of each row; term after term, level after level.
    value : ndarray, shape (m, n)
        What the effect is multiplied by.
    size : int
        Number of group effects Q.
    """

    index: np.ndarray
    value: np.ndarray
    size: int

    @classmethod
    def of(cls, design: Design, centered: bool = False) -> EffectColumns:
        """Lay out the group terms of ``design``; ``centered`` as in `GroupEffects.columns`."""
        index, value, at = [], [], 0
        for group in design.groups:
            q = group.n_effects
            for k, column in enumerate(group.columns(centered)):
                index.append(at + group.codes.astype(np.int64) * q + k)
                value.append(column)
            at += group.size
        n = design.n_rows
        stacked = np.array(index, dtype=np.int64).reshape(len(index), n)
        return cls(stacked, np.array(value, dtype=np.float64).reshape(len(index), n), at)

    def with_values(self, value: np.ndarray) -> EffectColumns:
        """Return the same effects with other multipliers (m, n): those of Z Lambda, for instance."""
        return EffectColumns(self.index, value, self.size)

    def times(self, u: np.ndarray) -> np.ndarray:
        """Return Z u, shape (n,)."""
        out = np.zeros(self.index.shape[1])
        _gather(self.index, self.value, u, out)
        return out

    def transposed_times(self, r: np.ndarray) -> np.ndarray:
        """Return Z' r, shape (Q,)."""
        out = np.zeros(self.size)
        _scatter(self.index, self.value, r, out)
        return out


@compiled
def _gather(index, value, u, out):  # type: ignore[no-untyped-def]  # compiled
    for a in range(index.shape[0]):
        for i in range(index.shape[1]):
            out[i] += value[a, i] * u[index[a, i]]


@compiled
def _scatter(index, value, r, out):  # type: ignore[no-untyped-def]  # compiled
    for a in range(index.shape[0]):
        for i in range(index.shape[1]):
            out[index[a, i]] += value[a, i] * r[i]
