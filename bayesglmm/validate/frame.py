"""The data frame itself: that it is one, that it has rows, that each column of the model is there once."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bayesglmm.errors import DataError, Problem, nearest
from bayesglmm.grouping import INTERCEPT
from bayesglmm.validate.uses import Role, Use

__all__ = ["empty_problems", "label_problems", "require_frame", "select"]

_LISTED_COLUMNS = 12


def require_frame(data: object) -> None:
    """Raise DataError unless ``data`` is a pandas DataFrame with one level of column labels."""
    if not isinstance(data, pd.DataFrame):
        remedy = (
            "Call its to_pandas() first."
            if hasattr(data, "to_pandas")
            else "pandas.DataFrame(...) builds one from a dictionary of columns."
        )
        got = type(data).__name__
        message = f"a pandas DataFrame with one row an observation is needed; got {got}. {remedy}"
        raise DataError([Problem("data", message, "data frame")])
    if data.columns.nlevels > 1:
        message = (
            f"the columns have {data.columns.nlevels} levels of labels, and a formula can name only one. "
            "Join them: data.columns = data.columns.map('_'.join)."
        )
        raise DataError([Problem("data", message, "data frame")])


def empty_problems(data: pd.DataFrame) -> list[Problem]:
    """Return the problem of a data frame without rows."""
    if len(data):
        return []
    message = "the data frame has no rows; check how it was read or filtered."
    return [Problem("data", message, "empty")]


def label_problems(uses: Iterable[Use], data: pd.DataFrame) -> list[Problem]:
    """Return columns that are not in the data, are there more than once, or have a name that is taken."""
    roles: dict[str, set[Role]] = {}
    for use in uses:
        roles.setdefault(use.column, set()).add(use.role)
    problems = []
    for name, serves in roles.items():
        times = int((data.columns == name).sum()) if len(data.columns) else 0
        if times == 0:
            problems.append(Problem(name, _absent(name, data), "unknown column"))
        elif times > 1:
            message = f"{times} columns of the data have this name; rename or drop all but one."
            problems.append(Problem(name, message, "duplicate column"))
        elif name == INTERCEPT and Role.TERM in serves:
            message = "this is the name of the model's own intercept; rename the column to use it as a term."
            problems.append(Problem(name, message, "reserved name"))
    return problems


def _absent(name: str, data: pd.DataFrame) -> str:
    twin = next((label for label in data.columns if not isinstance(label, str) and str(label) == name), None)
    if twin is not None:
        return (
            f"the data have a column labelled {twin!r} ({type(twin).__name__}), and formulas name columns by "
            "text. Rename it: data = data.rename(columns=str)."
        )
    level = " It is an index level; call reset_index()." if name in data.index.names else ""
    labels = [str(label) for label in data.columns]
    few = 0 < len(labels) <= _LISTED_COLUMNS
    listing = f"Columns: {', '.join(labels)}." if few else f"The data have {len(labels)} columns."
    return f"is not a column of the data.{level or nearest(name, labels)} {listing}"


def select(names: Iterable[str], data: pd.DataFrame) -> pd.DataFrame:
    """Return these columns as a data frame that shares their values with ``data``."""
    return pd.DataFrame({name: data[name] for name in names}, index=data.index, copy=False)
