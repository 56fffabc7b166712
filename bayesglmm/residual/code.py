"""Data frame -> `ResidualRows`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.factor import learn_factor
from bayesglmm.formula import ResidualTerm
from bayesglmm.residual.rows import ResidualRows

__all__ = ["code_residual", "times_of"]

#: Structures whose time is a label, whatever its column holds.
_LABELLED = ("cs", "us")


def code_residual(term: ResidualTerm, data: pd.DataFrame) -> ResidualRows:
    """Code the groups and times of a residual structure.

    Parameters
    ----------
    term : ResidualTerm
        What was asked for.
    data : DataFrame
        The rows that are used, checked (`validate.residual`).
    """
    factor, codes = learn_factor(term.factor.columns, data)
    times, visits = times_of(term, data, codes)
    return ResidualRows(term, factor, codes, times, visits)


def times_of(term: ResidualTerm, data: pd.DataFrame, codes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the time of each row as a number, and the labels of the visits where times are labels."""
    if term.time is None:
        # The order of the rows within their group.
        return pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype=np.float64), ()
    column = data[term.time]
    if term.structure in _LABELLED:
        factor, visits = learn_factor((term.time,), data)
        return visits.astype(np.float64), factor.levels
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(dtype=np.float64), ()
    return column.to_numpy(dtype=np.float64), ()
