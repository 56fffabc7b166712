"""Places of repeated measurements: the levels of a factor in order, or whole numbers, for serial correlation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayesglmm.errors import DataError, Problem
from bayesglmm.formula.tree import Call, GroupTerm, Name

__all__ = ["MAX_VISITS", "VisitCoding", "learn_visits"]

#: Indicators of so many places are kept, one column each.
MAX_VISITS = 2000


@dataclass(frozen=True)
class VisitCoding:
    """Indicator columns of the places of one column; the interface is that of `coding.Coding`.

    Attributes
    ----------
    column : str
        Where the places stand.
    names : tuple of str
        Effects, ``visit[1]``, in order.
    gaps : tuple of int
        Distances between neighbouring places: 1 between levels, differences of whole numbers.
    """

    column: str
    names: tuple[str, ...]
    gaps: tuple[int, ...]
    _index: pd.Index = field(repr=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data frame that are used."""
        return (self.column,)

    @property
    def terms(self) -> tuple[str, ...]:
        """The term to which each column belongs."""
        return (self.column,) * len(self.names)

    @property
    def categorical(self) -> tuple[bool, ...]:
        """All columns are indicators."""
        return (True,) * len(self.names)

    def places(self, data: pd.DataFrame) -> np.ndarray:
        """Return the position among the places of each row, int64 shape (n,).

        Raises
        ------
        DataError
            A place that was not in the data learned from.
        """
        values = data[self.column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(object)
        found = self._index.get_indexer(pd.Index(values))
        if (found < 0).any():
            row = int(np.flatnonzero(found < 0)[0])
            message = f"{str(values.iloc[row])!r} (row {data.index[row]}) is no place that the model learned from."
            raise DataError([Problem(self.column, message, "levels")])
        return np.asarray(found, dtype=np.int64)

    def matrix(self, data: pd.DataFrame) -> np.ndarray:
        """Return the (n, q) indicators of the places of ``data``."""
        return np.eye(len(self.names))[self.places(data)]


def learn_visits(term: GroupTerm, data: pd.DataFrame) -> tuple[VisitCoding, np.ndarray]:
    """Learn the places of a serially correlated group term and return them with each row's position, int64 (n,).

    Raises
    ------
    DataError
        The effects are not the places of one column, or these cannot be put in order.
    """
    column = _column(term)
    values = data[column]
    gaps: tuple[int, ...] = ()
    if isinstance(values.dtype, pd.CategoricalDtype):
        # In the order of the categories; a category without rows is a place between its neighbours all the same.
        occurring = np.flatnonzero(np.bincount(values.cat.codes, minlength=len(values.cat.categories)))
        places = np.asarray(values.cat.categories, dtype=object)[occurring]
        gaps = tuple(int(g) for g in np.diff(occurring))
    elif pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64)
        broken = np.flatnonzero(numbers != np.round(numbers))
        if len(broken):
            message = (
                f"ar1() takes places in whole numbers, and row {data.index[broken[0]]} has {numbers[broken[0]]:g}; "
                "count in a smaller unit (days instead of weeks)."
            )
            raise DataError([Problem(column, message, "places")])
        places = np.sort(values.unique())
        gaps = tuple(int(g) for g in np.diff(np.unique(numbers)))
    else:
        places = np.array(sorted(map(str, values.unique())), dtype=object)
        gaps = (1,) * (len(places) - 1)
    if not 2 <= len(places) <= MAX_VISITS:
        message = (
            f"{len(places)} places for ar1(); it needs 2 and this version takes up to {MAX_VISITS}. "
            "Merge places, or leave the term out."
        )
        raise DataError([Problem(column, message, "places")])
    index = pd.Index(places)
    names = tuple(f"{column}[{place}]" for place in index.astype(str))
    coding = VisitCoding(column, names, gaps, index)
    return coding, coding.places(data)


def _column(term: GroupTerm) -> str:
    match term.effects.terms:
        case Name(name=name) if not term.effects.intercept:
            return name
        case Call(function="C", arguments=(Name(name=name),), options=()) if not term.effects.intercept:
            return name
    message = (
        f"{term} needs the places of one column before the bar, without an intercept: "
        f"ar1(0 + visit | {':'.join(term.factor.columns)})."
    )
    raise DataError([Problem(str(term), message, "places")])
