"""A pass over the rows of a Gaussian model whose residuals correlate: log density and scores by innovations, O(n).

With e = y - eta and w = L^-1 e (`bayesglmm.residual`),

    l = -n log(2 pi sigma^2) / 2 - log|R| / 2 - w'w / (2 sigma^2).

The correlation coordinates stand behind sigma among the family scalars; their prior, which LKJ couples, is added here.
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.stretched import stretched_correlation
from bayesglmm.covariance.unstructured import lkj_adjoint, lkj_factor
from bayesglmm.density.row_pass import row_predictor, row_scores
from bayesglmm.residual.ar1 import AR1_CODE, ar1_coefficients
from bayesglmm.residual.car1 import CAR1_CODE, car1_coefficients
from bayesglmm.residual.cs import CS_CODE, cs_coefficients
from bayesglmm.residual.us import US_CODE

__all__ = ["pass_correlations", "pass_residuals"]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@jitable
def _coefficients(code, rho, rest, between):  # type: ignore[no-untyped-def]  # compiled
    if code == AR1_CODE:
        return ar1_coefficients(rho, rest, between)
    if code == CAR1_CODE:
        return car1_coefficients(rho, rest, between)
    return cs_coefficients(rho, rest, between)


@jitable
def _table(code, rho, rest, values, table):  # type: ignore[no-untyped-def]  # compiled
    """Fill b, 1 / s, b' / s, s' / s and log s of every gap (or number of rows before); the first is that of no row.

    Few rows of data have gaps of their own: what a row needs is read, not computed.
    """
    table[:, 0] = 0.0
    table[1, 0] = 1.0
    for k in range(1, values.shape[0]):
        b, s, b_slope, s_slope = _coefficients(code, rho, rest, values[k])
        table[0, k], table[1, k], table[2, k], table[3, k] = b, 1.0 / s, b_slope / s, s_slope / s
        table[4, k] = math.log(s)


@jitable
def _group_of_one(summed, kind, table, precision, e, w, score):  # type: ignore[no-untyped-def]  # compiled
    """Fill w and the score d l / d eta of one group; return w'w, sum of log s, and d l / d rho."""
    n = e.shape[0]
    squares, logs, slope, history = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        k = kind[i]
        w[i] = (e[i] - table[0, k] * history) * table[1, k]
        squares += w[i] * w[i]
        logs += table[4, k]
        slope += precision * w[i] * (table[2, k] * history + table[3, k] * w[i]) - table[3, k]
        history = history + e[i] if summed else e[i]
    after = 0.0
    for i in range(n - 1, -1, -1):
        k = kind[i]
        share = precision * w[i] * table[1, k]
        score[i] = share - after
        after = after + table[0, k] * share if summed else table[0, k] * share
    return squares, logs, slope


@jitable
def _single(code, x, prior, starts, kind, values, precision, e, score, slopes):  # type: ignore[no-untyped-def]
    """Structures with one correlation: return w'w, sum of log s and the log prior; fill score and slopes (1,)."""
    rho, rho_slope, rest, log_prior, prior_slope = stretched_correlation(x[0], prior[0], prior[1])
    table, w = np.zeros((5, values.shape[0])), np.empty_like(e)
    _table(code, rho, rest, values, table)
    squares, logs, slope = 0.0, 0.0, 0.0
    for g in range(starts.shape[0] - 1):
        a, b = starts[g], starts[g + 1]
        found = _group_of_one(code == CS_CODE, kind[a:b], table, precision, e[a:b], w[a:b], score[a:b])
        squares, logs, slope = squares + found[0], logs + found[1], slope + found[2]
    slopes[0] = slope * rho_slope + prior_slope
    return squares, logs, log_prior


@jitable
def _inverse_factor(C, visits, F):  # type: ignore[no-untyped-def]  # compiled
    """Fill F with the inverse of the Cholesky factor of C at ``visits``; return the sum of that one's logs, or nan."""
    k = visits.shape[0]
    L, logs = np.zeros((k, k)), 0.0
    for i in range(k):
        for j in range(i + 1):
            value = C[visits[i], visits[j]]
            for m in range(j):
                value -= L[i, m] * L[j, m]
            L[i, j] = math.sqrt(value) if i == j and value > 0.0 else value / L[j, j] if i != j else math.nan
        logs += math.log(L[i, i])
    for j in range(k):
        for i in range(j, k):
            value = 1.0 if i == j else 0.0
            for m in range(j, i):
                value -= L[i, m] * F[m, j]
            F[i, j] = value / L[i, i]
    return logs


