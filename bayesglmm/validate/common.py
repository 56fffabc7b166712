"""The coded common part: finite, of full rank, of sensible scale, with a name for each coefficient."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.coding import Coding
from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.grouping import INTERCEPT
from bayesglmm.validate.moments import moments_of
from bayesglmm.validate.rank import Dependence, dependences
from bayesglmm.validate.words import count, first_of, number_text, rows_text, value_text
from bayesglmm.visits import VisitCoding

__all__ = ["coded_problems", "scale_warnings"]

_LARGE: Final = 1e3
_SMALL: Final = 1e-3
#: Below this share of its mean, the standard deviation of a column is rounding.
_ROUNDING: Final = 1e-12
_TERMS_OF_AN_EQUATION: Final = 6


def coded_problems(coding: Coding, X: np.ndarray, rows: pd.Index) -> list[Problem]:
    """Return why the columns of X, shape (n, p), have no coefficients that the data could tell.

    Parameters
    ----------
    coding : Coding
        Names and terms of the columns.
    X : ndarray, shape (n, p)
        The coded common part.
    rows : Index, length n
        Labels of the rows.
    """
    problems = _names(coding)
    finite = np.isfinite(X)
    if not finite.all():
        return problems + _infinite(coding, X, finite, rows)
    n, p = X.shape
    if n < p:
        message = (
            f"{p} coefficients for {count(n, 'row')} ({first_of(coding.names)}): they have no unique values. "
            "Leave terms out, or make a factor with many levels a group term."
        )
        return [*problems, Problem("common part", message, "rank")]
    intercept = coding.names[:1] == (INTERCEPT,)
    found = dependences(X, moments_of(X), intercept) if p else ()
    return problems + _dependent(coding, found)


def _names(coding: Coding) -> list[Problem]:
    twice = [name for name, times in Counter(coding.names).items() if times > 1]
    message = "two coefficients would have this name; rename a column, or a level of a factor."
    return [Problem(name, message, "reserved name") for name in twice]


def _infinite(coding: Coding, X: np.ndarray, finite: np.ndarray, rows: pd.Index) -> list[Problem]:
    problems = []
    for j in np.flatnonzero(~finite.all(axis=0)):
        values, mask = X[:, j], ~finite[:, j]
        where = rows_text(mask, rows, lambda k, values=values: value_text(values[k]))  # type: ignore[misc]
        message = f"{mask.sum()} of {len(mask)} values of this column of X not finite {where}. Rescale it."
        problems.append(Problem(coding.names[j], message, "term"))
    return problems


def _dependent(coding: Coding, found: tuple[Dependence, ...]) -> list[Problem]:
    """Return a problem for each term with columns of zeros, and for each with columns that others imply."""
    empty: dict[str, list[Dependence]] = {}
    dependent: dict[str, list[Dependence]] = {}
    for dependence in found:
        kind = dependent if dependence.others else empty
        kind.setdefault(coding.terms[dependence.column], []).append(dependence)
    return [
        *(_empty_term(term, group, coding) for term, group in empty.items()),
        # Where combinations do not occur, the equations among those that do are their consequence.
        *(_dependent_term(term, group, coding) for term, group in dependent.items() if term not in empty),
    ]


def _empty_term(term: str, group: list[Dependence], coding: Coding) -> Problem:
    names = [coding.names[dependence.column] for dependence in group]
    single = len(names) == 1
    columns = "this column of X is" if single else f"{len(names)} columns of X ({first_of(names)}) are"
    message = (
        f"{columns} 0 in every row, which leaves nothing to learn a coefficient from. For an interaction "
        "it means that a combination does not occur: leave the interaction out, or merge levels."
    )
    return Problem(names[0] if single else term, message, "rank")


def _dependent_term(term: str, group: list[Dependence], coding: Coding) -> Problem:
    names, first = coding.names, group[0]
    where = names[first.column] if len(group) == 1 else term
    others = [k for k, _ in first.others]
    if [names[k] for k in others] == [INTERCEPT]:
        value = number_text(first.others[0][1])
        message = f"constant ({value}) in every row, as the intercept is. Leave out {term}."
        return Problem(where, message, "rank")
    equation = f"{names[first.column]} = {_sum(first.others, names)}"
    if len(others) > _TERMS_OF_AN_EQUATION:
        equation = f"{names[first.column]} is a combination of {first_of(names[k] for k in others)}"
    more = f", and {count(len(group) - 1, 'more such equation')}" if len(group) > 1 else ""
    involved = [k for dependence in group for k, _ in dependence.others if names[k] != INTERCEPT]
    terms = list(dict.fromkeys([term, *(coding.terms[k] for k in involved)]))
    choice = f"one of {first_of(terms)}, for instance {term}" if len(terms) > 1 else term
    message = f"the columns of X are linearly dependent: {equation}{more}. Leave out {choice}."
    return Problem(where, message, "rank")


def _sum(parts: tuple[tuple[int, float], ...], names: tuple[str, ...]) -> str:
    text = ""
    for k, factor in parts:
        rounded = float(f"{abs(factor):.4g}")
        size = "" if rounded == 1.0 else f"{number_text(rounded)} "
        sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
        text += f"{sign}{size}{names[k]}"
    return text


def scale_warnings(design: Design) -> list[Problem]:
    """Return the columns whose scale makes exponentials overflow and optimisers stall."""
    sds = _sds(design.coding, design.X, design.coding.names)
    for group in design.groups:
        sds |= _sds(group.coding, group.slopes.T, group.effects[int(group.has_intercept) :])
    large = {name: sd for name, sd in sds.items() if sd > _LARGE}
    small = {name: sd for name, sd in sds.items() if sd < _SMALL}
    found = ((large, f"over {_LARGE:g}"), (small, f"below {_SMALL:g}"))
    return [_of_scale(columns, words) for columns, words in found if columns]


def _sds(coding: Coding | VisitCoding, X: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """Return the standard deviations of the columns that are numbers and vary."""
    moments = moments_of(X)
    numeric = ~np.array(coding.categorical[len(coding.names) - len(names) :], dtype=bool)
    varying = moments.sd > _ROUNDING * np.abs(moments.mean)
    chosen = numeric & varying
    return {name: float(sd) for name, sd, use in zip(names, moments.sd, chosen, strict=True) if use}


def _of_scale(sds: dict[str, float], words: str) -> Problem:
    listing = first_of(f"{name} {number_text(float(f'{sd:.3g}'))}" for name, sd in sds.items())
    what = "standard deviation" if len(sds) == 1 else "standard deviations"
    message = (
        f"{what} {words} ({listing}). Effects of one unit are then tiny or huge; "
        "choose another unit, or write scale() around the column."
    )
    return Problem(first_of(sds), message, "scale")
