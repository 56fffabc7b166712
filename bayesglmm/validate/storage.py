"""What a column holds, whatever its dtype says: numbers, text, categories, or neither."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["Storage", "distinct", "not_numbers", "reads_as_numbers", "storage_of", "stray_rows"]

_NUMBERS_IN_OBJECTS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean"}


class Storage(Enum):
    """What a column holds; the value names it in a message."""

    NUMBERS = "numbers"
    TEXT = "text"
    CATEGORIES = "categories"
    OTHER_NUMBERS = "numbers of a dtype that formulas cannot use"
    DATES = "dates or times"
    COMPLEX = "complex numbers"
    MIXED = "values of several types"


def storage_of(column: pd.Series) -> Storage:
    """Return what ``column`` holds, missing values aside."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return Storage.CATEGORIES
    if types.is_complex_dtype(dtype):
        return Storage.COMPLEX
    if types.is_numeric_dtype(dtype):
        return Storage.NUMBERS
    if isinstance(dtype, pd.StringDtype):
        return Storage.TEXT
    held = types.infer_dtype(column, skipna=True)
    if held in {"string", "empty"}:
        return Storage.TEXT
    if held in _NUMBERS_IN_OBJECTS:
        return Storage.OTHER_NUMBERS
    return Storage.DATES if held.startswith(("date", "time", "period")) else Storage.MIXED


def distinct(column: pd.Series) -> np.ndarray:
    """Return the distinct values of a column, missing ones left out, in order of appearance."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes.unique())
        return np.asarray(column.cat.categories)[codes[codes >= 0]]
    return np.asarray(column.dropna().unique())


def not_numbers(values: np.ndarray) -> np.ndarray:
    """Return which values, written out, do not read as numbers, shape of ``values``."""
    return pd.to_numeric(pd.Series(values).astype(str), errors="coerce").isna().to_numpy()


def reads_as_numbers(column: pd.Series) -> bool:
    """Whether every value of a column is a number in writing."""
    values = distinct(column)
    return len(values) > 0 and not not_numbers(values).any()


def stray_rows(column: pd.Series) -> np.ndarray:
    """Return the rows that keep a column of numbers in writing from being one, shape (n,).

    None where fewer than half of the distinct values read as numbers: that is a column of labels.
    """
    values = distinct(column)
    unreadable = not_numbers(values)
    if 2 * unreadable.sum() > len(values):
        return np.zeros(len(column), dtype=bool)
    return column.isin(values[unreadable]).to_numpy(dtype=bool)
