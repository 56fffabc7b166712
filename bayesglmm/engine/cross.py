"""Z' W Z, Z' W [X y] and [X y]' W [X y] of a linear mixed model: sums over rows that are taken once for a whole fit.

For Gaussian responses the weights do not move with the parameters, so that an evaluation of the likelihood costs what
the group effects cost, whatever the number of rows. H = I + Lambda' (Z' W Z) Lambda is scaled from the sums block by
block.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from bayesglmm.compiled import compiled, jitable, source_stamp
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.lapack import cholesky
from bayesglmm.engine.nodes import accumulate, add_prior, eliminate_nodes
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.types import IN, OUT, ROWS, TABLE, TREE

__all__ = ["CrossProducts"]

_CUBE = types.float64[:, :, ::1]
_INDEX = types.int64[::1]


@dataclass(frozen=True, eq=False)
class CrossProducts:
    """Z' W Z where effects meet.

    Attributes
    ----------
    pattern : Pattern
        What meets.
    effects : EffectColumns
        Z.
    blocks, couplings : ndarray
        Those of the nodes, flat (see `nodes`); blocks are whole.
    tail : ndarray, shape (R, R)
        That of the tail, whole.
    """

    pattern: Pattern
    effects: EffectColumns
    blocks: np.ndarray
    couplings: np.ndarray
    tail: np.ndarray

    @classmethod
    def of(cls, pattern: Pattern, effects: EffectColumns, weights: np.ndarray) -> CrossProducts:
        """Sum over rows with ``weights`` (n,)."""
        blocks, couplings = np.zeros(pattern.n_blocks), np.zeros(pattern.couplings[-1])
        tail = np.zeros((pattern.n_tail, pattern.n_tail))
        _sum_rows(np.ascontiguousarray(weights), effects.value, pattern.rows, pattern.tree, blocks, couplings, tail)
        return cls(pattern, effects, blocks, couplings, tail)

    def eliminate(self, factor: RelativeFactor) -> Elimination | None:
        """Factor I + Lambda' Z' W Z Lambda, or return None where rounding leaves nothing of I."""
        p = self.pattern
        L, Y, S = np.empty_like(self.blocks), np.empty_like(self.couplings), np.empty_like(self.tail)
        mine = (self.blocks, self.couplings, self.tail)
        if not _scaled(p.tree, *self._lambda(factor), *mine, p.precision, L, Y, S):
            return None
        return Elimination(p, self.effects.value, L, Y, S)

    def times(self, b: np.ndarray) -> np.ndarray:
        """Return Z' W Z b, shape (Q, k) as b."""
        out = np.zeros_like(b)
        _times(self.pattern.tree, self.blocks, self.couplings, np.ascontiguousarray(b), out)
        at = self.pattern.tail_effects
        out[at] += self.tail @ b[at]
        return out

    def determinant_gradients(self, factor: RelativeFactor, elimination: Elimination) -> list[np.ndarray]:
        """Return the gradient of log det H in each term's block of Lambda, (q, q): 2 [Z' W Z Lambda H^-1] summed."""
        p = self.pattern
        widest = max((q for _, q in p.shapes), default=1)
        out = np.zeros((len(p.shapes), widest, widest))
        terms = np.array(p.chain, dtype=np.int64)
        mine = (self.blocks, self.couplings, self.tail)
        _traces(p.tree, terms, *self._lambda(factor), *mine, *elimination.selected, out)
        return [2.0 * out[t, :q, :q] for t, (_, q) in enumerate(p.shapes)]

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Term and place in its level of each tail effect; number of effects of each term."""
        p = self.pattern
        rest = [t for t in range(len(p.shapes)) if t not in p.chain]
        counts = [p.shapes[t][0] * p.shapes[t][1] for t in rest]
        terms = np.repeat(np.array(rest, dtype=np.int64), counts)
        parts = [np.tile(np.arange(p.shapes[t][1], dtype=np.int64), p.shapes[t][0]) for t in rest]
        places = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        return terms, places, np.array([q for _, q in p.shapes], dtype=np.int64)

    def _lambda(self, factor: RelativeFactor) -> tuple[np.ndarray, ...]:
        """Return Lambda of each depth and of each term; term and place of each tail effect; widths of terms."""
        p = self.pattern
        widest = max((q for _, q in p.shapes), default=1)
        blocks = np.zeros((len(p.shapes), widest, widest))
        for t, block in enumerate(factor.blocks):
            blocks[t, : len(block), : len(block)] = block
        chain = np.ascontiguousarray(blocks[list(p.chain)]).reshape(len(p.chain), widest, widest)
        return chain, blocks, *self._places


@jitable
def _scaled_entry(lam, k, source, at, stride, q):  # type: ignore[no-untyped-def]  # compiled
    """Return entry k of Lambda' x, x read at ``at``, ``at + stride``, ..."""
    value = 0.0
    for l in range(k, q):  # Lambda is lower triangular
        value += lam[l, k] * source[at + l * stride]
    return value


