"""Compiled dispatch over covariance structures: correlation factor L and its adjoint."""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.autoregressive import AUTOREGRESSIVE_CODE, autoregressive_adjoint, autoregressive_factor
from bayesglmm.covariance.compound import COMPOUND_CODE, compound_adjoint, compound_factor
from bayesglmm.covariance.diagonal import DIAGONAL_CODE
from bayesglmm.covariance.known import KNOWN_CODE
from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.unstructured import UNSTRUCTURED_CODE, lkj_adjoint, lkj_factor

__all__ = ["correlation_adjoint", "correlation_factor", "factor_of"]


@jitable
def correlation_factor(code, x, eta, gaps, L):  # type: ignore[no-untyped-def]  # compiled
    """Fill L (q, q) from the coordinates x; return the prior's log density up to its constant.

    ``gaps`` (q - 1 or more, int64) are distances between neighbouring effects, where a structure asks for them.
    """
    if code == UNSTRUCTURED_CODE:
        return lkj_factor(x, eta, L)
    if code == COMPOUND_CODE:
        return compound_factor(x, eta, L)
    if code == AUTOREGRESSIVE_CODE:
        return autoregressive_factor(x, eta, gaps, L)
    if code in (DIAGONAL_CODE, KNOWN_CODE):
        for i in range(L.shape[0]):
            L[i, i] = 1.0
        return 0.0
    raise ValueError("unknown covariance structure code")


@jitable
def correlation_adjoint(code, x, eta, gaps, L, gL, gx):  # type: ignore[no-untyped-def]  # compiled
    """Write into gx the gradient in x, given the gradient gL (q, q) in L; the prior's own gradient is included."""
    if code == UNSTRUCTURED_CODE:
        lkj_adjoint(x, eta, L, gL, gx)
    elif code == COMPOUND_CODE:
        compound_adjoint(x, eta, gL, gx)
    elif code == AUTOREGRESSIVE_CODE:
        autoregressive_adjoint(x, eta, gaps, L, gL, gx)


def factor_of(structure: Structure, x: np.ndarray, q: int) -> np.ndarray:
    """Return L (q, q), lower triangular with unit rows, at the unconstrained coordinates ``x`` of a structure."""
    L = np.zeros((q, q))
    gaps = np.array(structure.gaps or (1,) * (q - 1), dtype=np.int64)
    correlation_factor(structure.code, np.ascontiguousarray(x, dtype=np.float64), 1.0, gaps, L)
    return L
