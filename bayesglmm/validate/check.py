"""The order of the checks, and what they need of one another."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import pandas as pd

from bayesglmm.coding import learn_coding
from bayesglmm.design import Design
from bayesglmm.errors import DataError, Problem
from bayesglmm.formula import columns, node_text
from bayesglmm.spec import ModelSpec
from bayesglmm.validate.columns import column_problems
from bayesglmm.validate.common import coded_problems, scale_warnings
from bayesglmm.validate.constant import constant_response_warnings
from bayesglmm.validate.frame import empty_problems, label_problems, require_frame, select
from bayesglmm.validate.grouping import grouping_problems, grouping_warnings, uncoded_grouping_problems
from bayesglmm.validate.levels import level_warnings
from bayesglmm.validate.missing import drop_rows, missing_masks, missing_problems
from bayesglmm.validate.partitions import partition_problems, partition_warnings
from bayesglmm.validate.residual import residual_problems, residual_warnings
from bayesglmm.validate.response import response_problems
from bayesglmm.validate.separation import separation_warnings
from bayesglmm.validate.slopes import slope_warnings
from bayesglmm.validate.table import Table
from bayesglmm.validate.terms import expression_problems, factor_problems
from bayesglmm.validate.uses import calls, uses_of

__all__ = ["validate", "validate_columns"]


def validate_columns(spec: ModelSpec, data: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index]:
    """Check the columns that a model uses, before they are coded.

    Parameters
    ----------
    spec : ModelSpec
        Formula, family, weights, and what to do about missing values.
    data : DataFrame
        One row an observation. It is not changed, and its values are not copied unless rows are left out.

    Returns
    -------
    DataFrame
        The columns that the model uses and the rows without missing values in them.
    Index
        Labels of the rows left out (``missing="drop"`` only).

    Raises
    ------
    DataError
        With everything that is wrong.
    """
    require_frame(data)
    uses = uses_of(spec)
    problems = label_problems(uses, data) + empty_problems(data)
    if not len(data):
        raise DataError(problems)
    named = {problem.where for problem in problems}
    used = select([name for name in dict.fromkeys(use.column for use in uses) if name not in named], data)
    table = Table(used, missing_masks(used))
    if spec.missing == "drop":
        table, dropped, nothing_left = drop_rows(table)
        problems += nothing_left
    else:
        dropped = data.index[:0]
        problems += missing_problems(table)
    unfit = column_problems(uses, table)
    table = table.without(problem.where for problem in unfit)
    problems += unfit + response_problems(spec, table)
    problems += expression_problems(spec.formula, table) + factor_problems(uses, table)
    for common in spec.auxiliary_formulas.values():
        problems += expression_problems(replace(spec.formula, common=common, groups=()), table)
    problems = list(dict.fromkeys(problems))
    problems += residual_problems(spec, table)
    if problems:
        raise DataError(problems + _of_what_is_sound(spec, table, problems))
    return table.frame, dropped


def _of_what_is_sound(spec: ModelSpec, table: Table, problems: list[Problem]) -> list[Problem]:
    """Return what `validate` would find in the parts of the model that no problem touches."""
    found = uncoded_grouping_problems(spec, table)
    common = spec.formula.common
    needed = columns(common.terms) if common.terms is not None else ()
    touched = {problem.where for problem in problems if problem.kind != "missing"}
    if touched & {*needed, *map(node_text, calls(common.terms))} or not table.sound(needed):
        return found
    rows = table.complete(needed)
    with contextlib.redirect_stdout(io.StringIO()):  # formulae prints before it raises
        try:
            coding, X = learn_coding(common, rows)
        except Exception:  # the errors found so far are the ones to say
            return found
    return coded_problems(coding, X, rows.index) + found


def validate(design: Design, used: pd.DataFrame) -> tuple[Problem, ...]:
    """Check what was coded, and look for what deserves a warning.

    Parameters
    ----------
    design : Design
        Response, X, group codes.
    used : DataFrame
        What `validate_columns` returned.

    Returns
    -------
    tuple of Problem
        The warnings, in the order of the formula.

    Raises
    ------
    DataError
        With every error that needs the coded design: X of deficient rank, fewer rows than coefficients,
        grouping factors that cannot be told from sigma or from one another.
    """
    levels = level_warnings(uses_of(design.spec), used)
    problems = coded_problems(design.coding, design.X, design.row_labels)
    if design.auxiliary is not None:
        for predictor in design.auxiliary.predictors:
            if predictor.coding is not None:
                problems += coded_problems(predictor.coding, predictor.columns.T, design.row_labels)
    if problems:  # a number read as text is a frequent cause of too many columns
        problems += [problem for problem in levels if problem.kind == "text factor"]
    problems += grouping_problems(design) + partition_problems(design)
    if problems:
        raise DataError(problems)
    return (
        *constant_response_warnings(design),
        *levels,
        *scale_warnings(design),
        *separation_warnings(design),
        *grouping_warnings(design),
        *partition_warnings(design, used),
        *slope_warnings(design),
        *residual_warnings(design),
    )
