"""Draws of residual correlations: from coordinates and back, and residuals simulated at them."""

from __future__ import annotations

import numpy as np

from bayesglmm.covariance.stretched import stretched_correlation
from bayesglmm.residual.rows import ResidualRows

__all__ = ["coordinate_draws", "correlation_draws", "pairs_of"]

#: Below this the last entry of a row of L is the square root of a rounding error.
_NARROWEST = 1e-6


def correlation_draws(rows: ResidualRows, x: np.ndarray) -> np.ndarray:
    """Return rho (...,), or the correlation matrix of the visits (..., T, T), at coordinates x (..., c)."""
    from bayesglmm.residual import structure_of

    structure, flat = structure_of(rows), x.reshape(-1, x.shape[-1])
    if not rows.patterned:
        lower = structure.lower(rows)
        rho = [stretched_correlation(float(one), 1.0, lower)[0] for one in flat[:, 0]]
        return np.array(rho).reshape(x.shape[:-1])
    T = len(rows.visits)
    lower_rows, lower_columns = np.tril_indices(T, -1)
    # Row i of L is (x_i, 1) scaled to unit length (`covariance.unstructured`).
    L = np.broadcast_to(np.eye(T), (len(flat), T, T)).copy()
    L[:, lower_rows, lower_columns] = flat
    L /= np.linalg.norm(L, axis=2, keepdims=True)
    return (L @ L.transpose(0, 2, 1)).reshape(*x.shape[:-1], T, T)


def coordinate_draws(rows: ResidualRows, correlations: np.ndarray) -> np.ndarray:
    """Return coordinates (k, c) of draws as they are stored: rho (k,), or pairs of visits (k, pairs).

    nan where a correlation is at the end of its range, or a matrix too near singular.
    """
    from bayesglmm.residual import structure_of

    if not rows.patterned:
        lower = structure_of(rows).lower(rows)
        with np.errstate(all="ignore"):
            return (np.log(correlations - lower) - np.log(1.0 - correlations)).reshape(-1, 1)
    T = len(rows.visits)
    at = np.tril_indices(T, -1)
    x = np.full(correlations.shape, np.nan)
    for found, pairs in zip(x, correlations, strict=True):
        C = np.eye(T)
        C[at] = C.T[at] = pairs
        try:
            L = np.linalg.cholesky(C)
        except np.linalg.LinAlgError:
            continue
        if np.diagonal(L).min() > _NARROWEST:
            found[:] = (L / np.diagonal(L)[:, None])[at]
    return x


def pairs_of(rows: ResidualRows) -> tuple[str, ...]:
    """Return the pairs of visits in the order of the strict lower triangle, row by row: ``8, 10``."""
    pairs = zip(*np.tril_indices(len(rows.visits), -1), strict=True)
    return tuple(f"{rows.visits[k]}, {rows.visits[i]}" for i, k in pairs)
