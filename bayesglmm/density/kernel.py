"""The compiled joint density: value and gradient at an unconstrained x, in one call that does not hold the GIL.

Forward: scalars -> beta, sd, family scalars; (sd, correlation coordinates) -> Lambda; w -> z (`centring`);
u = Lambda z; eta = offset + X beta + Z u.
Backward: the rows' scores d l/d eta are pulled back through the same steps (reverse mode, written out).
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.autoregressive import AUTOREGRESSIVE_CODE
from bayesglmm.covariance.correlation import correlation_adjoint, correlation_factor
from bayesglmm.covariance.known import KNOWN_CODE
from bayesglmm.covariance.stretched import stretched_correlation
from bayesglmm.density.centring import center_term, center_term_adjoint
from bayesglmm.density.chain import chain_adjoint, chain_effects, chain_steps
from bayesglmm.density.known_precision import precision_times
from bayesglmm.density.layout import COR, GAPS, LEVELS, SD, SDS, STRUCTURE, Q, Z
from bayesglmm.density.nesting import GU, SPHERICAL, WORK_ROWS, C, R, U, W, nest_effects, nest_effects_adjoint
from bayesglmm.density.row_call import call_row_pass
from bayesglmm.families.elementary import add_in_any_order
from bayesglmm.priors import evaluate_scalar
from bayesglmm.priors.densities import log_density_of
from bayesglmm.priors.transforms import ORDERED

__all__ = [
    "fill_effects",
    "group_factor",
    "joint",
    "natural_scalars",
    "pull_back_scalars",
    "spread_effects",
    "work_space",
]


@jitable
def sum_of_products(a, b):  # type: ignore[no-untyped-def]  # compiled
    """Return a'b as vector instructions."""
    value = 0.0
    for k in range(a.shape[0]):
        value = add_in_any_order(value, a[k] * b[k])
    return value


@jitable
def pull_back_scalars(table, first, natural, slopes, grad):  # type: ignore[no-untyped-def]  # compiled
    """Add to grad the gradient in x of scalars from ``first`` on, given that in their natural values.

    An ordered scalar moves all those above it in its run.
    """
    above = 0.0
    for k in range(first + natural.shape[0] - 1, first - 1, -1):
        above += natural[k - first]
        grad[k] += above * slopes[k]
        if table[k, 1] != ORDERED:
            above = 0.0


@jitable
def _pull_back_ordered_priors(table, slopes, grad):  # type: ignore[no-untyped-def]  # compiled
    """Turn slopes of ordered scalars' log priors in their values, in grad, into the gradient in x, Jacobian's too."""
    above = 0.0
    for k in range(table.shape[0] - 1, -1, -1):
        if table[k, 1] == ORDERED:
            above += grad[k]
            grad[k] = above * slopes[k] + 1.0
        else:
            grad[k] += above * slopes[k]
            above = 0.0


@jitable
def natural_scalars(x, table, center, values, slopes, grad):  # type: ignore[no-untyped-def]  # compiled
    """Fill natural values (raw intercept included) and their derivatives in x; write the priors' gradient into grad.

    Returns the sum of the scalars' log priors and log Jacobians.
    """
    total, ordered = 0.0, False
    for k in range(table.shape[0]):
        if table[k, 1] == ORDERED:
            ordered = True
            slopes[k] = math.exp(x[k])
            values[k] = values[k - 1] + slopes[k]
            log_prior, grad[k] = log_density_of(int(table[k, 0]), values[k], table[k, 3], table[k, 4], table[k, 5])
            log_prior += x[k]
        else:
            values[k], slopes[k], log_prior, grad[k] = evaluate_scalar(x[k], table[k])
        total += log_prior
    if ordered:
        _pull_back_ordered_priors(table, slopes, grad)
    # The first coordinate is the intercept at the columns' means; center is zero where the intercept is sampled raw.
    for k in range(1, center.shape[0]):
        values[0] -= center[k] * values[k]
    return total


@jitable
def group_factor(term, x, values, eta_lkj, L, Lambda):  # type: ignore[no-untyped-def]  # compiled
    """Fill L and Lambda = diag(sd) L (q, q) of one group term; return the log prior of its correlations."""
    q = term[Q]
    log_prior = correlation_factor(term[STRUCTURE], x[term[COR] :], eta_lkj, term[GAPS:], L)
    for i in range(q):
        sd = values[term[SD] + (i if term[SDS] > 1 else 0)]
        for k in range(i + 1):
            Lambda[i, k] = sd * L[i, k]
    return log_prior


