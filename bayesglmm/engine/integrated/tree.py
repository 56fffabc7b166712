"""Nested and crossed group terms: H = I + M' C M, C = Z' W Z, factored node by node from the leaves up; compiled.

The chain of nested terms and the dense tail are those of `engine.pattern`. A node is eliminated in its spherical
coordinates z, while everything that is eliminated after it stays in u = M z (M is Lambda relative to sigma):

    I + M_v' C_v M_v = L L',    Y = C_av M_v L^-T,    C_aa <- C_aa - Y Y'

so that only its own M is applied to a node. The way back is in `moments`.
"""

from __future__ import annotations

import math

from bayesglmm.compiled import jitable
from bayesglmm.engine.integrated.leaves import factor_leaves, first_depth, summed_rows
from bayesglmm.engine.integrated.levels import LARGE, factor_level, spread_level
from bayesglmm.engine.lapack import cholesky

__all__ = ["WORTH_LAPACK", "factor_tree", "small_cholesky"]

#: Side from which LAPACK is faster than plain loops (its calls cost more than so small a factorisation).
WORTH_LAPACK = 48


@jitable
def small_cholesky(S):  # type: ignore[no-untyped-def]  # compiled
    """Turn the lower triangle of S into its Cholesky factor; return whether S was positive definite."""
    for r in range(S.shape[0]):
        for c in range(r + 1):
            value = S[r, c]
            for h in range(c):
                value -= S[r, h] * S[c, h]
            if r > c:
                S[r, c] = value / S[c, c]
            elif not value > 0.0:
                return False
            else:
                S[r, r] = math.sqrt(value)
    return True


@jitable
def _couple(M, t, q, L, own, Y, first, size):  # type: ignore[no-untyped-def]  # compiled
    """Turn couplings C_av (size, q) at ``first`` into Y = C_av M L^-T in place."""
    at = first
    for _c in range(size):
        for k in range(q):
            value = 0.0
            for h in range(k, q):
                value += Y[at + h] * M[t, h, k]
            for h in range(k):
                value -= L[own + k * q + h] * Y[at + h]
            Y[at + k] = value / L[own + k * q + k]
        at += q


