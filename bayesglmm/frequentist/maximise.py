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

__all__ = ["Objective", "maximise"]

type ValueGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]

_NEAR_ZERO = 1e-2
_GAIN = 1e-7
#: A decrement is the square of a distance in standard errors. The first is near enough; the second is as near as
#: rounding lets small problems come, where a step costs nothing.
_DECREMENT, _EXACT = 1e-11, 1e-16
_NEWTON_STEPS = 40
_SCORING_STEPS = 4
_RESTARTS = 4
#: Half the step of the differences, in units w: a few thousandths of a standard error, so that the error of the
#: Hessian, of the order of its square, stays below the fifth digit.
_STEP = 3e-3
#: The Hessian is taken afresh once the point has moved by so many standard errors; where the log-likelihood is close to
#: a parabola it changes less on the way, and the quasi-Newton search may leave more to Newton's steps.
_FAR, _FAR_LARGE = 1e-4, 3e-3
_SLOPE, _SLOPE_LARGE = 1e-5, 1e-3


@dataclass(frozen=True, eq=False)
class Objective:
    """What is maximised.

    Attributes
    ----------
    evaluate : callable
        x -> (value, gradient); -inf where it cannot be computed.
    units : ndarray, shape (k, k)
        x = units w, with w about one standard error apart and nearly uncorrelated: the search is in w.
    nonnegative : ndarray of bool, shape (k,)
        Parameters that are kept >= 0; ``units`` is diagonal and positive there.
    reach : ndarray, shape (k,)
        The natural scale of each parameter in units of w: below a hundredth of it an entry of Lambda is near zero.
    columns : tuple of ndarray of int
        For each column of each Lambda, the positions of its entries in x, the diagonal one (nonnegative) first.
    absorb : callable
        (x, column) -> x with that column zero and its part of Lambda Lambda' moved into the columns after it.
    central : bool
        Whether differences of the gradient are taken on both sides. One side does where there are so many levels that
        the log-likelihood is close to a parabola.
    """

    evaluate: ValueGradient
    units: np.ndarray
    nonnegative: np.ndarray
    reach: np.ndarray
    columns: tuple[np.ndarray, ...]
    absorb: Callable[[np.ndarray, np.ndarray], np.ndarray]
    central: bool = True


