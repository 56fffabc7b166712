"""Gauss-Hermite quadrature: nodes and weights for an integral against independent standard normal effects."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from bayesglmm.errors import SpecificationError

__all__ = ["MAX_POINTS", "Grid", "checked_points"]

#: numpy tests its nodes and weights up to this many; an integrand that needs more is not one for polynomials.
MAX_POINTS = 100


@dataclass(frozen=True, eq=False)
class Grid:
    """Nodes t_k and weights w_k with sum_k w_k f(t_k) ~ E f(t), t ~ N(0, I): the product of one-dimensional rules.

    Attributes
    ----------
    nodes : ndarray, shape (points ** q, q)
        t_k.
    log_weights : ndarray, shape (points ** q,)
        log w_k; the weights sum to 1.
    """

    nodes: np.ndarray
    log_weights: np.ndarray

    @classmethod
    def of(cls, points: int, q: int) -> Grid:
        """Return the grid of ``points`` nodes in each of ``q`` directions; exact for degree 2 points - 1 in each."""
        return _product(points, q)

    def __len__(self) -> int:
        return len(self.log_weights)


@functools.cache
def _product(points: int, q: int) -> Grid:
    t, w = hermegauss(points)
    log_w = np.log(w / w.sum())
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(*[t] * q, indexing="ij")], axis=-1)
    log_weights = sum(axis.ravel() for axis in np.meshgrid(*[log_w] * q, indexing="ij"))
    nodes, log_weights = np.ascontiguousarray(nodes), np.ascontiguousarray(log_weights)
    nodes.flags.writeable = log_weights.flags.writeable = False  # shared by every fit with this grid
    return Grid(nodes, log_weights)


def checked_points(method: str, points: object, least: int) -> int:
    """Return ``points``; SpecificationError unless it is a whole number from ``least`` to `MAX_POINTS`."""
    whole = isinstance(points, int | np.integer) and not isinstance(points, bool)
    if not whole or not least <= int(points) <= MAX_POINTS:  # type: ignore[call-overload]
        raise SpecificationError(
            f"points={points!r} of method {method!r}: the number of nodes in the direction of each effect is a whole "
            f"number from {least} to {MAX_POINTS}; 9 is a common choice, 25 a careful one."
        )
    return int(points)  # type: ignore[call-overload]
