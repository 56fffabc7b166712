"""Which group effects meet in a row: found once, used by every factorisation.

Terms that nest in one another (students in classes in schools; two terms of one factor) form a chain. Its levels are
the nodes of a forest: those of the first term are the leaves, and no two of its nodes meet in a row unless one lies
within the other, so that they can be eliminated node by node from the leaves up. What is left, the tail, is kept dense
(Bates et al. 2015, section 5, with one dense block in place of a sparse factor). The chain is the one with most
effects.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import compiled
from bayesglmm.covariance import AUTOREGRESSIVE
from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns

__all__ = ["MAX_SERIES", "Pattern", "dense_width", "find_chain", "scalar_chain", "serial_pair", "widest_serial"]

#: Longest series of serial effects for which every level has a dense block; sampling goes on without one.
MAX_SERIES = 200


@dataclass(frozen=True, eq=False)
class Pattern:
    """How the effects of a design are divided and where they meet.

    A node's *list* is every effect that it meets and that is eliminated after it: its ancestors' effects, nearest
    ancestor first, then tail effects in ascending order.

    Attributes
    ----------
    shapes : tuple of (int, int)
        Levels J and effects q of each group term.
    chain : tuple of int
        Terms that nest in one another, leaves first; empty without group terms.
    order, starts : ndarray of int64, shapes (n,) and (leaves + 1,)
        Rows sorted by leaf; where each leaf begins among them.
    ancestors : ndarray of int64, shape (depths, nodes)
        Node of each depth that a node lies in (itself at its own depth, -1 below).
    tail : ndarray of int64, shape (m_tail, n)
        Tail effects that each row touches.
    local : ndarray of int64, shape (m_tail, n)
        Their positions among the tail effects that the row's leaf meets.
    meets, meets_starts : ndarray of int64, shapes (M,) and (nodes + 1,)
        Tail effects that each node meets, each once and ascending.
    above : ndarray of int64, shape (depths, M)
        Position of each of ``meets`` among those of the ancestor at each depth.
    precision : ndarray, shape (R, R) or (0, 0)
        Prior precision of the tail's standardised effects, A^-1 where levels have a known covariance A (they are never
        in the chain); empty for I.
    log_precision : float
        log |precision|.
    """

    shapes: tuple[tuple[int, int], ...]
    chain: tuple[int, ...]
    order: np.ndarray
    starts: np.ndarray
    ancestors: np.ndarray
    tail: np.ndarray
    local: np.ndarray
    meets: np.ndarray
    meets_starts: np.ndarray
    above: np.ndarray
    precision: np.ndarray
    log_precision: float

    @classmethod
    def of(cls, design: Design, effects: EffectColumns, chain: tuple[int, ...] | None = None) -> Pattern:
        """Find what meets, with the longest chain of ``design`` or the one given."""
        shapes = tuple((g.n_levels, g.n_effects) for g in design.groups)
        codes = [g.codes.astype(np.int64) for g in design.groups]
        chain = find_chain(design) if chain is None else chain
        leaf = codes[chain[0]] if chain else np.zeros(design.n_rows, dtype=np.int64)
        # Without a chain all rows are in one leaf without effects.
        leaves = shapes[chain[0]][0] if chain else int(bool(shapes))
        order = np.argsort(leaf, kind="stable")
        starts = np.searchsorted(leaf[order], np.arange(leaves + 1))
        levels = [shapes[t][0] for t in chain]
        ancestors = _ancestors([codes[t] for t in chain], levels)
        tail = _tail_index(effects.index, shapes, chain)
        n_tail = sum(J * q for t, (J, q) in enumerate(shapes) if t not in chain)
        meeting = _meeting(tail, order, starts, ancestors, n_tail, levels)
        return cls(shapes, chain, order, starts, ancestors, tail, *meeting, *_prior(design, chain, n_tail))

    def penalty(self, z: np.ndarray) -> float:
        """Return minus twice the log density of standardised effects z (Q,), but for its constant: z'z most often."""
        value = float(z @ z)
        if len(self.precision):
            of_tail = z[self.tail_effects]
            value += float(of_tail @ (self.precision @ of_tail) - of_tail @ of_tail)
        return value

    @functools.cached_property
    def n_tail(self) -> int:
        """Number of effects R of the tail."""
        return sum(J * q for t, (J, q) in enumerate(self.shapes) if t not in self.chain)

    @functools.cached_property
    def size(self) -> int:
        """Number of group effects Q."""
        return sum(J * q for J, q in self.shapes)

    @functools.cached_property
    def depths(self) -> np.ndarray:
        """What the kernels know of each depth, int64 shape (6, depths).

        Rows: effects q of a node; its first node; where its effects begin in u; its first row in the (m, n) arrays of
        `EffectColumns`; where its blocks begin in the flat array of blocks; ancestors' effects in its nodes' lists.
        """
        q = np.array([self.shapes[t][1] for t in self.chain], dtype=np.int64)
        J = np.array([self.shapes[t][0] for t in self.chain], dtype=np.int64)
        u = np.cumsum([0, *(a * b for a, b in self.shapes)])[list(self.chain)]
        rows = np.cumsum([0, *(b for _, b in self.shapes)])[list(self.chain)]
        first = np.cumsum(J) - J
        blocks = np.cumsum(J * q * q) - J * q * q
        above = q.sum() - np.cumsum(q)
        return np.array([q, first, u, rows, blocks, above], dtype=np.int64).reshape(6, len(q))

    @functools.cached_property
    def couplings(self) -> np.ndarray:
        """Where the couplings of each node begin in the flat array of couplings, int64 shape (nodes + 1,)."""
        widths = np.diff(self.meets_starts)
        for d, t in enumerate(self.chain):
            first = self.depths[1, d]
            part = slice(first, first + self.shapes[t][0])
            widths[part] = (widths[part] + self.depths[5, d]) * self.depths[0, d]
        return np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)

    @functools.cached_property
    def n_blocks(self) -> int:
        """Length of the flat array of nodes' own blocks."""
        return sum(self.shapes[t][0] * self.shapes[t][1] ** 2 for t in self.chain)

    @functools.cached_property
    def tail_rows(self) -> np.ndarray:
        """Rows of the (m, n) arrays of `EffectColumns` that belong to the tail, int64 shape (m_tail,)."""
        first = np.cumsum([0, *(q for _, q in self.shapes)])
        rows = [np.arange(first[t], first[t + 1]) for t in range(len(self.shapes)) if t not in self.chain]
        return np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, dtype=np.int64)

    @functools.cached_property
    def tail_effects(self) -> np.ndarray:
        """Positions of the tail's effects in u, int64 shape (R,)."""
        first = np.cumsum([0, *(a * b for a, b in self.shapes)])
        parts = [np.arange(first[t], first[t + 1]) for t in range(len(self.shapes)) if t not in self.chain]
        return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)

    @functools.cached_property
    def tree(self) -> tuple[np.ndarray, ...]:
        """Nodes and their lists, as the kernels take them."""
        return (
            self.depths,
            self.ancestors,
            self.couplings,
            self.meets,
            self.meets_starts,
            self.above,
            self.tail_effects,
        )

    @functools.cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """Rows and what they touch, as the kernels take them."""
        return self.order, self.starts, self.tail_rows, self.tail, self.local


