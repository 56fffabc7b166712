"""A grouping factor: the levels that occur in the data, and which of them a row belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayesglmm.errors import DataError, Problem

__all__ = ["Factor", "learn_factor"]


@dataclass(frozen=True, eq=False)
class Factor:
    """A grouping factor: the combinations of the values of one or more columns that occur in the data.

    Attributes
    ----------
    columns : tuple of str
        The columns that cross, ``("herd", "period")`` for ``herd:period``.
    levels : tuple of str
        Labels of the J levels; values of several columns are joined by ``:``.
    as_text : bool
        Whether values are compared as they print (names of a known covariance).
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    _index: pd.Index = field(repr=False)
    as_text: bool = False

    def codes(self, data: pd.DataFrame) -> np.ndarray:
        """Return the level of each row of ``data``, int32 shape (n,); -1 where the level was not learned."""
        keys = _texts(data, self.columns) if self.as_text else _keys(data, self.columns)
        return np.asarray(self._index.get_indexer(keys), dtype=np.int32)

    @property
    def values(self) -> np.ndarray:
        """What stands in the data for each level, shape (J,)."""
        return np.asarray(self._index)

    def part(self, levels: np.ndarray) -> Factor:
        """Return the factor of some of the levels."""
        return Factor(self.columns, tuple(self.levels[k] for k in levels), self._index[levels], self.as_text)


def _texts(data: pd.DataFrame, names: tuple[str, ...]) -> pd.Index:
    parts = [pd.Index(_keys(data, (name,))).astype(str).to_numpy() for name in names]
    return pd.Index([":".join(level) for level in zip(*parts, strict=True)], dtype=object)


def _keys(data: pd.DataFrame, names: tuple[str, ...]) -> pd.Index:
    if len(names) == 1:
        column = data[names[0]]
        if isinstance(column.dtype, pd.CategoricalDtype):
            # Compare by value: codes of another frame's categories mean something else. As objects, since a missing
            # value has no place in a dtype such as that of whole numbers.
            return pd.Index(column.astype(object))
        return pd.Index(column)
    parts = [_keys(data, (name,)) for name in names]
    return pd.MultiIndex.from_arrays(parts)


def learn_factor(names: tuple[str, ...], data: pd.DataFrame) -> tuple[Factor, np.ndarray]:
    """Learn the levels of a grouping factor (category order where there is one, else sorted).

    Returns
    -------
    Factor
        With J levels.
    ndarray of int32, shape (n,)
        The level of each row.
    """
    coded = [_codes_and_values(data[name]) for name in names]
    combined = np.zeros(len(data), dtype=np.int64)
    for codes, values in coded:
        combined = combined * len(values) + codes
    occurring, row_codes = np.unique(combined, return_inverse=True)
    positions = []
    rest = occurring
    for _, values in reversed(coded):
        positions.append(rest % len(values))
        rest = rest // len(values)
    places = list(reversed(positions))
    parts = [values[at] for (_, values), at in zip(coded, places, strict=True)]
    texts = [pd.Index(values).astype(str).to_numpy()[at] for (_, values), at in zip(coded, places, strict=True)]
    labels = tuple(":".join(level) for level in zip(*texts, strict=True))
    if len(set(labels)) < len(labels):
        twice = pd.Series(labels).loc[lambda s: s.duplicated()].iloc[0]
        message = (
            f"two different values print as the same level {twice!r} (for instance 1 and '1'); "
            "make the column all text or all numbers."
        )
        raise DataError([Problem(":".join(names), message, "levels")])
    index = pd.Index(parts[0]) if len(parts) == 1 else pd.MultiIndex.from_arrays(parts)
    return Factor(names, labels, index), row_codes.astype(np.int32)


def _codes_and_values(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), np.asarray(column.cat.categories)
    codes, values = pd.factorize(column)
    try:
        order = np.argsort(np.asarray(values), kind="stable")
    except TypeError:  # values of mixed types have no order: keep that of appearance
        return codes, np.asarray(values, dtype=object)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], np.asarray(values)[order]
