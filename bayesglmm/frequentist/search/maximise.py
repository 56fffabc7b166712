"""Maximise a smooth log-likelihood with some parameters >= 0: scoring, quasi-Newton, pinning at zero, Newton polish.

Steps of scoring and L-BFGS-B (scipy) bring the parameters near the maximum; entries of Lambda that have run to zero are
pinned there if that costs nothing, and freed again if a step away from zero gains; Newton steps with differences of the
exact gradient finish to rounding. A saddle is left along the direction that rises. A search that stopped early goes on
without gradients (COBYQA, scipy), and is polished again.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from bayesglmm.frequentist.search.edges import escape, free, pin
from bayesglmm.frequentist.search.objective import Counted, Objective
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.search.polish import polish

__all__ = ["Objective", "maximise"]

_RESTARTS = 6
_SCORING_STEPS = 4
#: Where the log-likelihood is close to a parabola the quasi-Newton search may leave more to Newton's steps.
_SLOPE, _SLOPE_LARGE = 3e-6, 1e-3
#: Smallest information, beside the largest, of a direction that the data hold; natural units of both.
_FLAT = 1e-9
#: Decrement from which a search counts as stopped early, and values that a search without gradients may take for each
#: parameter before it gives up.
_STOPPED, _VALUES = 1e-6, 60


def maximise(objective: Objective, start: np.ndarray) -> Optimum:
    """Return the maximum reached from ``start`` (k,) with its Hessian and status."""
    f = Counted(objective)
    w = _score(f, np.linalg.solve(objective.units, start))
    iterations = 0
    pinned = np.zeros(len(w), dtype=bool)
    for _ in range(_RESTARTS):
        w, steps = _quasi_newton(f, w, pinned)
        w, pinned = pin(f, w, pinned)
        polished = polish(f, w, pinned)
        iterations += steps + polished.steps
        w = polished.w
        freed = free(f, w, polished.value, pinned)
        if freed is not None:
            w, pinned = freed
            continue
        away = escape(f, polished, pinned)
        if away is None:
            break
        w = away
    if polished.decrement > _STOPPED:
        # Where gradients lead nowhere (noise, a kink), a search that needs none may.
        w, steps = _without_gradient(f, polished.w, pinned)
        polished = polish(f, w, pinned)
        iterations += steps + polished.steps
    H, there = polished.hessian, np.flatnonzero(~pinned)
    norm = float(np.abs(polished.gradient[~pinned]).max(initial=0.0))
    inverse = np.linalg.inv(objective.units[np.ix_(there, there)])
    hessian = np.full_like(H, np.nan)
    hessian[np.ix_(there, there)] = inverse.T @ H[np.ix_(there, there)] @ inverse
    status = _status(hessian[np.ix_(there, there)], objective.natural[np.ix_(there, there)], polished.decrement, pinned)
    x = objective.units @ polished.w
    return Optimum(start, x, polished.value, norm, iterations, f.count[0], pinned, hessian, status)


def _score(f: Counted, w: np.ndarray) -> np.ndarray:
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


def _quasi_newton(f: Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, int]:
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


def _without_gradient(f: Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the point that COBYQA (Ragonneau 2022) reaches from w with values alone, and its steps."""
    there = np.flatnonzero(~pinned)

    def negative(v: np.ndarray) -> float:
        point = w.copy()
        point[there] = v
        value = f.value(point)
        return -value if np.isfinite(value) else 1e100

    bounds = [(0.0 if f.objective.nonnegative[k] else -np.inf, np.inf) for k in there]
    options = {"maxfev": _VALUES * (1 + len(there)), "initial_tr_radius": 1.0, "final_tr_radius": 1e-8}
    found = minimize(negative, w[there], method="COBYQA", bounds=bounds, options=options)
    if not -found.fun > f.value(w):
        return w, int(found.nit)
    moved = w.copy()
    moved[there] = found.x
    return moved, int(found.nit)


def _status(hessian: np.ndarray, natural: np.ndarray, decrement: float, pinned: np.ndarray) -> OptimumStatus:
    information = -natural.T @ hessian @ natural
    if not np.isfinite(information).all() or decrement > _STOPPED:
        return OptimumStatus.STOPPED_EARLY
    eigenvalues = np.linalg.eigvalsh(information) if len(information) else np.ones(1)
    if eigenvalues.min() <= _FLAT * max(eigenvalues.max(), 1.0):
        return OptimumStatus.FLAT
    return OptimumStatus.BOUNDARY if pinned.any() else OptimumStatus.CONVERGED
