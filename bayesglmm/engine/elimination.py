"""H = I + A' W A factored by eliminating the head level by level; solutions, determinant and selected inverse.

With D_j = L_j L_j' the head's block of level j, B_j its coupling with the tail and T the tail's own block,

    Y_j = L_j^-1 B_j,    S = T - sum_j Y_j' Y_j,    log det H = 2 sum_j log|L_j| + log det S.

Entries of H^-1 are needed only where effects meet in a row (the selected inverse): S^-1 in the tail, -L_j^-T Y_j S^-1
between level j and the tail, L_j^-T (I + Y_j S^-1 Y_j') L_j^-1 within level j.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla

from bayesglmm.compiled import compiled
from bayesglmm.engine.pattern import Pattern

__all__ = ["Elimination", "eliminate"]


@dataclass(frozen=True, eq=False)
class Elimination:
    """A factored H.

    Attributes
    ----------
    pattern : Pattern
        What meets.
    a : ndarray, shape (m, n)
        Rows of A = Z Lambda at the effects that they touch.
    L : ndarray, shape (J, q, q)
        Lower factors of the head's blocks.
    Y : ndarray, shape (sum k, q)
        Columns of the Y_j, level after level.
    tail : ndarray, shape (R, R)
        Lower factor of S.
    """

    pattern: Pattern
    a: np.ndarray
    L: np.ndarray
    Y: np.ndarray
    tail: np.ndarray

    @functools.cached_property
    def log_determinant(self) -> float:
        """Logarithm of det H."""
        diagonal = np.diagonal(self.L, axis1=1, axis2=2)
        return 2.0 * float(np.log(diagonal).sum() + np.log(np.diagonal(self.tail)).sum())

    def solve(self, b: np.ndarray) -> np.ndarray:
        """Return H^-1 b for b of shape (Q,) or (Q, k)."""
        p = self.pattern
        columns = b[:, None] if b.ndim == 1 else b
        head, tail = p.split(columns)
        head = head.reshape(p.n_levels, p.q, columns.shape[1])
        _forward(self.L, self.Y, p.meets, p.meets_starts, head, tail)
        if len(tail):
            tail = np.ascontiguousarray(sla.cho_solve((self.tail, True), tail, check_finite=False))
        _backward(self.L, self.Y, p.meets, p.meets_starts, head, tail)
        return p.join(head.reshape(-1, columns.shape[1]), tail).reshape(b.shape)

    @functools.cached_property
    def tail_inverse(self) -> np.ndarray:
        """S^-1, the tail's part of H^-1, shape (R, R)."""
        if not len(self.tail):
            return self.tail
        inverse, _ = sla.lapack.dpotri(self.tail, lower=1)
        return np.ascontiguousarray(np.tril(inverse) + np.tril(inverse, -1).T)

    @functools.cached_property
    def head_inverse(self) -> np.ndarray:
        """The head's diagonal blocks of H^-1, shape (J, q, q)."""
        blocks = np.empty_like(self.L)
        p = self.pattern
        widest = int(np.diff(p.meets_starts).max(initial=0))
        _head_blocks(self.L, self.Y, p.meets, p.meets_starts, self.tail_inverse, np.empty((p.q, widest)), blocks)
        return blocks

    def blocks(self, term: int) -> np.ndarray:
        """Return the diagonal blocks of H^-1 of the levels of a group term, shape (J, q, q)."""
        p = self.pattern
        if term == p.head_term:
            return self.head_inverse
        J, q = p.shapes[term]
        before = sum(a * b for t, (a, b) in enumerate(p.shapes[:term]) if t != p.head_term)
        index = before + np.arange(J * q).reshape(J, q)
        return self.tail_inverse[index[:, :, None], index[:, None, :]]

    def row_solutions(self) -> np.ndarray:
        """Return H^-1 a_i at the effects that row i itself touches, for every row, shape (m, n)."""
        p = self.pattern
        out = np.empty_like(self.a)
        rows = np.arange(len(self.a))
        tail_rows = np.delete(rows, rows[p.head_rows])
        head, tail = np.ascontiguousarray(self.a[p.head_rows]), np.ascontiguousarray(self.a[tail_rows])
        head_out, tail_out = np.empty_like(head), np.empty_like(tail)
        widest = int(np.diff(p.meets_starts).max(initial=0))
        _row_solutions(
            (p.order, p.starts, p.tail, p.local, p.meets, p.meets_starts),
            (self.L, self.Y, self.head_inverse, self.tail_inverse),
            np.empty((p.q, widest)),
            (head, tail, head_out, tail_out),
        )
        out[p.head_rows], out[tail_rows] = head_out, tail_out
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
    J, q, R = pattern.n_levels, pattern.q, pattern.n_tail
    L, Y, S = np.zeros((J, q, q)), np.zeros((len(pattern.meets), q)), np.zeros((R, R))
    head = np.ascontiguousarray(a[pattern.head_rows])
    tail = np.ascontiguousarray(np.delete(a, np.arange(len(a))[pattern.head_rows], axis=0))
    p = pattern
    definite = _assemble(weights, head, tail, (p.order, p.starts, p.tail, p.local, p.meets, p.meets_starts), L, Y, S)
    if not definite:
        return None
    if R:
        S, failed = sla.lapack.dpotrf(S, lower=1, clean=1, overwrite_a=0)
        if failed:
            return None
    return Elimination(pattern, a, L, Y, S)


