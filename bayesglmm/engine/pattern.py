"""Which group effects meet in a row: found once, used by every factorisation.

The term with the most effects is the head. No two of its levels meet in a row, so that its part of H is block
diagonal and can be eliminated level by level; what is left, the tail, is kept dense (Bates et al. 2015, section 5, with
one dense block in place of a sparse factor).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import compiled
from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns

__all__ = ["Pattern"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """How the effects of a design are divided and where they meet.

    Attributes
    ----------
    head : slice
        Positions of the head's effects in u.
    head_rows : slice
        Rows of the (m, n) arrays of `EffectColumns` that belong to the head.
    q : int
        Effects of each level of the head.
    levels : ndarray of int64, shape (n,)
        Level of the head in each row.
    order, starts : ndarray of int64, shapes (n,) and (J + 1,)
        Rows sorted by level; where each level begins among them.
    tail : ndarray of int64, shape (m - q, n)
        Positions among the tail's effects.
    meets, meets_starts : ndarray of int64, shapes (sum k,) and (J + 1,)
        Tail effects that each level of the head meets, each once.
    local : ndarray of int64, shape (m - q, n)
        Position of ``tail`` among the effects that the row's level meets.
    size : int
        Number of group effects Q.
    head_term : int
        Which group term is the head.
    shapes : tuple of (int, int)
        Levels J and effects q of each group term.
    """

    head: slice
    head_rows: slice
    q: int
    levels: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    tail: np.ndarray
    meets: np.ndarray
    meets_starts: np.ndarray
    local: np.ndarray
    size: int
    head_term: int
    shapes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, design: Design, effects: EffectColumns) -> Pattern:
        """Choose the head of ``design`` and find what meets."""
        sizes = [g.size for g in design.groups]
        t = int(np.argmax(sizes)) if sizes else 0
        q = design.groups[t].n_effects if sizes else 1
        at = sum(sizes[:t])
        first = sum(g.n_effects for g in design.groups[:t])
        head = slice(at, at + sizes[t]) if sizes else slice(0, 0)
        head_rows = slice(first, first + q) if sizes else slice(0, 0)
        n_levels = design.groups[t].n_levels if sizes else 0
        levels = design.groups[t].codes.astype(np.int64) if sizes else np.zeros(design.n_rows, dtype=np.int64)
        order = np.argsort(levels, kind="stable")
        starts = np.searchsorted(levels[order], np.arange(n_levels + 1))
        others = np.delete(effects.index, np.arange(head_rows.start, head_rows.stop), axis=0)
        tail = np.ascontiguousarray(np.where(others >= head.stop, others - (head.stop - head.start), others))
        n_tail = effects.size - (head.stop - head.start)
        meets, meets_starts, local = _meeting(tail, order, starts, n_tail)
        shapes = tuple((g.n_levels, g.n_effects) for g in design.groups)
        where = (head, head_rows, q, levels, order, starts, tail, meets, meets_starts, local)
        return cls(*where, effects.size, t, shapes)

    @property
    def n_levels(self) -> int:
        """Number of levels J of the head."""
        return len(self.starts) - 1

    @property
    def n_tail(self) -> int:
        """Number of effects R of the tail."""
        return self.size - (self.head.stop - self.head.start)

    def split(self, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return copies of the head's and the tail's part of ``b`` (Q, ...)."""
        tail = np.concatenate([b[: self.head.start], b[self.head.stop :]])
        return np.array(b[self.head], order="C"), tail

    def join(self, head: np.ndarray, tail: np.ndarray) -> np.ndarray:
        """Return what `split` divided."""
        return np.concatenate([tail[: self.head.start], head, tail[self.head.start :]])


def _meeting(
    tail: np.ndarray, order: np.ndarray, starts: np.ndarray, n_tail: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    local = np.zeros_like(tail)
    meets_starts = np.zeros(len(starts), dtype=np.int64)
    meets = np.empty(tail.size, dtype=np.int64)
    found = _find_meetings(tail, order, starts, np.full(n_tail, -1), meets, meets_starts, local)
    return meets[:found].copy(), meets_starts, local


@compiled
def _find_meetings(tail, order, starts, seen, meets, meets_starts, local):  # type: ignore[no-untyped-def]  # compiled
    found = 0
    for j in range(starts.shape[0] - 1):
        begin = found
        meets_starts[j] = begin
        for s in range(starts[j], starts[j + 1]):
            i = order[s]
            for a in range(tail.shape[0]):
                r = tail[a, i]
                if seen[r] < begin:  # not met yet by this level
                    seen[r] = found
                    meets[found] = r
                    found += 1
                local[a, i] = seen[r] - begin
    meets_starts[starts.shape[0] - 1] = found
    return found
