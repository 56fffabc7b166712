"""theta -> Lambda for classical fits: the free entries of Lambda, so that a variance of zero is a point like any other.

On this scale (Bates et al. 2015) the log-likelihood is smooth where a standard deviation reaches 0 or a correlation 1,
and even in every column of Lambda; diagonal entries are kept >= 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["DIAGONAL_THETA", "LOWER_TRIANGLE", "ThetaMap"]


@dataclass(frozen=True)
class ThetaMap:
    """Parameters of Lambda (q, q).

    Attributes
    ----------
    positions : callable
        q -> (rows, columns) of the free entries of Lambda, in the order of theta.
    invariant : bool
        Whether every linear map of the effects leads to a covariance that the structure has too, so that a fit may
        work with centred columns.
    """

    positions: Callable[[int], tuple[np.ndarray, np.ndarray]]
    invariant: bool

    def size(self, q: int) -> int:
        """Return the number of parameters."""
        return len(self.positions(q)[0])

    def diagonal(self, q: int) -> np.ndarray:
        """Return which parameters are diagonal entries, bool, shape (size,)."""
        rows, columns = self.positions(q)
        return rows == columns

    def factor(self, theta: np.ndarray, q: int) -> np.ndarray:
        """Return Lambda (q, q) at ``theta``."""
        Lambda = np.zeros((q, q))
        Lambda[self.positions(q)] = theta
        return Lambda

    def pull_back(self, G: np.ndarray) -> np.ndarray:
        """Return the gradient in theta of a function whose gradient in Lambda is ``G`` (q, q)."""
        return G[self.positions(len(G))]


@functools.cache
def _diagonal(q: int) -> tuple[np.ndarray, np.ndarray]:
    return _shared(np.arange(q), np.arange(q))


@functools.cache
def _lower(q: int) -> tuple[np.ndarray, np.ndarray]:
    return _shared(*np.tril_indices(q))


def _shared(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows.setflags(write=False)
    columns.setflags(write=False)
    return rows, columns


DIAGONAL_THETA = ThetaMap(_diagonal, invariant=False)
LOWER_TRIANGLE = ThetaMap(_lower, invariant=True)
