"""A table with notes below it, as it prints."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from bayesglmm.schema import number

__all__ = ["NotedTable"]


@dataclass(frozen=True, eq=False)
class NotedTable:
    """A table and what must be said beside it.

    Attributes
    ----------
    frame : DataFrame
        The figures.
    notes : tuple of str
        What they are, and where they are approximate.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    #: Whether the frame's index says anything.
    indexed: ClassVar[bool] = True

    def __repr__(self) -> str:
        table = self.frame.to_string(float_format=lambda v: number(v, 4), index=self.indexed)
        return "\n".join([table, *(f"  - {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return self.frame.to_html(float_format=lambda v: number(v, 4), border=0, index=self.indexed) + notes
