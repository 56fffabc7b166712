"""The linear map x = x^ + A v of an arrow-shaped covariance: A A' is the normal approximation's.

With s the head of x (coefficients, standard deviations, family parameters, correlations), w_t the effects of the dense
tail and w_c those of the chain of nested terms that is eliminated before it (`engine.elimination`),

    s   = s^ + T v_s                                   T T' the covariance of s
    w_t = w^_t + B_t'(s - s^) + K_t' z_t,              z_t = M' v_t,  M the inverse of the tail's factor
    w_c = w^_c + B_c'(s - s^) + v_c - Y' z_t           Y the couplings of chain and tail

with B = d w^ / d s and K the factors of the partial centring of the tail's terms (those of the chain are centred with
the very factors of the elimination, so that nothing is left to scale). M is kept in single precision: any invertible A
gives the same posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numba.extending import register_jitable

from bayesglmm.bayes.preconditioner.curvature import Curvature
from bayesglmm.compiled import jitable
from bayesglmm.engine.elimination import Elimination

__all__ = ["ArrowMap", "pull_back", "push_forward"]


#: Couplings of an effect from which it pays to see whether they are with neighbours.
_MANY = 8


@dataclass(frozen=True, eq=False)
class ArrowMap:
    """x = center + A v.

    Attributes
    ----------
    center : ndarray, shape (d + Q,)
        x^.
    root : ndarray, shape (d, d)
        T.
    follow : ndarray, shape (d, Q)
        B.
    levels : ndarray, shape (sum over terms of the tail of J q^2,)
        K of every level of the tail's terms, flat: lower triangular, or upper (serial effects).
    shapes : ndarray of int64, shape (terms of the tail, 2)
        Levels J and effects q of each of them.
    tail, chain : ndarray of int64, shapes (R,) and (Q - R,)
        Positions in w of the effects of tail and chain.
    starts : ndarray of int64, shape (Q - R + 1,)
        Where the couplings of each effect of the chain begin.
    meets : ndarray of int32
        Tail effect (0 to R - 1) of each coupling; those of one effect ascend, each once (`_in_a_row` relies on it).
    couplings : ndarray
        Y.
    tail_inverse : ndarray of float32, shape (R, R)
        M, lower triangular, with zeros above (which are read).
    """

    center: np.ndarray
    root: np.ndarray
    follow: np.ndarray
    levels: np.ndarray
    shapes: np.ndarray
    tail: np.ndarray
    chain: np.ndarray
    starts: np.ndarray
    meets: np.ndarray
    couplings: np.ndarray
    tail_inverse: np.ndarray

    @classmethod
    def of(
        cls,
        center: np.ndarray,
        curvature: Curvature,
        elimination: Elimination,
        levels: list[np.ndarray],
        turned: tuple[int, ...] = (),
    ) -> ArrowMap:
        """Join the curvature of s with the elimination of the effects.

        ``levels`` holds K of every term; terms of the chain that are ``turned`` are centred with these K, and not with
        the factors of the elimination.
        """
        p = elimination.pattern
        rest = [t for t in range(len(p.shapes)) if t not in p.chain]
        chain, starts, meets, couplings = _couplings(elimination, {t: levels[t] for t in turned if t in p.chain})
        inverse = np.zeros((0, 0))
        if p.n_tail:
            # The transpose of a C-contiguous lower triangle is LAPACK's upper one.
            inverse = np.tril(sla.lapack.dtrtri(elimination.tail.T, lower=0)[0].T)
        return cls(
            center=center,
            root=curvature.root,
            follow=np.ascontiguousarray(curvature.follow),
            levels=np.concatenate([np.zeros(0), *(levels[t].ravel() for t in rest)]),
            shapes=np.array([p.shapes[t] for t in rest], dtype=np.int64).reshape(-1, 2),
            tail=p.tail_effects,
            chain=chain,
            starts=starts,
            meets=meets,
            couplings=couplings,
            tail_inverse=np.ascontiguousarray(inverse, dtype=np.float32),
        )

    @classmethod
    def dense(cls, center: np.ndarray, root: np.ndarray) -> ArrowMap:
        """Return the map of a density without group effects: x = center + root v."""
        nothing, none = np.zeros(0), np.zeros(0, dtype=np.int64)
        shapes, starts = np.zeros((0, 2), dtype=np.int64), np.zeros(1, dtype=np.int64)
        meets, M = np.zeros(0, dtype=np.int32), np.zeros((0, 0), dtype=np.float32)
        follow = np.zeros((len(root), 0))
        return cls(center, root, follow, nothing, shapes, none, none, starts, meets, nothing, M)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What compiled code reads, in the order of `affine`'s table."""
        return (
            self.center,
            self.root,
            self.follow,
            self.levels,
            self.shapes,
            self.tail,
            self.chain,
            self.starts,
            self.meets,
            self.couplings,
            self.tail_inverse,
        )


