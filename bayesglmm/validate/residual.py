"""Residual structures: times that can be ordered, no two rows of a group at one time, and enough rows to tell rho."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.errors import DataError, Problem
from bayesglmm.formula import ResidualTerm, name_text
from bayesglmm.residual import RESIDUAL
from bayesglmm.residual.code import code_residual
from bayesglmm.spec import ModelSpec
from bayesglmm.validate.table import Table
from bayesglmm.validate.words import count, first_of, rows_text, value_text

__all__ = ["residual_problems", "residual_warnings"]

#: An unstructured matrix of more visits has more correlations than data of the kind could tell.
MAX_VISITS: Final = 30


def residual_problems(spec: ModelSpec, table: Table) -> list[Problem]:
    """Return what keeps the residuals of ``spec`` from having the structure that it asks for."""
    term = spec.residual
    if term is None:
        return []
    problems = list(_names(spec))
    if not table.sound(term.columns):
        return problems
    data = table.complete(term.columns)
    whole = _not_whole(term, data)
    if whole is not None:
        return [*problems, whole]
    try:
        rows = code_residual(term, data)
    except DataError as error:  # values that differ and print alike, said of a grouping factor already
        return [*problems, *error.problems]
    problems += _together(term, data, rows.codes, rows.times)
    if problems or len(data) < len(table.frame):  # what the missing rows would add is not known
        return problems
    group = ":".join(term.factor.columns)
    if rows.largest < 2:
        message = f'every level has one row, so that "{term}" has no two residuals to correlate. Leave it out.'
        problems.append(Problem(group, message, "identification"))
    elif term.structure == "us" and len(rows.visits) > MAX_VISITS:
        words = f'{len(rows.visits)} visits, and "{term}" has a correlation for every two of them'
        message = f"{words}; at most {MAX_VISITS} are taken. Use ar1, car1 or cs, or round the visits."
        problems.append(Problem(str(term.time), message, "size"))
    elif term.structure == "ar1":
        problems += _even(term, rows.gaps[rows.earlier > 0])
    return problems


def _names(spec: ModelSpec) -> Iterator[Problem]:
    if any(group.factor.columns == (RESIDUAL,) for group in spec.formula.groups):
        message = f"this grouping factor and the residuals would both have cor({RESIDUAL}); rename the column."
        yield Problem(RESIDUAL, message, "reserved name")


def _not_whole(term: ResidualTerm, data: pd.DataFrame) -> Problem | None:
    if term.structure != "ar1" or term.time is None or isinstance(data[term.time].dtype, pd.CategoricalDtype):
        return None
    values = data[term.time].to_numpy(dtype=np.float64)
    mask = values != np.round(values)
    if not mask.any():
        return None
    where = rows_text(mask, data.index, lambda k: value_text(values[k]))
    words = f"{mask.sum()} of {len(mask)} values are no whole numbers {where}; {term} counts whole steps of time"
    return Problem(term.time, f"{words}. Use car1 for real times, or round them.", "type")


def _together(term: ResidualTerm, data: pd.DataFrame, codes: np.ndarray, times: np.ndarray) -> list[Problem]:
    """Return that two rows of one group stand at the same time."""
    if term.time is None:
        return []
    pairs = pd.DataFrame({"group": codes, "time": times})
    mask = pairs.duplicated(keep=False).to_numpy()
    if not mask.any():
        return []
    groups = data[list(term.factor.columns)].astype(str).agg(":".join, axis=1).to_numpy()
    labels, at = data.index, data[term.time]
    where = rows_text(mask, labels, lambda k: f"{groups[k]} at {value_text(at.iloc[k])}")
    each = ":".join(map(name_text, term.factor.columns))
    message = (
        f"{count(int(mask.sum()), 'row')} of {len(mask)} share group and time with another {where}; {term} takes one "
        f"row of each {each} at a time. Correct them, or name the column that tells them apart."
    )
    return [Problem(term.time, message, "duplicate")]


def _even(term: ResidualTerm, gaps: np.ndarray) -> list[Problem]:
    """Return that only even powers of rho occur, so that rho and -rho are the same model."""
    step = int(np.gcd.reduce(gaps.astype(np.int64)))
    if step % 2:
        return []
    message = (
        f"times within a group are {step} or multiples of {step} apart, so that {term} cannot tell rho from -rho. "
        f"Divide the times by {step}, or use car1."
    )
    return [Problem(str(term.time), message, "identification")]


def residual_warnings(design: Design) -> list[Problem]:
    """Return visits that never occur together, and group intercepts that say what the structure says."""
    rows = design.residual
    if rows is None:
        return []
    term = rows.term
    problems = []
    if term.structure == "us":
        T = len(rows.visits)
        met = np.zeros((T, T), dtype=bool)
        for visits, _ in rows.patterns:
            met[np.ix_(visits, visits)] = True
        never = [f"{rows.visits[k]} and {rows.visits[i]}" for i, k in zip(*np.nonzero(np.tril(~met)), strict=True)]
        if never:
            message = f"no group has both visits {first_of(never)}: the data say next to nothing of their correlation."
            problems.append(Problem(str(term.time), message, "identification"))
    scales = design.residual_scales
    if scales is not None and scales.vary and not (term.structure == "us" and scales.any_by(rows.visit)):
        return problems  # sd(group) is the same in all rows, and what the structure says is not
    for group in design.groups:
        if term.structure in ("cs", "us") and group.has_intercept and _same_partition(group.codes, rows.codes):
            message = (
                f"{term} and sd({group.name}) say the same of two rows of one {group.name}: the data cannot tell them "
                f"apart. Leave (1 | {group.name}) or the residual structure out."
            )
            problems.append(Problem(group.name, message, "identification"))
    return problems


def _same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two codings put the same rows together."""
    pairs = len(np.unique(np.stack([one, other]), axis=1).T)
    return pairs == len(np.unique(one)) == len(np.unique(other))