@jitable
def _scale_node(depths, d, v, coupling_starts, meets, meets_starts, lam, every, tail_info, source, target):  # type: ignore[no-untyped-def]  # compiled
    blocks, couplings = source
    L, Y = target
    terms, places, widths = tail_info
    q = depths[0, d]
    block = depths[4, d] + (v - depths[1, d]) * q * q
    for k in range(q):
        for l in range(k + 1):
            value = 0.0
            for h in range(k, q):
                value += lam[d, h, k] * _scaled_entry(lam[d], l, blocks, block + h * q, 1, q)
            L[block + k * q + l] = value
    at = coupling_starts[v]
    for e in range(d + 1, depths.shape[1]):
        qe = depths[0, e]
        for k in range(qe):
            for l in range(q):
                value = 0.0
                for h in range(k, qe):
                    value += lam[e, h, k] * _scaled_entry(lam[d], l, couplings, at + h * q, 1, q)
                Y[at + k * q + l] = value
        at += qe * q
    for c in range(meets_starts[v], meets_starts[v + 1]):
        r = meets[c]
        t, place = terms[r], places[r]
        own = at - place * q
        for l in range(q):
            value = 0.0
            for h in range(place, widths[t]):
                value += every[t, h, place] * _scaled_entry(lam[d], l, couplings, own + h * q, 1, q)
            Y[at + l] = value
        at += q


@jitable
def _scale_tail(every, tail_info, tail, S):  # type: ignore[no-untyped-def]  # compiled
    terms, places, widths = tail_info
    for r in range(tail.shape[0]):
        t, k = terms[r], places[r]
        for c in range(r + 1):
            s, l = terms[c], places[c]
            if widths[t] == 1 and widths[s] == 1:
                S[r, c] = every[t, 0, 0] * tail[r, c] * every[s, 0, 0]
                continue
            value = 0.0
            for h in range(k, widths[t]):
                for g in range(l, widths[s]):
                    value += every[t, h, k] * tail[r - k + h, c - l + g] * every[s, g, l]
            S[r, c] = value


@jitable
def _node_times(depths, d, v, tree, blocks, couplings, b, out):  # type: ignore[no-untyped-def]  # compiled
    _depths, ancestors, coupling_starts, meets, meets_starts, _above, effects = tree
    q = depths[0, d]
    block = depths[4, d] + (v - depths[1, d]) * q * q
    u = depths[2, d] + (v - depths[1, d]) * q
    for x in range(b.shape[1]):
        for k in range(q):
            for l in range(q):
                out[u + k, x] += blocks[block + k * q + l] * b[u + l, x]
        at = coupling_starts[v]
        for e in range(d + 1, depths.shape[1]):
            to = depths[2, e] + (ancestors[e, v] - depths[1, e]) * depths[0, e]
            for l in range(depths[0, e]):
                for k in range(q):
                    out[to + l, x] += couplings[at + k] * b[u + k, x]
                    out[u + k, x] += couplings[at + k] * b[to + l, x]
                at += q
        for c in range(meets_starts[v], meets_starts[v + 1]):
            to = effects[meets[c]]
            for k in range(q):
                out[to, x] += couplings[at + k] * b[u + k, x]
                out[u + k, x] += couplings[at + k] * b[to, x]
            at += q


@jitable
def _pair(C, H, at, width, q, lam_near, lam_far, far, near_out, far_out):  # type: ignore[no-untyped-def]  # compiled
    """Add to both terms what one coupled pair of levels adds to Z' W Z Lambda H^-1, (width, q) at ``at``."""
    _ = far
    for k in range(width):
        for h in range(q):
            c = C[at + k * q + h]
            if c == 0.0:
                continue
            for l in range(q):
                value = 0.0
                for g in range(k + 1):
                    value += lam_far[k, g] * H[at + g * q + l]
                near_out[h, l] += c * value
            for l in range(width):
                value = 0.0
                for g in range(h + 1):
                    value += lam_near[h, g] * H[at + l * q + g]
                far_out[k, l] += c * value


