"""Conditional modes of the group effects: penalised iteratively reweighted least squares, Newton with step halving.

Maximises h(z) = sum_i w_i l(y_i, eta_i) - z'z / 2 over the spherical effects z, u = Lambda z, eta = X beta + offset +
Z Lambda z (Bates et al. 2015, section 3; observed instead of expected information: the curvature at the mode is h's).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, eliminate
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.pattern import Pattern
from bayesglmm.families.rows import RowKernels

__all__ = ["Mode", "Rows", "find_mode"]

_TOLERANCE = 1e-12
_CLOSE = 1e-10
_MAX_ITERATIONS = 200
_MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Rows:
    """Everything about rows that does not change during a fit.

    Attributes
    ----------
    y, size, weights : ndarray, shape (n,)
        As in `Design`.
    effects : EffectColumns
        Z.
    pattern : Pattern
        Which effects meet.
    kernels : RowKernels
        Compiled row derivatives of the family and link.
    """

    y: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    effects: EffectColumns
    pattern: Pattern
    kernels: RowKernels

    def derivatives(self, eta: np.ndarray, phi: float) -> np.ndarray:
        """Return weighted (l, d1, d2, d3, lp, d1p, d2p) of every row, shape (7, n)."""
        out = np.empty((7, len(eta)))
        self.kernels.derivatives(self.y, self.size, self.weights, eta, phi, out)
        return out


@dataclass(frozen=True, eq=False)
class Mode:
    """The maximum of h.

    Attributes
    ----------
    z : ndarray, shape (Q,)
        Spherical conditional modes.
    eta : ndarray, shape (n,)
        Linear predictor there.
    rows : ndarray, shape (7, n)
        Weighted row derivatives there.
    value : float
        h at the mode; -inf if the search failed.
    A : EffectColumns
        Z Lambda.
    elimination : Elimination or None
        H = I + A' W A factored, with the observed weights W = -d2; None if H is not positive definite.
    iterations : int
        Newton steps taken.
    converged : bool
        Whether the Newton decrement fell below 1e-12 and H is positive definite.
    """

    z: np.ndarray
    eta: np.ndarray
    rows: np.ndarray
    value: float
    A: EffectColumns
    elimination: Elimination | None
    iterations: int
    converged: bool


def find_mode(rows: Rows, fixed: np.ndarray, factor: RelativeFactor, phi: float, start: np.ndarray) -> Mode:
    """Maximise h from ``start``.

    Parameters
    ----------
    rows : Rows
        Data.
    fixed : ndarray, shape (n,)
        X beta + offset.
    factor : RelativeFactor
        Lambda.
    phi : float
        Dispersion parameter.
    start : ndarray, shape (Q,)
        First z (a warm start: the mode at nearby parameters).
    """
    A = rows.effects.with_values(factor.rows(rows.effects.value))
    z, eta, table, value = _move(rows, fixed, A, phi, start)
    if not np.isfinite(value) and z.any():
        z, eta, table, value = _move(rows, fixed, A, phi, np.zeros_like(start))
    for iteration in range(1, _MAX_ITERATIONS + 1):
        gradient = A.transposed_times(table[1]) - z
        # Where l is not concave the observed weight is negative; a step needs positive ones, the mode does not care.
        found = eliminate(rows.pattern, A.value, np.maximum(-table[2], 0.0))
        if found is None:  # rounding: weights so large that 1 is lost beside them
            break
        step = found.solve(gradient)
        decrement = float(gradient @ step)
        # So close to the mode that rounding hides the gain in h: the full step is safe, and halving would refuse it.
        close = decrement <= _CLOSE * (1.0 + abs(value))
        moved = _move(rows, fixed, A, phi, z + step) if close else _halve(rows, fixed, A, phi, z, step, value)
        stuck = not close and moved[3] <= value
        z, eta, table, value = moved
        if decrement <= _TOLERANCE:
            # Convergence is quadratic: 1e-12 before the step is far below rounding after it.
            return _finish(rows, A, moved, iteration, converged=True)
        if stuck or not np.isfinite(value):
            break
    return _finish(rows, A, (z, eta, table, value), iteration, converged=False)


type _Point = tuple[np.ndarray, np.ndarray, np.ndarray, float]


def _halve(
    rows: Rows, fixed: np.ndarray, A: EffectColumns, phi: float, z: np.ndarray, step: np.ndarray, value: float
) -> _Point:
    """Take the longest of the steps 1, 1/2, 1/4, ... that raises h; none if none does."""
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        moved = _move(rows, fixed, A, phi, z + length * step)
        if moved[3] > value:
            return moved
        length *= 0.5
    return _move(rows, fixed, A, phi, z)


def _move(rows: Rows, fixed: np.ndarray, A: EffectColumns, phi: float, z: np.ndarray) -> _Point:
    """Return z, eta, the row derivatives and h at z."""
    eta = fixed + A.times(z)
    table = rows.derivatives(eta, phi)
    value = float(table[0].sum() - 0.5 * (z @ z))
    return z, eta, table, value if np.isfinite(value) else -np.inf


def _finish(rows: Rows, A: EffectColumns, point: _Point, iterations: int, converged: bool) -> Mode:
    z, eta, table, value = point
    found = eliminate(rows.pattern, A.value, -table[2]) if np.isfinite(value) else None
    if found is None:
        # Not finite, or a stationary point that is no maximum: the Laplace approximation does not exist here.
        return Mode(z, eta, table, -np.inf, A, None, iterations, False)
    return Mode(z, eta, table, value, A, found, iterations, converged)
