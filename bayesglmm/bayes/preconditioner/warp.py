"""Curves that make slices of a density through its middle standard normal: x_k = T_k(v_k).

The posterior of a standard deviation or a correlation is skew, or has heavy tails, in any coordinate that is chosen
beforehand. With F_k the distribution function of the slice along axis k, T_k = F_k^-1 o Phi makes that slice normal. A
curve is kept as its value and two derivatives at equally spaced nodes, joined by polynomials of degree five, so that
log T' and its derivative are continuous. The target stays exact, whatever the curves: log T_k'(v_k) is added to it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from scipy.special import log_ndtr

from bayesglmm.bayes.preconditioner.affine import call_density
from bayesglmm.compiled import compiled, compiled_pointer, jitable, source_stamp
from bayesglmm.density.addresses import void_pointer
from bayesglmm.density.native import LOG_DENSITY, NativeDensity

__all__ = ["fit_curves", "warped_density", "warped_draws"]

_SOURCES = ("bayes/preconditioner", "density/native.py")
#: Nodes of a curve: the first, and the distance between neighbours (in standard deviations of v).
_FIRST, _SPACING, _NODES = -6.0, 0.25, 49
_AT = _FIRST + _SPACING * np.arange(_NODES)
#: Logarithms of the normal distribution function at the nodes, and minus those of what lies above them.
_LOG_BELOW, _LOG_ABOVE = log_ndtr(_AT), -log_ndtr(-_AT)
#: A slice is followed until its log density lies so far below its top, at most so far from the middle.
_DEEP, _FAR = 25.0, 1e5
#: The first step along a slice, and by how much steps grow.
_STEP, _GROWTH = 0.25, 1.08
#: Points of a quadrature between two evaluations of a slice; evaluations without which a side says nothing.
_BETWEEN, _FEWEST = 32, 3

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def fit_curves(evaluate: Evaluate, size: int) -> np.ndarray:
    """Return the curves of a density of a few coordinates, shape (size, nodes, 3): T, T', T'' at each node.

    Parameters
    ----------
    evaluate : callable
        x (size,) -> (log density, gradient (size,)); 0 is near the top, coordinates are in standard deviations.
    size : int
        Number of coordinates.
    """
    straight = np.stack([_AT, np.ones(_NODES), np.zeros(_NODES)], axis=1)
    curves = np.array([_curve(evaluate, size, k) for k in range(size)]).reshape(size, _NODES, 3)
    # A slice that a cubic between its points does not follow may bend the polynomials back.
    between = np.repeat(np.linspace(_AT[0], _AT[-1], 16 * (_NODES - 1) + 1)[:, None], size, axis=1)
    usable = np.isfinite(curves).all(axis=(1, 2))
    curves[~usable] = straight
    curves[(np.diff(warped_draws(curves, between), axis=0) <= 0.0).any(axis=0)] = straight
    return curves


def _curve(evaluate: Evaluate, size: int, k: int) -> np.ndarray:
    """Return T and its derivatives at the nodes, shape (nodes, 3); nan where the slice along axis k has no such."""
    below, above = _side(evaluate, size, k, -1.0), _side(evaluate, size, k, 1.0)
    if min(len(below), len(above)) < _FEWEST:
        return np.full((_NODES, 3), np.nan)
    place, value, slope = np.array(below[:0:-1] + above).T
    pieces = _hermite(place, value - value.max(), slope)
    shares = np.arange(_BETWEEN) / _BETWEEN
    widths = np.diff(place)
    t = np.append((place[:-1, None] + widths[:, None] * shares).ravel(), place[-1])
    p = np.exp(np.append(_cubic(pieces[..., None], shares).ravel(), value[-1] - value.max()))
    mass = 0.5 * (p[1:] + p[:-1]) * np.diff(t)
    with np.errstate(divide="ignore"):
        lower = np.log(np.append(0.0, np.cumsum(mass)))
        upper = np.log(np.append(np.cumsum(mass[::-1])[::-1], 0.0))
    total = lower[-1]
    # Each tail by its own share: that of the other side is 1 but for rounding.
    left, right = np.interp(_LOG_BELOW, lower - total, t), np.interp(_LOG_ABOVE, total - upper, t)
    z, T = _AT, np.where(_AT < 0.0, left, right)
    piece = np.clip(np.searchsorted(place, T, side="right") - 1, 0, len(widths) - 1)
    own, s = pieces[:, piece], (T - place[piece]) / widths[piece]
    rise = np.exp(total - 0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - _cubic(own, s))
    bend = (own[1] + s * (2.0 * own[2] + 3.0 * s * own[3])) / widths[piece]
    return np.stack([T, rise, rise * (-z - bend * rise)], axis=1)


def _hermite(place: np.ndarray, value: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return coefficients (4, n - 1) of the cubics in (t - place) / width that meet values and slopes (n,)."""
    width, rise = np.diff(place), np.diff(value)
    left, right = width * slope[:-1], width * slope[1:]
    return np.stack([value[:-1], left, 3.0 * rise - 2.0 * left - right, left + right - 2.0 * rise])


