"""Newton's steps with differences of the exact gradient: from near a maximum to it, with the Hessian there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.frequentist.search.objective import Counted

__all__ = ["Polished", "polish"]

#: A decrement is the square of a distance in standard errors. The first is near enough; the second is as near as
#: rounding lets small problems come, where a step costs nothing.
_DECREMENT, _EXACT = 1e-11, 1e-16
_STEPS = 40
#: Half the step of the differences, in units w: a thousandth of a standard error, so that the error of the Hessian, of
#: the order of its square, stays below the fifth digit. An entry of Lambda is moved by no more than a
#: hundredth of itself: near zero the log-likelihood bends on that scale, whatever its standard error is.
_DISTANCE, _SHARE, _SMALLEST = 1e-3, 1e-2, 1e-4
#: The Hessian is taken afresh once the point has moved by so many standard errors; where the log-likelihood is close to
#: a parabola it changes less on the way.
_FAR, _FAR_LARGE = 1e-5, 3e-3
#: A direction whose standard error has grown a hundredfold since the start may still be growing.
_SUSPICIOUS = 1e-4


@dataclass(frozen=True, eq=False)
class Polished:
    """Where Newton's steps ended: w, value, gradient, Hessian (k, k), last decrement and number of steps."""

    w: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    decrement: float
    steps: int


def polish(f: Counted, w: np.ndarray, pinned: np.ndarray) -> Polished:
    """Finish by Newton steps over free parameters; the Hessian serves until the point has moved away from it."""
    free = np.flatnonzero(~pinned)
    H = np.full((len(w), len(w)), np.nan)
    value, gradient = f(w)
    decrement, moved_by, previous = np.inf, np.inf, np.inf
    far, exact = (_FAR, _EXACT) if f.objective.central else (_FAR_LARGE, _DECREMENT)
    for step in range(1, _STEPS + 1):
        if moved_by > far or decrement > 0.1 * previous:
            part = _differences(f, w, gradient, free)
            H[np.ix_(free, free)] = part
            if not np.isfinite(part).all():
                return Polished(w, value, gradient, H, np.inf, step)
            curvature, vectors = _curvature(part)
            moved_by, previous = 0.0, np.inf
        along = vectors.T @ gradient[free]
        previous, decrement = decrement, float((along**2 / curvature).sum())
        if decrement <= exact or (decrement <= _DECREMENT and decrement > 0.1 * previous):
            if moved_by == 0.0 or curvature.min(initial=1.0) > _SUSPICIOUS * curvature.max(initial=1.0):
                return Polished(w, value, gradient, H, decrement, step)
            moved_by = np.inf  # where it is so flat, an older Hessian is not to be trusted
            continue
        moved = _line(f, w, value, free, vectors @ (along / curvature))
        if moved is None:
            return Polished(w, value, gradient, H, decrement, step)
        w, value, gradient = moved
        moved_by += np.sqrt(decrement)
    return Polished(w, value, gradient, H, decrement, _STEPS)


def _curvature(H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of the eigenvalues of -H, away from zero, and its eigenvectors."""
    eigenvalues, vectors = np.linalg.eigh(-H)
    floor = 1e-10 * max(float(eigenvalues.max(initial=1.0)), 1.0)
    return np.maximum(np.abs(eigenvalues), floor), vectors


def _line(
    f: Counted, w: np.ndarray, value: float, free: np.ndarray, direction: np.ndarray
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


def _differences(f: Counted, w: np.ndarray, gradient: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the Hessian over free parameters from differences of the gradient."""
    H = np.empty((len(free), len(free)))
    for row, k in enumerate(free):
        distance = _DISTANCE
        if f.objective.nonnegative[k]:
            distance = float(np.clip(_SHARE * w[k], _SMALLEST, _DISTANCE))
        e = np.zeros(len(w))
        e[k] = distance
        above, there = f(w + e)
        below, here = f(w - e) if f.objective.central else (0.0, gradient)
        width = 2.0 * distance if f.objective.central else distance
        H[row] = (there[free] - here[free]) / width if np.isfinite([above, below]).all() else np.nan
    return 0.5 * (H + H.T)
