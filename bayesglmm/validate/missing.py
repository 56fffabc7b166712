"""Missing values: said with their rows, or their rows left out where the specification says so."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.errors import Problem
from bayesglmm.validate.table import Table
from bayesglmm.validate.words import rows_text

__all__ = ["drop_rows", "missing_masks", "missing_problems"]


def missing_masks(used: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return where values are missing, shape (n,), for the columns that have such."""
    masks = {name: used[name].isna().to_numpy() for name in used.columns}
    return {name: mask for name, mask in masks.items() if mask.any()}


def missing_problems(table: Table) -> list[Problem]:
    """Return one problem for each column with missing values."""
    problems = []
    for name, mask in table.missing.items():
        remedy = 'Fill them in, or leave these rows out with missing="drop".'
        if mask.all():
            remedy = "Fill the column in, or leave it out of the model."
        where = rows_text(mask, table.frame.index)
        message = f"{mask.sum()} of {len(mask)} values missing {where}. {remedy}"
        problems.append(Problem(name, message, "missing"))
    return problems


def drop_rows(table: Table) -> tuple[Table, pd.Index, list[Problem]]:
    """Leave out the rows with a missing value.

    Returns
    -------
    Table
        The rows that are left.
    Index
        Labels of those left out.
    list of Problem
        That no row is left, if so.
    """
    index = table.frame.index
    if not table.missing:
        return table, index[:0], []
    kept = table.present(table.missing)
    if kept.any():
        return Table(table.frame.loc[kept], {}), index[~kept], []
    parts = ", ".join(f"{name} in {mask.sum()}" for name, mask in table.missing.items())
    message = (
        f'missing="drop" leaves no row: each of the {len(kept)} rows has a missing value ({parts}). '
        "Fill in the columns with the most, or leave them out of the model."
    )
    return table, index[~kept], [Problem("data", message, "empty")]