def _couplings(
    elimination: Elimination, turned: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return chain effects, starts, meets and Y, effect by effect (the elimination has them node by node).

    Where effects are centred with other roots K of the same matrix than the elimination's L, w = K' L^-T w~ is w~ but
    for a rotation, which Y takes up.
    """
    p = elimination.pattern
    effects, counts, meets, values = [], [], [], []
    for d, t in enumerate(p.chain):
        q, first, u, _row, _block, above = (int(n) for n in p.depths[:, d])
        J = p.shapes[t][0]
        widths = np.diff(p.meets_starts[first : first + J + 1])
        # Y of a node is (list, q), ancestors first.
        entry = np.arange(p.meets_starts[first], p.meets_starts[first + J])
        node = np.repeat(np.arange(J), widths)
        place = entry - p.meets_starts[first + node]
        base = p.couplings[first + node] + (above + place) * q
        # By effect: all of the first effect of a node, then of the second.
        order = np.argsort(np.repeat(node, q) * q + np.tile(np.arange(q), len(node)), kind="stable")
        own = elimination.Y[base[:, None] + np.arange(q)]
        if t in turned:
            block = int(p.depths[4, d])
            L = np.tril(elimination.L[block : block + J * q * q].reshape(J, q, q))
            rotation = np.linalg.solve(L, turned[t])  # L^-1 K, the transpose of K' L^-T
            own = np.einsum("ek,ekl->el", own, rotation[node])
        values.append(own.ravel()[order])
        meets.append(np.repeat(p.meets[entry], q)[order])
        counts.append(np.repeat(widths, q))
        effects.append(u + np.arange(J * q))
    nothing = np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(np.concatenate([nothing, *counts]))])
    return (
        np.concatenate([nothing, *effects]).astype(np.int64),
        starts.astype(np.int64),
        np.concatenate([nothing, *meets]).astype(np.int32),
        np.concatenate([np.zeros(0), *values]),
    )


@register_jitable(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):  # type: ignore[no-untyped-def]  # compiled
    """Return a'b; the order of the additions is free, so that they become vector instructions."""
    value = 0.0
    for k in range(a.shape[0]):
        value += a[k] * b[k]
    return value


@jitable
def _subtract(a, value, b):  # type: ignore[no-untyped-def]  # compiled
    """Subtract value a from b."""
    for k in range(a.shape[0]):
        b[k] -= a[k] * value


@jitable
def _in_a_row(meets, first, last):  # type: ignore[no-untyped-def]  # compiled
    """Return the first tail effect of couplings if they are with neighbours in ascending order (as where a level has
    met all others), else -1.
    """
    if last - first < _MANY or meets[last - 1] - meets[first] != last - first - 1:
        return -1
    return meets[first]


@register_jitable(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _gathered(a, places, first, last, b):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of a times b at its places; all positions are unsigned (a signed one might count from the end)."""
    value = 0.0
    for m in range(first, last):
        value += a[m] * b[np.uint64(places[m])]
    return value


@jitable
def _scattered(a, places, first, last, value, b):  # type: ignore[no-untyped-def]  # compiled
    """Subtract value a from b at the places of a."""
    for m in range(first, last):
        b[np.uint64(places[m])] -= a[m] * value


@jitable
def _levels_forward(levels, shapes, tail, z, w):  # type: ignore[no-untyped-def]  # compiled
    """Fill w = K' z, level by level of the tail's terms."""
    at, block = np.uint64(0), np.uint64(0)
    for t in range(shapes.shape[0]):
        q, J = np.uint64(shapes[t, 1]), np.uint64(shapes[t, 0])
        if q == 1:
            for j in range(J):
                w[np.uint64(tail[at + j])] = levels[block + j] * z[at + j]
        else:
            for j in range(J):
                for k in range(q):
                    value = 0.0
                    for h in range(q):
                        value += levels[block + (j * q + h) * q + k] * z[at + j * q + h]
                    w[np.uint64(tail[at + j * q + k])] = value
        at += J * q
        block += J * q * q


@jitable
def _levels_back(levels, shapes, tail, gw, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill z = K gw, level by level of the tail's terms."""
    at, block = np.uint64(0), np.uint64(0)
    for t in range(shapes.shape[0]):
        q, J = np.uint64(shapes[t, 1]), np.uint64(shapes[t, 0])
        if q == 1:
            for j in range(J):
                z[at + j] = levels[block + j] * gw[np.uint64(tail[at + j])]
        else:
            for j in range(J):
                for h in range(q):
                    value = 0.0
                    for k in range(q):
                        value += levels[block + (j * q + h) * q + k] * gw[np.uint64(tail[at + j * q + k])]
                    z[at + j * q + h] = value
        at += J * q
        block += J * q * q


@jitable
def _tail_forward(M, tail, v, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill z = M' v at the tail. Rows are taken by fours, so that z is read and written a quarter as often."""
    R = M.shape[0]
    for r in range(R):
        z[r] = 0.0
    whole = R - R % 4
    for r in range(0, whole, 4):
        a, b, c, d = v[tail[r]], v[tail[r + 1]], v[tail[r + 2]], v[tail[r + 3]]
        A, B, C, D = M[r], M[r + 1], M[r + 2], M[r + 3]
        for k in range(r + 4):  # M is lower triangular, with zeros above
            z[k] += A[k] * a + B[k] * b + C[k] * c + D[k] * d
    for r in range(whole, R):
        _subtract(M[r, : r + 1], -v[tail[r]], z)


@jitable
def push_forward(v, arrow, x, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill x = center + A v; z (R,) is work space."""
    center, root, follow, levels, shapes, tail, chain, starts, meets, couplings, M = arrow
    d = root.shape[0]
    for i in range(d):
        x[i] = _dot(root[i], v)
    _tail_forward(M, tail, v[d:], z)
    w, v_w = x[d:], v[d:]
    _levels_forward(levels, shapes, tail, z, w)
    for i in range(chain.shape[0]):
        own, first, last = np.uint64(chain[i]), starts[i], starts[i + 1]
        met = _in_a_row(meets, first, last)
        if met >= 0:
            w[own] = v_w[own] - _dot(couplings[first:last], z[met : met + last - first])
        else:
            w[own] = v_w[own] - _gathered(couplings, meets, np.uint64(first), np.uint64(last), z)
    for i in range(d):
        row, value = follow[i], x[i]
        for k in range(w.shape[0]):
            w[k] += row[k] * value
    for k in range(x.shape[0]):
        x[k] += center[k]


@jitable
def pull_back(g, arrow, out, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill out = A' g; z (R,) is work space; the head of g is overwritten."""
    _center, root, follow, levels, shapes, tail, chain, starts, meets, couplings, M = arrow
    d, R = root.shape[0], M.shape[0]
    gw = g[d:]
    for i in range(d):
        g[i] += _dot(follow[i], gw)
        out[i] = 0.0
    for i in range(d):
        for k in range(d):
            out[k] += root[i, k] * g[i]
    out_w = out[d:]
    _levels_back(levels, shapes, tail, gw, z)
    for i in range(chain.shape[0]):
        own, first, last = np.uint64(chain[i]), starts[i], starts[i + 1]
        value = gw[own]
        out_w[own] = value
        met = _in_a_row(meets, first, last)
        if met >= 0:
            _subtract(couplings[first:last], value, z[met : met + last - first])
        else:
            _scattered(couplings, meets, np.uint64(first), np.uint64(last), value, z)
    for r in range(R):  # M z; up to a multiple of four, since M is zero above its diagonal
        out_w[np.uint64(tail[r])] = _dot(M[r, : min(R, r - r % 4 + 4)], z)
