"""Conditional modes of the group effects: penalised iteratively reweighted least squares, Newton with step halving.

Maximises h(z) = sum_i w_i l(y_i, eta_i) - z'z / 2 over the spherical effects z, u = Lambda z, eta = X beta + offset +
Z Lambda z (Bates et al. 2015, section 3; observed instead of expected information: the curvature at the mode is h's).
Near the mode a factorisation serves several steps: they gain as many digits each as it has left (Shamanskii 1967).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import types

from bayesglmm.auxiliary import Auxiliary
from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, factor_rows
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.nodes import backward, forward
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.pointers import derivatives_at
from bayesglmm.engine.types import IN, OUT, ROWS, TABLE, TREE, WHOLE
from bayesglmm.families.rows import RowKernels

__all__ = ["Mode", "Rows", "find_mode"]

_TOLERANCE = 1e-12
#: After a step with an older factorisation the error is not squared, but falls at the rate seen so far.
_REUSED_TOLERANCE = 1e-20
_CLOSE = 1e-10
_MAX_FACTORISATIONS = 200
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
    n_family : int
        Number of family scalars K.
    auxiliary : Auxiliary or None
        Auxiliary predictors. Rows that `at` returns have none left: their ``size`` is all that is known, (3 n,).
    """

    y: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    effects: EffectColumns
    pattern: Pattern
    kernels: RowKernels
    n_family: int
    auxiliary: Auxiliary | None = None

    def at(self, family: np.ndarray) -> tuple[Rows, float]:
        """Return the rows and phi at the working family scalars (K,): nothing, log phi, or those of `Auxiliary`."""
        if self.auxiliary is not None:
            return replace(self, size=self.auxiliary.known(self.size, family), auxiliary=None), 1.0
        return self, float(np.exp(family[0])) if len(family) else 1.0

    def pull_back(self, table: np.ndarray, s: np.ndarray, Av: np.ndarray, d2p: np.ndarray) -> np.ndarray:
        """Return the gradient of Laplace's log-likelihood in the working family scalars, shape (K,).

        Row by row it is lp + s d2p / 2 + d1p A v (see `marginal`), of the row derivatives ``table`` at the mode.
        """
        if self.auxiliary is not None:
            half = 0.5 * s
            first = table[4] + half * d2p + table[5] * Av
            return self.auxiliary.pull_back(first, table[7] + half * table[9] + table[8] * Av)
        return np.array([table[4].sum() + 0.5 * (s @ d2p) + table[5] @ Av])[: self.n_family]

    def derivatives(self, eta: np.ndarray, phi: float) -> np.ndarray:
        """Return weighted (l, d1, d2, d3, lp, d1p, d2p) of every row, shape (`RowKernels.height`, n)."""
        out = np.empty((self.kernels.height, len(eta)))
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
    rows : ndarray, shape (`RowKernels.height`, n)
        Weighted row derivatives there.
    value : float
        h at the mode; -inf if the search failed.
    A : EffectColumns
        Z Lambda.
    elimination : Elimination or None
        H = I + A' W A factored, with the observed weights W = -d2; None if H is not positive definite.
    iterations : int
        Factorisations made.
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


