"""Z as index and value: which group effects a row touches, and with what weight. Compiled products with it."""

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
    def of(cls, design: Design) -> EffectColumns:
        """Lay out the group terms of ``design``."""
        index, value, at = [], [], 0
        for group in design.groups:
            q = group.n_effects
            for k, column in enumerate(group.columns()):
                index.append(at + group.codes.astype(np.int64) * q + k)
                value.append(column)
            at += group.size
        n = design.n_rows
        stacked = np.array(index, dtype=np.int64).reshape(len(index), n)
        return cls(stacked, np.array(value, dtype=np.float64).reshape(len(index), n), at)

    def times(self, u: np.ndarray) -> np.ndarray:
        """Return Z u, shape (n,)."""
        return np.einsum("mn,mn->n", self.value, u[self.index]) if len(self.index) else np.zeros(self.index.shape[1])

    def transposed_times(self, r: np.ndarray) -> np.ndarray:
        """Return Z' r, shape (Q,)."""
        out = np.zeros(self.size)
        _scatter(self.index, self.value, r, out)
        return out

    def crossproduct(self, weights: np.ndarray) -> np.ndarray:
        """Return Z' diag(weights) Z, dense, shape (Q, Q)."""
        out = np.zeros((self.size, self.size))
        _crossproduct(self.index, self.value, weights, out)
        return out

    def row_quadratics(self, V: np.ndarray) -> np.ndarray:
        """Return z_i' V z_i for every row i, shape (n,); V is symmetric, shape (Q, Q)."""
        out = np.zeros(self.index.shape[1])
        _row_quadratics(self.index, self.value, V, out)
        return out


@compiled
def _scatter(index, value, r, out):  # type: ignore[no-untyped-def]  # compiled
    for a in range(index.shape[0]):
        for i in range(index.shape[1]):
            out[index[a, i]] += value[a, i] * r[i]


@compiled
def _crossproduct(index, value, weights, out):  # type: ignore[no-untyped-def]  # compiled
    for a in range(index.shape[0]):
        for b in range(index.shape[0]):
            for i in range(index.shape[1]):
                out[index[a, i], index[b, i]] += weights[i] * value[a, i] * value[b, i]


@compiled
def _row_quadratics(index, value, V, out):  # type: ignore[no-untyped-def]  # compiled
    for a in range(index.shape[0]):
        for b in range(index.shape[0]):
            for i in range(index.shape[1]):
                out[i] += V[index[a, i], index[b, i]] * value[a, i] * value[b, i]
