"""Conditional modes of the group effects: penalised iteratively reweighted least squares, Newton with step halving.

Maximises h(z) = sum_i w_i l(y_i, eta_i) - z'z / 2 over the spherical effects z, u = Lambda z, eta = X beta + offset +
Z Lambda z (Bates et al. 2015, section 3; observed instead of expected information: the curvature at the mode is h's).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla

from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.factor import RelativeFactor
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
    kernels : RowKernels
        Compiled row derivatives of the family and link.
    """

    y: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    effects: EffectColumns
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
    C : ndarray, shape (Q, Q)
        Z' W Z with the observed weights W = -d2.
    cholesky : ndarray, shape (Q, Q)
        Lower factor of H = I + Lambda' C Lambda.
    iterations : int
        Newton steps taken.
    converged : bool
        Whether the Newton decrement fell below 1e-12 and H is positive definite.
    """

    z: np.ndarray
    eta: np.ndarray
    rows: np.ndarray
    value: float
    C: np.ndarray
    cholesky: np.ndarray
    iterations: int
    converged: bool

    def solve(self, b: np.ndarray) -> np.ndarray:
        """Return H^-1 b."""
        return sla.cho_solve((self.cholesky, True), b, check_finite=False)

    @property
    def log_determinant(self) -> float:
        """Logarithm of det H."""
        return 2.0 * float(np.log(np.diagonal(self.cholesky)).sum())


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
    effects = rows.effects
    z, eta, table, value = _move(rows, fixed, factor, phi, start)
    if not np.isfinite(value) and z.any():
        return find_mode(rows, fixed, factor, phi, np.zeros_like(start))
    for iteration in range(1, _MAX_ITERATIONS + 1):
        gradient = factor.transposed_times(effects.transposed_times(table[1])) - z
        # Where l is not concave the observed weight is negative; a step needs positive ones, the mode does not care.
        C = effects.crossproduct(np.maximum(-table[2], 0.0))
        step = sla.cho_solve((_cholesky(_hessian(C, factor)), True), gradient, check_finite=False)
        decrement = float(gradient @ step)
        scale = 1.0 + abs(value)
        # So close to the mode that rounding hides the gain in h: the full step is safe, and halving would refuse it.
        close = decrement <= _CLOSE * scale
        z, eta, table, new_value = (
            _move(rows, fixed, factor, phi, z + step) if close else _halve(rows, fixed, factor, phi, z, step, value)
        )
        stuck = not close and new_value <= value
        value = new_value
        if decrement <= _TOLERANCE:
            # Convergence is quadratic: 1e-12 before the step is far below rounding after it.
            return _finish(rows, factor, z, eta, table, value, iteration, converged=True)
        if stuck or not np.isfinite(value):
            break
    return _finish(rows, factor, z, eta, table, value, iteration, converged=False)


def _penalised(table: np.ndarray, z: np.ndarray) -> float:
    value = float(table[0].sum() - 0.5 * (z @ z))
    return value if np.isfinite(value) else -np.inf


def _halve(
    rows: Rows,
    fixed: np.ndarray,
    factor: RelativeFactor,
    phi: float,
    z: np.ndarray,
    step: np.ndarray,
    value: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Take the longest of the steps 1, 1/2, 1/4, ... that raises h; none if none does."""
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        moved = _move(rows, fixed, factor, phi, z + length * step)
        if moved[3] > value:
            return moved
        length *= 0.5
    return _move(rows, fixed, factor, phi, z)


def _move(
    rows: Rows, fixed: np.ndarray, factor: RelativeFactor, phi: float, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return z, eta, the row derivatives and h at z."""
    eta = fixed + rows.effects.times(factor.times(z))
    table = rows.derivatives(eta, phi)
    return z, eta, table, _penalised(table, z)


def _hessian(C: np.ndarray, factor: RelativeFactor) -> np.ndarray:
    """Return I + Lambda' C Lambda."""
    H = factor.transposed_times(factor.transposed_times(C).T)
    H[np.diag_indices_from(H)] += 1.0
    return H


def _cholesky(H: np.ndarray) -> np.ndarray:
    return np.asarray(sla.cholesky(H, lower=True, check_finite=False)) if len(H) else H


def _finish(
    rows: Rows,
    factor: RelativeFactor,
    z: np.ndarray,
    eta: np.ndarray,
    table: np.ndarray,
    value: float,
    iterations: int,
    converged: bool,
) -> Mode:
    C = rows.effects.crossproduct(-table[2])
    try:
        L = _cholesky(_hessian(C, factor))
    except np.linalg.LinAlgError:
        # A stationary point that is no maximum: the Laplace approximation does not exist here.
        return Mode(z, eta, table, -np.inf, C, np.eye(len(z)), iterations, False)
    return Mode(z, eta, table, value, C, L, iterations, converged and bool(np.isfinite(value)))