def find_mode(
    rows: Rows,
    fixed: np.ndarray,
    factor: RelativeFactor,
    phi: float,
    start: np.ndarray,
    nearby: Elimination | None = None,
) -> Mode:
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
    nearby : Elimination, optional
        H at nearby parameters: the first steps are taken with it as long as they converge fast.
    """
    p = rows.pattern
    A = rows.effects.with_values(factor.rows(rows.effects.value))
    z, eta, table = np.array(start), np.empty(len(fixed)), np.empty((rows.kernels.height, len(fixed)))
    if nearby is None:
        work = (np.empty(p.n_blocks), np.empty(p.couplings[-1]), np.empty((p.n_tail, p.n_tail)))
    else:
        work = (nearby.L.copy(), nearby.Y.copy(), nearby.tail.copy())
    data = (rows.y, rows.size, rows.weights, np.ascontiguousarray(fixed))
    where = (A.index, A.value, p.rows, p.tree, p.precision)
    address, warm = rows.kernels.pointer.address, nearby is not None
    value, iterations, definite, converged = _search(address, *data, phi, *where, warm, z, eta, table, *work)
    if not definite:
        # Not finite, or a stationary point that is no maximum: the Laplace approximation does not exist here.
        return Mode(z, eta, table, -np.inf, A, None, iterations, False)
    return Mode(z, eta, table, value, A, Elimination(p, A.value, *work), iterations, converged)


@jitable
def _penalty_slope(z, effects, precision, slope):  # type: ignore[no-untyped-def]  # compiled
    """Fill ``slope`` with the gradient of z'z / 2, or of z'P z / 2 with P the tail's precision where it is not I."""
    for k in range(z.shape[0]):
        slope[k] = z[k]
    for r in range(precision.shape[0]):
        value = 0.0
        for c in range(precision.shape[0]):
            value += precision[r, c] * z[effects[c]]
        slope[effects[r]] = value


@jitable
def _move(derivatives, data, phi, index, a, effects, precision, z, eta, table):  # type: ignore[no-untyped-def]  # compiled
    """Fill eta and the row derivatives at z; return h."""
    y, size, weights, fixed = data
    eta[:] = fixed
    for b in range(index.shape[0]):
        for i in range(index.shape[1]):
            eta[i] += a[b, i] * z[index[b, i]]
    derivatives(y, size, weights, eta, phi, table)
    value = 0.0
    for i in range(eta.shape[0]):
        value += table[0, i]
    for k in range(z.shape[0]):
        value -= 0.5 * z[k] * z[k]
    if precision.shape[0]:
        slope = np.empty(z.shape[0])
        _penalty_slope(z, effects, precision, slope)
        for k in range(z.shape[0]):
            value += 0.5 * z[k] * (z[k] - slope[k])
    return value if np.isfinite(value) else -np.inf


@jitable
def _newton_step(index, a, d1, z, tree, precision, L, Y, S, gradient, step):  # type: ignore[no-untyped-def]  # compiled
    """Fill ``step`` (Q, 1) with H^-1 times the gradient of h; return the decrement."""
    _penalty_slope(z, tree[6], precision, gradient)
    for k in range(z.shape[0]):
        gradient[k] = -gradient[k]
    for b in range(index.shape[0]):
        for i in range(index.shape[1]):
            gradient[index[b, i]] += a[b, i] * d1[i]
    step[:, 0] = gradient
    forward(tree, L, Y, step)
    effects = tree[6]
    R = S.shape[0]
    for r in range(R):
        value = step[effects[r], 0]
        for c in range(r):
            value -= S[r, c] * step[effects[c], 0]
        step[effects[r], 0] = value / S[r, r]
    for r in range(R - 1, -1, -1):
        value = step[effects[r], 0] / S[r, r]
        step[effects[r], 0] = value
        for c in range(r):
            step[effects[c], 0] -= S[r, c] * value
    backward(tree, L, Y, step)
    decrement = 0.0
    for k in range(z.shape[0]):
        decrement += gradient[k] * step[k, 0]
    return decrement


@jitable
def _factor_at(d2, weights, a, rows, tree, precision, L, Y, S):  # type: ignore[no-untyped-def]  # compiled
    """Factor H with the observed weights, or without the negative ones where it is not positive definite."""
    concave = True
    for i in range(d2.shape[0]):
        weights[i] = -d2[i]
        concave = concave and not weights[i] < 0.0
    if factor_rows(weights, a, rows, tree, precision, L, Y, S):
        return True
    if concave:
        return False
    for i in range(d2.shape[0]):
        weights[i] = max(weights[i], 0.0)
    return factor_rows(weights, a, rows, tree, precision, L, Y, S)


