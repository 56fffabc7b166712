"""Leaves of one effect that meet nothing but what they lie in, summed under their parents; compiled.

With x_v = [couplings with all ancestors | D] of leaf v and pivot p_v = 1 + M^2 C_v, eliminating a parent's leaves takes
sum M^2 / p_v x_v x_v' from what is eliminated after them, and their second moments are

    sum_v 1 / p_v + < sum M^2 / p_v^2 x_v x_v',  [Sigma + u u', -u N'; -N u', N N'] >

(Sigma the covariance of the ancestors' u, see `moments`): both need x x' only summed over leaves of equal C_v, which
is done once. Nothing is approximated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.engine.integrated.levels import LARGE
from bayesglmm.engine.integrated.vectors import add_two, dot
from bayesglmm.engine.pattern import Pattern

__all__ = ["Leaves", "draw_leaves", "factor_leaves", "first_depth", "leaf_moments", "summed_rows"]

#: Sums of products take at most so many times the memory of what they are products of.
_MEMORY = 16


@dataclass(frozen=True, eq=False)
class Leaves:
    """Leaves by their parent and their Z' W Z.

    Attributes
    ----------
    starts : ndarray of int64, shape (parents + 1,)
        Where the entries of each parent begin; empty where leaves are taken one by one.
    pivots, counts : ndarray, shape (entries,)
        Z' W Z of an entry's leaves, and how many they are.
    products : ndarray, shape (entries * n (n + 1) / 2,)
        Lower triangles of sum x x', row by row; n = ancestors' effects + columns of D.
    """

    starts: np.ndarray
    pivots: np.ndarray
    counts: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, pattern: Pattern, blocks: np.ndarray, couplings: np.ndarray, D: np.ndarray) -> Leaves:
        """Sum over the leaves of ``pattern``, or over none where that is not possible or takes too much memory."""
        if len(pattern.chain) < 2 or pattern.depths[0, 0] != 1 or pattern.n_tail:
            return cls.none()
        J, (above, first) = pattern.shapes[pattern.chain[0]][0], pattern.depths[[5, 2], 0]
        parents = pattern.shapes[pattern.chain[1]][0]
        keys = np.column_stack([pattern.ancestors[1, :J] - pattern.depths[1, 1], blocks[:J]])
        distinct, entry, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        x = np.hstack([couplings[: J * above].reshape(J, above), D[first : first + J]])
        n = x.shape[1]
        if len(distinct) * n * (n + 1) // 2 > _MEMORY * x.size:
            return cls.none()
        sums = [np.bincount(entry.ravel(), x[:, a] * x[:, b]) for a in range(n) for b in range(a + 1)]
        starts = np.searchsorted(distinct[:, 0], np.arange(parents + 1))
        return cls(
            starts.astype(np.int64), distinct[:, 1].copy(), counts.astype(np.float64), np.column_stack(sums).ravel()
        )

    @classmethod
    def none(cls) -> Leaves:
        """Return no entries: leaves are taken one by one."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


@jitable
def first_depth(leaves):  # type: ignore[no-untyped-def]  # compiled
    """Return the depth from which nodes are taken one by one."""
    return 1 if leaves[0].shape[0] else 0


@jitable
def summed_rows(tree, leaves):  # type: ignore[no-untyped-def]  # compiled
    """Return the rows of T (first, last) that belong to leaves which are summed: none, if none are."""
    if leaves[0].shape[0] == 0:
        return 0, 0
    depths = tree[0]
    return depths[2, 0], depths[2, 0] + depths[1, 1]


@jitable
def factor_leaves(sigma, tree, leaves, C, Y, T, S, kept):  # type: ignore[no-untyped-def]  # compiled
    """Eliminate all leaves, with M = sigma; return the sum of their log pivots, nan if one is not positive.

    Fills ``kept``: triangles of sum M^2 / p^2 x x' of each parent, then the sum of 1 / p.
    """
    starts, pivots, counts, products = leaves
    parents = starts.shape[0] - 1
    size = (kept.shape[0] - 1) // parents
    G, total, product, inverse = np.empty(size), 0.0, 1.0, 0.0
    for p in range(parents):
        for k in range(size):
            G[k] = 0.0
            kept[p * size + k] = 0.0
        for e in range(starts[p], starts[p + 1]):
            pivot = 1.0 + sigma * sigma * pivots[e]
            if not pivot > 0.0:
                return math.nan
            if counts[e] == 1.0:
                product *= pivot
            else:
                total += counts[e] * math.log(pivot)
            if not product <= LARGE:
                total += math.log(product)
                product = 1.0
            factor = sigma * sigma / pivot
            inverse += counts[e] / pivot
            add_two(G, 0, factor, kept, p * size, factor / pivot, products, e * size, size)
        _push(tree, p, G, C, Y, T, S)
    kept[parents * size] = inverse
    return total + math.log(product)