@dataclass(frozen=True, eq=False)
class _Counted:
    """An objective in the coordinates w that counts its evaluations and remembers the last two."""

    objective: Objective
    count: list[int] = field(default_factory=lambda: [0])
    last: list[tuple[bytes, float, np.ndarray]] = field(default_factory=list)

    def value(self, w: np.ndarray) -> float:
        return self(w)[0]

    def __call__(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        key = w.tobytes()
        for known, value, gradient in self.last:
            if known == key:
                return value, gradient
        self.count[0] += 1
        value, gradient = self.objective.evaluate(self.objective.units @ w)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return -np.inf, np.zeros_like(w)
        self.last[:] = [*self.last[-1:], (key, value, self.objective.units.T @ gradient)]
        return self.last[-1][1:]

    def absorb(self, w: np.ndarray, column: np.ndarray) -> np.ndarray:
        units = self.objective.units
        return np.linalg.solve(units, self.objective.absorb(units @ w, column))


def maximise(objective: Objective, start: np.ndarray) -> Optimum:
    """Return the maximum reached from ``start`` (k,) with its Hessian and status."""
    f = _Counted(objective)
    w = np.linalg.solve(objective.units, start)
    iterations = 0
    pinned = np.zeros(len(w), dtype=bool)
    w = _score(f, w)
    for _ in range(_RESTARTS):
        w, steps = _quasi_newton(f, w, pinned)
        iterations += steps
        w, pinned = _pin(f, w, pinned)
        polished = _polish(f, w, pinned)
        w = polished.w
        iterations += polished.steps
        freed = _free(f, w, polished.value, pinned)
        if freed is None:
            break
        w, pinned = freed
    H, free = polished.hessian, np.flatnonzero(~pinned)
    norm = float(np.abs(polished.gradient[~pinned]).max(initial=0.0))
    inverse = np.linalg.inv(objective.units[np.ix_(free, free)])
    hessian = np.full_like(H, np.nan)
    hessian[np.ix_(free, free)] = inverse.T @ H[np.ix_(free, free)] @ inverse
    status = _status(H, polished.decrement, pinned)
    return Optimum(start, objective.units @ w, polished.value, norm, iterations, f.count[0], pinned, hessian, status)


def _score(f: _Counted, w: np.ndarray) -> np.ndarray:
    """Take steps of scoring, w + gradient where the information is near I, while they gain and the maximum is far."""
    value, gradient = f(w)
    for _ in range(_SCORING_STEPS):
        if not np.linalg.norm(gradient) > 1.0:
            break
        moved = w + gradient
        # No further than to a third of what is to stay positive: the information is another one there.
        moved = np.where(f.objective.nonnegative, np.clip(moved, w / 3.0, 3.0 * w), moved)
        reached, slope = f(moved)
        if not reached > value:
            break
        w, value, gradient = moved, reached, slope
    return w


def _quasi_newton(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, int]:
    def negative(v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = f(v)
        if not np.isfinite(value):
            return 1e100, np.zeros_like(v)  # a wall: the line search turns back
        return -value, np.where(pinned, 0.0, -gradient)

    if not len(w):
        return w, 0
    lower = np.where(f.objective.nonnegative, 0.0, -np.inf)
    bounds = [(at, at) if fixed else (low, None) for at, fixed, low in zip(w, pinned, lower, strict=True)]
    slope = _SLOPE if f.objective.central else _SLOPE_LARGE
    options = {"maxiter": 500, "maxfun": 5000, "ftol": 1e-13, "gtol": slope, "maxcor": 20}
    found = minimize(negative, w, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x), int(found.nit)


def _pin(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pin each column of Lambda whose diagonal entry is near zero, where zero is no worse."""
    pinned = pinned.copy()
    near = [c for c in f.objective.columns if not pinned[c[0]] and w[c[0]] <= _NEAR_ZERO * f.objective.reach[c[0]]]
    if not near:
        return w, pinned
    value = f.value(w)
    for column in near:
        zero = f.absorb(w, column)
        at_zero = f.value(zero)
        if at_zero >= value - _GAIN:
            w, value = zero, at_zero
            pinned[column] = True
    return w, pinned


def _free(f: _Counted, w: np.ndarray, value: float, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a better point off the boundary, or None if every pinned parameter is best at zero."""
    for k in np.flatnonzero(pinned):
        for distance in (0.3, 0.05):
            away = w.copy()
            away[k] = distance * f.objective.reach[k]
            if f.value(away) > value + _GAIN:
                freed = pinned.copy()
                freed[k] = False
                return away, freed
    return None


@dataclass(frozen=True, eq=False)
class _Polished:
    """Where Newton's steps ended: w, value, gradient, Hessian (k, k), last decrement and number of steps."""

    w: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    decrement: float
    steps: int


def _polish(f: _Counted, w: np.ndarray, pinned: np.ndarray) -> _Polished:
    """Finish by Newton steps over free parameters; the Hessian serves until the point has moved away from it."""
    free = np.flatnonzero(~pinned)
    H = np.full((len(w), len(w)), np.nan)
    value, gradient = f(w)
    decrement, moved_by, previous = np.inf, np.inf, np.inf
    far, exact = (_FAR, _EXACT) if f.objective.central else (_FAR_LARGE, _DECREMENT)
    for step in range(1, _NEWTON_STEPS + 1):
        if moved_by > far or decrement > 0.1 * previous:
            part = _differences(f, w, gradient, free)
            H[np.ix_(free, free)] = part
            if not np.isfinite(part).all():
                return _Polished(w, value, gradient, H, np.inf, step)
            eigenvalues, vectors = np.linalg.eigh(-part)
            floor = 1e-10 * max(float(eigenvalues.max(initial=1.0)), 1.0)
            curvature = np.maximum(np.abs(eigenvalues), floor)
            moved_by, previous = 0.0, np.inf
        along = vectors.T @ gradient[free]
        previous, decrement = decrement, float((along**2 / curvature).sum())
        if decrement <= exact or (decrement <= _DECREMENT and decrement > 0.1 * previous):
            return _Polished(w, value, gradient, H, decrement, step)
        moved = _line(f, w, value, free, vectors @ (along / curvature))
        if moved is None:
            return _Polished(w, value, gradient, H, decrement, step)
        w, value, gradient = moved
        moved_by += np.sqrt(decrement)
    return _Polished(w, value, gradient, H, decrement, _NEWTON_STEPS)


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


def _differences(f: _Counted, w: np.ndarray, gradient: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the Hessian over free parameters from differences of the gradient."""
    H = np.empty((len(free), len(free)))
    for row, k in enumerate(free):
        e = np.zeros(len(w))
        e[k] = _STEP
        above, there = f(w + e)
        below, here = f(w - e) if f.objective.central else (0.0, gradient)
        width = 2.0 * _STEP if f.objective.central else _STEP
        H[row] = (there[free] - here[free]) / width if np.isfinite([above, below]).all() else np.nan
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
