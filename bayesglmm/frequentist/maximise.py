"""Maximise a smooth log-likelihood with some parameters >= 0: quasi-Newton, pinning at zero, Newton polish.

L-BFGS-B (scipy) brings the parameters near the maximum; entries of Lambda that have run to zero are pinned there if
that costs nothing, and freed again if a step away from zero gains (the log-likelihood is even in them, so that their
gradient at zero says nothing); Newton steps with differences of the exact gradient finish to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from bayesglmm.frequentist.optimum import Optimum, OptimumStatus

__all__ = ["Objective", "climb", "maximise"]

type ValueGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]

_NEAR_ZERO = 1e-2
_GAIN = 1e-7
_DECREMENT = 1e-11
_NEWTON_STEPS = 15
_RESTARTS = 4


@dataclass(frozen=True, eq=False)
class Objective:
    """What is maximised.

    Attributes
    ----------
    evaluate : callable
        x -> (value, gradient); -inf where it cannot be computed.
    units : ndarray, shape (k, k)
        x = units w, with w of order one and nearly uncorrelated: the search is in w.
    nonnegative : ndarray of bool, shape (k,)
        Parameters that are kept >= 0; ``units`` is diagonal and positive there.
    columns : tuple of ndarray of int
        For each column of each Lambda, the positions of its entries in x, the diagonal one (nonnegative) first.
    absorb : callable
        (x, column) -> x with that column zero and its part of Lambda Lambda' moved into the columns after it.
    """

    evaluate: ValueGradient
    units: np.ndarray
    nonnegative: np.ndarray
    columns: tuple[np.ndarray, ...]
    absorb: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Counted:
    """An objective in the coordinates w that counts its evaluations."""

    objective: Objective
    count: list[int] = field(default_factory=lambda: [0])

    def value(self, w: np.ndarray) -> float:
        return self(w)[0]

    def __call__(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        self.count[0] += 1
        value, gradient = self.objective.evaluate(self.objective.units @ w)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return -np.inf, np.zeros_like(w)
        return value, self.objective.units.T @ gradient

    def absorb(self, w: np.ndarray, column: np.ndarray) -> np.ndarray:
        units = self.objective.units
        return np.linalg.solve(units, self.objective.absorb(units @ w, column))


def maximise(objective: Objective, start: np.ndarray) -> Optimum:
    """Return the maximum reached from ``start`` (k,) with its Hessian and status."""
    f = _Counted(objective)
    w = np.linalg.solve(objective.units, start)
    iterations = 0
    pinned = np.zeros(len(w), dtype=bool)
    for _ in range(_RESTARTS):
        w, steps = _quasi_newton(f, w, pinned)
        iterations += steps
        w, pinned = _pin(f, w, pinned)
        w, H, decrement, steps = _newton(f, w, pinned)
        iterations += steps
        freed = _free(f, w, pinned)
        if freed is None:
            break
        w, pinned = freed
    value, gradient = f(w)
    norm = float(np.abs(gradient[~pinned]).max(initial=0.0))
    free = np.flatnonzero(~pinned)
    inverse = np.linalg.inv(objective.units[np.ix_(free, free)])
    hessian = np.full_like(H, np.nan)
    hessian[np.ix_(free, free)] = inverse.T @ H[np.ix_(free, free)] @ inverse
    status = _status(H, decrement, pinned)
    return Optimum(start, objective.units @ w, value, norm, iterations, f.count[0], pinned, hessian, status)


def climb(objective: Objective, start: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the point that quasi-Newton steps reach from ``start`` (k,), parameters ``held`` left where they are."""
    w, _ = _quasi_newton(_Counted(objective), np.linalg.solve(objective.units, start), held)
    return objective.units @ w


