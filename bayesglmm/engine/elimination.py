"""H = I + A' W A factored by eliminating nested terms node by node; solutions, determinant, selected inverse.

With D = L L' a node's block and B its couplings with what is eliminated after it,

    Y = B L^-T,    log det H = 2 sum log|L| + log det S,    S = T - sum Y Y'

over the nodes' couplings with the tail T. Entries of H^-1 are needed only where effects meet in a row (the selected
inverse, Takahashi, Fagan & Chin 1973): with Sigma that among the effects of a node's list, -Sigma Y L^-1 between list
and node, and L^-T (I + Y' Sigma Y) L^-1 within the node.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sla
from numba import types

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.engine.lapack import cholesky, inverse_from_cholesky
from bayesglmm.engine.nodes import accumulate, add_prior, backward, eliminate_nodes, forward, selected_inverse
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.types import IN, OUT, ROWS, TABLE, TREE

__all__ = ["Elimination", "eliminate", "factor_rows"]


@dataclass(frozen=True, eq=False)
class Elimination:
    """A factored H.

    Attributes
    ----------
    pattern : Pattern
        What meets.
    a : ndarray, shape (m, n)
        Rows of A = Z Lambda at the effects that they touch.
    L : ndarray, shape (sum q^2,)
        Lower factors of the nodes' blocks, flat.
    Y : ndarray
        Couplings of the nodes with their lists, (list, q) each, flat.
    tail : ndarray, shape (R, R)
        Lower factor of S in the lower triangle.
    """

    pattern: Pattern
    a: np.ndarray
    L: np.ndarray
    Y: np.ndarray
    tail: np.ndarray

    @functools.cached_property
    def log_determinant(self) -> float:
        """Logarithm of det H, relative to that of the prior precision (which is I, but for known covariances)."""
        value: float = _log_determinant(self.pattern.tree, self.L, self.tail)
        return value - self.pattern.log_precision

    def solve(self, b: np.ndarray) -> np.ndarray:
        """Return H^-1 b for b of shape (Q,) or (Q, k)."""
        columns = np.array(b[:, None] if b.ndim == 1 else b, dtype=np.float64, order="C")
        _forward(self.pattern.tree, self.L, self.Y, columns)
        if len(self.tail):
            at = self.pattern.tail_effects
            columns[at] = sla.lapack.dpotrs(self.tail.T, columns[at], lower=0)[0]
        _backward(self.pattern.tree, self.L, self.Y, columns)
        return columns.reshape(b.shape)

    @functools.cached_property
    def selected(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """H^-1 where effects meet: nodes' blocks, their couplings (both flat, laid out as L and Y), the tail (R, R)."""
        tail, blocks, couplings = self.tail.copy(), np.empty_like(self.L), np.empty_like(self.Y)
        _invert(self.pattern.tree, self.L, self.Y, tail, blocks, couplings)
        return blocks, couplings, tail

    def blocks(self, term: int) -> np.ndarray:
        """Return the diagonal blocks of H^-1 of the levels of a group term, shape (J, q, q)."""
        p = self.pattern
        J, q = p.shapes[term]
        if term in p.chain:
            first = int(p.depths[4, p.chain.index(term)])
            return self.selected[0][first : first + J * q * q].reshape(J, q, q)
        before = sum(a * b for t, (a, b) in enumerate(p.shapes[:term]) if t not in p.chain)
        index = before + np.arange(J * q).reshape(J, q)
        return self.selected[2][index[:, :, None], index[:, None, :]]

    def row_solutions(self, a: np.ndarray | None = None) -> np.ndarray:
        """Return H^-1 a_i at the effects that row i itself touches, for every row, shape (m, n).

        The rows a_i are those of A, or others that touch the same effects.
        """
        a = self.a if a is None else a
        out = np.zeros_like(a)
        _row_solutions(a, self.pattern.rows, self.pattern.tree, *self.selected, out)
        return out


def eliminate(pattern: Pattern, a: np.ndarray, weights: np.ndarray) -> Elimination | None:
    """Factor H = I + A' diag(weights) A, or return None if it is not positive definite.

    Parameters
    ----------
    pattern : Pattern
        What meets.
    a : ndarray, shape (m, n)
        Rows of A at the effects that they touch.
    weights : ndarray, shape (n,)
        W; may be negative.
    """
    L, Y, S = np.empty(pattern.n_blocks), np.empty(pattern.couplings[-1]), np.empty((pattern.n_tail, pattern.n_tail))
    if not _factor_rows(np.ascontiguousarray(weights), a, pattern.rows, pattern.tree, pattern.precision, L, Y, S):
        return None
    return Elimination(pattern, a, L, Y, S)


