"""``by=``: a group term whose levels are of several kinds, each kind with covariance parameters of its own.

Every level of the grouping factor belongs to one kind, a level of another column. The term is taken apart into one
term a kind, whose effects multiply columns that are 0 in the rows of the other kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayesglmm.errors import DataError, Problem

__all__ = ["Kind", "kinds_of"]


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of levels.

    Attributes
    ----------
    column : str
        Where the kinds stand.
    label : str
        This kind, as it prints.
    levels : ndarray of int64
        Its levels among those of the whole grouping factor.
    inside : ndarray of bool, shape (n,)
        Rows of this kind.
    """

    column: str
    label: str
    levels: np.ndarray
    inside: np.ndarray = field(repr=False)
    _value: object = field(repr=False)

    @property
    def name(self) -> str:
        """``trt[a]``."""
        return f"{self.column}[{self.label}]"

    def rows(self, data: pd.DataFrame) -> np.ndarray:
        """Return which rows are of this kind, bool, shape (n,)."""
        values = data[self.column]
        values = values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values
        return np.asarray(values == self._value, dtype=bool)


def kinds_of(
    column: str,
    kinds: tuple[tuple[str, ...], np.ndarray, np.ndarray],
    groups: tuple[str, tuple[str, ...], np.ndarray],
    rows: pd.Index,
) -> list[Kind]:
    """Return the kinds in the order of their levels.

    Parameters
    ----------
    column : str
        Where the kinds stand.
    kinds : (tuple of str, ndarray, ndarray)
        Labels of the kinds, what stands for them in the data, and the kind of each row.
    groups : (str, tuple of str, ndarray)
        Name of the grouping factor, its levels, and the level of each row.
    rows : Index
        Labels of the rows.

    Raises
    ------
    DataError
        A level that is of two kinds, by name, or a column with one kind.
    """
    labels, values, kind = kinds
    name, levels, codes = groups
    if len(labels) == 1:
        message = f"by={column} has one level ({labels[0]!r}); leave it out of the group term of {name}."
        raise DataError([Problem(column, message, "by")])
    of_level = np.full(len(levels), -1, dtype=np.int64)
    of_level[codes] = kind
    torn = np.flatnonzero(of_level[codes] != kind)
    if len(torn):
        row = int(torn[0])
        message = (
            f"with by={column} every level of {name} belongs to one level of {column}, and {levels[codes[row]]!r} is "
            f"in {labels[kind[row]]!r} (row {rows[row]}) and in {labels[of_level[codes[row]]]!r}. Group by "
            f"{name}:{column}, or leave by= out."
        )
        raise DataError([Problem(name, message, "by")])
    alone = [k for k in range(len(labels)) if np.count_nonzero(of_level == k) == 1]
    if alone:
        only = levels[int(np.flatnonzero(of_level == alone[0])[0])]
        message = (
            f"{column}[{labels[alone[0]]}] has one level of {name} ({only!r}), which says nothing about how its levels "
            f"vary. Join it to another level of {column}, or leave by= out."
        )
        raise DataError([Problem(column, message, "by")])
    return [Kind(column, label, np.flatnonzero(of_level == k), kind == k, values[k]) for k, label in enumerate(labels)]