def _quasi_newton(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, int]:
    def negative(v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = f(v)
        if not np.isfinite(value):
            return 1e100, np.zeros_like(v)  # a wall: the line search turns back
        return -value, np.where(pinned, 0.0, -gradient)

    lower = np.where(f.objective.nonnegative, 0.0, -np.inf)
    bounds = [(at, at) if fixed else (low, None) for at, fixed, low in zip(w, pinned, lower, strict=True)]
    options = {"maxiter": 500, "maxfun": 5000, "ftol": 1e-13, "gtol": 1e-5, "maxcor": 20}
    found = minimize(negative, w, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x), int(found.nit)


def _pin(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pin each column of Lambda whose diagonal entry is near zero, where zero is no worse."""
    value = f.value(w)
    pinned = pinned.copy()
    for column in f.objective.columns:
        if pinned[column[0]] or w[column[0]] > _NEAR_ZERO:
            continue
        zero = f.absorb(w, column)
        at_zero = f.value(zero)
        if at_zero >= value - _GAIN:
            w, value = zero, at_zero
            pinned[column] = True
    return w, pinned


def _free(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a better point off the boundary, or None if every pinned parameter is best at zero."""
    value = f.value(w)
    for k in np.flatnonzero(pinned):
        for distance in (0.3, 0.05):
            away = w.copy()
            away[k] = distance
            if f.value(away) > value + _GAIN:
                freed = pinned.copy()
                freed[k] = False
                return away, freed
    return None


def _newton(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Polish by Newton steps over free parameters; return w, Hessian (k, k), last decrement, steps."""
    free = np.flatnonzero(~pinned)
    H = np.full((len(w), len(w)), np.nan)
    value, gradient = f(w)
    decrement = np.inf
    for step in range(1, _NEWTON_STEPS + 1):
        part = _differences(f, w, free)
        H[np.ix_(free, free)] = part
        if not np.isfinite(part).all():
            return w, H, np.inf, step
        eigenvalues, vectors = np.linalg.eigh(-part)
        floor = 1e-10 * max(float(eigenvalues.max(initial=1.0)), 1.0)
        along = vectors.T @ gradient[free]
        decrement = float((along**2 / np.maximum(np.abs(eigenvalues), floor)).sum())
        if decrement <= _DECREMENT:
            return w, H, decrement, step
        direction = vectors @ (along / np.maximum(np.abs(eigenvalues), floor))
        moved = _line(f, w, value, free, direction)
        if moved is None:
            return w, H, decrement, step
        w, value, gradient = moved
    return w, H, decrement, _NEWTON_STEPS


def _line(
    f: _Counted, w: np.ndarray, value: float, free: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    length = 1.0
    for _ in range(30):
        new = w.copy()
        new[free] += length * direction
        new = np.where(f.objective.nonnegative, np.abs(new), new)  # even in these, so that reflection costs nothing
        new_value, gradient = f(new)
        if new_value >= value - 1e-10 * (1.0 + abs(value)) * (length == 1.0):
            return new, new_value, gradient
        length *= 0.5
    return None


def _differences(f: _Counted, w: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the Hessian over free parameters from central differences of the gradient (error of order h^4)."""
    h = 2e-3
    H = np.empty((len(free), len(free)))
    for row, k in enumerate(free):
        e = np.zeros(len(w))
        e[k] = h
        values, gradients = zip(*(f(w + k * e) for k in (-2, -1, 1, 2)), strict=True)
        before2, before, after, after2 = (gradient[free] for gradient in gradients)
        H[row] = (8.0 * (after - before) - (after2 - before2)) / (12.0 * h) if np.isfinite(values).all() else np.nan
    return 0.5 * (H + H.T)


def _status(H: np.ndarray, decrement: float, pinned: np.ndarray) -> OptimumStatus:
    free = np.flatnonzero(~pinned)
    information = -H[np.ix_(free, free)]
    if not np.isfinite(information).all() or decrement > 1e-6:
        return OptimumStatus.STOPPED_EARLY
    eigenvalues = np.linalg.eigvalsh(information) if len(free) else np.ones(1)
    if eigenvalues.min() <= 1e-9 * max(eigenvalues.max(), 1.0):
        return OptimumStatus.FLAT
    return OptimumStatus.BOUNDARY if pinned.any() else OptimumStatus.CONVERGED
