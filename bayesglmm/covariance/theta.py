"""theta -> Lambda for classical fits: a smooth map; a variance of zero and a correlation of 1 are points inside.

Where every entry of Lambda is free, theta holds these entries (`EntryMap`). On this scale (Bates et al. 2015) the
log-likelihood is smooth where a standard deviation reaches 0 or a correlation 1, and even in every column of Lambda;
diagonal entries are kept >= 0. Structures with one standard deviation and one correlation have a map of their own
(`angle`). Whoever works with theta asks the map, and knows of no entries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["DIAGONAL_THETA", "LOWER_TRIANGLE", "EntryMap", "ThetaMap"]


class ThetaMap(Protocol):
    """Parameters theta of Lambda (q, q), lower triangular."""

    @property
    def invariant(self) -> bool:
        """Whether every linear map of the effects leads to a covariance that the structure has too.

        A fit may then work with centred columns.
        """
        ...

    @property
    def mixes(self) -> bool:
        """Whether `columns` are columns of Lambda, which share an effect's variance between them."""
        ...

    def size(self, q: int) -> int:
        """Return the number of parameters."""
        ...

    def diagonal(self, q: int) -> np.ndarray:
        """Return which parameters are standard deviations where nothing is correlated (kept >= 0), bool (size,)."""
        ...

    def columns(self, q: int) -> tuple[np.ndarray, ...]:
        """Return the parameters that say nothing once their first one, of the diagonal, is zero."""
        ...

    def scales(self, q: int) -> np.ndarray:
        """Return which parameters are as many times larger as Lambda is, bool (size,); the others stay."""
        ...

    def lifted(self, theta: np.ndarray, least: np.ndarray, q: int) -> np.ndarray:
        """Return theta inside its bounds, standard deviations at ``least`` (size,) or above: a place to start."""
        ...

    def factor(self, theta: np.ndarray, q: int) -> np.ndarray:
        """Return Lambda (q, q) at ``theta``."""
        ...

    def pull_back(self, theta: np.ndarray, G: np.ndarray) -> np.ndarray:
        """Return the gradient in theta of a function whose gradient in Lambda is ``G`` (q, q)."""
        ...

    def natural(self, sds: np.ndarray, q: int) -> np.ndarray:
        """Return the natural scale of each parameter, given that of each standard deviation."""
        ...

    def rescaled(self, theta: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Return theta with the standard deviation of each effect about ``ratios`` (q,) times as large."""
        ...

    def widths(self, Lambda: np.ndarray, shared: np.ndarray) -> np.ndarray:
        """Return about one standard error of each parameter (see `frequentist.search.widths`)."""
        ...

    def without(self, theta: np.ndarray, column: np.ndarray, q: int) -> np.ndarray:
        """Return theta with the parameters ``column`` zero and Lambda Lambda' otherwise kept as far as that goes."""
        ...

    def components(self, theta: np.ndarray, origin: np.ndarray) -> Components:
        """Return standard deviations, then correlations, of B Lambda with their gradients in theta; B (q, q)."""
        ...


#: (value, gradient in theta) of each standard deviation, and of each correlation.
type Components = tuple[Sequence[tuple[float, np.ndarray]], Sequence[tuple[float, np.ndarray]]]


@dataclass(frozen=True)
class EntryMap:
    """theta holds the free entries of Lambda.

    Attributes
    ----------
    positions : callable
        q -> (rows, columns) of the free entries of Lambda, in the order of theta.
    invariant : bool
        See `ThetaMap`.
    """

    positions: Callable[[int], tuple[np.ndarray, np.ndarray]]
    invariant: bool

    @property
    def mixes(self) -> bool:
        """Columns of Lambda are what they say."""
        return True

    def size(self, q: int) -> int:
        """Return the number of free entries."""
        return len(self.positions(q)[0])

    def diagonal(self, q: int) -> np.ndarray:
        """Return which parameters are diagonal entries, bool, shape (size,)."""
        rows, columns = self.positions(q)
        return rows == columns

    def columns(self, q: int) -> tuple[np.ndarray, ...]:
        """Return the entries of each column of Lambda, the diagonal one first."""
        rows, columns = self.positions(q)
        found = [np.flatnonzero(columns == k) for k in range(q)]
        return tuple(m[np.argsort(rows[m] != k, kind="stable")] for k, m in enumerate(found))

    def scales(self, q: int) -> np.ndarray:
        """Return that all entries do."""
        return np.ones(self.size(q), dtype=bool)

    def lifted(self, theta: np.ndarray, least: np.ndarray, q: int) -> np.ndarray:
        """Return theta with diagonal entries at ``least`` or above."""
        return np.where(self.diagonal(q), np.maximum(theta, least), theta)

    def factor(self, theta: np.ndarray, q: int) -> np.ndarray:
        """Return Lambda (q, q) at ``theta``."""
        Lambda = np.zeros((q, q))
        Lambda[self.positions(q)] = theta
        return Lambda

    def pull_back(self, theta: np.ndarray, G: np.ndarray) -> np.ndarray:  # noqa: ARG002  # linear: the same everywhere
        """Return the free entries of G."""
        return G[self.positions(len(G))]

    def natural(self, sds: np.ndarray, q: int) -> np.ndarray:
        """Return the scale of the effect in whose row an entry stands."""
        return sds[self.positions(q)[0]]

    def rescaled(self, theta: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Return theta with every row of Lambda times its ratio."""
        return theta * ratios[self.positions(len(ratios))[0]]

    def widths(self, Lambda: np.ndarray, shared: np.ndarray) -> np.ndarray:
        """Return about one standard error of each entry."""
        rows, columns = self.positions(len(Lambda))
        information = np.where(rows == columns, 2.0, 1.0) * shared[rows, columns]
        return np.abs(np.diagonal(Lambda))[rows] / np.sqrt(information)

    def without(self, theta: np.ndarray, column: np.ndarray, q: int) -> np.ndarray:
        """Return theta with a column of Lambda zero, its part of Lambda Lambda' moved into those after it."""
        Lambda = self.factor(theta, q)
        k = self.positions(q)[1][column[0]]
        Lambda[k, k] = 0.0
        moved = _semidefinite_factor(Lambda @ Lambda.T)[self.positions(q)]
        moved[column] = 0.0
        return moved

    def components(self, theta: np.ndarray, origin: np.ndarray) -> Components:
        """Return lengths of the rows of B Lambda, and cosines between them row by row of the lower triangle."""
        q = len(origin)
        M = origin @ self.factor(theta, q)
        lengths = np.sqrt(np.einsum("ik,ik->i", M, M))
        unknown = np.full(len(theta), np.nan)

        def back(*changes: tuple[int, np.ndarray]) -> np.ndarray:
            return self.pull_back(theta, np.asarray(sum(np.outer(origin[i], change) for i, change in changes)))

        def cosine(i: int, k: int) -> tuple[float, np.ndarray]:
            a, b, na, nb = M[i], M[k], lengths[i], lengths[k]
            if na == 0.0 or nb == 0.0:
                return np.nan, unknown
            value = min(1.0, max(-1.0, float(a @ b) / (na * nb)))
            if abs(value) > 1.0 - 1e-10:  # on the boundary the correlation has no standard error
                return value, unknown
            return value, back((i, b / (na * nb) - value * a / na**2), (k, a / (na * nb) - value * b / nb**2))

        sds = [(float(n), back((i, M[i] / n)) if n > 0.0 else unknown) for i, n in enumerate(lengths)]
        # Of independent effects correlations are zero, and nobody asks.
        return sds, [cosine(i, k) for i in range(q) for k in range(i)] if self.size(q) > q else []


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


def _semidefinite_factor(G: np.ndarray) -> np.ndarray:
    """Return the lower factor of a positive semidefinite G, with a zero column for every zero pivot."""
    q = len(G)
    L = np.zeros_like(G)
    for k in range(q):
        pivot = G[k, k] - L[k, :k] @ L[k, :k]
        if pivot > 1e-12 * max(G[k, k], 1e-300):
            L[k, k] = np.sqrt(pivot)
            L[k + 1 :, k] = (G[k + 1 :, k] - L[k + 1 :, :k] @ L[k, :k]) / L[k, k]
    return L


DIAGONAL_THETA = EntryMap(_diagonal, invariant=False)
LOWER_TRIANGLE = EntryMap(_lower, invariant=True)
