"""Unstructured correlations with an LKJ(eta) prior (Lewandowski, Kurowicka & Joe 2009).

Row i of L is the point (x_i, 1) of the plane scaled to unit length, so that any real vector x of q(q-1)/2 numbers (rows
of the strict lower triangle, left to right) is a correlation matrix. Row i has i - 1 free numbers; with
r = |x_i|^2 the map to the hemisphere has log Jacobian -(i + 1)/2 log(1 + r), and the LKJ density of the factor,
prod_i L_ii^(2 eta - 2 + q - i), adds -(2 eta - 2 + q - i)/2 log(1 + r). The two add up to the same power
-(2 eta + q - 1)/2 in every row.
"""

from __future__ import annotations

import math
from typing import Any

from bayesglmm.compiled import jitable
from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.theta import LOWER_TRIANGLE

__all__ = ["UNSTRUCTURED", "UNSTRUCTURED_CODE", "lkj_adjoint", "lkj_factor"]

UNSTRUCTURED_CODE = 1


@jitable
def lkj_factor(x, eta, L):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (q, q) from x (q(q-1)/2,); return the log density of x up to the normalising constant."""
    q = L.shape[0]
    power = 0.5 * (2.0 * eta + q - 1.0)
    value = 0.0
    at = 0
    L[0, 0] = 1.0
    for i in range(1, q):
        r = 0.0
        for k in range(i):
            r += x[at + k] * x[at + k]
        c = 1.0 / math.sqrt(1.0 + r)
        for k in range(i):
            L[i, k] = x[at + k] * c
        L[i, i] = c
        value -= power * math.log1p(r)
        at += i
    return value


@jitable
def lkj_adjoint(x, eta, L, gL, gx):  # type: ignore[no-untyped-def]  # compiled
    """Write into gx the gradient in x of the log density plus that of a function whose gradient in L is gL."""
    q = L.shape[0]
    power = 2.0 * eta + q - 1.0
    at = 0
    for i in range(1, q):
        c = L[i, i]
        along = gL[i, i]
        for k in range(i):
            along += gL[i, k] * x[at + k]
        for k in range(i):
            gx[at + k] = gL[i, k] * c - x[at + k] * c * c * (c * along + power)
        at += i


def _coordinates(q: int) -> int:
    return q * (q - 1) // 2


def _log_constant(q: int, eta: float) -> float:
    """Return the LKJ normalising constant, one Beta function a partial correlation (Lewandowski et al. 2009)."""
    value = 0.0
    for k in range(1, q):
        shape = eta + 0.5 * (q - 1 - k)
        # k-th tree of the C-vine: q - k partial correlations, each 2 Beta(shape, shape) - 1.
        log_beta = 2.0 * math.lgamma(shape) - math.lgamma(2.0 * shape)
        value -= (q - k) * (log_beta + (2.0 * shape - 1.0) * math.log(2.0))
    return value


def _graph(pm: Any, pt: Any, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> Any:
    L = pm.LKJCorr(f"cor_{label}_cholesky", n=q, eta=pt.constant(eta, dtype="float64"))
    pm.Deterministic(f"cor_{label}", L @ L.T, dims=effect_dims)
    return L


def _code(variable: str, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> list[str]:
    return [
        f"{variable} = pm.LKJCorr({f'cor_{label}_cholesky'!r}, n={q}, eta=pt.constant({eta!r}, dtype='float64'))",
        f"pm.Deterministic({f'cor_{label}'!r}, {variable} @ {variable}.T, dims={effect_dims!r})",
    ]


UNSTRUCTURED = Structure(
    "unstructured", UNSTRUCTURED_CODE, True, _coordinates, _log_constant, LOWER_TRIANGLE, _graph, _code
)
