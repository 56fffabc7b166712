"""Rows as residual structures see them: groups, each in the order of its times, and what lies between two rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.factor import Factor
from bayesglmm.formula import ResidualTerm

__all__ = ["COR_VARIABLE", "RESIDUAL", "ResidualRows"]

#: What the parameters of a residual structure are named after: ``cor(residual)``.
RESIDUAL = "residual"
#: The variable of these correlations in draws and in the PyMC graph.
COR_VARIABLE = f"cor_{RESIDUAL}"


@dataclass(frozen=True, eq=False)
class ResidualRows:
    """Rows in the order of groups and, within them, of times. Arrays of n entries are in that order, but for ``codes``.

    Attributes
    ----------
    term : ResidualTerm
        What was asked for.
    factor : Factor
        Groups; residuals of different ones are independent.
    codes : ndarray of int32, shape (n,)
        Group of each row of the data.
    times : ndarray, shape (n,)
        Time of each row of the data: number, position of an ordered category, or place among the visits.
    visits : tuple of str
        Labels of the visits, in order; empty where times are numbers.
    """

    term: ResidualTerm
    factor: Factor
    codes: np.ndarray
    times: np.ndarray
    visits: tuple[str, ...] = ()

    @functools.cached_property
    def order(self) -> np.ndarray:
        """Rows of the data in this order, int64, shape (n,)."""
        return np.lexsort((self.times, self.codes)).astype(np.int64)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where each group begins, and n, int64, shape (groups + 1,)."""
        counts = np.bincount(self.codes, minlength=len(self.factor.levels))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @functools.cached_property
    def earlier(self) -> np.ndarray:
        """Number of rows of the same group before each row, int64, shape (n,)."""
        return np.arange(len(self.codes)) - np.repeat(self.starts[:-1], np.diff(self.starts))

    @functools.cached_property
    def gaps(self) -> np.ndarray:
        """Time since the row before in the same group; 0 for the first row, shape (n,)."""
        t = self.times[self.order]
        gaps = np.diff(t, prepend=t[:1])
        gaps[self.earlier == 0] = 0.0
        return gaps

    @functools.cached_property
    def visit(self) -> np.ndarray:
        """Visit of each row, int64, shape (n,)."""
        return self.times[self.order].astype(np.int64)

    @functools.cached_property
    def patterns(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Visits that occur together (k,), and the rows of the groups that have these alone (groups, k), int64 both."""
        found: dict[tuple[int, ...], list[int]] = {}
        for a, b in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True):
            found.setdefault(tuple(self.visit[a:b].tolist()), []).append(a)
        return tuple(
            (np.array(p, dtype=np.int64), np.array(firsts, dtype=np.int64)[:, None] + np.arange(len(p)))
            for p, firsts in sorted(found.items())
            if p
        )

    @functools.cached_property
    def sizes(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """The patterns by their number of visits k, so that small matrices are worked on many at a time.

        For each k: visits of the patterns (P, k), rows of their groups (groups, k), pattern after pattern, and where
        each pattern's groups begin, (P,).
        """
        of_size: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for visits, at in self.patterns:
            of_size.setdefault(len(visits), []).append((visits, at))
        return tuple(
            (
                np.stack([visits for visits, _ in found]),
                np.concatenate([at for _, at in found]),
                np.cumsum([0, *(len(at) for _, at in found)])[:-1],
            )
            for _, found in sorted(of_size.items())
        )

    @property
    def patterned(self) -> bool:
        """Whether there is a correlation for every two visits, and not one alone."""
        return self.term.structure == "us"

    @property
    def largest(self) -> int:
        """Number of rows of the largest group."""
        return int(np.diff(self.starts).max())

    def sorted(self, columns: np.ndarray) -> np.ndarray:
        """Return ``columns`` (n, ...) of the data in this order."""
        return columns[self.order]

    def unsorted(self, columns: np.ndarray) -> np.ndarray:
        """Return ``columns`` (n, ...) in this order in that of the data."""
        out = np.empty_like(columns)
        out[self.order] = columns
        return out