@jitable
def _factor_nodes(M, t, depths, d, nodes, starts, C, L, Y, T):  # type: ignore[no-untyped-def]  # compiled
    """Fill L, Y and T of the nodes of one depth; return the sum of their log determinants, nan if one has none."""
    q, total, product = depths[0, d], 0.0, 1.0
    for v in range(nodes):
        node, own, first = depths[1, d] + v, depths[4, d] + v * q * q, depths[2, d] + v * q
        product *= factor_level(M, t, q, C, own, L)
        if not product <= LARGE:
            total += math.log(product)
            product = 1.0
        _couple(M, t, q, L, own, Y, starts[node], (starts[node + 1] - starts[node]) // q)
        spread_level(M, t, q, L, own, T, first, T)
    return total + math.log(product)


@jitable
def _factor_scalars(sigma, depths, d, nodes, starts, C, L, Y, T):  # type: ignore[no-untyped-def]  # compiled
    """Do the same for nodes of one effect: most of all nodes, and a call for each would cost more than the work."""
    total, product = 0.0, 1.0
    for v in range(nodes):
        node, own, first = depths[1, d] + v, depths[4, d] + v, depths[2, d] + v
        pivot = 1.0 + sigma * sigma * C[own]
        if not pivot > 0.0:
            return math.nan
        product *= pivot
        if not product <= LARGE:
            total += math.log(product)
            product = 1.0
        L[own] = math.sqrt(pivot)
        factor = sigma / L[own]
        for at in range(starts[node], starts[node + 1]):
            Y[at] *= factor
        for x in range(T.shape[1]):
            T[first, x] *= factor
    return total + math.log(product)


@jitable
def _push_up(depths, d, nodes, ancestors, starts, meets_starts, above, Y, C):  # type: ignore[no-untyped-def]  # compiled
    """Take Y Y' of the nodes of depth d from the blocks (whole) and couplings of their ancestors."""
    q = depths[0, d]
    for v in range(depths[1, d], depths[1, d] + nodes):
        near, left, begin = starts[v], depths[5, d], meets_starts[v]
        width, to_tail = meets_starts[v + 1] - begin, near + left * q
        for e in range(d + 1, depths.shape[1]):
            a, qe = ancestors[e, v], depths[0, e]
            block = depths[4, e] + (a - depths[1, e]) * qe * qe
            left -= qe
            for h in range(q):  # column by column of Y: a dot product as inner loop costs three times as much
                for k in range(qe):
                    y, own, at = Y[near + k * q + h], block + k * qe, starts[a] + k
                    for l in range(qe):
                        C[own + l] -= y * Y[near + l * q + h]
                    for c in range(left):
                        Y[at] -= y * Y[near + (qe + c) * q + h]
                        at += qe
                    for c in range(width):
                        Y[at + above[e, begin + c] * qe] -= y * Y[to_tail + c * q + h]
            near += qe * q


@jitable
def _push_right(depths, d, nodes, tree, Y, T, tail):  # type: ignore[no-untyped-def]  # compiled
    """Take Y T of the nodes of depth d from the rows of T that they meet, and Y Y' from the tail's lower triangle."""
    _depths, ancestors, starts, meets, meets_starts, _above, effects = tree
    q = depths[0, d]
    for v in range(nodes):
        node, first = depths[1, d] + v, depths[2, d] + v * q
        at = starts[node]
        for e in range(d + 1, depths.shape[1]):
            to = depths[2, e] + (ancestors[e, node] - depths[1, e]) * depths[0, e]
            for l in range(to, to + depths[0, e]):
                for k in range(first, first + q):
                    for x in range(T.shape[1]):
                        T[l, x] -= Y[at] * T[k, x]
                    at += 1
        begin = meets_starts[node]
        for c in range(meets_starts[node + 1] - begin):
            row = meets[begin + c]
            for h in range(q):
                y = Y[at + c * q + h]
                for b in range(c + 1):
                    tail[row, meets[begin + b]] -= y * Y[at + b * q + h]
                for x in range(T.shape[1]):
                    T[effects[row], x] -= y * T[first + h, x]


@jitable
def _scale_tail(M, places, tail):  # type: ignore[no-untyped-def]  # compiled
    """Turn C of the tail (lower triangle) into I + M' C M, in place: an entry needs none before it."""
    _chain, terms, place, widths = places
    for r in range(tail.shape[0]):
        for c in range(r):
            tail[c, r] = tail[r, c]
    for r in range(tail.shape[0]):
        t, k = terms[r], place[r]
        for c in range(r + 1):
            s, l = terms[c], place[c]
            value = 1.0 if r == c else 0.0
            for h in range(k, widths[t]):
                inner = 0.0
                for g in range(l, widths[s]):
                    inner += tail[r - k + h, c - l + g] * M[s, g, l]
                value += M[t, h, k] * inner
            tail[r, c] = value


@jitable
def _factor_tail(M, places, effects, tail, T):  # type: ignore[no-untyped-def]  # compiled
    """Factor the tail in place and fill its rows of T; return whether it was positive definite."""
    _scale_tail(M, places, tail)
    if not (small_cholesky(tail) if tail.shape[0] < WORTH_LAPACK else cholesky(tail)):
        return False
    _chain, terms, place, widths = places
    for r in range(tail.shape[0]):
        t, k, own = terms[r], place[r], effects[r]
        for x in range(T.shape[1]):
            T[own, x] *= M[t, k, k]
        for h in range(k + 1, widths[t]):
            for x in range(T.shape[1]):
                T[own, x] += M[t, h, k] * T[own - k + h, x]
    for r in range(tail.shape[0]):
        own = effects[r]
        for c in range(r):
            for x in range(T.shape[1]):
                T[own, x] -= tail[r, c] * T[effects[c], x]
        for x in range(T.shape[1]):
            T[own, x] /= tail[r, r]
    return True


@jitable
def factor_tree(M, tree, places, leaves, C, L, Y, tail, kept, T, S):  # type: ignore[no-untyped-def]  # compiled
    """Factor H; returns log det H (nan if there is no factor) and takes T' T from the lower triangle of S (m, m).

    ``places`` = (terms of the chain, term and place of each tail effect, widths of terms). C, Y and tail come as copies
    of Z' W Z and T as one of D = Z' W [Q y~]; C is used up, the others become the factor and L^-1 M' D. Leaves that are
    summed leave theirs as they are and fill ``kept`` (see `leaves`).
    """
    depths, ancestors, starts, _meets, meets_starts, above, effects = tree
    total, below = 0.0, first_depth(leaves)
    if below:
        total += factor_leaves(M[places[0][0], 0, 0], tree, leaves, C, Y, T, S, kept)
    for d in range(below, depths.shape[1]):
        t, last = places[0][d], depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        nodes = last - depths[1, d]
        if depths[0, d] == 1:
            total += _factor_scalars(M[t, 0, 0], depths, d, nodes, starts, C, L, Y, T)
        else:
            total += _factor_nodes(M, t, depths, d, nodes, starts, C, L, Y, T)
        _push_up(depths, d, nodes, ancestors, starts, meets_starts, above, Y, C)
        _push_right(depths, d, nodes, tree, Y, T, tail)
    if not (math.isfinite(total) and _factor_tail(M, places, effects, tail, T)):
        return math.nan
    for r in range(tail.shape[0]):
        total += 2.0 * math.log(tail[r, r])
    first, last = summed_rows(tree, leaves)
    for r in range(T.shape[0]):
        if not first <= r < last:
            for x in range(T.shape[1]):
                for y in range(x + 1):
                    S[x, y] -= T[r, x] * T[r, y]
    return total