@jitable
def _node_traces(depths, d, v, tree, chain_terms, lam, every, tail_info, source, inverse, out):  # type: ignore[no-untyped-def]  # compiled
    _depths, _ancestors, coupling_starts, meets, meets_starts, _above, _effects = tree
    blocks, couplings = source
    blocks_inverse, couplings_inverse = inverse
    terms, _places, widths = tail_info
    q = depths[0, d]
    block = depths[4, d] + (v - depths[1, d]) * q * q
    near = out[chain_terms[d]]
    for k in range(q):
        for h in range(q):
            c = blocks[block + k * q + h]
            for l in range(q):
                for g in range(h + 1):
                    near[k, l] += c * lam[d, h, g] * blocks_inverse[block + g * q + l]
    at = coupling_starts[v]
    for e in range(d + 1, depths.shape[1]):
        _pair(couplings, couplings_inverse, at, depths[0, e], q, lam[d], lam[e], e, near, out[chain_terms[e]])
        at += depths[0, e] * q
    c = meets_starts[v]
    while c < meets_starts[v + 1]:
        t = terms[meets[c]]
        _pair(couplings, couplings_inverse, at, widths[t], q, lam[d], every[t], t, near, out[t])
        at += widths[t] * q
        c += widths[t]


@jitable
def _tail_traces(every, tail_info, tail, tail_inverse, out):  # type: ignore[no-untyped-def]  # compiled
    terms, places, widths = tail_info
    for r in range(tail.shape[0]):
        t, k = terms[r], places[r]
        for c in range(tail.shape[0]):
            value = tail[r, c]
            if value == 0.0:
                continue
            s, g = terms[c], places[c]
            # (Lambda H^-1) between this effect and those of r's level.
            for l in range(widths[t]):
                inner = 0.0
                for h in range(g + 1):
                    inner += every[s, g, h] * tail_inverse[c - g + h, r - k + l]
                out[t, k, l] += value * inner


def _entries(stamp: int) -> tuple[Any, ...]:
    """Compile the entry points; they close over the checksum of the sources that they are made of."""
    lam = (_CUBE, _CUBE, _INDEX, _INDEX, _INDEX)

    @compiled(types.void(IN, TABLE, ROWS, TREE, OUT, OUT, TABLE))
    def _sums(weights, a, rows, tree, blocks, couplings, tail):  # type: ignore[no-untyped-def]
        _ = stamp
        accumulate(weights, a, rows, tree, blocks, couplings, tail)
        depths, ancestors = tree[0], tree[1]
        for d in range(depths.shape[1]):
            q = depths[0, d]
            last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
            for v in range(last - depths[1, d]):
                at = depths[4, d] + v * q * q
                for k in range(q):
                    for l in range(k):
                        blocks[at + l * q + k] = blocks[at + k * q + l]
        for r in range(tail.shape[0]):
            for c in range(r):
                tail[c, r] = tail[r, c]

    @compiled(types.boolean(TREE, *lam, OUT, OUT, TABLE, TABLE, OUT, OUT, TABLE))
    def _factor(  # type: ignore[no-untyped-def]
        tree, chain, every, terms, places, widths, blocks, couplings, tail, precision, L, Y, S
    ):
        _ = stamp
        depths, ancestors, coupling_starts, meets, meets_starts, _above, _effects = tree
        info = (terms, places, widths)
        for d in range(depths.shape[1]):
            last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
            for v in range(depths[1, d], last):
                _scale_node(
                    depths, d, v, coupling_starts, meets, meets_starts, chain, every, info, (blocks, couplings), (L, Y)
                )
        _scale_tail(every, info, tail, S)
        add_prior(tree, L, S, precision)
        return eliminate_nodes(tree, L, Y, S) and cholesky(S)

    @compiled(types.void(TREE, OUT, OUT, TABLE, TABLE))
    def _product(tree, blocks, couplings, b, out):  # type: ignore[no-untyped-def]
        _ = stamp
        depths, ancestors = tree[0], tree[1]
        for d in range(depths.shape[1]):
            last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
            for v in range(depths[1, d], last):
                _node_times(depths, d, v, tree, blocks, couplings, b, out)

    @compiled(types.void(TREE, _INDEX, *lam, OUT, OUT, TABLE, OUT, OUT, TABLE, _CUBE))
    def _gradients(  # type: ignore[no-untyped-def]
        tree, chain_terms, chain, every, terms, places, widths, blocks, couplings, tail, Bi, Ci, Ti, out
    ):
        _ = stamp
        depths, ancestors = tree[0], tree[1]
        info = (terms, places, widths)
        for d in range(depths.shape[1]):
            last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
            for v in range(depths[1, d], last):
                _node_traces(depths, d, v, tree, chain_terms, chain, every, info, (blocks, couplings), (Bi, Ci), out)
        _tail_traces(every, info, tail, Ti, out)

    return _sums, _factor, _product, _gradients


_sum_rows, _scaled, _times, _traces = _entries(source_stamp("engine/nodes.py", "engine/lapack.py", "engine/types.py"))
