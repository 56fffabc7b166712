"""Contrasts of coefficients: estimate, standard error, t or z, interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from bayesglmm.frequentist.inference.combinations import Combinations, Given
from bayesglmm.frequentist.inference.reference import reference_for
from bayesglmm.schema import tail_probabilities

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["COLUMNS", "coefficient_tests", "contrast"]

COLUMNS = ("estimate", "std_error", "df", "statistic", "p_value", "lower", "upper")


def contrast(fit: Fit, given: Given, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Return one row a contrast with the columns of `COLUMNS`.

    Parameters
    ----------
    fit : Fit
        A classical fit.
    given : str, mapping or sequence of these
        A coefficient's name, or ``{name: multiplier}``.
    ddf : {"satterthwaite", "kenward-roger"} or None
        Degrees of freedom of t; None for z (``df`` is then nan).
    level : float
        Level of the intervals.

    Raises
    ------
    SpecificationError
        An unknown name or ``ddf``, or degrees of freedom that this fit does not have.
    FitError
        The coefficients have no standard errors.
    """
    return _table(fit, Combinations.of(given, tuple(fit.coefficients.index)), ddf, level)


def coefficient_tests(fit: Fit, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Return the same table with every coefficient by itself."""
    return _table(fit, Combinations.each(tuple(fit.coefficients.index)), ddf, level)


def _table(fit: Fit, combinations: Combinations, ddf: str | None, level: float) -> pd.DataFrame:
    _, upper = tail_probabilities(level)
    reference = reference_for(fit, ddf)
    L = combinations.matrix
    estimate = L @ fit.coefficients["estimate"].to_numpy()
    std_error = np.sqrt(np.einsum("kp,pq,kq->k", L, reference.covariance, L))
    df = np.array([reference.degrees(row) for row in L])
    statistic = estimate / std_error
    # t with infinitely many degrees of freedom is the normal distribution.
    t = stats.t(np.where(np.isnan(df), np.inf, df))
    half = t.ppf(upper) * std_error
    columns = (estimate, std_error, df, statistic, 2.0 * t.sf(np.abs(statistic)), estimate - half, estimate + half)
    index = pd.Index(list(combinations.labels), name="contrast", dtype="str")
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), index=index)
