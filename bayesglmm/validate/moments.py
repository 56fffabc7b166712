"""Means and cross-products of the columns of X, in one pass over blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Moments", "moments_of"]

#: Rows centred at a time: centring all of X at once would copy it.
_BLOCK: Final = 8192


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of the columns of a matrix.

    Attributes
    ----------
    n : int
        Number of rows.
    mean : ndarray, shape (p,)
        Means of the columns.
    scatter : ndarray, shape (p, p)
        Sums of products of the centred columns.
    """

    n: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations of the columns, shape (p,)."""
        return np.sqrt(np.diag(self.scatter) / self.n)

    @property
    def gram(self) -> np.ndarray:
        """X'X, shape (p, p)."""
        return self.scatter + self.n * np.outer(self.mean, self.mean)


def moments_of(X: np.ndarray) -> Moments:
    """Return the moments of a finite matrix, shape (n, p), n > 0."""
    n, p = X.shape
    mean = X.mean(axis=0)
    scatter = np.zeros((p, p))
    for start in range(0, n, _BLOCK):
        block = X[start : start + _BLOCK] - mean
        scatter += block.T @ block
    return Moments(n, mean, scatter)
