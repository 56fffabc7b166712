"""The one table schema that posteriors and classical fits share."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

__all__ = ["TERMS", "TIDY_COLUMNS", "TIDY_DIAGNOSTICS", "tidy_frame"]

#: Kinds of parameters, in the order in which tables list them.
TERMS = ("fixed", "sd", "cor", "family", "group")

#: Columns of ``tidy()`` on both sides.
TIDY_COLUMNS = ("term", "name", "estimate", "std_error", "lower", "upper", "level", "method", "estimand")

#: Further columns of a posterior's ``tidy()``.
TIDY_DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")


def tidy_frame(
    *,
    terms: Sequence[str],
    names: Sequence[str],
    estimates: Sequence[float],
    std_errors: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    level: float,
    method: str,
    estimand: str,
) -> pd.DataFrame:
    """Return a data frame with the columns of `TIDY_COLUMNS`, one row a parameter."""
    columns = (terms, names, estimates, std_errors, lower, upper)
    frame = pd.DataFrame(dict(zip(TIDY_COLUMNS[:6], map(list, columns), strict=True)))
    frame["level"] = level
    frame["method"] = method
    frame["estimand"] = estimand
    return frame
