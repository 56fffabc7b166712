"""Rows of a design as the joint density reads them: sorted, so that neighbours share effects, and equal ones merged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design

__all__ = ["RowData"]

#: Rows are merged if at most this share of them is left: fewer would not repay what merging costs.
_WORTH = 0.9
#: An odd number whose bits look random: 2^64 over the golden ratio (Knuth 1998, vol. 3, 6.4).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class RowData:
    """Rows of a design; those that are equal in all but their weight may be one here, its weight their sum.

    All arrays are C-contiguous. A row's weight multiplies its log-likelihood and all derivatives, in every family, so
    that sums over these rows are those over the design's. They are sorted by the group term of most levels, then by the
    others.

    Attributes
    ----------
    rows : ndarray, shape (4, n')
        Response, size, weight and offset.
    Xt : ndarray, shape (p, n')
        Columns of X.
    slopes : ndarray, shape (k, n')
        Slope columns of all group terms, stacked.
    codes : ndarray of int32, shape (terms, n')
        Level of each row in every group term.
    auxiliary : ndarray, shape (m, n')
        Columns of a, columns of b, offset of a and offset of b, where rows have auxiliary predictors; else m = 0.
    """

    rows: np.ndarray
    Xt: np.ndarray
    slopes: np.ndarray
    codes: np.ndarray
    auxiliary: np.ndarray

    @classmethod
    def of(cls, design: Design) -> RowData:
        """Lay out the rows of ``design``, which stay as they are."""
        merged = cls._given(design)._merged()
        sizes = [g.size // g.cells[2] for g in design.groups]
        return merged._taken(_sorting(merged.codes, sizes)) if design.groups else merged

    @classmethod
    def in_order(cls, design: Design, order: np.ndarray) -> RowData:
        """Lay out the rows of ``design`` at ``order`` (n,), none of them merged."""
        return cls._given(design)._taken(order)

    @classmethod
    def _given(cls, design: Design) -> RowData:
        slopes = [g.cells[1] for g in design.groups]
        codes = [g.cells[0] for g in design.groups]
        n = design.n_rows
        return cls(
            rows=np.ascontiguousarray(design.rows),
            Xt=np.ascontiguousarray(design.X.T),
            slopes=np.ascontiguousarray(np.vstack(slopes)) if slopes else np.empty((0, n)),
            codes=np.ascontiguousarray(np.vstack(codes)) if codes else np.empty((0, n), dtype=np.int32),
            auxiliary=_auxiliary_columns(design),
        )

    def _taken(self, order: np.ndarray) -> RowData:
        """Return the rows at ``order``."""
        return RowData(
            *(np.take(a, order, axis=1) for a in (self.rows, self.Xt, self.slopes, self.codes, self.auxiliary))
        )

    def _merged(self) -> RowData:
        """Return the rows with equal ones merged into the first of them, or all rows where that saves too little."""
        prints = self._fingerprints()
        n = len(prints)
        ordered = np.sort(prints)
        if 1 + np.count_nonzero(ordered[1:] != ordered[:-1]) > _WORTH * n:
            return self
        _, firsts, belongs = np.unique(prints, return_index=True, return_inverse=True)
        if not self._equal(firsts[belongs]):  # two different rows of one fingerprint: one in 2^64 / n^2 data sets
            return self
        merged = self._taken(firsts)
        rows = merged.rows.copy()
        rows[2] = np.bincount(belongs, weights=self.rows[2], minlength=len(firsts))
        return replace(merged, rows=rows)._taken(np.argsort(firsts))

    def _columns(self) -> list[np.ndarray]:
        """Return all columns that tell rows apart: every one but the weight."""
        return [self.rows[0], self.rows[1], self.rows[3], *self.Xt, *self.slopes, *self.codes, *self.auxiliary]

    def _fingerprints(self) -> np.ndarray:
        """Return a number of 64 bits for each row, the same for equal rows, shape (n,)."""
        prints = np.zeros(self.rows.shape[1], dtype=np.uint64)
        for column in self._columns():
            prints ^= (column + 0.0).view(np.uint64)  # + 0.0 makes a whole number a float, and -0.0 equal to 0.0
            prints *= _GOLDEN
            prints ^= prints >> np.uint64(32)
        return prints

    def _equal(self, other: np.ndarray) -> bool:
        """Whether every row equals the row at ``other`` (n,)."""
        return all(np.array_equal(column, column[other]) for column in self._columns())


def _auxiliary_columns(design: Design) -> np.ndarray:
    """Return all that the auxiliary predictors of the rows are made of, shape (m, n)."""
    if design.auxiliary is None:
        return np.empty((0, design.n_rows))
    first, second = design.auxiliary.predictors
    return np.ascontiguousarray(np.vstack([first.columns, second.columns, first.offset, second.offset]))


def _sorting(codes: np.ndarray, levels: list[int]) -> np.ndarray:
    """Return the order by the term of most levels, then by the others, then as rows came, shape (n,).

    Codes and position are the digits of one whole number, which NumPy sorts many times faster than it sorts several
    keys or positions; terms that find no place in 63 bits are left out.
    """
    n = codes.shape[1]
    key, cells = np.zeros(n, dtype=np.int64), 1
    for t in sorted(range(len(levels)), key=lambda t: -levels[t]):
        if cells * levels[t] * n < 2**63:
            key = key * levels[t] + codes[t]
            cells *= levels[t]
    return np.asarray(np.sort(key * n + np.arange(n)) % n)
