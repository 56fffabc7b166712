"""Each column by itself: can it serve as what the formula needs it for?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from pandas.api import types

from bayesglmm.errors import DataError, Problem
from bayesglmm.factor import learn_factor
from bayesglmm.formula import name_text
from bayesglmm.validate.storage import Storage, distinct, not_numbers, storage_of
from bayesglmm.validate.table import Table
from bayesglmm.validate.uses import Role, Use
from bayesglmm.validate.words import first_of, rows_text, value_text

__all__ = ["column_problems"]

_WRITTEN: Final = (Storage.TEXT, Storage.CATEGORIES)


def column_problems(uses: Iterable[Use], table: Table) -> list[Problem]:
    """Return columns that hold infinite values, or that cannot serve as what they are used for."""
    served: dict[str, list[Use]] = {}
    for use in uses:
        served.setdefault(use.column, []).append(use)
    found = []
    for name in table.frame.columns:
        column = table.frame[name]
        found.append(_infinite(column) or _first_misuse(column, served[name]))
    return [problem for problem in found if problem is not None]


def _infinite(column: pd.Series) -> Problem | None:
    if not types.is_float_dtype(column.dtype):
        return None
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    mask = np.isinf(values)
    if not mask.any():
        return None
    where = rows_text(mask, column.index, lambda k: value_text(values[k]))
    message = f"{mask.sum()} of {len(mask)} values infinite {where}. Correct them, or leave these rows out."
    return Problem(str(column.name), message, "infinite")


def _first_misuse(column: pd.Series, uses: list[Use]) -> Problem | None:
    storage = storage_of(column)
    if storage is Storage.NUMBERS:
        return None
    # A response is not in this list: its family's record reads labels, or refuses them.
    checks = {
        Role.NUMBER: _not_numbers,
        Role.TERM: _not_a_term,
        Role.FACTOR: _not_a_term,
        Role.GROUP: _not_labels,
        Role.STEP: _not_steps,
    }
    found = (checks[use.role](column, storage, use) for use in uses if use.role in checks)
    return next((problem for problem in found if problem is not None), None)


def _conversion(column: pd.Series) -> str:
    name = repr(str(column.name))
    if storage_of(column) is Storage.TEXT:
        return f"Convert it: data[{name}] = pd.to_numeric(data[{name}])."
    return f"Convert it: data[{name}] = data[{name}].astype(float)."


def _not_numbers(column: pd.Series, storage: Storage, use: Use) -> Problem:
    name = str(column.name)
    needs = f"{use.place} needs numbers."
    if storage not in _WRITTEN:
        other = storage is Storage.OTHER_NUMBERS
        remedy = _conversion(column) if other else "Compute a column of numbers from it first."
        return Problem(name, f"holds {storage.value}; {needs} {remedy}", "type")
    values = distinct(column)
    unreadable = not_numbers(values)
    examples = first_of(repr(str(value)) for value in values)
    if not unreadable.any():
        message = f"holds numbers stored as {storage.value} ({examples}); {needs} {_conversion(column)}"
    elif unreadable.all():
        remedy = f"Use it as a factor by its bare name, {name_text(name)}, or recode it."
        message = f"holds {storage.value} ({examples}); {needs} {remedy}"
    else:
        mask = column.isin(values[unreadable]).to_numpy(dtype=bool)
        where = rows_text(mask, column.index, lambda k: value_text(column.iloc[k]))
        message = f"{mask.sum()} of {len(mask)} values do not read as numbers {where}; {needs} Correct them, "
        message += f"then convert the column: pd.to_numeric(data[{name!r}])."
    return Problem(name, message, "type")


def _not_steps(column: pd.Series, storage: Storage, use: Use) -> Problem | None:
    if storage is not Storage.CATEGORIES:
        return _not_numbers(column, storage, use)
    if column.cat.ordered:
        return None
    name = str(column.name)
    message = (
        f"holds categories without an order; {use.place} needs whole numbers or ordered categories. "
        f"Order them: data[{name!r}] = data[{name!r}].cat.as_ordered()."
    )
    return Problem(name, message, "type")


def _not_a_term(column: pd.Series, storage: Storage, use: Use) -> Problem | None:
    if storage is Storage.TEXT or (storage is Storage.OTHER_NUMBERS and use.role is Role.FACTOR):
        return None
    if storage is Storage.CATEGORIES and not _have_no_order(column.cat.categories):
        return None
    name = str(column.name)
    remedy = {
        Storage.OTHER_NUMBERS: _conversion(column),
        Storage.DATES: "Compute a number from it first, for instance the days since the first date.",
        Storage.COMPLEX: "Compute a real number from it first.",
    }.get(storage, f"For a factor make it all text: data[{name!r}] = data[{name!r}].astype(str).")
    held = "categories of several types" if storage is Storage.CATEGORIES else storage.value
    message = f"holds {held}; {use.place} needs numbers, text or categories. {remedy}"
    return Problem(name, message, "type")


def _have_no_order(categories: pd.Index) -> bool:
    return types.infer_dtype(categories, skipna=True) in {"mixed", "mixed-integer"}


def _not_labels(column: pd.Series, storage: Storage, use: Use) -> Problem | None:
    if storage is not Storage.MIXED:
        return None
    name = str(column.name)
    present = column.dropna()
    try:
        learn_factor((name,), present.to_frame())
    except DataError as error:  # values that differ and print alike
        return error.problems[0]
    except TypeError:
        example = value_text(present.iloc[0])
        message = (
            f"holds values that cannot be labels ({example}); {use.place} needs text, numbers or categories. "
            f"Make it text: data[{name!r}] = data[{name!r}].astype(str)."
        )
        return Problem(name, message, "type")
    return None
