"""How problems with rows are said: the labels and values of the first five."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.counting import count

__all__ = ["count", "first_of", "number_text", "rows_text", "value_text"]

_SHOWN: Final = 5
_LONGEST: Final = 40


def number_text(value: float) -> str:
    """Return a number without the decimals that say nothing: ``-1`` for -1.0."""
    if np.isfinite(value) and value == np.floor(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def value_text(value: object) -> str:
    """Return one value of a column for a message: numbers bare, everything else in quotes."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return number_text(float(value))
    text = str(value)
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


def _label_text(label: object) -> str:
    if isinstance(label, tuple):
        return "(" + ", ".join(_label_text(part) for part in label) + ")"
    return str(label)


def first_of(words: Iterable[str]) -> str:
    """Return the first five words, and how many more there are."""
    found = list(words)
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def rows_text(mask: np.ndarray, labels: pd.Index, value: Callable[[int], str] | None = None) -> str:
    """Return ``"(rows 17: -1, 21: -3)"`` for the rows where ``mask`` is true.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        The offending rows, at least one.
    labels : Index, length n
        The data frame's own row labels.
    value : callable, optional
        Position of a row -> what to show after its label.
    """
    at = np.flatnonzero(mask)
    shown = [_label_text(labels[k]) + (f": {value(k)}" if value is not None else "") for k in at[:_SHOWN]]
    more = f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else ""
    return f"(row{'s' if len(at) > 1 else ''} {', '.join(shown)}{more})"
