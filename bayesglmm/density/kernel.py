"""The compiled joint density: value and gradient at an unconstrained x, in one call that does not hold the GIL.

Forward: scalars -> beta, sd, phi; (sd, correlation coordinates) -> Lambda; u = Lambda z; eta = offset + X beta + Z u.
Backward: the rows' scores d l/d eta are pulled back through the same steps (reverse mode, written out).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.covariance.correlation import correlation_adjoint, correlation_factor
from bayesglmm.density.layout import COR, HAS_INTERCEPT, LEVELS, SD, SLOPE, STRUCTURE, Q, Z
from bayesglmm.families.rows import sum_rows
from bayesglmm.priors import evaluate_scalar

__all__ = ["add_group_effects", "compile_joint", "group_factor", "joint", "natural_scalars", "spread_effects"]

_ROW, _TABLE = nb.float64[::1], nb.float64[:, ::1]
#: One signature, so that every process compiles (and caches) the same thing.
_SIGNATURE = nb.float64(
    *(_ROW, _TABLE, _TABLE, _ROW, _TABLE, nb.int32[:, ::1], nb.int64[:, ::1], _TABLE, _ROW, _TABLE, _ROW, _ROW, _ROW)
)


@jitable
def natural_scalars(x, table, center, values, slopes, grad):  # type: ignore[no-untyped-def]  # compiled
    """Fill natural values (raw intercept included) and their derivatives in x; write the priors' gradient into grad.

    Returns the sum of the scalars' log priors and log Jacobians.
    """
    total = 0.0
    for k in range(table.shape[0]):
        values[k], slopes[k], log_prior, grad[k] = evaluate_scalar(x[k], table[k])
        total += log_prior
    # The first coordinate is the intercept at the columns' means; center is zero where the intercept is sampled raw.
    for k in range(1, center.shape[0]):
        values[0] -= center[k] * values[k]
    return total


@jitable
def group_factor(term, x, values, eta_lkj, L, Lambda):  # type: ignore[no-untyped-def]  # compiled
    """Fill L and Lambda = diag(sd) L (q, q) of one group term; return the log prior of its correlations."""
    q = term[Q]
    log_prior = correlation_factor(term[STRUCTURE], x[term[COR] :], eta_lkj, L)
    for i in range(q):
        for k in range(i + 1):
            Lambda[i, k] = values[term[SD] + i] * L[i, k]
    return log_prior


@jitable
def spread_effects(term, z, Lambda, u):  # type: ignore[no-untyped-def]  # compiled
    """Fill u_j = Lambda z_j for every level j; z and u are flat (J q,)."""
    q = term[Q]
    for j in range(term[LEVELS]):
        for i in range(q):
            value = 0.0
            for k in range(i + 1):
                value += Lambda[i, k] * z[j * q + k]
            u[j * q + i] = value


@jitable
def add_group_effects(term, codes, slopes, u, eta):  # type: ignore[no-untyped-def]  # compiled
    """Add Z u of one group term to eta."""
    q = term[Q]
    first = term[HAS_INTERCEPT]
    if first == 1:
        for i in range(eta.shape[0]):
            eta[i] += u[codes[i] * q]
    for k in range(first, q):
        column = slopes[term[SLOPE] + k - first]
        for i in range(eta.shape[0]):
            eta[i] += column[i] * u[codes[i] * q + k]


@jitable
def _collect_scores(term, codes, slopes, score, gu):  # type: ignore[no-untyped-def]  # compiled
    """Fill gu = Z' score of one group term."""
    q = term[Q]
    first = term[HAS_INTERCEPT]
    gu[:] = 0.0
    if first == 1:
        for i in range(score.shape[0]):
            gu[codes[i] * q] += score[i]
    for k in range(first, q):
        column = slopes[term[SLOPE] + k - first]
        for i in range(score.shape[0]):
            gu[codes[i] * q + k] += column[i] * score[i]


@jitable
def _pull_back(term, x, values, eta_lkj, L, Lambda, gu, grad):  # type: ignore[no-untyped-def]  # compiled
    """Turn gu = d/du of one group term into the gradient in z (prior included), sd (natural) and correlations."""
    q = term[Q]
    z = x[term[Z] :]
    gz = grad[term[Z] :]
    g_lambda = np.zeros((q, q))
    for j in range(term[LEVELS]):
        for k in range(q):
            value = -z[j * q + k]
            for i in range(k, q):
                value += Lambda[i, k] * gu[j * q + i]
                g_lambda[i, k] += gu[j * q + i] * z[j * q + k]
            gz[j * q + k] = value
    g_sd = np.zeros(q)
    for i in range(q):
        for k in range(i + 1):
            g_sd[i] += g_lambda[i, k] * L[i, k]
            g_lambda[i, k] *= values[term[SD] + i]
    correlation_adjoint(term[STRUCTURE], x[term[COR] :], eta_lkj, L, g_lambda, grad[term[COR] :])
    return g_sd


