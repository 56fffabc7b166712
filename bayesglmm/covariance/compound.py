"""Compound symmetry: one standard deviation, and one correlation rho in (-1 / (q - 1), 1) between any two effects.

The factor has one value d_k on each place of the diagonal and one value e_k in the column below it,

    d_k^2 = (1 - rho) (1 + k rho) / (1 + (k - 1) rho),    e_k = d_k rho / (1 + k rho),    k = 0, ..., q - 1.

The standard deviation is common to all effects also where one is an intercept and others are slopes (nlme's
pdCompSymm): give covariates one scale first, or let the effects be levels of a factor, ``cs(0 + visit | subject)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.angle import AngleMap, correlation_at
from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.single import one_coordinate, share_constant, share_graph, share_lines
from bayesglmm.covariance.stretched import stretched_correlation

__all__ = ["COMPOUND_CODE", "COMPOUND_SYMMETRY", "compound_adjoint", "compound_factor"]

COMPOUND_CODE = 2


@jitable
def _pivot(k, q, rho, rest, above):  # type: ignore[no-untyped-def]  # compiled
    """Return d_k^2 and its derivative in rho; ``rest`` is 1 - rho and ``above`` is rho less its lower bound."""
    if k == 0:
        return 1.0, 0.0
    # 1 + (q - 1) rho is (q - 1) times the distance from the bound, where the sum would lose its digits.
    top = (q - 1.0) * above if k == q - 1 else 1.0 + k * rho
    bottom = 1.0 + (k - 1.0) * rho
    return rest * top / bottom, rest / (bottom * bottom) - top / bottom


@jitable
def compound_factor(x, eta, L):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (q, q) from x (1,); return the log density of x up to its constant."""
    q = L.shape[0]
    lower = -1.0 / (q - 1.0)
    rho, slope, rest, log_density, _ = stretched_correlation(x[0], eta, lower)
    above = (1.0 - lower) * slope / rest
    for k in range(q):
        d = math.sqrt(_pivot(k, q, rho, rest, above)[0])
        L[k, k] = d
        for i in range(k + 1, q):
            L[i, k] = d * rho / (1.0 + k * rho)
    return log_density


@jitable
def compound_adjoint(x, eta, gL, gx):  # type: ignore[no-untyped-def]  # compiled
    """Write into gx the gradient in x of the log density plus that of a function whose gradient in L is gL."""
    q = gL.shape[0]
    lower = -1.0 / (q - 1.0)
    rho, slope, rest, _, log_slope = stretched_correlation(x[0], eta, lower)
    above = (1.0 - lower) * slope / rest
    total = 0.0
    for k in range(q):
        square, change = _pivot(k, q, rho, rest, above)
        d = math.sqrt(square)
        # Times d rho / dx first: at a bound the derivative of d is infinite and the product is not.
        change = 0.5 * slope * change / d
        total += gL[k, k] * change
        for i in range(k + 1, q):
            c = 1.0 + k * rho
            total += gL[i, k] * (change * rho / c + d * slope / (c * c))
    gx[0] = total + log_slope


def _lower(q: int) -> float:
    return -1.0 / (q - 1.0)


def _factors(t: float, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return L and dL / dt at an angle, roots with signs (see `angle`)."""
    rho, slope = correlation_at(t, _lower(q))
    width = 1.0 - _lower(q)
    # sqrt(1 - rho) and sqrt(1 + (q - 1) rho), and their derivatives.
    a, da = math.sqrt(width) * math.sin(0.25 * math.pi - 0.5 * t), 0.0
    da = -0.5 * math.sqrt(width) * math.cos(0.25 * math.pi - 0.5 * t)
    b = math.sqrt((q - 1.0) * width) * math.cos(0.25 * math.pi - 0.5 * t)
    db = 0.5 * math.sqrt((q - 1.0) * width) * math.sin(0.25 * math.pi - 0.5 * t)
    L, dL = np.zeros((q, q)), np.zeros((q, q))
    for k in range(q):
        bottom = 1.0 + (k - 1.0) * rho
        if k == 0:
            d, change = 1.0, 0.0
        elif k == q - 1:
            d = a * b / math.sqrt(bottom)
            change = (da * b + a * db) / math.sqrt(bottom) - 0.5 * (k - 1.0) * slope * d / bottom
        else:
            ratio = (1.0 + k * rho) / bottom
            d = a * math.sqrt(ratio)
            change = da * math.sqrt(ratio) + 0.5 * a * slope / (bottom**2 * math.sqrt(ratio))
        L[k, k], dL[k, k] = d, change
        if k < q - 1:
            c = 1.0 + k * rho
            L[k + 1 :, k] = d * rho / c
            dL[k + 1 :, k] = change * rho / c + d * slope / c**2
    return L, dL


def _graph(pm: Any, pt: Any, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> Any:
    rho = share_graph(pm, pt, label, _lower(q), eta)
    k = np.arange(1.0, q)
    pivots = pt.sqrt((1.0 - rho) * (1.0 + k * rho) / (1.0 + (k - 1.0) * rho))
    d = pt.concatenate([np.ones(1), pivots])
    below = d * rho / (1.0 + np.arange(q) * rho)
    return pt.tril(pt.ones((q, q)) * below, -1) + pt.diag(d)


def _code(variable: str, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> list[str]:
    rho = f"rho_{variable}"
    return [
        *share_lines(variable, label, _lower(q), eta),
        f"k_{variable} = np.arange(1.0, {q})",
        f"d_{variable} = pt.sqrt((1.0 - {rho}) * (1.0 + k_{variable} * {rho}) / (1.0 + (k_{variable} - 1.0) * {rho}))",
        f"d_{variable} = pt.concatenate([np.ones(1), d_{variable}])",
        f"below_{variable} = d_{variable} * {rho} / (1.0 + np.arange({q}) * {rho})",
        f"{variable} = pt.tril(pt.ones(({q}, {q})) * below_{variable}, -1) + pt.diag(d_{variable})",
    ]


COMPOUND_SYMMETRY = Structure(
    "compound symmetry",
    COMPOUND_CODE,
    True,
    one_coordinate,
    share_constant,
    AngleMap(_factors, _lower),
    _graph,
    _code,
    keyword="cs",
    common=True,
    lower=_lower,
)
