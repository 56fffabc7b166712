"""Reading a response column: numbers as they are, two labels as 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from bayesglmm.errors import DataError, Problem
from bayesglmm.families.record import Array, Encoded

__all__ = ["column_name", "encode_labels", "encode_numbers", "is_numeric", "listing"]

_NUMBERS_IN_OBJECTS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal"}


def column_name(column: pd.Series) -> str:
    """Return what to call a column in a message."""
    return "response" if column.name is None else str(column.name)


def listing(values: object, limit: int = 5) -> str:
    """Return the first of some distinct values, quoted, for a message: ``'a', 'b' and 3 more``."""
    found = [repr(str(value)) for value in pd.unique(pd.Series(values))]
    shown = ", ".join(found[:limit])
    return shown if len(found) <= limit else f"{shown} and {len(found) - limit} more"


def is_numeric(column: pd.Series) -> bool:
    """Return whether a column holds real numbers or truth values (missing ones aside), whatever its dtype."""
    if types.is_object_dtype(column.dtype):
        return bool(column.isna().all()) or types.infer_dtype(column, skipna=True) in _NUMBERS_IN_OBJECTS
    return types.is_bool_dtype(column.dtype) or (
        types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype)
    )


def encode_numbers(column: pd.Series, family: str, needs: str) -> Encoded:
    """Read a column of numbers.

    Parameters
    ----------
    column : pandas.Series
        The response; numbers or truth values, possibly with missing ones, of any NumPy or pandas dtype.
    family, needs : str
        For the message.

    Raises
    ------
    DataError
        If it holds text, categories, dates or complex numbers.
    """
    if is_numeric(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        values: Array = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        return Encoded(values)
    present = column.dropna()
    as_numbers = pd.to_numeric(present.astype(str), errors="coerce")
    remedy = (
        "They read as numbers: convert the column with pd.to_numeric first."
        if len(present) and as_numbers.notna().all() and not types.is_datetime64_any_dtype(column.dtype)
        else 'Convert it to numbers, or choose family="bernoulli" if it holds two labels.'
    )
    message = f"not numbers (first values: {listing(present)}); {family} needs {needs}. {remedy}"
    raise DataError([Problem(column_name(column), message, "type")])


def _labels_of(column: pd.Series) -> list[object]:
    """Return the labels that occur, in the order of the categories or else sorted."""
    present = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(present)
        return [label for label in column.cat.categories if label in used]
    labels = list(pd.unique(present))
    try:
        return sorted(labels)
    except TypeError:  # labels of several types have no order of their own
        return sorted(labels, key=str)


def encode_labels(column: pd.Series, family: str, needs: str) -> Encoded:
    """Read a column of two labels: the second in the order of its categories, or sorted, becomes 1.

    A categorical column with two categories of which one occurs is read as well.

    Raises
    ------
    DataError
        If there are more than two labels, or one only.
    """
    labels = _labels_of(column)
    if len(labels) < 2 and isinstance(column.dtype, pd.CategoricalDtype) and len(column.cat.categories) == 2:
        labels = list(column.cat.categories)
    if len(labels) != 2:
        count = f"{len(labels)} labels" if len(labels) > 2 else "only one label" if labels else "no labels"
        message = (
            f"{count}{f' ({listing(labels)})' if labels else ''}; {family} needs {needs}. "
            "Recode the column so that it holds 0 for a failure and 1 for a success."
        )
        raise DataError([Problem(column_name(column), message, "labels")])
    values = np.full(len(column), np.nan)
    values[(column == labels[0]).to_numpy(dtype=bool, na_value=False)] = 0.0
    values[(column == labels[1]).to_numpy(dtype=bool, na_value=False)] = 1.0
    return Encoded(values, (str(labels[0]), str(labels[1])))