@jitable
def spread_effects(term, z, Lambda, u):  # type: ignore[no-untyped-def]  # compiled
    """Fill u_j = Lambda z_j for every level j; z and u are flat (J q,)."""
    q = term[Q]
    if q == 1:
        for j in range(term[LEVELS]):
            u[j] = Lambda[0, 0] * z[j]
        return
    for j in range(term[LEVELS]):
        for i in range(q):
            value = 0.0
            for k in range(i + 1):
                value += Lambda[i, k] * z[j * q + k]
            u[j * q + i] = value


@jitable
def _pull_back(term, x, values, eta_lkj, C, r, known, z, gu, gz, grad):  # type: ignore[no-untyped-def]  # compiled
    """Turn gu = d/du of one group term into the gradient in w (priors included), sd (natural) and correlations.

    ``gz`` is work space. Returns the gradient in the standard deviation of each effect, shape (q,).
    """
    q = term[Q]
    L, Lambda, g_lambda = np.zeros((q, q)), np.zeros((q, q)), np.zeros((q, q))
    group_factor(term, x, values, eta_lkj, L, Lambda)
    if q == 1:
        for j in range(term[LEVELS]):
            gz[j] = Lambda[0, 0] * gu[j] - z[j]
        if term[STRUCTURE] == KNOWN_CODE:
            along = np.empty(z.shape[0])
            precision_times(term[GAPS], known, z, along)
            for j in range(term[LEVELS]):
                gz[j] += z[j] - along[j]
        g_lambda[0, 0] = sum_of_products(gu, z)
    else:
        for j in range(term[LEVELS]):
            for k in range(q):
                value = -z[j * q + k]
                for i in range(k, q):
                    value += Lambda[i, k] * gu[j * q + i]
                    g_lambda[i, k] += gu[j * q + i] * z[j * q + k]
                gz[j * q + k] = value
    center_term_adjoint(q, Lambda, C, r, z, gz, grad[term[Z] : term[Z] + z.shape[0]], g_lambda)
    g_sd = np.zeros(q)
    for i in range(q):
        for k in range(i + 1):
            g_sd[i] += g_lambda[i, k] * L[i, k]
            g_lambda[i, k] *= values[term[SD] + (i if term[SDS] > 1 else 0)]
    correlation_adjoint(term[STRUCTURE], x[term[COR] :], eta_lkj, term[GAPS:], L, g_lambda, grad[term[COR] :])
    return g_sd


@jitable
def _places(terms, nested, beside, offsets):  # type: ignore[no-untyped-def]  # compiled
    """Fill where each term's effects begin in u and its blocks in the centring, and whether others take care of it."""
    at, block = 0, 0
    for t in range(terms.shape[0]):
        offsets[0, t], offsets[1, t], offsets[2, t] = at, block, 0
        at += terms[t, LEVELS] * terms[t, Q]
        # What is said of serial effects is a diagonal.
        block += terms[t, LEVELS] * terms[t, Q] * (1 if terms[t, STRUCTURE] == AUTOREGRESSIVE_CODE else terms[t, Q])
    for d in range(nested.shape[0]):
        offsets[2, nested[d]] = 1
    for t in range(terms.shape[0]):
        if beside[t] >= 0:
            offsets[2, beside[t]] = 1


@jitable
def _nodes(nested, first, offsets, source, offset, out):  # type: ignore[no-untyped-def]  # compiled
    """Copy what stands at row ``offset`` of the offsets in ``source`` to the nodes of the nested terms."""
    for d in range(nested.shape[0]):
        begin = offsets[offset, nested[d]]
        for v in range(first[d + 1] - first[d]):
            out[first[d] + v] = source[begin + v]


@jitable
def _intercept_of(t, values, terms, beside, offsets):  # type: ignore[no-untyped-def]  # compiled
    """Return place, number and standard deviation of the intercepts that are centred with serial effects; 0 if none."""
    p = beside[t]
    if p < 0:
        return 0, 0, 0.0
    return offsets[0, p], terms[p, LEVELS], values[terms[p, SD]]