@compiled
def _assemble(w, head, tail, where, L, Y, S):  # type: ignore[no-untyped-def]  # compiled
    """Fill L_j, Y_j and (the lower triangle of) S; return whether every block was positive definite."""
    order, starts, tail_index, local, meets, meets_starts = where
    q = L.shape[1]
    for r in range(S.shape[0]):
        S[r, r] = 1.0
    for j in range(L.shape[0]):
        first = meets_starts[j]
        for k in range(q):
            L[j, k, k] = 1.0
        for s in range(starts[j], starts[j + 1]):
            i = order[s]
            for k in range(q):
                wk = w[i] * head[k, i]
                for l in range(k + 1):
                    L[j, k, l] += wk * head[l, i]
                for b in range(tail.shape[0]):
                    Y[first + local[b, i], k] += wk * tail[b, i]
            for b in range(tail.shape[0]):
                wb = w[i] * tail[b, i]
                for c in range(tail.shape[0]):
                    if tail_index[c, i] <= tail_index[b, i]:
                        S[tail_index[b, i], tail_index[c, i]] += wb * tail[c, i]
        # Cholesky of the q x q block in place, then Y_j = L_j^-1 B_j column by column.
        for k in range(q):
            for l in range(k + 1):
                value = L[j, k, l]
                for h in range(l):
                    value -= L[j, k, h] * L[j, l, h]
                if k == l:
                    if not value > 0.0:
                        return False
                    L[j, k, k] = np.sqrt(value)
                else:
                    L[j, k, l] = value / L[j, l, l]
        for c in range(first, meets_starts[j + 1]):
            for k in range(q):
                value = Y[c, k]
                for h in range(k):
                    value -= L[j, k, h] * Y[c, h]
                Y[c, k] = value / L[j, k, k]
        for c in range(first, meets_starts[j + 1]):
            for d in range(first, meets_starts[j + 1]):
                if meets[d] <= meets[c]:
                    value = 0.0
                    for k in range(q):
                        value += Y[c, k] * Y[d, k]
                    S[meets[c], meets[d]] -= value
    return True


@compiled
def _forward(L, Y, meets, meets_starts, head, tail):  # type: ignore[no-untyped-def]  # compiled
    """Turn head into L_j^-1 b_j and take its share from the tail."""
    q = L.shape[1]
    for j in range(L.shape[0]):
        for x in range(head.shape[2]):
            for k in range(q):
                value = head[j, k, x]
                for h in range(k):
                    value -= L[j, k, h] * head[j, h, x]
                head[j, k, x] = value / L[j, k, k]
            for c in range(meets_starts[j], meets_starts[j + 1]):
                value = 0.0
                for k in range(q):
                    value += Y[c, k] * head[j, k, x]
                tail[meets[c], x] -= value


@compiled
def _backward(L, Y, meets, meets_starts, head, tail):  # type: ignore[no-untyped-def]  # compiled
    """Turn head into L_j^-T (head_j - Y_j x) at the tail's solution x."""
    q = L.shape[1]
    for j in range(L.shape[0]):
        for x in range(head.shape[2]):
            for c in range(meets_starts[j], meets_starts[j + 1]):
                for k in range(q):
                    head[j, k, x] -= Y[c, k] * tail[meets[c], x]
            for k in range(q - 1, -1, -1):
                value = head[j, k, x]
                for h in range(k + 1, q):
                    value -= L[j, h, k] * head[j, h, x]
                head[j, k, x] = value / L[j, k, k]


@compiled
def _coupling(Y, meets, first, last, S_inverse, P):  # type: ignore[no-untyped-def]  # compiled
    """Fill P = Y_j S^-1 at the tail effects that the level meets, (q, k)."""
    for d in range(first, last):
        for k in range(Y.shape[1]):
            P[k, d - first] = 0.0
        for c in range(first, last):
            s = S_inverse[meets[c], meets[d]]
            for k in range(Y.shape[1]):
                P[k, d - first] += Y[c, k] * s


@compiled
def _head_blocks(L, Y, meets, meets_starts, S_inverse, P, blocks):  # type: ignore[no-untyped-def]  # compiled
    q = L.shape[1]
    inner = np.empty((q, q))
    for j in range(L.shape[0]):
        first, last = meets_starts[j], meets_starts[j + 1]
        _coupling(Y, meets, first, last, S_inverse, P)
        for k in range(q):
            for l in range(q):
                value = 1.0 if k == l else 0.0
                for c in range(first, last):
                    value += P[k, c - first] * Y[c, l]
                inner[k, l] = value
        inverse = np.linalg.inv(L[j])
        blocks[j] = inverse.T @ inner @ inverse


@compiled
def _row_solutions(where, factors, P, rows):  # type: ignore[no-untyped-def]  # compiled
    order, starts, tail_index, local, meets, meets_starts = where
    L, Y, blocks, S_inverse = factors
    head, tail, head_out, tail_out = rows
    q = L.shape[1]
    for j in range(L.shape[0]):
        first, last = meets_starts[j], meets_starts[j + 1]
        _coupling(Y, meets, first, last, S_inverse, P)
        # P becomes L_j^-T P: minus the coupling of H^-1 between level j and the tail.
        for c in range(last - first):
            for k in range(q - 1, -1, -1):
                value = P[k, c]
                for h in range(k + 1, q):
                    value -= L[j, h, k] * P[h, c]
                P[k, c] = value / L[j, k, k]
        for s in range(starts[j], starts[j + 1]):
            i = order[s]
            for k in range(q):
                value = 0.0
                for l in range(q):
                    value += blocks[j, k, l] * head[l, i]
                for b in range(tail.shape[0]):
                    value -= P[k, local[b, i]] * tail[b, i]
                head_out[k, i] = value
            for b in range(tail.shape[0]):
                value = 0.0
                for k in range(q):
                    value -= P[k, local[b, i]] * head[k, i]
                for c in range(tail.shape[0]):
                    value += S_inverse[tail_index[b, i], tail_index[c, i]] * tail[c, i]
                tail_out[b, i] = value
