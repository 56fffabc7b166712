"""The left side: a response within the family's support; usable trials, standard errors and weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesglmm.coding import evaluate
from bayesglmm.errors import DataError, Problem
from bayesglmm.families import get_family
from bayesglmm.formula import Name, Number, Response, columns, node_text
from bayesglmm.spec import ModelSpec
from bayesglmm.validate.table import Table
from bayesglmm.validate.uses import weights_name
from bayesglmm.validate.words import number_text, rows_text, value_text

__all__ = ["response_problems"]


def response_problems(spec: ModelSpec, table: Table) -> list[Problem]:
    """Return what is wrong with the response, the trials, the standard errors and the weights."""
    response = spec.formula.response
    problems: list[Problem] = []
    if isinstance(response.trials, Name):
        words = "not a whole number >= 1"
        remedy = "The trials of a row are its successes and failures together; leave out rows without trials."
        problems += _unfit(response.trials.name, table, _not_a_count, words, remedy, "trials")
    if response.se is not None:
        remedy = "A known standard error is positive; leave out these rows, or se() if there is none."
        problems += _unfit(response.se.name, table, _not_positive, "not above 0", remedy, "standard error")
    weights = weights_name(spec)
    if weights is not None:
        remedy = "A weight multiplies its row's log-likelihood; leave out rows that should not count."
        problems += _unfit(weights, table, _not_positive, "not above 0", remedy, "weights")
    if weights is not None and spec.weights not in (None, weights):
        message = f"weights are given twice, as {weights!r} and as {spec.weights!r}. Keep one of them."
        problems.append(Problem(str(spec.weights), message, "weights"))
    return _support_problems(spec, table.without(p.where for p in problems)) + problems


def _not_a_count(values: np.ndarray) -> np.ndarray:
    return (values < 1.0) | (values != np.floor(values))


def _not_positive(values: np.ndarray) -> np.ndarray:
    return values <= 0.0


def _unfit(
    name: str, table: Table, unfit: Callable[[np.ndarray], np.ndarray], words: str, remedy: str, kind: str
) -> list[Problem]:
    if not table.sound((name,)):
        return []
    rows = table.complete((name,))
    values = rows[name].to_numpy(dtype=np.float64)
    mask = unfit(values)
    if not mask.any():
        return []
    where = rows_text(mask, rows.index, lambda k: value_text(values[k]))
    return [Problem(name, f"{mask.sum()} of {len(mask)} values {words} {where}. {remedy}", kind)]


def _size(response: Response, table: Table) -> np.ndarray:
    """Return the size of each row; nan, which breaks no rule of a family, where it is not known."""
    n = len(table.frame)
    match response.trials or response.se:
        case Name(name=name) if table.sound((name,)):
            return table.frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        case Name():
            return np.full(n, np.nan)
        case Number(value=value):
            return np.full(n, float(value))
        case _:
            return np.ones(n)


def _support_problems(spec: ModelSpec, table: Table) -> list[Problem]:
    response, family = spec.formula.response, get_family(spec.family)
    names = columns(response.expression)
    where = names[0] if isinstance(response.expression, Name) else node_text(response.expression)
    if not table.sound(names):
        return []
    if isinstance(response.expression, Name):
        try:
            y = family.encode(table.frame[where]).values
        except DataError as error:
            return list(error.problems)
    else:
        y = np.full(len(table.frame), np.nan)
        y[table.present(names)] = evaluate(response.expression, table.complete(names))
        y[~np.isfinite(y)] = np.nan  # these rows are said already, with what made them so
    size = _size(response, table)

    def value(row: int) -> str:
        successes = number_text(y[row])
        return f"{successes} of {number_text(size[row])}" if response.trials is not None else successes

    return [
        Problem(
            where,
            f"{violation.mask.sum()} of {len(y)} values {violation.words} "
            f"{rows_text(violation.mask, table.frame.index, value)}; "
            f"{family.name} needs {family.needs}. {family.remedy}",
            "support",
        )
        for violation in family.violations(y, size)
    ]