@jitable
def _fill_chain(t, x, values, terms, eta, centring, offsets, z, u):  # type: ignore[no-untyped-def]  # compiled
    """Fill z and u of serial effects and of the intercepts centred with them; return log prior and log Jacobian."""
    term, head, at, block = terms[t], x.shape[0] - z.shape[0], offsets[0, t], offsets[1, t]
    size, steps = term[LEVELS] * term[Q], np.empty((4, term[Q]))
    first, count, sigma_b = _intercept_of(t, values, terms, centring[6], offsets)
    log_prior = chain_steps(x[term[COR] :], eta, term[GAPS:], steps)
    c, r, w = centring[0][block : block + size], centring[1][at : at + size], x[head + at : head + at + size]
    w_b, z_b, u_b = x[head + first : head + first + count], z[first : first + count], u[first : first + count]
    own, effects = z[at : at + size], u[at : at + size]
    return log_prior + chain_effects(values[term[SD]], sigma_b, steps, c, r, w, own, effects, w_b, z_b, u_b)


@jitable
def _pull_back_chain(t, x, values, derivatives, terms, eta, centring, offsets, z, gu, grad):  # type: ignore[no-untyped-def]
    """Turn gu of serial effects, and of their intercepts, into the gradient in w, standard deviations and rho."""
    term, head, at, block = terms[t], x.shape[0] - z.shape[0], offsets[0, t], offsets[1, t]
    size, steps = term[LEVELS] * term[Q], np.empty((4, term[Q]))
    first, count, sigma_b = _intercept_of(t, values, terms, centring[6], offsets)
    chain_steps(x[term[COR] :], eta, term[GAPS:], steps)
    c, r, w = centring[0][block : block + size], centring[1][at : at + size], x[head + at : head + at + size]
    w_b, z_b, gu_b = x[head + first : head + first + count], z[first : first + count], gu[first : first + count]
    gw, gw_b = grad[head + at : head + at + size], grad[head + first : head + first + count]
    g_sigma, g_sigma_b, g_x = chain_adjoint(
        values[term[SD]], sigma_b, steps, c, r, w, z[at : at + size], gu[at : at + size], gw, w_b, z_b, gu_b, gw_b
    )
    grad[term[SD]] += g_sigma * derivatives[term[SD]]
    grad[term[COR]] = g_x + stretched_correlation(x[term[COR]], eta, -1.0)[4]
    if count > 0:
        sd = terms[centring[6][t], SD]
        grad[sd] += g_sigma_b * derivatives[sd]


@jitable
def fill_effects(x, values, terms, lkj, centring, known, work, z, u):  # type: ignore[no-untyped-def]  # compiled
    """Fill z and u of all terms; return log densities of correlations and z and the log Jacobian of the centring.

    ``known`` holds the rows of `known_precision`. ``work`` is that of `work_space`; it keeps what the reverse pass
    needs.
    """
    information, score, nested, first, ancestors, couplings, beside = centring
    offsets, node, k, _gk, sigma = work
    _places(terms, nested, beside, offsets)
    total, n_z = 0.0, z.shape[0]
    head = x.shape[0] - n_z
    for t in range(terms.shape[0]):
        term, q, at, block = terms[t], terms[t, Q], offsets[0, t], offsets[1, t]
        size = term[LEVELS] * q
        if offsets[2, t] == 1:
            continue
        if term[STRUCTURE] == AUTOREGRESSIVE_CODE:
            total += _fill_chain(t, x, values, terms, lkj[t], centring, offsets, z, u)
            continue
        L, Lambda = np.zeros((q, q)), np.zeros((q, q))
        total += group_factor(term, x, values, lkj[t], L, Lambda)
        own = z[at : at + size]
        w, block_of, r = x[head + at : head + at + size], information[block : block + size * q], score[at : at + size]
        total += center_term(q, Lambda, block_of, r, w, own)
        spread_effects(term, own, Lambda, u[at : at + size])
        if term[STRUCTURE] == KNOWN_CODE:
            total += 0.5 * (sum_of_products(own, own) - precision_times(term[GAPS], known, own, np.empty(size)))
    if nested.shape[0]:
        for d in range(nested.shape[0]):
            sigma[d] = values[terms[nested[d], SD]]
        _nodes(nested, first, offsets, information, 1, node[C])
        _nodes(nested, first, offsets, score, 0, node[R])
        _nodes(nested, first, offsets, x[head:], 0, node[W])
        total += nest_effects(sigma, first, ancestors, couplings, node, k)
        for d in range(nested.shape[0]):
            at = offsets[0, nested[d]]
            for v in range(first[d + 1] - first[d]):
                z[at + v], u[at + v] = node[SPHERICAL, first[d] + v], node[U, first[d] + v]
    return total - 0.5 * sum_of_products(z, z)