def find_chain(design: Design) -> tuple[int, ...]:
    """Return the terms of the chain with most effects, leaves first (the first such chain in the formula's order)."""
    groups = design.groups
    best: tuple[int, ...] = ()
    independent = [t for t, g in enumerate(groups) if g.structure.relationship is None]
    for leaf in independent:
        chain = [leaf]
        rest = sorted((t for t in independent if t != leaf), key=lambda t: -groups[t].n_levels)
        for t in rest:
            if groups[t].n_levels <= groups[chain[-1]].n_levels and _nests(groups[chain[-1]].codes, groups[t].codes):
                chain.append(t)
        if sum(groups[t].size for t in chain) > sum(groups[t].size for t in best):
            best = tuple(chain)
    return best


def scalar_chain(design: Design) -> tuple[int, ...]:
    """Return `find_chain`'s if every term of it has scalar effects, else its leaves alone.

    Serial effects are leaves, with the intercepts of their groups above them (`serial_pair`).
    """
    chain = find_chain(design)
    pair = serial_pair(design, chain)
    if pair is not None:
        return pair
    return chain if all(design.groups[t].n_effects == 1 for t in chain) else chain[:1]


def serial_pair(design: Design, chain: tuple[int, ...]) -> tuple[int, int] | None:
    """Return serial effects among ``chain`` and the plain intercepts of the same groups, or None without both."""
    groups = design.groups
    serial = [t for t in chain if groups[t].structure.keyword == AUTOREGRESSIVE.keyword and groups[t].kind is None]
    plain = [t for t in chain if groups[t].n_effects == 1 and groups[t].has_intercept]
    for t in serial:
        for p in plain:
            if np.array_equal(groups[t].codes, groups[p].codes):
                return t, p
    return None


def widest_serial(design: Design) -> int:
    """Return the number of places of the longest series of serial effects: the side of a level's dense block."""
    return max((g.n_effects for g in design.groups if g.structure.keyword == AUTOREGRESSIVE.keyword), default=0)


def dense_width(design: Design) -> int:
    """Return the number of effects outside `scalar_chain`: the side of the dense tail of a preconditioner."""
    chain = scalar_chain(design)
    return sum(g.size for t, g in enumerate(design.groups) if t not in chain)


