"""Nested and crossed group terms: from the factor of `tree` to solutions and second moments of z; compiled.

On the way back each node is in z, what was eliminated after it in u = M z. With Sigma the covariance of u among a
node's list (Takahashi, Fagan & Chin 1973), the covariance of z in the node is L^-T (I + Y' Sigma Y) L^-1, that between
the list and z is -Sigma Y L^-1, and M turns both into those of u, for the nodes below.
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.engine.integrated.leaves import first_depth, leaf_moments, summed_rows
from bayesglmm.engine.integrated.tree import WORTH_LAPACK
from bayesglmm.engine.lapack import inverse_from_cholesky
from bayesglmm.engine.nodes import _list_product

__all__ = ["back_substitute", "tree_moments"]


@jitable
def _small_inverse(S):  # type: ignore[no-untyped-def]  # compiled
    """Turn a Cholesky factor L in the lower triangle of S into the whole inverse of L L'."""
    n = S.shape[0]
    for c in range(n):  # L^-1, column by column
        S[c, c] = 1.0 / S[c, c]
        for r in range(c + 1, n):
            value = 0.0
            for h in range(c, r):
                value -= S[r, h] * S[h, c]
            S[r, c] = value / S[r, r]
    for r in range(n):  # L^-T L^-1; what is read lies below what has been written
        for c in range(r + 1):
            value = 0.0
            for h in range(r, n):
                value += S[h, r] * S[h, c]
            S[r, c] = value
    for r in range(n):
        for c in range(r):
            S[c, r] = S[r, c]


@jitable
def _spread(M, t, q, first, z, u):  # type: ignore[no-untyped-def]  # compiled
    """Fill rows ``first``, ... of u with M z."""
    for k in range(q):
        for x in range(z.shape[1]):
            u[first + k, x] = M[t, k, k] * z[first + k, x]
        for h in range(k):
            for x in range(z.shape[1]):
                u[first + k, x] += M[t, k, h] * z[first + h, x]


@jitable
def _tail_back(M, places, effects, tail, z, u):  # type: ignore[no-untyped-def]  # compiled
    _chain, terms, place, widths = places
    for r in range(tail.shape[0] - 1, -1, -1):
        own = effects[r]
        for x in range(z.shape[1]):
            z[own, x] /= tail[r, r]
        for c in range(r):
            for x in range(z.shape[1]):
                z[effects[c], x] -= tail[r, c] * z[own, x]
    for r in range(tail.shape[0]):
        if place[r] == 0:
            _spread(M, terms[r], widths[terms[r]], effects[r], z, u)


@jitable
def back_substitute(M, tree, places, below, L, Y, tail, z, u):  # type: ignore[no-untyped-def]  # compiled
    """Turn z (Q, k) into L^-T z, L the factor of the whole H; fills u (Q, k) = M z but for the leaves.

    Nodes of depths before ``below`` are left alone.
    """
    depths, ancestors, starts, meets, meets_starts, _above, effects = tree
    _tail_back(M, places, effects, tail, z, u)
    for d in range(depths.shape[1] - 1, below - 1, -1):
        q = depths[0, d]
        last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(depths[1, d], last):
            own, first = depths[4, d] + (v - depths[1, d]) * q * q, depths[2, d] + (v - depths[1, d]) * q
            at = starts[v]
            for e in range(d + 1, depths.shape[1]):
                to = depths[2, e] + (ancestors[e, v] - depths[1, e]) * depths[0, e]
                for l in range(to, to + depths[0, e]):
                    for k in range(first, first + q):
                        for x in range(z.shape[1]):
                            z[k, x] -= Y[at] * u[l, x]
                        at += 1
            for c in range(meets_starts[v], meets_starts[v + 1]):
                l = effects[meets[c]]
                for k in range(first, first + q):
                    for x in range(z.shape[1]):
                        z[k, x] -= Y[at] * u[l, x]
                    at += 1
            for k in range(q - 1, -1, -1):
                inverse = 1.0 / L[own + k * q + k]
                for x in range(z.shape[1]):
                    value = z[first + k, x]
                    for h in range(k + 1, q):
                        value -= L[own + h * q + k] * z[first + h, x]
                    z[first + k, x] = value * inverse
            if d > 0:
                _spread(M, places[0][d], q, first, z, u)


@jitable
def _node_covariance(q, L, own, Y, first, P, size, X):  # type: ignore[no-untyped-def]  # compiled
    """Fill X (q, q) with L^-T (I + P' Y) L^-1, P (size, q) = Sigma Y."""
    for k in range(q):
        for l in range(k + 1):
            value = 1.0 if k == l else 0.0
            for c in range(size):
                value += P[c * q + k] * Y[first + c * q + l]
            X[k, l] = value
            X[l, k] = value
    for k in range(q - 1, -1, -1):
        inverse = 1.0 / L[own + k * q + k]
        for l in range(q):
            for h in range(k + 1, q):
                X[k, l] -= L[own + h * q + k] * X[h, l]
            X[k, l] *= inverse
    for l in range(q - 1, -1, -1):
        inverse = 1.0 / L[own + l * q + l]
        for k in range(q):
            for h in range(l + 1, q):
                X[k, l] -= L[own + h * q + l] * X[k, h]
            X[k, l] *= inverse