@jitable
def _common_part(X, beta, eta):  # type: ignore[no-untyped-def]  # compiled
    for i in range(X.shape[0]):
        value = 0.0
        for k in range(X.shape[1]):
            value += X[i, k] * beta[k]
        eta[i] += value


@jitable
def _common_scores(X, score, center, slopes, grad):  # type: ignore[no-untyped-def]  # compiled
    """Add the gradient in the coefficients' coordinates: X' score, through the centring and the transforms."""
    p = X.shape[1]
    g = np.zeros(p)
    for i in range(X.shape[0]):
        for k in range(p):
            g[k] += X[i, k] * score[i]
    for k in range(p):
        grad[k] += (g[k] - center[k] * g[0]) * slopes[k]


@jitable
def joint(row, x, rows, X, center, slopes, codes, terms, table, lkj, work, u, gu, grad):  # type: ignore[no-untyped-def]
    """Fill grad and return the log density of x, but for the constants that depend on data alone.

    Arguments: the row log-likelihood (a jitable function); x; rows (4, n); X (n, p); center (p,); slopes (k, n);
    codes (terms, n); terms (terms, 8); table (scalars, 8) of priors; lkj (terms,); work (2, n), u and gu (group
    effects,) as work space; grad.
    """
    p = X.shape[1]
    n_scalars = table.shape[0]
    eta, score = work[0], work[1]
    values, derivatives = np.empty(n_scalars), np.empty(n_scalars)
    total = natural_scalars(x, table, center, values, derivatives, grad)
    n_sds = 0
    eta[:] = rows[3]
    _common_part(X, values[:p], eta)
    at = 0
    for t in range(terms.shape[0]):
        term = terms[t]
        q, size = term[Q], term[LEVELS] * term[Q]
        L, Lambda = np.zeros((q, q)), np.zeros((q, q))
        total += group_factor(term, x, values, lkj[t], L, Lambda)
        spread_effects(term, x[term[Z] :], Lambda, u[at : at + size])
        add_group_effects(term, codes[t], slopes, u[at : at + size], eta)
        at += size
        n_sds += q

    has_dispersion = n_scalars > p + n_sds
    phi = values[n_scalars - 1] if has_dispersion else 1.0
    log_likelihood, g_log_phi = sum_rows(row, rows[0], rows[1], rows[2], eta, phi, score)
    total += log_likelihood

    if has_dispersion:
        grad[n_scalars - 1] += g_log_phi / phi * derivatives[n_scalars - 1]
    _common_scores(X, score, center, derivatives, grad)
    at = 0
    for t in range(terms.shape[0]):
        term = terms[t]
        q, size = term[Q], term[LEVELS] * term[Q]
        L, Lambda = np.zeros((q, q)), np.zeros((q, q))
        group_factor(term, x, values, lkj[t], L, Lambda)
        _collect_scores(term, codes[t], slopes, score, gu[at : at + size])
        g_sd = _pull_back(term, x, values, lkj[t], L, Lambda, gu[at : at + size], grad)
        for i in range(q):
            grad[term[SD] + i] += g_sd[i] * derivatives[term[SD] + i]
        for k in range(size):
            total -= 0.5 * x[term[Z] + k] ** 2
        at += size
    if not math.isfinite(total):
        # The prior vanishes here or the predictor overflows; what inf - inf gives is no density either.
        grad[:] = 0.0
        return -math.inf
    return total


@functools.cache
def compile_joint(row: Callable[..., Any]) -> Callable[..., float]:
    """Compile `joint` for a row log-likelihood (or take it from numba's cache on disk); it does not hold the GIL.

    The kernel takes the arguments of `joint` but the first.
    """
    stamp = source_stamp()

    def kernel(x, rows, X, center, slopes, codes, terms, table, lkj, work, u, gu, grad):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        return joint(row, x, rows, X, center, slopes, codes, terms, table, lkj, work, u, gu, grad)

    # A name of its own for every row: kernels that share a name share an index of cached files, and two processes that
    # fill an empty cache at the same time could give their kernels the same file.
    kernel.__qualname__ = f"joint_{row.__module__}_{row.__qualname__}"
    compiled_kernel: Callable[..., float] = compiled(_SIGNATURE)(kernel)
    return compiled_kernel
