"""How many rows a result rests on, and which were left out for missing values: the same words in every print-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bayesglmm.counting import count

__all__ = ["rows_words"]

SHOWN = 5


def rows_words(used: int, left_out: Sequence[object] | pd.Index[Any]) -> str:
    """Return ``"446 rows (40 left out for missing values: 3, 17, ...)"``.

    Parameters
    ----------
    used : int
        Number of rows used.
    left_out : sequence or Index
        Labels of the rows left out; the first five are shown.
    """
    if not len(left_out):
        return count(used, "row")
    shown = ", ".join(str(label) for label in left_out[:SHOWN])
    more = ", ..." if len(left_out) > SHOWN else ""
    return f"{count(used, 'row')} ({len(left_out)} left out for missing values: {shown}{more})"