@jitable
def _keep_node(M, t, q, L, own, X, P, size, C):  # type: ignore[no-untyped-def]  # compiled
    """Turn P = Sigma Y into the covariance -Sigma Y L^-1 M' of list and u, and fill C at ``own`` with M X M'."""
    at = 0
    for _c in range(size):
        for k in range(q - 1, -1, -1):
            value = -P[at + k]
            for h in range(k + 1, q):
                value -= L[own + h * q + k] * P[at + h]
            P[at + k] = value / L[own + k * q + k]
        for k in range(q - 1, -1, -1):
            value = 0.0
            for h in range(k + 1):
                value += P[at + h] * M[t, k, h]
            P[at + k] = value
        at += q
    for k in range(q):
        for l in range(q):
            value = 0.0
            for h in range(k + 1):
                for g in range(l + 1):
                    value += M[t, k, h] * X[h, g] * M[t, l, g]
            C[own + k * q + l] = value


@jitable
def _tail_covariance(M, places, tail, second):  # type: ignore[no-untyped-def]  # compiled
    """Turn the tail's factor into the covariance of u; add that of z, level by level, to ``second``."""
    _chain, terms, place, widths = places
    if tail.shape[0] < WORTH_LAPACK:
        _small_inverse(tail)
    else:
        inverse_from_cholesky(tail)
    n = tail.shape[0]
    for r in range(n):
        t, k = terms[r], place[r]
        for l in range(widths[t]):
            second[t, k, l] += tail[r, r - k + l]
    for r in range(n - 1, -1, -1):  # rows from below, then columns: M is lower triangular
        t, k = terms[r], place[r]
        for c in range(n):
            tail[r, c] *= M[t, k, k]
            for h in range(k):
                tail[r, c] += M[t, k, h] * tail[r - k + h, c]
    for r in range(n):
        for c in range(n - 1, -1, -1):
            s, l = terms[c], place[c]
            tail[r, c] *= M[s, l, l]
            for g in range(l):
                tail[r, c] += M[s, l, g] * tail[r, c - l + g]


@jitable
def tree_moments(M, tree, places, leaves, N, H, T, z, u, C, V, second):  # type: ignore[no-untyped-def]  # compiled
    """Add to ``second`` (terms, q, q) each term's diagonal blocks of H^-1 + z z', z = L^-T T N, summed over levels.

    H is that of `kernel.eliminate`, its tail is overwritten. z and u (Q, columns of N), C and V (as its blocks and
    couplings) are work space.
    """
    depths, ancestors = tree[0], tree[1]
    chain, terms, place, widths = places
    L, Y, tail, kept = H
    below, (first, end) = first_depth(leaves), summed_rows(tree, leaves)
    for r in range(T.shape[0]):
        if not first <= r < end:
            for x in range(N.shape[1]):
                z[r, x] = 0.0
                for y in range(N.shape[0]):
                    z[r, x] += T[r, y] * N[y, x]
    back_substitute(M, tree, places, below, L, Y, tail, z, u)
    for r in range(tail.shape[0]):
        t, k, own = terms[r], place[r], tree[6][r]
        _add_squares(z, own, own - k, widths[t], second[t, k])
    _tail_covariance(M, places, tail, second)
    for d in range(depths.shape[1] - 1, below - 1, -1):
        last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        nodes, t = last - depths[1, d], chain[d]
        if d == 0 and depths[0, 0] == 1:
            second[t, 0, 0] += _scalar_leaves(tree, nodes, L, Y, tail, z, C, V)
        else:
            _nodes(M, t, tree, d, nodes, L, Y, tail, z, C, V, second[t])
    if below:
        second[chain[0], 0, 0] += leaf_moments(tree, leaves, N, C, V, u, kept)


@jitable
def _nodes(M, t, tree, d, nodes, L, Y, tail, z, C, V, second):  # type: ignore[no-untyped-def]  # compiled
    """Add the second moments of the nodes of depth d to ``second``; keep covariances of u for what lies below."""
    depths, starts, meets_starts = tree[0], tree[2], tree[4]
    q = depths[0, d]
    X = np.empty((q, q))
    for v in range(depths[1, d], depths[1, d] + nodes):
        own, first = depths[4, d] + (v - depths[1, d]) * q * q, starts[v]
        size = depths[5, d] + meets_starts[v + 1] - meets_starts[v]
        # What leaves have in common with others is not asked for again: their place is used anew.
        P = V[first : starts[v + 1]] if d > 0 else V[: starts[v + 1] - first]
        _list_product(tree, v, d, q, C, V, tail, Y, first, P)
        _node_covariance(q, L, own, Y, first, P, size, X)
        if d > 0:
            _keep_node(M, t, q, L, own, X, P, size, C)
        to = depths[2, d] + (v - depths[1, d]) * q
        for k in range(q):
            _add_squares(z, to + k, to, q, second[k])
            for l in range(q):
                second[k, l] += X[k, l]


@jitable
def _scalar_leaves(tree, nodes, L, Y, tail, z, C, V):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of second moments of leaves of one effect: most of all nodes."""
    depths, starts = tree[0], tree[2]
    total = 0.0
    for v in range(nodes):
        first, size, own = starts[v], starts[v + 1] - starts[v], L[depths[4, 0] + v]
        P = V[:size]
        _list_product(tree, v, 0, 1, C, V, tail, Y, first, P)
        value = 1.0
        for c in range(size):
            value += P[c] * Y[first + c]
        total += value / (own * own)
        for x in range(z.shape[1]):
            total += z[depths[2, 0] + v, x] * z[depths[2, 0] + v, x]
    return total


@jitable
def _add_squares(z, own, first, q, out):  # type: ignore[no-untyped-def]  # compiled
    for l in range(q):
        for x in range(z.shape[1]):
            out[l] += z[own, x] * z[first + l, x]