def _prior(design: Design, chain: tuple[int, ...], n_tail: int) -> tuple[np.ndarray, float]:
    """Return the precision of the tail's standardised effects, (0, 0) for I, and its log determinant."""
    rest = [g for t, g in enumerate(design.groups) if t not in chain]
    if all(g.structure.relationship is None for g in rest):
        return np.zeros((0, 0)), 0.0
    P, at, log_determinant = np.eye(n_tail), 0, 0.0
    for group in rest:
        relationship = group.structure.relationship
        if relationship is not None:
            P[at : at + group.size, at : at + group.size] = relationship.precision.toarray()
            log_determinant -= relationship.log_determinant
        at += group.size
    return P, log_determinant


def _nests(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Return whether every level of ``inner`` lies in one level of ``outer``."""
    parent = np.empty(int(inner.max(initial=0)) + 1, dtype=outer.dtype)
    parent[inner] = outer
    return bool((parent[inner] == outer).all())


def _ancestors(codes: list[np.ndarray], levels: list[int]) -> np.ndarray:
    first = np.cumsum([0, *levels])
    found = np.full((len(codes), first[-1]), -1, dtype=np.int64)
    for d, inner in enumerate(codes):
        for e in range(d, len(codes)):
            found[e, first[d] + inner] = first[e] + codes[e]
    return found


def _tail_index(index: np.ndarray, shapes: tuple[tuple[int, int], ...], chain: tuple[int, ...]) -> np.ndarray:
    parts, at, row, first = [np.zeros((0, index.shape[1]), dtype=np.int64)], 0, 0, 0
    for t, (J, q) in enumerate(shapes):
        if t not in chain:
            parts.append(index[row : row + q] - first + at)
            at += J * q
        row += q
        first += J * q
    return np.ascontiguousarray(np.concatenate(parts))


def _meeting(
    tail: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    ancestors: np.ndarray,
    n_tail: int,
    levels: list[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return local, meets, meets_starts and above."""
    leaves = len(starts) - 1
    met = np.empty(tail.size, dtype=np.int64)
    bounds = np.zeros(leaves + 1, dtype=np.int64)
    local = np.zeros_like(tail)
    found = _leaf_meetings(tail, order, starts, np.full(n_tail, -1), met, bounds, local)
    lists = [met[:found]]
    sizes = [np.diff(bounds)]
    owners = np.repeat(np.arange(leaves), sizes[0])
    at = [np.arange(found)]
    first = np.cumsum([0, *levels])
    for e in range(1, len(levels)):
        # Each pair (ancestor, tail effect) once, in ascending order of both.
        keys = ancestors[e, owners] * max(n_tail, 1) + lists[0]
        unique, where = np.unique(keys, return_inverse=True)
        lists.append(unique % max(n_tail, 1))
        sizes.append(np.bincount(unique // max(n_tail, 1) - first[e], minlength=levels[e]))
        at.append(where)
    meets_starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    meets = np.concatenate(lists).astype(np.int64)
    above = _positions_above(lists, at, meets_starts, ancestors, [len(s) for s in sizes])
    return local, meets, meets_starts, above


def _positions_above(
    lists: list[np.ndarray],
    at: list[np.ndarray],
    meets_starts: np.ndarray,
    ancestors: np.ndarray,
    counts: list[int],
) -> np.ndarray:
    """Return the position of every node's tail effects in its ancestors' lists, (depths, M)."""
    depths = max(len(ancestors), 1)
    above = np.zeros((depths, sum(map(len, lists))), dtype=np.int64)
    nodes = np.cumsum([0, *counts])
    entries = np.cumsum([0, *map(len, lists)])
    for d in range(len(ancestors)):
        owners = np.repeat(np.arange(nodes[d], nodes[d + 1]), np.diff(meets_starts)[nodes[d] : nodes[d + 1]])
        for e in range(d, len(ancestors)):
            # From a leaf's entry to the entry of the same tail effect in the list of its ancestor at depth e.
            into = np.empty(len(lists[d]), dtype=np.int64)
            into[at[d]] = at[e]
            above[e, entries[d] : entries[d + 1]] = into + entries[e] - meets_starts[ancestors[e, owners]]
    return above


@compiled
def _leaf_meetings(tail, order, starts, seen, meets, bounds, local):  # type: ignore[no-untyped-def]  # compiled
    found = 0
    for j in range(starts.shape[0] - 1):
        begin = found
        bounds[j] = begin
        for s in range(starts[j], starts[j + 1]):
            for a in range(tail.shape[0]):
                r = tail[a, order[s]]
                if seen[r] < begin:  # not met yet by this leaf
                    seen[r] = found
                    meets[found] = r
                    found += 1
        meets[begin:found].sort()
        for k in range(begin, found):
            seen[meets[k]] = k
        for s in range(starts[j], starts[j + 1]):
            for a in range(tail.shape[0]):
                local[a, order[s]] = seen[tail[a, order[s]]] - begin
    bounds[starts.shape[0] - 1] = found
    return found