@jitable
def _push(tree, p, G, C, Y, T, S):  # type: ignore[no-untyped-def]  # compiled
    """Take the triangle G from blocks, couplings and rows of T of a parent and its ancestors, and from S."""
    depths, ancestors, starts = tree[0], tree[1], tree[2]
    v, r, first, m = depths[1, 1] + p, depths[5, 0], 0, S.shape[0]
    for e in range(1, depths.shape[1]):
        a, q = ancestors[e, v], depths[0, e]
        block, row = depths[4, e] + (a - depths[1, e]) * q * q, depths[2, e] + (a - depths[1, e]) * q
        for k in range(q):
            i = first + k
            for l in range(k + 1):
                C[block + k * q + l] -= G[i * (i + 1) // 2 + first + l]
                if l < k:
                    C[block + l * q + k] -= G[i * (i + 1) // 2 + first + l]
            for c in range(r - first - q):
                j = first + q + c
                Y[starts[a] + c * q + k] -= G[j * (j + 1) // 2 + i]
            for x in range(m):
                T[row + k, x] -= G[(r + x) * (r + x + 1) // 2 + i]
        first += q
    for x in range(m):
        own = (r + x) * (r + x + 1) // 2 + r
        for y in range(x + 1):
            S[x, y] -= G[own + y]


@jitable
def leaf_moments(tree, leaves, N, C, V, u, kept):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of the leaves' second moments; C and V hold covariances of u, u (Q, k) its means."""
    depths, ancestors = tree[0], tree[1]
    r, m = depths[5, 0], N.shape[0]
    n, parents = r + m, leaves[0].shape[0] - 1
    size = n * (n + 1) // 2
    B, F, total = np.zeros((n, N.shape[1])), np.empty(size), kept[parents * size]
    for x in range(m):
        for y in range(N.shape[1]):
            B[r + x, y] = N[x, y]
    _squares(B, n, F)
    for p in range(parents):
        v, first = depths[1, 1] + p, 0
        for e in range(1, depths.shape[1]):
            row = depths[2, e] + (ancestors[e, v] - depths[1, e]) * depths[0, e]
            for k in range(depths[0, e]):
                for y in range(N.shape[1]):
                    B[first + k, y] = -u[row + k, y]
            first += depths[0, e]
        _squares(B, r, F)
        _add_covariance(tree, v, C, V, F)
        total += dot(F, 0, kept, p * size, size)
    return total


@jitable
def _squares(B, columns, F):  # type: ignore[no-untyped-def]  # compiled
    """Fill the first columns of the triangle F with B B', entries beside the diagonal twice."""
    for i in range(B.shape[0]):
        for j in range(min(i + 1, columns)):
            value = 0.0
            for y in range(B.shape[1]):
                value += B[i, y] * B[j, y]
            F[i * (i + 1) // 2 + j] = value if i == j else 2.0 * value


@jitable
def _add_covariance(tree, v, C, V, F):  # type: ignore[no-untyped-def]  # compiled
    """Add the covariance of u in a parent v and its ancestors, entries beside the diagonal twice."""
    depths, ancestors, starts = tree[0], tree[1], tree[2]
    r, first = depths[5, 0], 0
    for e in range(1, depths.shape[1]):
        a, q = ancestors[e, v], depths[0, e]
        block = depths[4, e] + (a - depths[1, e]) * q * q
        for k in range(q):
            i = first + k
            for l in range(k + 1):
                F[i * (i + 1) // 2 + first + l] += C[block + k * q + l] * (1.0 if l == k else 2.0)
            for c in range(r - first - q):
                j = first + q + c
                F[j * (j + 1) // 2 + i] += 2.0 * V[starts[a] + c * q + k]
        first += q


@jitable
def draw_leaves(sigma, tree, C, Y, D, v, u, z):  # type: ignore[no-untyped-def]  # compiled
    """Turn standard normal numbers at the leaves of z (Q, 1) into draws given v (m,) and the ancestors' u (Q, 1).

    C, Y and D are the sums over rows as they are.
    """
    depths, ancestors, starts = tree[0], tree[1], tree[2]
    for j in range(depths[1, 1]):
        row, at, value = depths[2, 0] + j, starts[j], 0.0
        for y in range(v.shape[0]):
            value += D[row, y] * v[y]
        for e in range(1, depths.shape[1]):
            first = depths[2, e] + (ancestors[e, j] - depths[1, e]) * depths[0, e]
            for k in range(depths[0, e]):
                value -= Y[at] * u[first + k, 0]
                at += 1
        pivot = 1.0 + sigma * sigma * C[depths[4, 0] + j]
        z[row, 0] = z[row, 0] / math.sqrt(pivot) + sigma * value / pivot
