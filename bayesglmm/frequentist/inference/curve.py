"""The profile of one parameter: the largest log-likelihood as a function of its value, traced outwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from bayesglmm.errors import FitError

__all__ = ["Curve", "trace"]

_SPACING = 0.5
_ON_TARGET = 1e-4
_TRIES = 8
_POINTS = 40
_GAIN = 1e-5

type Maximum = Callable[[float, np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Curve:
    """A profile likelihood.

    Attributes
    ----------
    name : str
        The parameter.
    estimate : float
        Where the log-likelihood is largest.
    values : ndarray, shape (m,)
        Ascending values of the parameter.
    zeta : ndarray, shape (m,)
        Signed root of the deviance there, sign(value - estimate) sqrt(2 (l_max - l(value))); on a quadratic
        log-likelihood a straight line.
    bounds : (float, float)
        Ends of the parameter's range where the curve comes to them, else nan.
    """

    name: str
    estimate: float
    values: np.ndarray
    zeta: np.ndarray
    bounds: tuple[float, float]

    @property
    def deviance(self) -> np.ndarray:
        """Twice the fall of the log-likelihood, shape (m,)."""
        return self.zeta**2

    def at(self, zeta: float) -> float:
        """Return the value whose signed root is ``zeta``.

        The end of the parameter's range where the curve comes to it before; infinite where the log-likelihood does not
        fall so far within reach.
        """
        lower, upper = self.bounds
        if zeta < self.zeta[0]:
            return lower if np.isfinite(lower) else -np.inf
        if zeta > self.zeta[-1]:
            return upper if np.isfinite(upper) else np.inf
        return float(_inverse(self.zeta, self.values)(zeta))


def _inverse(zeta: np.ndarray, values: np.ndarray) -> Callable[[float], float]:
    """Return value as a smooth increasing function of zeta: a cubic spline, or where that turns back a monotone one."""
    zeta, first = np.unique(zeta, return_index=True)
    values = values[first]
    if len(zeta) < 2:
        return lambda _: float(values[0])
    spline = CubicSpline(zeta, values)
    if (spline(np.linspace(zeta[0], zeta[-1], 200), 1) > 0.0).all():
        return lambda z: float(spline(z))
    monotone = PchipInterpolator(zeta, values)
    return lambda z: float(monotone(z))


@dataclass(frozen=True, eq=False)
class _Point:
    value: float
    height: float
    v: np.ndarray


def trace(
    name: str,
    maximum: Maximum,
    estimate: tuple[float, float, float],
    v: np.ndarray,
    bounds: tuple[float, float],
    targets: tuple[float, ...],
) -> Curve:
    """Trace the profile of a parameter to both sides.

    Parameters
    ----------
    name : str
        The parameter.
    maximum : callable
        (value, start) -> (largest log-likelihood, the other coordinates there).
    estimate : (float, float, float)
        The estimate, a first guess of its standard error, the log-likelihood.
    v : ndarray
        The other coordinates at the estimate.
    bounds : (float, float)
        The parameter's range.
    targets : tuple of float
        Ascending values of |zeta| that are met to 1e-4; the last one ends the trace.

    Raises
    ------
    FitError
        A held fit is better than the fit itself.
    """
    center = _Point(estimate[0], estimate[2], v)
    sides = []
    reached = [np.nan, np.nan]
    for side in (-1, 1):
        end = bounds[(side + 1) // 2]
        walk = _Walk(name, maximum, center, side, end, estimate[1])
        points = [] if center.value == end else walk.run(targets)
        sides.append(points)
        if center.value == end or (points and points[-1].value == end):
            reached[(side + 1) // 2] = end
    points = [*reversed(sides[0]), center, *sides[1]]
    values = np.array([p.value for p in points])
    heights = np.array([p.height for p in points])
    zeta = np.sign(values - center.value) * np.sqrt(2.0 * np.maximum(center.height - heights, 0.0))
    return Curve(name, center.value, values, zeta, (reached[0], reached[1]))


@dataclass(frozen=True, eq=False)
class _Walk:
    """From the estimate to one side."""

    name: str
    maximum: Maximum
    center: _Point
    side: int
    end: float
    std_error: float

    def run(self, targets: tuple[float, ...]) -> list[_Point]:
        """Return points by distance, the last at the last target, at the end of the range, or as far as was looked."""
        points = [self.center]
        for target in self._stations(targets):
            exact = target in targets
            for _ in range(_TRIES if exact else 1):
                nearest = min(abs(self._zeta(p) - target) for p in points)
                if nearest < (_ON_TARGET if exact else 0.5 * _SPACING) or len(points) > _POINTS:
                    break
                if points[-1].value == self.end and self._zeta(points[-1]) <= target:
                    return points[1:]
                value = self._propose(points, target)
                points = sorted([*points, self._solve(value, points)], key=lambda p: self.side * p.value)
        return points[1:]

    def _stations(self, targets: tuple[float, ...]) -> list[float]:
        between = np.arange(_SPACING, targets[-1], _SPACING)
        return sorted({*targets, *(float(b) for b in between if min(abs(b - t) for t in targets) > 0.6 * _SPACING)})

    def _zeta(self, point: _Point) -> float:
        return float(np.sqrt(2.0 * max(self.center.height - point.height, 0.0)))

    def _propose(self, points: list[_Point], target: float) -> float:
        roots = np.array([self._zeta(p) for p in points])
        distances = np.array([abs(p.value - self.center.value) for p in points])
        if roots[-1] > target:
            kept = np.concatenate([[True], np.diff(np.maximum.accumulate(roots)) > 0.0])
            distance = float(PchipInterpolator(roots[kept], distances[kept])(target))
        elif len(points) == 1:
            distance = target * self.std_error
        else:
            step = distances[-1] - distances[-2]
            slope = (roots[-1] - roots[-2]) / step
            ahead = (target - roots[-1]) / max(slope, 1e-300)
            distance = distances[-1] + float(np.clip(ahead, 0.1 * step, 4.0 * distances[-1]))
        value = self.center.value + self.side * distance
        if self.side * (value - self.end) < 0.0:
            return value
        return self.end

    def _solve(self, value: float, points: list[_Point]) -> _Point:
        near = sorted(points, key=lambda p: abs(p.value - value))[:2]
        start = near[0].v
        if len(near) == 2 and near[0].value != near[1].value:
            share = (value - near[0].value) / (near[1].value - near[0].value)
            guess = start + max(share, -2.0) * (near[1].v - start)
            found = self._checked(value, *self.maximum(value, guess))
            if np.isfinite(found.height):
                return found
        return self._checked(value, *self.maximum(value, start))

    def _checked(self, value: float, height: float, v: np.ndarray) -> _Point:
        if height > self.center.height + _GAIN:
            raise FitError(
                f"with {self.name} held at {value:.6g} the log-likelihood is {height:.6f}, above the fit's own "
                f"{self.center.height:.6f}: the fit is no maximum. Fit it by another method, or rescale its columns."
            )
        return _Point(value, height, v)