@jitable
def _ascend(  # type: ignore[no-untyped-def]  # compiled
    derivatives, data, phi, index, a, effects, precision, z, step, moved, eta, table, value, close
):
    """Take the longest of the steps 1, 1/2, ... that raises h (the whole one if ``close``); return h and length."""
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        for k in range(z.shape[0]):
            moved[k] = z[k] + length * step[k, 0]
        reached = _move(derivatives, data, phi, index, a, effects, precision, moved, eta, table)
        if close or reached > value:
            z[:] = moved
            return reached, length
        length *= 0.5
    return _move(derivatives, data, phi, index, a, effects, precision, z, eta, table), 0.0


@jitable
def _climb(  # type: ignore[no-untyped-def]  # compiled
    derivatives, data, phi, index, a, rows, tree, precision, warm, z, eta, table, L, Y, S
):
    """Move z to the mode; return h, factorisations and whether the mode was reached."""
    Q, n = z.shape[0], eta.shape[0]
    gradient, step, moved, weights = np.empty(Q), np.empty((Q, 1)), np.empty(Q), np.empty(n)
    effects = tree[6]
    value = _move(derivatives, data, phi, index, a, effects, precision, z, eta, table)
    if not np.isfinite(value):
        z[:] = 0.0
        value = _move(derivatives, data, phi, index, a, effects, precision, z, eta, table)
    for iteration in range(1, _MAX_FACTORISATIONS + 1):
        if not (warm and iteration == 1) and not _factor_at(table[2], weights, a, rows, tree, precision, L, Y, S):
            return value, iteration, False  # weights so large that 1 is lost beside them
        before, reused = np.inf, warm and iteration == 1
        while True:
            decrement = _newton_step(index, a, table[1], z, tree, precision, L, Y, S, gradient, step)
            # So close that rounding hides the gain in h: the full step is safe, and halving would refuse it.
            close = decrement <= _CLOSE * (1.0 + abs(value))
            if reused and not decrement < 0.01 * before:
                break
            value, length = _ascend(
                derivatives, data, phi, index, a, effects, precision, z, step, moved, eta, table, value, close
            )
            if not np.isfinite(value):
                return value, iteration, False
            if not reused and decrement <= _TOLERANCE:
                return value, iteration, True
            if reused and decrement * min(1.0, decrement / before) <= _REUSED_TOLERANCE and before < np.inf:
                return value, iteration, True
            if length == 0.0:
                if reused:
                    break
                return value, iteration, False
            if length < 1.0 or decrement > 0.01 * (1.0 + Q):
                break
            before, reused = decrement, True
    return value, _MAX_FACTORISATIONS, False


def _entry(stamp: int) -> Any:
    """Compile the search; it closes over the checksum of the sources that it is made of."""
    result = types.Tuple((types.float64, types.int64, types.boolean, types.boolean))
    data = (IN, IN, IN, IN)

    @compiled(
        result(
            *(types.intp, *data, types.float64, WHOLE, TABLE, ROWS, TREE, TABLE, types.boolean),
            *(OUT, OUT, TABLE, OUT, OUT, TABLE),
        ),
    )
    def _search(  # type: ignore[no-untyped-def]
        address, y, size, observation_weights, fixed, phi, index, a, rows, tree, precision, warm, z, eta, table, L, Y, S
    ):
        _ = stamp
        data, derivatives = (y, size, observation_weights, fixed), derivatives_at(address)
        value, iterations, converged = _climb(
            derivatives, data, phi, index, a, rows, tree, precision, warm, z, eta, table, L, Y, S
        )
        if not np.isfinite(value):
            return value, iterations, False, False
        weights = np.empty(eta.shape[0])
        for i in range(eta.shape[0]):
            weights[i] = -table[2, i]
        return value, iterations, factor_rows(weights, a, rows, tree, precision, L, Y, S), converged

    return _search


_SOURCES = ("elimination", "nodes", "lapack", "pointers", "types")
_search = _entry(source_stamp(*(f"engine/{name}.py" for name in _SOURCES)))
