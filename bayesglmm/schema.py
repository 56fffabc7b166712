"""The one table schema that posteriors and classical fits share."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import pandas as pd

from bayesglmm.errors import SpecificationError

__all__ = ["TERMS", "TIDY_COLUMNS", "TIDY_DIAGNOSTICS", "number", "shown_names", "tail_probabilities", "tidy_frame"]

#: Kinds of parameters, in the order in which tables list them.
TERMS = ("fixed", "sd", "cor", "family", "group")

#: Columns of ``tidy()`` on both sides.
TIDY_COLUMNS = ("term", "name", "estimate", "std_error", "lower", "upper", "level", "method", "estimand")

#: Further columns of a posterior's ``tidy()``.
TIDY_DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")


def number(value: float, digits: int) -> str:
    """Return a figure for a table: ``digits`` decimals, or 4 significant digits where these would not show it.

    Parameters
    ----------
    value : float
        Any number, not finite ones included.
    digits : int
        Decimals of a figure of ordinary size: up to a million, and large enough to show in so many decimals.
    """
    smallest = max(0.001, 10.0**-digits)
    if value == 0.0 or smallest <= abs(value) < 1e6:
        return f"{value + 0.0:.{digits}f}"  # -0.0 + 0.0 is 0.0
    return f"{value:.4g}"


def tail_probabilities(level: float) -> tuple[float, float]:
    """Return the probabilities at the ends of an equal-tailed interval; 0.95 gives 0.025 and 0.975.

    Raises
    ------
    SpecificationError
        The level is no number between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, numbers.Real) or not 0.0 < level < 1.0:
        raise SpecificationError(f"level={level!r} is not a number between 0 and 1; a 95% interval is level=0.95.")
    return (1.0 - float(level)) / 2.0, (1.0 + float(level)) / 2.0


def shown_names(terms: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return what each parameter is called in a table where a name may stand for one parameter only.

    A column of the data may bear the name of another parameter, such as ``sigma``: its coefficient is then shown as
    ``sigma (coefficient)``.

    Parameters
    ----------
    terms, names : sequence of str
        Of each parameter; one that is listed again is called the same again.
    """
    others = {name for term, name in zip(terms, names, strict=True) if term != "fixed"}
    return [
        f"{name} (coefficient)" if term == "fixed" and name in others else name
        for term, name in zip(terms, names, strict=True)
    ]


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
    """Return a data frame with the columns of `TIDY_COLUMNS`, one row a parameter; refuse a level outside 0 to 1."""
    tail_probabilities(level)
    columns = (terms, names, estimates, std_errors, lower, upper)
    frame = pd.DataFrame(dict(zip(TIDY_COLUMNS[:6], map(list, columns), strict=True)))
    frame["level"] = level
    frame["method"] = method
    frame["estimand"] = estimand
    return frame
