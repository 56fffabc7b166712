"""Columns of labels: levels without rows, text that is a number in writing, labels that may have merged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from pandas.api import types

from bayesglmm.errors import Problem
from bayesglmm.formula import name_text
from bayesglmm.validate.storage import Storage, distinct, reads_as_numbers, storage_of, stray_rows
from bayesglmm.validate.uses import Role, Use
from bayesglmm.validate.words import count, first_of, rows_text, value_text

__all__ = ["level_warnings"]

#: From here on, neighbouring whole numbers share one double.
_EXACT: Final = 2.0**53


def level_warnings(uses: Iterable[Use], used: pd.DataFrame) -> list[Problem]:
    """Return what is odd about the columns whose values are levels.

    Categories without rows, text that reads as numbers and became a factor, and group labels that are
    floating-point numbers too large to be exact.
    """
    roles: dict[str, set[Role]] = {}
    for use in uses:
        roles.setdefault(use.column, set()).add(use.role)
    problems = []
    for name, serves in roles.items():
        column = used[name]
        storage = storage_of(column)
        if storage is Storage.CATEGORIES and serves != {Role.STEP}:  # a step without a row is a step
            problems += _unused_categories(column)
        elif storage is Storage.TEXT and Role.TERM in serves:
            problems += _numbers_as_factor(column) if reads_as_numbers(column) else _strays(column)
        elif storage is Storage.NUMBERS and Role.GROUP in serves:
            problems += _inexact(column)
    return problems


def _numbers_as_factor(column: pd.Series) -> list[Problem]:
    name = str(column.name)
    values = distinct(column)
    message = (
        f"text that reads as numbers ({first_of(repr(str(v)) for v in values)}) is used as a factor with "
        f"{count(len(values), 'level')}. If it is a number, convert it with pd.to_numeric; "
        f"if it is a factor, say so with C({name_text(name)})."
    )
    return [Problem(name, message, "text factor")]


def _strays(column: pd.Series) -> list[Problem]:
    mask = stray_rows(column)
    n_strays = int(mask.sum())
    if not n_strays:
        return []
    name = str(column.name)
    where = rows_text(mask, column.index, lambda k: value_text(column.iloc[k]))
    message = (
        f"{len(mask) - n_strays} of {len(mask)} values read as numbers, {n_strays} "
        f"{'does' if n_strays == 1 else 'do'} not {where}; it is used as a factor. Correct or leave out "
        f"{'that row' if n_strays == 1 else 'those rows'}, and convert the column with pd.to_numeric. "
        f"If it is a factor, say so with C({name_text(name)})."
    )
    return [Problem(name, message, "text factor")]


def _inexact(column: pd.Series) -> list[Problem]:
    if not types.is_float_dtype(column.dtype):
        return []
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    mask = np.abs(values) >= _EXACT
    if not mask.any():
        return []
    name = str(column.name)
    where = rows_text(mask, column.index, lambda k: f"{values[k]:.0f}")
    message = (
        f"{mask.sum()} of {len(mask)} group labels are floating-point numbers of 2**53 or more {where}, which "
        "cannot tell neighbouring whole numbers apart: different groups may have become one. Read the column "
        f"as whole numbers or as text, for instance pd.read_csv(..., dtype={{{name!r}: 'Int64'}})."
    )
    return [Problem(name, message, "inexact labels")]


def _unused_categories(column: pd.Series) -> list[Problem]:
    categories = column.cat.categories
    unused = ~np.isin(np.arange(len(categories)), column.cat.codes.unique())
    if not unused.any():
        return []
    name = str(column.name)
    message = (
        f"{unused.sum()} of {len(categories)} categories without a row "
        f"({first_of(value_text(v) for v in categories[unused])}), left out of the model. "
        f"data[{name!r}].cat.remove_unused_categories() says that this is meant."
    )
    return [Problem(name, message, "unused levels")]
