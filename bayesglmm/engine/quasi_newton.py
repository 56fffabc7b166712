"""A small quasi-Newton ascent (BFGS) for smooth functions of a few parameters whose evaluations are dear.

It stops when the next step would gain less than a tolerance: a preconditioner needs the neighbourhood of a maximum, not
its last digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Ascent", "Point", "ascend"]

_MAX_HALVINGS = 25
#: A trial step changes no coordinate by more than this many of the starting metric's standard deviations.
_LONGEST = 4.0


class Point(Protocol):
    """What an objective returns: a value to be made large, and its gradient."""

    @property
    def value(self) -> float:
        """Objective, -inf where it cannot be computed."""

    @property
    def gradient(self) -> np.ndarray:
        """Derivative, shape (d,)."""


@dataclass(frozen=True, eq=False)
class Ascent[P: Point]:
    """Where the ascent ended.

    Attributes
    ----------
    x : ndarray, shape (d,)
        Last point.
    point : Point
        Objective there.
    inverse_hessian : ndarray, shape (d, d)
        BFGS's approximation of minus the inverse Hessian.
    evaluations : int
        Evaluations of the objective.
    converged : bool
        Whether the expected gain of another step is below the tolerance.
    """

    x: np.ndarray
    point: P
    inverse_hessian: np.ndarray
    evaluations: int
    converged: bool


def ascend[P: Point](
    objective: Callable[[np.ndarray, P | None], P],
    x: np.ndarray,
    inverse_hessian: np.ndarray,
    tolerance: float = 1e-4,
    max_evaluations: int = 150,
    nearby: P | None = None,
) -> Ascent[P] | None:
    """Maximise ``objective(x, nearby point)`` from x by BFGS with backtracking (Nocedal & Wright 2006, chapter 6).

    Parameters
    ----------
    objective : callable
        (x, a point evaluated nearby or None) -> point.
    x : ndarray, shape (d,)
        Start.
    inverse_hessian : ndarray, shape (d, d)
        First metric, positive definite.
    tolerance : float
        Expected gain at which the ascent is over.
    max_evaluations : int
        Evaluations after which it gives up.
    nearby : point, optional
        A point evaluated near the start.

    Returns
    -------
    Ascent or None
        None if the objective is not finite at the start.
    """
    point = objective(x, nearby)
    scale = np.sqrt(np.diag(inverse_hessian))
    H, evaluations = inverse_hessian, 1
    if not np.isfinite(point.value):
        return None
    while evaluations < max_evaluations:
        step = H @ point.gradient
        gain = float(step @ point.gradient)
        if gain < tolerance:
            return Ascent(x, point, H, evaluations, True)
        length = min(1.0, _LONGEST / float(np.max(np.abs(step) / scale)))
        for _ in range(_MAX_HALVINGS):
            trial = objective(x + length * step, point)
            evaluations += 1
            if np.isfinite(trial.value) and trial.value >= point.value + 1e-4 * length * gain:
                break
            length *= 0.5 if np.isfinite(trial.value) else 0.25
        else:
            return Ascent(x, point, H, evaluations, gain < 100.0 * tolerance)
        H = _updated(H, length * step, point.gradient - trial.gradient)
        x, point = x + length * step, trial
    return Ascent(x, point, H, evaluations, False)


def _updated(H: np.ndarray, s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return BFGS's update of the inverse Hessian; unchanged where the curvature along s is not positive."""
    sy = float(s @ y)
    if sy <= 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):
        return H
    V = np.eye(len(s)) - np.outer(s, y) / sy
    return V @ H @ V.T + np.outer(s, s) / sy
