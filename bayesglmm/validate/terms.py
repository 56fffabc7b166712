"""Terms before they are coded: functions outside their domain, and factors that cannot be compared."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.coding import evaluate, learn_coding
from bayesglmm.errors import Problem, nearest
from bayesglmm.formula import (
    ELEMENTWISE,
    Call,
    Common,
    Contrast,
    Formula,
    Name,
    Node,
    columns,
    name_text,
    node_text,
)
from bayesglmm.validate.storage import Storage, distinct, storage_of, stray_rows
from bayesglmm.validate.table import Table
from bayesglmm.validate.uses import CATEGORICAL, Role, Use, calls
from bayesglmm.validate.words import count, first_of, rows_text, value_text

__all__ = ["expression_problems", "factor_problems"]

_DOMAINS: Final = {
    "log": "log() needs numbers above 0",
    "log1p": "log1p() needs numbers above -1",
    "sqrt": "sqrt() needs numbers >= 0",
    "exp": "exp() is too large above 709",
}
#: A common factor with more levels times rows than this would be coded into more than 2 GB.
_MOST_ENTRIES: Final = 250_000_000
_ONE_NUMBER_A_ROW: Final = (*ELEMENTWISE, "I", "scale", "center")


def expression_problems(formula: Formula, table: Table) -> list[Problem]:
    """Return the functions and offsets of a formula that have no finite value in some rows.

    A function of an expression that is itself in the list is left out: it says nothing new.
    """
    found: dict[Node, Problem] = {}
    for part, kind in _parts(formula):
        for call in calls(part):
            _record(call, kind, table, found)
        if kind == "offset" and not isinstance(part, Name | Call):
            _record(part, kind, table, found)
    return list(found.values())


def _parts(formula: Formula) -> list[tuple[Node, str]]:
    predictors = [formula.common.terms, *(group.effects.terms for group in formula.groups)]
    return [
        (formula.response.expression, "response"),
        *((terms, "term") for terms in predictors if terms is not None),
        *((offset, "offset") for offset in formula.common.offsets),
    ]


def _record(node: Node, kind: str, table: Table, found: dict[Node, Problem]) -> None:
    if node in found or any(inner in found for inner in calls(node)) or not table.sound(columns(node)):
        return
    if not isinstance(node, Call) or node.function in _ONE_NUMBER_A_ROW:
        problem = _not_finite(node, kind, table)
    elif node.function == CATEGORICAL:
        problem = _absent_level(node, table)
    else:
        problem = _without_basis(node, table)
    if problem is not None:
        found[node] = problem


def _not_finite(node: Node, kind: str, table: Table) -> Problem | None:
    names = columns(node)
    rows = table.complete(names)
    values = evaluate(node, rows)
    mask = ~np.isfinite(values)
    if not mask.any():
        return None
    function = node.function if isinstance(node, Call) else ""
    place = f"offset({node_text(node)})" if kind == "offset" else node_text(node)
    if function == "scale" and mask.all():
        return Problem(place, "cannot be scaled, because it is constant. Leave the term out.", kind)

    def value(row: int) -> str:
        only = names[0] if len(names) == 1 else None
        return value_text(values[row]) if only is None else f"{only} = {value_text(rows[only].iloc[row])}"

    domain = f"; {_DOMAINS[function]}" if function in _DOMAINS else ""
    message = (
        f"{mask.sum()} of {len(mask)} values not finite {rows_text(mask, rows.index, value)}{domain}. "
        "Correct these rows, leave them out, or choose another transformation."
    )
    return Problem(place, message, kind)


def _without_basis(call: Call, table: Table) -> Problem | None:
    rows = table.complete(columns(call))
    where = node_text(call)
    try:
        # formulae prints before it raises.
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            _, matrix = learn_coding(Common(call, intercept=False), rows)
    except Exception as error:  # whatever formulae, NumPy or SciPy make of it
        return Problem(where, f"cannot be computed from these data: {error}", "term")
    n_values = len(np.unique(evaluate(call.arguments[0], rows)))
    # A basis that spans the constant has one column more.
    most = n_values - (not dict(call.options).get("intercept", False))
    if np.isfinite(matrix).all() and matrix.shape[1] <= most:
        return None
    message = (
        f"asks for {count(matrix.shape[1], 'column')}, and its argument takes only "
        f"{count(n_values, 'distinct value')}. Ask for at most {max(1, most)}."
    )
    return Problem(where, message, "term")


def _absent_level(call: Call, table: Table) -> Problem | None:
    level = next((v.level for _, v in call.options if isinstance(v, Contrast)), None)
    name = columns(call)[0]
    levels = distinct(table.frame[name])
    if level is None or any(value == level for value in levels):
        return None
    listing = f"Levels: {first_of(sorted(map(value_text, levels)))}."
    hint = nearest(str(level), map(str, levels))
    message = f"{name_text(name)} has no level {value_text(level)}.{hint} {listing}"
    return Problem(node_text(call), message, "term")


def factor_problems(uses: Iterable[Use], table: Table) -> list[Problem]:
    """Return factors among the terms that have one level, or at least as many levels as there are rows."""
    roles = {use.column: use.role for use in uses if use.role in (Role.TERM, Role.FACTOR)}
    problems = []
    for name, role in roles.items():
        if not table.sound((name,)):
            continue
        column = table.frame[name]
        if role is Role.TERM and storage_of(column) is Storage.NUMBERS:
            continue
        levels = distinct(column)
        n_rows = len(column)
        if len(levels) == 1:
            message = (
                f"this factor has one level ({value_text(levels[0])}): there is nothing to compare it with. "
                "Leave it out of the formula."
            )
            problems.append(Problem(name, message, "one level"))
        elif len(levels) >= n_rows or len(levels) * n_rows > _MOST_ENTRIES:
            what = "a coefficient for every row" if len(levels) >= n_rows else "too many coefficients to code"
            message = (
                f"this factor has {len(levels)} levels in {n_rows} rows, {what}. "
                f"Make it a group term, (1 | {name_text(name)}), or convert it with pd.to_numeric if it is "
                f"a number{_strays_text(column)}."
            )
            problems.append(Problem(name, message, "too many levels"))
    return problems


def _strays_text(column: pd.Series) -> str:
    """Return which values `pandas.to_numeric` would stop at, if these are few."""
    strays = stray_rows(column) if storage_of(column) is Storage.TEXT else np.zeros(0, dtype=bool)
    if not strays.any():
        return ""
    where = rows_text(strays, column.index, lambda k: value_text(column.iloc[k]))
    return f", after correcting what does not read as one {where}"