@jitable
def factor_rows(weights, a, rows, tree, precision, blocks, couplings, tail):  # type: ignore[no-untyped-def]  # compiled
    """Fill and factor I + A' W A (see `add_prior`); return whether it was positive definite."""
    blocks[:] = 0.0
    couplings[:] = 0.0
    tail[:] = 0.0
    accumulate(weights, a, rows, tree, blocks, couplings, tail)
    add_prior(tree, blocks, tail, precision)
    return eliminate_nodes(tree, blocks, couplings, tail) and cholesky(tail)


@jitable
def _tail_log_determinant(tree, blocks, tail):  # type: ignore[no-untyped-def]  # compiled
    depths, ancestors = tree[0], tree[1]
    value = 0.0
    for d in range(depths.shape[1]):
        q = depths[0, d]
        last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(last - depths[1, d]):
            for k in range(q):
                value += np.log(blocks[depths[4, d] + v * q * q + k * q + k])
    for r in range(tail.shape[0]):
        value += np.log(tail[r, r])
    return 2.0 * value


@jitable
def _solutions(a, rows, tree, blocks, couplings, tail, out):  # type: ignore[no-untyped-def]  # compiled
    order, starts, tail_rows, tail_index, local = rows
    depths, ancestors, coupling_starts, _meets, meets_starts, above, _effects = tree
    for j in range(starts.shape[0] - 1):
        for d in range(depths.shape[1]):
            v = ancestors[d, j]
            q, first = depths[0, d], depths[3, d]
            block = depths[4, d] + (v - depths[1, d]) * q * q
            for s in range(starts[j], starts[j + 1]):
                i = order[s]
                for k in range(q):
                    own = 0.0
                    for l in range(q):
                        own += blocks[block + k * q + l] * a[first + l, i]
                    at = coupling_starts[v] + k
                    for e in range(d + 1, depths.shape[1]):
                        for l in range(depths[0, e]):
                            own += couplings[at] * a[depths[3, e] + l, i]
                            out[depths[3, e] + l, i] += couplings[at] * a[first + k, i]
                            at += q
                    for b in range(tail_rows.shape[0]):
                        c = local[b, i] if d == 0 else above[d, meets_starts[j] + local[b, i]]
                        value = couplings[at + c * q]
                        own += value * a[tail_rows[b], i]
                        out[tail_rows[b], i] += value * a[first + k, i]
                    out[first + k, i] += own
        for s in range(starts[j], starts[j + 1]):
            i = order[s]
            for b in range(tail_rows.shape[0]):
                for c in range(tail_rows.shape[0]):
                    out[tail_rows[b], i] += tail[tail_index[b, i], tail_index[c, i]] * a[tail_rows[c], i]


def _entries(stamp: int) -> tuple[Any, ...]:
    """Compile the entry points; they close over the checksum of the sources that they are made of."""

    @compiled(types.boolean(IN, TABLE, ROWS, TREE, TABLE, OUT, OUT, TABLE))
    def _factor(weights, a, rows, tree, precision, blocks, couplings, tail):  # type: ignore[no-untyped-def]
        _ = stamp
        return factor_rows(weights, a, rows, tree, precision, blocks, couplings, tail)

    @compiled(types.float64(TREE, OUT, TABLE))
    def _determinant(tree, blocks, tail):  # type: ignore[no-untyped-def]
        _ = stamp
        return _tail_log_determinant(tree, blocks, tail)

    @compiled(types.void(TREE, OUT, OUT, TABLE))
    def _down(tree, blocks, couplings, b):  # type: ignore[no-untyped-def]
        _ = stamp
        forward(tree, blocks, couplings, b)

    @compiled(types.void(TREE, OUT, OUT, TABLE))
    def _up(tree, blocks, couplings, b):  # type: ignore[no-untyped-def]
        _ = stamp
        backward(tree, blocks, couplings, b)

    @compiled(types.void(TREE, OUT, OUT, TABLE, OUT, OUT))
    def _selected(tree, blocks, couplings, tail, blocks_inverse, couplings_inverse):  # type: ignore[no-untyped-def]
        _ = stamp
        inverse_from_cholesky(tail)
        selected_inverse(tree, blocks, couplings, tail, blocks_inverse, couplings_inverse)

    @compiled(types.void(TABLE, ROWS, TREE, OUT, OUT, TABLE, TABLE))
    def _per_row(a, rows, tree, blocks, couplings, tail, out):  # type: ignore[no-untyped-def]
        _ = stamp
        _solutions(a, rows, tree, blocks, couplings, tail, out)

    return _factor, _determinant, _down, _up, _selected, _per_row


_factor_rows, _log_determinant, _forward, _backward, _invert, _row_solutions = _entries(
    source_stamp("engine/nodes.py", "engine/lapack.py", "engine/types.py")
)
