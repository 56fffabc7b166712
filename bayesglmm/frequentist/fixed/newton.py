"""Newton's method with step halving for smooth log-likelihoods of coefficients, and the fit of independent rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesglmm.families.rows import RowKernels

__all__ = ["Climbed", "GLMRows", "Point", "climb"]

_CLOSE = 1e-10
_MAX_ITERATIONS = 200
_MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Point:
    """A log-likelihood at x.

    Attributes
    ----------
    x, gradient : ndarray, shape (k,)
        Where, and the first derivatives there.
    value : float
        The log-likelihood; -inf where it is not finite.
    information : ndarray, shape (k, k)
        Minus the second derivatives.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    information: np.ndarray


@dataclass(frozen=True, eq=False)
class Climbed:
    """Where a search ended; ``converged`` if the Newton decrement there is zero to rounding."""

    point: Point
    iterations: int
    converged: bool


def climb(at: Callable[[np.ndarray], Point], start: np.ndarray) -> Climbed:
    """Maximise from ``start`` (k,); a direction without curvature is not moved along."""
    point = at(start)
    for iteration in range(1, _MAX_ITERATIONS + 1):
        step = _step(point)
        decrement = float(point.gradient @ step)
        if decrement <= _CLOSE * (1.0 + abs(point.value)):
            # Convergence is quadratic: one more full step, and what is left is rounding.
            last = at(point.x + step)
            good = np.isfinite(last.value) and last.value >= point.value - 1e-9 * (1.0 + abs(point.value))
            return Climbed(last if good else point, iteration, bool(np.isfinite(point.value)))
        moved = _halve(at, point, step)
        if moved is None:
            return Climbed(point, iteration, False)
        point = moved
    return Climbed(point, _MAX_ITERATIONS, False)


def _step(point: Point) -> np.ndarray:
    """Return the Newton step, damped as far as it takes to point uphill."""
    diagonal = np.abs(np.diagonal(point.information))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = point.information * np.outer(scale, scale)
    if not np.isfinite(scaled).all():
        return np.zeros_like(point.x)
    for ridge in (0.0, 1e-10, 1e-6, 1e-3, 1e-1, 1.0, 10.0):
        try:
            factor = linalg.cho_factor(scaled + ridge * np.eye(len(scaled)), check_finite=False)
        except linalg.LinAlgError:
            continue
        return np.asarray(scale * linalg.cho_solve(factor, scale * point.gradient, check_finite=False))
    return scale * scale * point.gradient


def _halve(at: Callable[[np.ndarray], Point], point: Point, step: np.ndarray) -> Point | None:
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        moved = at(point.x + length * step)
        if np.isfinite(moved.value) and moved.value > point.value:
            return moved
        length *= 0.5
    return None


@dataclass(frozen=True, eq=False)
class GLMRows:
    """Rows that are independent given X beta + offset; calling it gives the log-likelihood at beta.

    Attributes
    ----------
    kernels : RowKernels
        Row derivatives of the family and link.
    X : ndarray, shape (n, p)
        Design matrix.
    y, size, weights, offset : ndarray, shape (n,)
        As in `Design`. In a family whose score is linear in the response, ``y`` may as well be its expectation.
    phi : float
        Dispersion parameter, held.
    """

    kernels: RowKernels
    X: np.ndarray
    y: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    phi: float = 1.0

    def derivatives(self, eta: np.ndarray) -> np.ndarray:
        """Return weighted (l, d1, d2, d3, lp, d1p, d2p) of every row, shape (7, n)."""
        out = np.empty((7, len(eta)))
        self.kernels.derivatives(self.y, self.size, self.weights, np.ascontiguousarray(eta), self.phi, out)
        return out

    def __call__(self, beta: np.ndarray) -> Point:
        """Return value, gradient and observed information at beta (p,)."""
        table = self.derivatives(self.offset + self.X @ beta)
        value = float(table[0].sum())
        information = self.X.T @ (self.X * -table[2][:, None])
        return Point(beta, value if np.isfinite(value) else -np.inf, self.X.T @ table[1], information)