def _cubic(pieces: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return the cubics ``pieces`` (4, ...) at the shares s of their widths."""
    found: np.ndarray = pieces[0] + s * (pieces[1] + s * (pieces[2] + s * pieces[3]))
    return found


def _side(evaluate: Evaluate, size: int, k: int, sign: float) -> list[tuple[float, float, float]]:
    """Return (x_k, log density, its derivative in x_k) from the middle outwards, all other coordinates 0."""
    found: list[tuple[float, float, float]] = []
    x, distance, step, top = np.zeros(size), 0.0, _STEP, -math.inf
    while distance < _FAR and (not found or found[-1][1] >= top - _DEEP):
        x[k] = sign * distance
        value, gradient = evaluate(x)
        slope = float(gradient[k])
        if not (math.isfinite(value) and math.isfinite(slope)):
            break
        found.append((float(x[k]), value, slope))
        top = max(top, value)
        distance += step
        step *= _GROWTH
    return found


@jitable
def _curve_at(curve, v):  # type: ignore[no-untyped-def]  # compiled
    """Return T(v), T'(v) and T''(v); beyond the nodes a curve goes straight on."""
    nodes = curve.shape[0]
    place = (v - _FIRST) / _SPACING
    if not place > 0.0:
        return curve[0, 0] + (v - _FIRST) * curve[0, 1], curve[0, 1], 0.0
    if not place < nodes - 1.0:
        end = _FIRST + _SPACING * (nodes - 1.0)
        return curve[nodes - 1, 0] + (v - end) * curve[nodes - 1, 1], curve[nodes - 1, 1], 0.0
    i = int(place)
    s, h = place - i, _SPACING
    a, b = curve[i], curve[i + 1]
    c0, c1, c2 = a[0], h * a[1], 0.5 * h * h * a[2]
    # What the quadratic from the left misses at the right end, in value and two derivatives.
    m0 = b[0] - (c0 + c1 + c2)
    m1 = h * b[1] - (c1 + 2.0 * c2)
    m2 = h * h * b[2] - 2.0 * c2
    c3 = 10.0 * m0 - 4.0 * m1 + 0.5 * m2
    c4 = -15.0 * m0 + 7.0 * m1 - m2
    c5 = 6.0 * m0 - 3.0 * m1 + 0.5 * m2
    T = c0 + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * c5))))
    slope = c1 + s * (2.0 * c2 + s * (3.0 * c3 + s * (4.0 * c4 + s * 5.0 * c5)))
    bend = 2.0 * c2 + s * (6.0 * c3 + s * (12.0 * c4 + s * 20.0 * c5))
    return T, slope / h, bend / (h * h)


@functools.cache
def _compile() -> tuple[Any, Any]:
    """Return the C function of the density and the map of many draws."""
    stamp = source_stamp(*_SOURCES)

    def warped(n, v_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (2, 4), np.int64)
        v, gradient, value = nb.carray(v_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
        curves = nb.carray(void_pointer(t[0, 0]), (t[0, 1], t[0, 2], 3), np.float64)
        x, added = np.empty(n), np.empty((2, t[0, 1]))
        total = _warp(v, curves, x, added)
        status = call_density(t[1, 0], n, x.ctypes.data, gradient.ctypes.data, value.ctypes.data, t[1, 1])
        if status != 0:
            return status
        value[0] += total
        for k in range(added.shape[1]):
            gradient[k] = gradient[k] * added[0, k] + added[1, k]
        return 0

    def warped_rows(v, curves, out):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018
        added = np.empty((2, curves.shape[0]))
        for i in range(v.shape[0]):
            _warp(v[i], curves, out[i], added)

    table = nb.float64[:, ::1]
    return compiled_pointer(LOG_DENSITY)(warped), compiled(nb.void(table, nb.float64[:, :, ::1], table))(warped_rows)


@jitable
def _warp(v, curves, x, added):  # type: ignore[no-untyped-def]  # compiled
    """Fill x = T(v), T' and (log T')' of the coordinates that have curves; return the sum of log T'."""
    total = 0.0
    for k in range(v.shape[0]):
        x[k] = v[k]
    for k in range(curves.shape[0]):
        x[k], slope, bend = _curve_at(curves[k], v[k])
        total += np.log(slope)
        added[0, k], added[1, k] = slope, bend / slope
    return total


def warped_density(curves: np.ndarray, inner: NativeDensity) -> NativeDensity:
    """Return v -> density of ``inner`` at T(v), times T'(v), as a C function; its first coordinates have curves."""
    log_density, _ = _compile()
    table = np.array(
        [[curves.ctypes.data, *curves.shape], [inner.log_density.address, inner.data.ctypes.data, 0, 0]], dtype=np.int64
    )
    return NativeDensity(log_density, inner.expand, table, (curves, *inner.arrays, inner.data), inner.size)


def warped_draws(curves: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return x = T(v) of draws v (..., size)."""
    _, draws = _compile()
    flat = np.ascontiguousarray(v.reshape(-1, v.shape[-1]), dtype=np.float64)
    out = np.empty_like(flat)
    draws(flat, curves, out)
    return out.reshape(v.shape)
