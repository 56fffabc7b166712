"""One pass over the rows: linear predictor, log-likelihood, and the scores of coefficients and group effects.

Rows are taken in blocks that stay in the nearest cache: what a block needs of the predictor, its log-likelihood and
its scores are done before the next one is read, so that every number of the data comes from memory once.
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.density.layout import HAS_INTERCEPT, LEVELS, SLOPE, Q
from bayesglmm.families.elementary import add_in_any_order, widest_vectors
from bayesglmm.families.rows import sum_block

__all__ = [
    "BLOCK",
    "add_columns",
    "add_group_effects",
    "add_group_scores",
    "add_scores",
    "pass_rows",
    "row_predictor",
    "row_scores",
]

#: Rows of a block: three numbers a row stay in the nearest cache beside the columns that are read.
BLOCK = 1024
#: Additions to effects walk through this many parts of a block side by side. In sorted rows neighbours meet the same
#: effect, and each addition would wait until the one before it had reached memory.
_PARTS = 8


@jitable
def add_columns(Xt, beta, first, count, eta):  # type: ignore[no-untyped-def]  # compiled
    """Add X beta of a block to eta."""
    widest_vectors()
    for k in range(Xt.shape[0]):
        column, b = Xt[k, first : first + count], beta[k]
        for i in range(count):
            eta[i] += b * column[i]


@jitable
def add_scores(Xt, score, first, count, g_beta):  # type: ignore[no-untyped-def]  # compiled
    """Add X' score of a block to g_beta."""
    widest_vectors()
    for k in range(Xt.shape[0]):
        column = Xt[k, first : first + count]
        value = 0.0
        for i in range(count):
            value = add_in_any_order(value, column[i] * score[i])
        g_beta[k] += value


@jitable
def _group_part(codes, q, u, eta):  # type: ignore[no-untyped-def]  # compiled
    """Add u[code q] to eta, row by row. Unsigned positions: a signed one might count from the end, and is looked at."""
    for i in range(codes.shape[0]):
        eta[i] += u[np.uint64(codes[i]) * q]


@jitable
def _slope_part(codes, q, column, u, eta):  # type: ignore[no-untyped-def]  # compiled
    """Add column u[code q] to eta, row by row."""
    for i in range(codes.shape[0]):
        eta[i] += column[i] * u[np.uint64(codes[i]) * q]


@jitable
def _one_level(codes):  # type: ignore[no-untyped-def]  # compiled
    """Whether all rows of a block belong to one level."""
    differs = np.int32(0)
    for i in range(codes.shape[0]):
        differs |= codes[i] ^ codes[0]
    return differs == 0


@jitable
def _add_to_effects(codes, q, score, gu):  # type: ignore[no-untyped-def]  # compiled
    """Add score to gu[code q], row by row."""
    n = codes.shape[0]
    if _one_level(codes):
        value = 0.0
        for i in range(n):
            value = add_in_any_order(value, score[i])
        gu[np.uint64(codes[0]) * q] += value
        return
    length = n // _PARTS
    for i in range(length):
        for j in range(_PARTS):
            at = np.uint64(i + j * length)
            gu[np.uint64(codes[at]) * q] += score[at]
    for i in range(length * _PARTS, n):
        gu[np.uint64(codes[i]) * q] += score[i]


@jitable
def add_group_effects(terms, codes, slopes, u, first, count, eta):  # type: ignore[no-untyped-def]  # compiled
    """Add Z u of a block to eta."""
    at = 0
    for t in range(terms.shape[0]):
        q, lead = terms[t, Q], terms[t, HAS_INTERCEPT]
        here = codes[t, first : first + count]
        for k in range(q):
            if k < lead:
                _group_part(here, np.uint64(q), u[at + k :], eta)
            else:
                _slope_part(
                    here, np.uint64(q), slopes[terms[t, SLOPE] + k - lead, first : first + count], u[at + k :], eta
                )
        at += q * terms[t, LEVELS]


@jitable
def add_group_scores(terms, codes, slopes, score, first, count, product, gu):  # type: ignore[no-untyped-def]  # compiled
    """Add Z' score of a block to gu."""
    at = 0
    for t in range(terms.shape[0]):
        q, lead = terms[t, Q], terms[t, HAS_INTERCEPT]
        here = codes[t, first : first + count]
        for k in range(q):
            if k < lead:
                _add_to_effects(here, np.uint64(q), score, gu[at + k :])
            else:
                column = slopes[terms[t, SLOPE] + k - lead, first : first + count]
                for i in range(count):
                    product[i] = column[i] * score[i]
                _add_to_effects(here, np.uint64(q), product, gu[at + k :])
        at += q * terms[t, LEVELS]


@jitable
def pass_rows(row, rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu):  # type: ignore[no-untyped-def]  # compiled
    """Fill g_beta = X' score and gu = Z' score; return the weighted sums of l and of lp = d l / d log phi.

    Arguments: the row log-likelihood (a jitable function); rows (4, n) of response, size, weight and offset; Xt (p, n);
    slopes (k, n); codes (terms, n) of int32; terms (terms, 8), see `layout`; beta (p,); u, flat: the effects of all
    terms, level after level; phi; g_beta (p,); gu, like u. The score is the weighted d l / d eta.
    """
    n = rows.shape[1]
    work = np.empty((3, BLOCK))
    value, slope = 0.0, 0.0
    g_beta[:] = 0.0
    gu[:] = 0.0
    for first in range(0, n, BLOCK):
        count = min(BLOCK, n - first)
        last = first + count
        eta, score = work[0], work[1]
        offset = rows[3, first:last]
        for i in range(count):
            eta[i] = offset[i]
        add_columns(Xt, beta, first, count, eta)
        add_group_effects(terms, codes, slopes, u, first, count, eta)
        block_value, block_slope = sum_block(
            row, rows[0, first:last], rows[1, first:last], rows[2, first:last], eta, phi, score
        )
        value += block_value
        slope += block_slope
        add_scores(Xt, score, first, count, g_beta)
        add_group_scores(terms, codes, slopes, score, first, count, work[2], gu)
    return value, slope


@jitable
def row_predictor(rows, Xt, slopes, codes, terms, beta, u, eta):  # type: ignore[no-untyped-def]  # compiled
    """Fill eta (n,) of all rows at once; arguments as for `pass_rows`."""
    n = rows.shape[1]
    for i in range(n):
        eta[i] = rows[3, i]
    add_columns(Xt, beta, 0, n, eta)
    add_group_effects(terms, codes, slopes, u, 0, n, eta)


@jitable
def row_scores(Xt, slopes, codes, terms, score, g_beta, gu):  # type: ignore[no-untyped-def]  # compiled
    """Fill g_beta = X' score and gu = Z' score of all rows at once; arguments as for `pass_rows`."""
    n = score.shape[0]
    g_beta[:] = 0.0
    gu[:] = 0.0
    add_scores(Xt, score, 0, n, g_beta)
    add_group_scores(terms, codes, slopes, score, 0, n, np.empty(n), gu)
