"""Maps between the unconstrained line, on which samplers move, and a parameter's own scale. Compiled."""

from __future__ import annotations

import math

from numba.extending import register_jitable

from bayesglmm.compiled import compiled

__all__ = [
    "IDENTITY",
    "INTERVAL",
    "LOG",
    "ON_CODES",
    "ORDERED",
    "SHORT_LOG",
    "scale_of",
    "scale_of_inline",
    "to_value",
    "to_value_inline",
]

#: Kinds of transform: PyMC's default for real, positive and interval support; and a logarithm with a short tail.
IDENTITY, LOG, INTERVAL, SHORT_LOG = 0, 1, 2, 3
#: The logarithm of what the parameter is above the one before it (PyMC's ``ordered``): no map of one number, so that
#: the joint density makes it (`density.kernel.natural_scalars`).
ORDERED = 4

#: Where a prior sits: on the parameter itself (a coefficient or an sd), on its square, on one over its
# square.
ON_CODES = {"sd": 0, "variance": 1, "precision": 2}
_VARIANCE = ON_CODES["variance"]
_PRECISION = ON_CODES["precision"]


@register_jitable
def to_value_inline(kind, x, lower, upper):  # type: ignore[no-untyped-def]  # compiled
    """Return (r, dr/dx, log|dr/dx|, d log|dr/dx| / dx); inlined by other kernels, see `to_value`."""
    if kind == IDENTITY:
        return x, 1.0, 0.0, 0.0
    if kind == LOG:
        r = math.exp(x)
        return r, r, x, 1.0
    if kind == SHORT_LOG:
        root = math.sqrt(x * x + 1.0)
        gap = root - x if x < 0.0 else 1.0 / (root + x)
        h = x + 0.25 * (x * gap + math.asinh(x))
        h1 = 1.0 + 0.5 * gap
        r = lower * math.exp(h)
        return r, r * h1, math.log(lower) + h + math.log(h1), h1 - 0.5 * gap / (root * h1)
    # Everything through exp(-|x|), which cannot overflow; r is measured from the nearer bound, so that it
    # neither leaves the interval by rounding nor loses its digits beside a bound of 0.
    width = upper - lower
    t = math.exp(-abs(x))
    near = width * t / (1.0 + t)
    r = upper - near if x > 0.0 else lower + near
    log_slope = math.log(width) - abs(x) - 2.0 * math.log1p(t)
    return r, near / (1.0 + t), log_slope, -math.tanh(0.5 * x)


@register_jitable
def scale_of_inline(on, r):  # type: ignore[no-untyped-def]  # compiled
    """Return (sd, d sd / dr); inlined by other kernels, see `scale_of`."""
    if on == _VARIANCE:
        sd = math.sqrt(r)
        return sd, 0.5 / sd
    if on == _PRECISION:
        sd = 1.0 / math.sqrt(r)
        return sd, -0.5 * sd / r
    return r, 1.0


@compiled
def to_value(kind, x, lower, upper):  # type: ignore[no-untyped-def]  # compiled
    """Map a point of the unconstrained line to a parameter.

    Parameters
    ----------
    kind : int
        `IDENTITY`, `LOG`, `INTERVAL` or `SHORT_LOG`.
    x : float
        Point of the unconstrained line.
    lower, upper : float
        Bounds of an interval; ``lower`` is the scale of a short logarithm; not read by the other kinds.

    Returns
    -------
    r, slope, log_slope, log_slope_derivative : float
        The parameter, dr/dx, log|dr/dx| and its derivative in x. Interval: r = lower + (upper - lower) / (1
        + exp(-x)). Short logarithm: r = lower exp(h), h about x above 0 and about
        -x^2 / 2 below: a density of r that is finite at 0 falls off like a normal one in x, not like exp(x).
    """
    return to_value_inline(kind, x, lower, upper)


@compiled
def scale_of(on, r):  # type: ignore[no-untyped-def]  # compiled
    """Turn the quantity on which a prior sits into a standard deviation.

    Parameters
    ----------
    on : int
        A value of `ON_CODES`.
    r : float
        The sd, variance or precision (or, with the code of ``"sd"``, any parameter: it is returned as it is).

    Returns
    -------
    sd, derivative : float
        r, r**(1/2) or r**(-1/2), and its derivative in r.
    """
    return scale_of_inline(on, r)
