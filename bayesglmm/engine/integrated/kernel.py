"""The marginal density of a linear mixed model, compiled: beta and u integrated out, value and gradient in one call.

With M = Lambda / sigma, s = 1 / sigma^2, H = I + M' Z' W Z M, X = Q R, y~ = y less an estimate X b0, D = Z' W [Q y~],
and the coefficients as delta = R (gamma - b0) with prior N(d0, P^-1),

    S = [Q y~]' V^-1 [Q y~] = [Q y~]' W [Q y~] - D' M H^-1 M' D,    A = s S_QQ + P,    A d = s S_Qy + P d0

    -2 log p(y | theta) = 2 n log sigma + log|H| + log|A| + s S_yy + d0' P d0 - d' A d + constants

(n is the sum of the weights). The gradient is Fisher's identity. With K = sum_j E[z_j z_j' | y, theta] - J I for the J
levels of a term, that in M is M^-T K, hence that in L (Lambda = diag(sd) L) is L^-T K, without the standard deviations;
that in log sigma is -n - sum tr K + E[|y~ - Q delta|^2_{V^-1}] / sigma^2. Second moments of z are diagonal blocks of
H^-1 + s B F B' with B = H^-1 M' D and F the second moments of (-delta, 1): nothing is subtracted but J I, so that an sd
near 0 costs no digits, and residuals are never formed.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled_pointer, jitable, source_stamp
from bayesglmm.covariance.correlation import correlation_adjoint
from bayesglmm.density.kernel import group_factor, natural_scalars
from bayesglmm.density.layout import COR, GAPS, LEVELS, SD, SDS, STRUCTURE, Q
from bayesglmm.density.native import LOG_DENSITY
from bayesglmm.engine.integrated.alone import alone_moments, factor_alone
from bayesglmm.engine.integrated.classes import class_moments, factor_classes
from bayesglmm.engine.integrated.data import (
    CONSTANT,
    HELD,
    N_ARRAYS,
    PRIOR_SQUARES,
    SAMPLED,
    SOURCES,
    WEIGHT,
    WIDEST,
    copy,
    copy_table,
    unpack,
)
from bayesglmm.engine.integrated.leaves import summed_rows
from bayesglmm.engine.integrated.moments import tree_moments
from bayesglmm.engine.integrated.tree import factor_tree, small_cholesky

__all__ = ["compile_marginal", "eliminate", "factor_space", "factors", "hold", "integrate"]

#: Statuses of `NativeDensity.log_density`.
_OK, _BAD_GRADIENT, _BAD_VALUE = 0, 3, 4
_NO_CENTER = np.empty(0)


@jitable
def factors(x, priors, sampled, values, derivatives, L, M, grad):  # type: ignore[no-untyped-def]  # compiled
    """Fill natural values, L and M of every term and the priors' gradient; return (log prior, sigma)."""
    terms, table, lkj = priors
    total = natural_scalars(x, table, _NO_CENTER, values, derivatives, grad)
    sigma = values[table.shape[0] - 1] if sampled else 1.0
    for t in range(terms.shape[0]):
        q = terms[t, Q]
        total += group_factor(terms[t], x, values, lkj[t], L[t, :q, :q], M[t, :q, :q])
        for i in range(q):
            for k in range(i + 1):
                M[t, i, k] /= sigma
    return total, sigma


