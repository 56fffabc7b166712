"""Grouping factors: enough levels, and enough rows in them, for a standard deviation to be learned."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import DataError, Problem
from bayesglmm.factor import learn_factor
from bayesglmm.families import Family, get_family
from bayesglmm.formula import name_text
from bayesglmm.grouping import GroupEffects
from bayesglmm.spec import ModelSpec
from bayesglmm.validate.table import Table
from bayesglmm.validate.words import count, first_of

__all__ = ["grouping_problems", "grouping_warnings", "uncoded_grouping_problems"]

#: Below this many levels a standard deviation rests on its prior, or has next to no precision.
_FEW: Final = 5


def grouping_problems(design: Design) -> list[Problem]:
    """Return grouping factors whose standard deviation the data cannot tell."""
    problems: list[Problem] = []
    for group in design.groups:
        columns, J = group.factor.columns, group.n_levels
        problems += _level_problems(
            columns, J, design.n_rows, group.has_intercept, _residual_sd(design.family, design.dispersion)
        )
    return list(dict.fromkeys(problems)) + _labels(design)


def _labels(design: Design) -> list[Problem]:
    twice = [label for label, times in Counter(group.label for group in design.groups).items() if times > 1]
    message = "two group terms would have this name; rename a column."
    return [Problem(label, message, "reserved name") for label in twice]


def uncoded_grouping_problems(spec: ModelSpec, table: Table) -> list[Problem]:
    """Return the same from columns that were not coded, because others are in error."""
    formula = spec.formula
    dispersion = None if formula.response.se is not None else get_family(spec.family).dispersion
    problems: list[Problem] = []
    for term in formula.groups:
        columns = term.factor.columns
        if not table.sound(columns):
            continue
        rows = table.complete(columns)
        try:
            factor, _ = learn_factor(columns, rows)
        except DataError as error:
            problems += error.problems
            continue
        J = len(factor.levels)
        problems += _level_problems(
            columns, J, len(rows), term.effects.intercept, _residual_sd(get_family(spec.family), dispersion)
        )
    return list(dict.fromkeys(problems))


def _residual_sd(family: Family, dispersion: str | None) -> str | None:
    """Return the dispersion's name where it cannot be told from effects with a level for every row."""
    return dispersion if family.phi is not None and family.phi.residual_sd else None


def _level_problems(
    columns: tuple[str, ...], J: int, n_rows: int, has_intercept: bool, dispersion: str | None
) -> list[Problem]:
    name = ":".join(columns)
    term = f"(1 | {':'.join(map(name_text, columns))})"
    if J == 1:
        message = (
            "this grouping factor has one level, which says nothing about how levels vary. "
            f"Leave its group term out, such as {term}."
        )
        return [Problem(name, message, "one level")]
    if n_rows == J and has_intercept and dispersion is not None:
        message = (
            f"as many levels as rows ({J}), so sd({name}) and {dispersion} cannot be told apart. "
            f"Leave {term} out, group by something that repeats, or give known standard errors: y | se(s)."
        )
        return [Problem(name, message, "identification")]
    return []


def grouping_warnings(design: Design) -> list[Problem]:
    """Return grouping factors with few levels, with levels of one row, or with as many effects as rows."""
    problems = []
    # Rows of other kinds (by=) stand at the first level of each: what is counted here is of whole factors.
    whole = {g.factor.columns: g for g in design.groups if g.kind is None}
    for columns, group in whole.items():
        name = ":".join(columns)
        if group.n_levels < _FEW:
            among = ":".join(map(name_text, columns))
            message = (
                f"{count(group.n_levels, 'level')}; a standard deviation learned from fewer than {_FEW} rests on its "
                f"prior and is very uncertain without one. Consider {among} among the common terms."
            )
            problems.append(Problem(name, message, "few levels"))
        problems += _singletons(name, group)
        problems += _unknowable(name, group, design)
    problems += _unknowable_dispersion(design)
    for group in design.groups:
        if design.dispersion is not None and group.structure.common:
            problems += _confounded(group, design)
        elif design.dispersion is not None and group.size >= design.n_rows and group.n_effects > 1:
            message = (
                f"{group.size} effects for {count(design.n_rows, 'row')}; their standard deviations and "
                f"{design.dispersion} are hard to tell apart. Consider fewer effects than "
                f"{', '.join(group.effects)}."
            )
            problems.append(Problem(group.label, message, "identification"))
    return problems


def _confounded(group: GroupEffects, design: Design) -> list[Problem]:
    """Return that compound symmetry of single gaussian rows cannot be told from intercepts and sigma."""
    places = design.is_linear and group.structure.keyword == "cs" and all(group.coding.categorical)
    if not places or group.has_intercept:
        return []
    cells = group.codes.astype(np.int64) * group.n_effects + group.columns().argmax(axis=0)
    if len(np.unique(cells)) < design.n_rows:
        return []
    name = group.sd_names()[0]
    message = (
        f"every effect has one row at most, so that {name} and {design.dispersion} cannot be told apart: a part of the "
        f"variance that is not shared is both. Write (1 | {group.name}), whose rows have compound symmetry."
    )
    return [Problem(group.name, message, "identification")]


def _unknowable(name: str, group: GroupEffects, design: Design) -> list[Problem]:
    """Return that a level for every row cannot vary the chances of single trials: a mixture of coins is a coin."""
    outside = [bool(design.family.violations(np.array([y]), np.ones(1))) for y in (0.5, 2.0)]
    single = all(outside) and bool((design.size == 1.0).all())
    if group.n_levels < design.n_rows or not single:
        return []
    message = (
        f"as many levels as rows ({group.n_levels}), each a single trial: the data say nothing about sd({name}). "
        "Leave its group term out, or group by something that repeats."
    )
    return [Problem(name, message, "identification")]


def _unknowable_dispersion(design: Design) -> list[Problem]:
    """Return that single trials do not tell a dispersion: a coin whose chance varies from toss to toss is a coin."""
    if design.dispersion is None or design.family.size != "trials" or not bool((design.size == 1.0).all()):
        return []
    message = (
        f"every row is a single trial, and these say nothing about {design.dispersion}: its estimate rests on its "
        'prior, or has no bound. Use family="bernoulli", or rows of several trials.'
    )
    return [Problem(design.response_name, message, "identification")]


def _singletons(name: str, group: GroupEffects) -> list[Problem]:
    alone = np.flatnonzero(np.bincount(group.codes, minlength=group.n_levels) == 1)
    # A factor with a level for every row is meant so: it models overdispersion.
    if not 0 < len(alone) < group.n_levels:
        return []
    listing = first_of(repr(group.factor.levels[k]) for k in alone)
    message = (
        f"{len(alone)} of {group.n_levels} levels with a single row ({listing}): they say little about "
        f"sd({name}). Check that no label is misspelt."
    )
    return [Problem(name, message, "singletons")]
