"""Standard deviations and correlations of correlated effects as coordinates of their covariance.

The covariance is written with the effects in question first, as L L' with L lower triangular: then sd_1 = L_11, and
cor_12 = L_21 / |row 2|. Lambda, the factor in the order and at the origin that the fit works with, follows by an
orthogonal rotation.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.theta import LOWER_TRIANGLE
from bayesglmm.grouping import GroupEffects

__all__ = ["Row", "RowPair"]


@dataclass(frozen=True, eq=False)
class Row:
    """The parameter is the standard deviation of one of a term's correlated effects.

    Attributes
    ----------
    group : GroupEffects
        The term.
    chosen : tuple of int
        Effects in question.
    """

    group: GroupEffects
    chosen: tuple[int, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of a standard deviation."""
        return 0.0, np.inf

    @property
    def diagonal(self) -> np.ndarray:
        """Diagonal entries of L beyond the effects in question."""
        rows, columns = self._places
        return self._cut((rows == columns) & (rows >= len(self.chosen)))

    @functools.cached_property
    def turn(self) -> np.ndarray:
        """T (q, q): the chosen effects as the formula codes them, then others at the columns' means."""
        q = self.group.n_effects
        rest = [k for k in range(q) if k not in self.chosen]
        return np.vstack([self.group.origin[list(self.chosen)], np.eye(q)[rest]])

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self.group.n_effects)

    def start(self, part: np.ndarray) -> np.ndarray:
        """Return the entries of L without the first."""
        Lambda = self.group.structure.theta.factor(part, self.group.n_effects)
        return self._coordinates(_lower(self.turn @ Lambda)[0])

    def embed(self, value: float, free: np.ndarray) -> np.ndarray:
        """Return theta."""
        Lambda, _ = self._theta(value, free)
        return Lambda[LOWER_TRIANGLE.positions(len(Lambda))]

    def pull_back(self, value: float, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in the free entries of L."""
        Lambda, Q = self._theta(value, free)
        G = np.zeros_like(Lambda)
        G[LOWER_TRIANGLE.positions(len(G))] = gradient
        G = np.linalg.solve(self.turn.T, _whole_gradient(Lambda, G) @ Q)
        return self._pull_back(value, free, G)

    def _theta(self, value: float, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _lower(np.linalg.solve(self.turn, self._factor(value, free)))

    def _cut(self, entries: np.ndarray) -> np.ndarray:
        return entries[1:]

    def _coordinates(self, L: np.ndarray) -> np.ndarray:
        return self._cut(L[self._places])

    def _factor(self, value: float, free: np.ndarray) -> np.ndarray:
        L = np.zeros((self.group.n_effects,) * 2)
        L[self._places] = np.concatenate([[value], free])
        return L

    def _pull_back(self, value: float, free: np.ndarray, G: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return self._cut(G[self._places])


@dataclass(frozen=True, eq=False)
class RowPair(Row):
    """The parameter is the correlation of two of a term's effects; their standard deviations are free coordinates."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of a correlation."""
        return -1.0, 1.0

    def _cut(self, entries: np.ndarray) -> np.ndarray:
        return entries[1:]  # one coordinate, the second standard deviation, stands for two entries of L

    def _coordinates(self, L: np.ndarray) -> np.ndarray:
        return np.concatenate([[L[0, 0], np.hypot(L[1, 0], L[1, 1])], L[self._places][3:]])

    def _factor(self, value: float, free: np.ndarray) -> np.ndarray:
        # A sign of a standard deviation would be one of the correlation.
        first, second = np.abs(free[:2])
        L = np.zeros((self.group.n_effects,) * 2)
        L[self._places] = np.concatenate([[first, second * value, second * _other(value)], free[2:]])
        return L

    def _pull_back(self, value: float, free: np.ndarray, G: np.ndarray) -> np.ndarray:
        signs = np.where(free[:2] < 0.0, -1.0, 1.0)
        sds = signs * np.array([G[0, 0], value * G[1, 0] + _other(value) * G[1, 1]])
        return np.concatenate([sds, G[self._places][3:]])


def _other(value: float) -> float:
    return float(np.sqrt(max(1.0 - value**2, 0.0)))


def _lower(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Lambda lower triangular with a diagonal >= 0 and Q orthogonal, W = Lambda Q."""
    Q, R = np.linalg.qr(W.T)
    signs = np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
    return (R * signs[:, None]).T, (Q * signs).T


def _whole_gradient(Lambda: np.ndarray, G: np.ndarray) -> np.ndarray:
    """Return the gradient in all entries of Lambda of a function of Lambda Lambda', given its lower triangle.

    Lambda'G is symmetric for such a function, and its lower triangle needs the lower triangle of G alone: the upper one
    follows row by row from below.
    """
    q = len(Lambda)
    whole = np.tril(G)
    symmetric = Lambda.T @ whole  # right in its lower triangle
    floor = 1e-9 * max(float(np.abs(Lambda).max()), 1e-300)
    for i in range(q - 1, -1, -1):
        for j in range(i + 1, q):
            rest = Lambda[i + 1 :, i] @ whole[i + 1 :, j]
            whole[i, j] = (symmetric[j, i] - rest) / max(Lambda[i, i], floor)
    return whole