@jitable
def factor_space(sums, leaves):  # type: ignore[no-untyped-def]  # compiled
    """Return arrays for H of `eliminate`."""
    n_kept = 1
    if leaves[0].shape[0] and leaves[1].shape[0]:
        n_kept += (leaves[0].shape[0] - 1) * (leaves[3].shape[0] // leaves[1].shape[0])
    return np.empty(sums[0].shape[0]), np.empty(sums[1].shape[0]), np.empty(sums[2].shape), np.empty(n_kept)


@jitable
def eliminate(terms, tree, places, sums, leaves, chunks, M, H, T, S):  # type: ignore[no-untyped-def]  # compiled
    """Fill the factor H = (nodes' blocks, couplings, tail, what leaves keep), T = L^-1 M' D and S; return log det H.

    With one term alone H and T are laid out as its chunks.
    """
    blocks, couplings, tail, D, total = sums
    copy_table(total, S)
    if chunks[0].shape[0]:
        log_determinant = factor_alone(M, terms[0, Q], chunks[0], chunks[1], H[0], T.reshape(T.size), S)
    else:
        first, last = summed_rows(tree, leaves)
        C = np.empty(blocks.shape[0])
        done = last - first  # leaves come first among the nodes; those that are summed are not asked for again
        copy(blocks[done:], C[done:])
        copy(couplings[tree[2][done] :], H[1][tree[2][done] :])
        copy_table(tail, H[2])
        copy_table(D[:first], T[:first])
        copy_table(D[last:], T[last:])
        log_determinant = factor_tree(M, tree, places, leaves, C, H[0], H[1], H[2], H[3], T, S)
    _mirror(S)
    return log_determinant


@jitable
def _mirror(S):  # type: ignore[no-untyped-def]  # compiled
    """Copy the lower triangle to the upper one."""
    for a in range(S.shape[0]):
        for b in range(a):
            S[b, a] = S[a, b]


@jitable
def integrate(s, S, coefficients, A, v):  # type: ignore[no-untyped-def]  # compiled
    """Factor A, fill v = (-d, 1), and return -log|A| / 2 + d' A d / 2 (nan where A is not positive definite)."""
    precision, pull = coefficients[0], coefficients[1]
    p = pull.shape[0]
    for a in range(p):
        for b in range(a + 1):
            A[a, b] = s * S[a, b] + precision[a, b]
        v[a] = -(s * S[p, a] + pull[a])
    v[p] = 1.0
    if not small_cholesky(A[:p, :p]):
        return math.nan
    total = 0.0
    for a in range(p):
        for h in range(a):
            v[a] -= A[a, h] * v[h]
        v[a] /= A[a, a]
        total += 0.5 * v[a] * v[a] - math.log(A[a, a])
    for a in range(p - 1, -1, -1):
        for h in range(a + 1, p):
            v[a] -= A[h, a] * v[h]
        v[a] /= A[a, a]
    return total


@jitable
def hold(values, coefficients, v):  # type: ignore[no-untyped-def]  # compiled
    """Fill v = (-delta, 1) at coefficients that are sampled."""
    R, origin = coefficients[2], coefficients[3]
    p = origin.shape[0]
    for a in range(p):
        v[a] = 0.0
        for b in range(a, p):
            v[a] -= R[a, b] * (values[b] - origin[b])
    v[p] = 1.0


@jitable
def _second_moments(root_s, A, v, N):  # type: ignore[no-untyped-def]  # compiled
    """Fill N: N N' is s times the second moments of (-delta, 1); the first column is the mean's."""
    p = v.shape[0] - 1
    N[:] = 0.0
    for a in range(p + 1):
        N[a, 0] = root_s * v[a]
    for b in range(N.shape[1] - 1):
        N[b, 1 + b] = root_s / A[b, b]
        for a in range(b - 1, -1, -1):
            value = 0.0
            for h in range(a + 1, b + 1):
                value -= A[h, a] * N[h, 1 + b]
            N[a, 1 + b] = value / A[a, a]


@jitable
def _pull_back(term, x, values, derivatives, eta_lkj, L, K, grad):  # type: ignore[no-untyped-def]  # compiled
    """Add the gradient in one term's standard deviations and fill that in its correlations; return tr K.

    K (q, q) comes as the sum of second moments of z and is overwritten by the gradient in L.
    """
    q = term[Q]
    trace = 0.0
    for k in range(q):
        K[k, k] -= term[LEVELS]
        trace += K[k, k]
    for l in range(q):
        for k in range(q - 1, -1, -1):
            for h in range(k + 1, q):
                K[k, l] -= L[h, k] * K[h, l]
            K[k, l] /= L[k, k]
    for i in range(q):
        own, along = term[SD] + (i if term[SDS] > 1 else 0), 0.0
        for k in range(i + 1):
            along += K[i, k] * L[i, k]
        if values[own] > 0.0:
            grad[own] += along / values[own] * derivatives[own]
    correlation_adjoint(term[STRUCTURE], x[term[COR] :], eta_lkj, term[GAPS:], L, K, grad[term[COR] :])
    return trace


@jitable
def _held_gradient(s, S, R, v, derivatives, grad):  # type: ignore[no-untyped-def]  # compiled
    """Add the gradient in sampled coefficients, R' s (S v)."""
    p = v.shape[0] - 1
    for a in range(p):
        along = 0.0
        for b in range(p + 1):
            along += S[a, b] * v[b]
        for b in range(a, p):
            grad[b] += s * along * R[a, b] * derivatives[b]


@jitable
def _form(N, S, columns):  # type: ignore[no-untyped-def]  # compiled
    """Return tr(N' S N) over the first columns of N."""
    total = 0.0
    for x in range(columns):
        for a in range(S.shape[0]):
            inner = 0.0
            for b in range(S.shape[0]):
                inner += S[a, b] * N[b, x]
            total += N[a, x] * inner
    return total


@jitable
def _marginal(x, t, grad):  # type: ignore[no-untyped-def]  # compiled
    """Fill grad and return the marginal log density of x; ``t`` holds addresses and shapes of the data."""
    priors, tree, places, sums, coefficients, numbers, classes, leaves, chunks = unpack(t)
    terms, table, lkj = priors
    held = numbers[HELD] > 0.0
    n_terms, m, widest = terms.shape[0], sums[4].shape[0], np.int64(numbers[WIDEST])
    scalars, v = np.empty((2, table.shape[0])), np.empty(m)
    values, derivatives = scalars[0], scalars[1]
    cubes = np.zeros((3, n_terms, widest, widest))
    L, M, K = cubes[0], cubes[1], cubes[2]
    squares = np.empty((2, m, m))
    S, A = squares[0], squares[1]
    N = np.empty((m, 1 if held else m))
    log_prior, sigma = factors(x, priors, numbers[SAMPLED] > 0.0, values, derivatives, L, M, grad)
    if not math.isfinite(log_prior):
        return -math.inf
    s = 1.0 / (sigma * sigma)
    H = factor_space(sums, leaves)
    T = np.empty(sums[3].shape)
    n_classes, q = classes[1].shape[0], terms[0, Q] if n_terms else 0
    W = np.empty((n_classes, q, q))
    if n_classes:
        copy_table(sums[4], S)
        log_determinant = factor_classes(M, q, classes, H[0], W, S)
        _mirror(S)
    else:
        log_determinant = eliminate(terms, tree, places, sums, leaves, chunks, M, H, T, S)
    value = log_prior + numbers[CONSTANT] - 0.5 * log_determinant
    if held:
        hold(values, coefficients, v)
    else:
        value += integrate(s, S, coefficients, A, v) - 0.5 * (s * S[m - 1, m - 1] + numbers[PRIOR_SQUARES])
    if not math.isfinite(value):
        return -math.inf
    _second_moments(math.sqrt(s), A, v, N)
    if n_classes:
        class_moments(N, classes, H[0], W, np.empty((2, q, q)), K[0, :q, :q])
    elif chunks[0].shape[0]:
        alone_moments(N, H[0], T.reshape(T.size), K[0, :q, :q])
    else:
        z, u = np.empty((T.shape[0], N.shape[1])), np.empty((T.shape[0], N.shape[1]))
        C, V = np.empty(H[0].shape[0]), np.empty(H[1].shape[0])
        tree_moments(M, tree, places, leaves, N, H, T, z, u, C, V, K)
    trace = 0.0
    for k in range(n_terms):
        q = terms[k, Q]
        trace += _pull_back(terms[k], x, values, derivatives, lkj[k], L[k, :q, :q], K[k, :q, :q], grad)
    if held:
        value -= 0.5 * _form(N, S, 1)
        _held_gradient(s, S, coefficients[2], v, derivatives, grad)
    if numbers[SAMPLED] > 0.0:
        last = table.shape[0] - 1
        value -= numbers[WEIGHT] * math.log(sigma)
        along = _form(N, S, N.shape[1]) - trace - numbers[WEIGHT]
        grad[last] += along / sigma * derivatives[last]
    return value


@functools.cache
def compile_marginal() -> Any:
    """Compile the C function of the marginal density (see `native.NativeDensity`), or take it from the cache."""
    stamp = source_stamp(*SOURCES)

    def log_marginal(n, x_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        x, gradient, value = nb.carray(x_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
        value[0] = _marginal(x, nb.carray(data_, (N_ARRAYS, 3), np.int64), gradient)
        status = _OK
        for k in range(gradient.shape[0]):
            if not np.isfinite(gradient[k]):
                status = _BAD_GRADIENT
        if not np.isfinite(value[0]):
            value[0] = -np.inf
            status = _BAD_VALUE
        if status != _OK:
            gradient[:] = 0.0
        return status

    return compiled_pointer(LOG_DENSITY)(log_marginal)
