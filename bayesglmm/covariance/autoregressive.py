"""First-order autoregression: effects have places on a line, cor(u_s, u_t) = rho^|s - t|, rho in (-1, 1), one sd.

The factor is that of the recursion u_t = rho^g u_{t-1} + sqrt(1 - rho^(2 g)) z_t with g the gap between neighbours
(1 for the levels of a factor, differences of whole numbers otherwise).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.angle import AngleMap
from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.single import one_coordinate, share_constant, share_graph, share_lines
from bayesglmm.covariance.stretched import stretched_correlation

__all__ = [
    "AUTOREGRESSIVE",
    "AUTOREGRESSIVE_CODE",
    "autoregressive",
    "autoregressive_adjoint",
    "autoregressive_factor",
    "innovation",
]

AUTOREGRESSIVE_CODE = 3


@jitable
def innovation(rho, slope, rest, gap):  # type: ignore[no-untyped-def]  # compiled
    """Return rho^gap and sqrt(1 - rho^(2 gap)) and their derivatives in the coordinate x.

    ``slope`` is d rho / dx and ``rest`` 1 - rho, as `stretched_correlation` gives them.
    """
    above = 2.0 * slope / rest  # 1 + rho, to all its digits
    power = rho ** (gap - 1)
    square = rest * above  # 1 - rho^2; 1 where rho is 0, or more by rounding
    root = 1.0 if square >= 1.0 else math.sqrt(-math.expm1(gap * math.log1p(-square)))
    return power * rho, root, gap * power * slope, -gap * power * power * rho * slope / root


@jitable
def autoregressive_factor(x, eta, gaps, L):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (q, q) from x (1,); return the log density of x up to its constant."""
    rho, slope, rest, log_density, _ = stretched_correlation(x[0], eta, -1.0)
    L[0, 0] = 1.0
    for i in range(1, L.shape[0]):
        f, s, _df, _ds = innovation(rho, slope, rest, gaps[i - 1])
        for k in range(i):
            L[i, k] = f * L[i - 1, k]
        L[i, i] = s
    return log_density


@jitable
def autoregressive_adjoint(x, eta, gaps, L, gL, gx):  # type: ignore[no-untyped-def]  # compiled
    """Write into gx the gradient in x of the log density plus that of a function whose gradient in L is gL."""
    q = L.shape[0]
    rho, slope, rest, _, log_slope = stretched_correlation(x[0], eta, -1.0)
    row, total = np.zeros(q), 0.0
    for i in range(1, q):
        f, _s, df, ds = innovation(rho, slope, rest, gaps[i - 1])
        for k in range(i):
            row[k] = f * row[k] + df * L[i - 1, k]
            total += gL[i, k] * row[k]
        row[i] = ds
        total += gL[i, i] * ds
    gx[0] = total + log_slope


def _lower(q: int) -> float:
    return -1.0


def _gaps(gaps: tuple[int, ...], q: int) -> np.ndarray:
    return np.array(gaps if gaps else (1,) * (q - 1), dtype=np.int64)


def _places(gaps: tuple[int, ...], q: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(_gaps(gaps, q))])


def _factors(gaps: tuple[int, ...], t: float, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return L and dL / dt at an angle: rho = sin t, sqrt(1 - rho^2) = cos t."""
    rho, cosine = math.sin(t), math.cos(t)
    L, dL = np.zeros((q, q)), np.zeros((q, q))
    L[0, 0] = 1.0
    for i, gap in enumerate(_gaps(gaps, q).tolist(), 1):
        # sqrt(1 - rho^(2 gap)) = cos t sqrt(S), S = sum of rho^(2 k) for k < gap
        powers = 2.0 * np.arange(gap)
        S = float((rho**powers).sum())
        dS = float((powers[1:] * rho ** (powers[1:] - 1.0)).sum()) * cosine
        f, df = rho**gap, gap * rho ** (gap - 1) * cosine
        L[i, :i] = f * L[i - 1, :i]
        dL[i, :i] = f * dL[i - 1, :i] + df * L[i - 1, :i]
        L[i, i] = cosine * math.sqrt(S)
        dL[i, i] = -rho * math.sqrt(S) + 0.5 * cosine * dS / math.sqrt(S)
    return L, dL


def autoregressive(gaps: tuple[int, ...]) -> Structure:
    """Return the structure for effects at places with these distances between neighbours (whole numbers >= 1)."""

    def factors(t: float, q: int) -> tuple[np.ndarray, np.ndarray]:
        return _factors(gaps, t, q)

    def graph(pm: Any, pt: Any, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> Any:
        rho = share_graph(pm, pt, label, -1.0, eta)
        distance = np.maximum(np.subtract.outer(_places(gaps, q), _places(gaps, q)), 0)
        roots = pt.sqrt(1.0 - rho ** (2 * _gaps(gaps, q)))
        return pt.tril(rho**distance) * pt.concatenate([np.ones(1), roots])

    def code(variable: str, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> list[str]:
        rho = f"rho_{variable}"
        return [
            *share_lines(variable, label, -1.0, eta),
            f"place_{variable} = np.array({_places(gaps, q).tolist()})",
            f"distance_{variable} = np.maximum(np.subtract.outer(place_{variable}, place_{variable}), 0)",
            f"root_{variable} = pt.sqrt(1.0 - {rho} ** (2 * np.diff(place_{variable})))",
            f"{variable} = pt.tril({rho} ** distance_{variable}) * pt.concatenate([np.ones(1), root_{variable}])",
        ]

    return replace(AUTOREGRESSIVE, theta=AngleMap(factors, _lower), graph=graph, code_lines=code, gaps=gaps)


def _unbound(*_: Any) -> Any:
    raise AssertionError("bound by autoregressive()")


AUTOREGRESSIVE = Structure(
    "autoregressive",
    AUTOREGRESSIVE_CODE,
    True,
    one_coordinate,
    share_constant,
    AngleMap(_unbound, _lower),
    _unbound,
    _unbound,
    keyword="ar1",
    common=True,
    lower=_lower,
)
#: With neighbours one apart.
AUTOREGRESSIVE = autoregressive(())