@jitable
def _pattern(F, at, k, precision, e, score, outer):  # type: ignore[no-untyped-def]  # compiled
    """One group of a pattern: fill its score R^-1 e / sigma^2, add R^-1 e e' R^-1 to ``outer``; return w'w."""
    squares = 0.0
    score[at : at + k] = 0.0
    for i in range(k):
        w = 0.0
        for j in range(i + 1):
            w += F[i, j] * e[at + j]
        squares += w * w
        for j in range(i + 1):
            score[at + j] += F[i, j] * w
    for i in range(k):
        for j in range(k):
            outer[i, j] += score[at + i] * score[at + j]
    for i in range(k):
        score[at + i] *= precision
    return squares


@jitable
def _patterned(x, eta_lkj, T, starts, patterns, precision, e, score, slopes):  # type: ignore[no-untyped-def]
    """Fill score and slopes of a full correlation matrix of T visits; return w'w, sum of log s and the log prior."""
    visits, visit_starts, members, member_starts = patterns
    L = np.zeros((T, T))
    log_prior = lkj_factor(x, eta_lkj, L)
    C, gC = L @ L.T, np.zeros((T, T))
    squares, logs = 0.0, 0.0
    for p in range(visit_starts.shape[0] - 1):
        seen = visits[visit_starts[p] : visit_starts[p + 1]]
        k, count = seen.shape[0], member_starts[p + 1] - member_starts[p]
        F, outer = np.zeros((k, k)), np.zeros((k, k))
        logs += count * _inverse_factor(C, seen, F)
        for m in range(member_starts[p], member_starts[p + 1]):
            squares += _pattern(F, starts[members[m]], k, precision, e, score, outer)
        # d l / d C of a normal density: (R^-1 e e' R^-1 / sigma^2 - R^-1) / 2.
        for i in range(k):
            for j in range(k):
                inverse = 0.0
                for m in range(max(i, j), k):
                    inverse += F[m, i] * F[m, j]
                gC[seen[i], seen[j]] += 0.5 * (precision * outer[i, j] - count * inverse)
    lkj_adjoint(x, eta_lkj, L, 2.0 * (gC @ L), slopes)
    return squares, logs, log_prior


@jitable
def pass_correlations(residual, x, precision, e, score, slopes):  # type: ignore[no-untyped-def]  # compiled
    """Fill score = precision R^-1 e and slopes; return w'w, sum of log s and the log prior of the coordinates x.

    ``residual`` holds the arrays of `residual_arrays`; precision is 1 / sigma^2, e (n,) in the order of `ResidualRows`.
    """
    starts, kind, values, words, prior, visits, visit_starts, members, member_starts = residual
    if words[0] == US_CODE:
        patterns = (visits, visit_starts, members, member_starts)
        return _patterned(x, prior[0], words[1], starts, patterns, precision, e, score, slopes)
    return _single(words[0], x, prior, starts, kind, values, precision, e, score, slopes)


@jitable
def pass_residuals(data, residual, beta, u, family, g_beta, gu, sums):  # type: ignore[no-untyped-def]  # compiled
    """Fill g_beta, gu and ``sums`` (1 + K): log density of the rows and its derivatives in the family scalars.

    Arguments: rows (4, n), Xt (p, n), slopes (k, n), codes (terms, n) and terms as in `row_pass`, the rows in the order
    of `ResidualRows`; the arrays of `residual_arrays`; beta (p,); u; family (K,): sigma and correlation coordinates.
    """
    rows, Xt, slope_columns, codes, terms = data
    n = rows.shape[1]
    eta, score = np.empty(n), np.empty(n)
    row_predictor(rows, Xt, slope_columns, codes, terms, beta, u, eta)
    e = rows[0] - eta
    sigma = family[0]
    precision = 1.0 / (sigma * sigma)
    squares, logs, log_prior = pass_correlations(residual, family[1:], precision, e, score, sums[2:])
    sums[0] = log_prior - n * (math.log(sigma) + _HALF_LOG_2PI) - logs - 0.5 * precision * squares
    sums[1] = (precision * squares - n) / sigma
    row_scores(Xt, slope_columns, codes, terms, score, g_beta, gu)