@jitable
def work_space(terms, centring):  # type: ignore[no-untyped-def]  # compiled
    """Return offsets of terms, and work space of the nested ones: nodes, couplings twice, standard deviations."""
    nested, n = centring[2], centring[5].shape[0]
    D = nested.shape[0]
    offsets = np.empty((3, terms.shape[0]), dtype=np.int64)
    return offsets, np.empty((WORK_ROWS, n)), np.empty((n, D)), np.empty((n, D)), np.empty(D)


@jitable
def _pull_back_nested(x, derivatives, terms, centring, work, gu, grad):  # type: ignore[no-untyped-def]
    """Turn gu of the nested terms into the gradient in w (priors included) and in their standard deviations."""
    nested, first, ancestors = centring[2], centring[3], centring[4]
    offsets, node, k, gk, sigma = work
    D, head = nested.shape[0], x.shape[0] - gu.shape[0]
    g_sigma = np.empty(D)
    _nodes(nested, first, offsets, gu, 0, node[GU])
    nest_effects_adjoint(sigma, first, ancestors, node, k, gk, g_sigma)
    for d in range(D):
        at, sd = head + offsets[0, nested[d]], terms[nested[d], SD]
        grad[sd] += g_sigma[d] * derivatives[sd]
        for v in range(first[d + 1] - first[d]):
            grad[at + v] = node[W, first[d] + v]


@jitable
def _pull_back_effects(  # type: ignore[no-untyped-def]
    x, values, derivatives, terms, lkj, centring, known, work, z, u, gu, grad
):
    """Turn gu into the gradients in w, standard deviations and correlations; u is overwritten."""
    information, score, nested = centring[0], centring[1], centring[2]
    offsets = work[0]
    if nested.shape[0]:
        _pull_back_nested(x, derivatives, terms, centring, work, gu, grad)
    for t in range(terms.shape[0]):
        term, q, at, block = terms[t], terms[t, Q], offsets[0, t], offsets[1, t]
        if offsets[2, t] == 1:
            continue
        if term[STRUCTURE] == AUTOREGRESSIVE_CODE:
            _pull_back_chain(t, x, values, derivatives, terms, lkj[t], centring, offsets, z, gu, grad)
            continue
        size = term[LEVELS] * q
        block_of, r, own = information[block : block + size * q], score[at : at + size], z[at : at + size]
        # u is not needed any more: its place holds the gradient in z.
        g_sd = _pull_back(term, x, values, lkj[t], block_of, r, known, own, gu[at : at + size], u[at : at + size], grad)
        for i in range(q):
            sd = term[SD] + (i if term[SDS] > 1 else 0)
            grad[sd] += g_sd[i] * derivatives[sd]


@jitable
def joint(row_pass, data, x, center, terms, table, lkj, centring, known, grad):  # type: ignore[no-untyped-def]  # compiled
    """Fill grad and return the log density of x, but for the constants that depend on data alone.

    Arguments: address of the family's pass over the rows and that of its data (see `native`); x; center (p,);
    `Layout.terms`; table (scalars, 8) of priors; lkj (terms,); `Centring.arrays`; `Layout.precision`; grad.
    """
    p, n_scalars, n_terms = center.shape[0], table.shape[0], terms.shape[0]
    n_z = centring[1].shape[0]
    values, derivatives, g_beta = np.empty(n_scalars), np.empty(n_scalars), np.empty(p)
    z, u, gu = np.empty(n_z), np.empty(n_z), np.empty(n_z)
    work = work_space(terms, centring)
    total = natural_scalars(x, table, center, values, derivatives, grad)
    total += fill_effects(x, values, terms, lkj, centring, known, work, z, u)
    n_sds = 0
    for t in range(n_terms):
        n_sds += terms[t, SDS]

    first = p + n_sds
    sums = np.empty(1 + n_scalars - first)
    call_row_pass(row_pass, data, values, u, values[first:], g_beta, gu, sums)
    total += sums[0]

    pull_back_scalars(table, first, sums[1:], derivatives, grad)
    for k in range(p):  # through the centring of the columns and the transforms
        grad[k] += (g_beta[k] - center[k] * g_beta[0]) * derivatives[k]
    _pull_back_effects(x, values, derivatives, terms, lkj, centring, known, work, z, u, gu, grad)
    if not math.isfinite(total):
        # The prior vanishes here or the predictor overflows; what inf - inf gives is no density either.
        for k in range(grad.shape[0]):
            grad[k] = 0.0
        return -math.inf
    return total
