"""Several results of one model in one table, the estimand of each named, and in words where they part and why."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from bayesglmm.errors import SpecificationError
from bayesglmm.partings import partings
from bayesglmm.schema import TERMS

__all__ = ["Comparison", "Result", "compare"]


class Result(Protocol):
    """What a column is made of: a `Posterior`, a `Fit` or a `Published`."""

    @property
    def method(self) -> str:
        """Name of the method."""
        ...

    @property
    def heading(self) -> str:
        """What stands above its column."""
        ...

    @property
    def reference(self) -> str:
        """Where it is printed; empty for what was computed here."""
        ...

    @property
    def estimand(self) -> str:
        """Conditional or marginal."""
        ...

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return one row a parameter."""
        ...


@dataclass(frozen=True, eq=False)
class Comparison:
    """Results side by side.

    Attributes
    ----------
    frame : DataFrame
        The tidy rows of all results, one under another; ``column`` says which result a row belongs to.
    columns : tuple of str
        Results, in the order given.
    notes : tuple of str
        Where they part and why, in words.
    references : tuple of str
        What the numbered columns are and where they are printed.
    """

    frame: pd.DataFrame
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    references: tuple[str, ...] = ()

    def table(self, digits: int = 3) -> pd.DataFrame:
        """Return one row a parameter and one text column a result: estimate, (standard error), [interval]."""
        wide: dict[str, dict[str, str]] = {}
        figures = self.frame[["estimate", "std_error", "lower", "upper"]].to_numpy(dtype=np.float64).tolist()
        for name, column, row in zip(self.frame["name"], self.frame["column"], figures, strict=True):
            wide.setdefault(str(name), {})[str(column)] = _cell(*row, digits=digits)
        table = pd.DataFrame.from_dict(wide, orient="index", columns=list(self.columns)).fillna("")
        table.index.name = "parameter"
        return table

    def __repr__(self) -> str:
        return "\n".join([self.table().to_string(), "", *self.references, *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in (*self.references, *self.notes))
        return self.table().to_html(border=0) + notes


def _cell(estimate: float, std_error: float, lower: float, upper: float, *, digits: int) -> str:
    if not np.isfinite(estimate):
        return ""
    text = f"{estimate:.{digits}f}"
    if np.isfinite(std_error):
        text += f" ({std_error:.{digits}f})"
    if np.isfinite(lower) and np.isfinite(upper):
        text += f" [{lower:.2f}, {upper:.2f}]"
    return text


def compare(*results: Result, level: float = 0.95) -> Comparison:
    """Put results of one model side by side.

    Parameters
    ----------
    *results : Posterior, Fit or Published
        At least one; a posterior shows its mean (sd), a fit its estimate (standard error).
    level : float
        Probability of the intervals.

    Raises
    ------
    SpecificationError
        Nothing was given, or the results have no parameter in common.
    """
    if not results:
        raise SpecificationError("compare() needs at least one result: a posterior, a fit or a published column.")
    columns: list[str] = []
    references: list[str] = []
    frames = []
    for result in results:
        heading = result.heading
        if result.reference:
            heading = f"[{len(references) + 1}] {heading}"
            references.append(f"[{len(references) + 1}] {result.method}: {result.reference}")
        if result.estimand != "conditional":
            heading += f", {result.estimand}"
        column = _free(heading, columns)
        columns.append(column)
        frames.append(result.tidy(level).assign(column=column))
    common = set.intersection(*(set(f["name"]) for f in frames))
    if not common:
        names = "; ".join(f"{c}: {', '.join(map(str, f['name']))}" for c, f in zip(columns, frames, strict=True))
        raise SpecificationError(f"these results have no parameter in common ({names}); compare results of one model.")
    frame = pd.concat(frames, ignore_index=True)
    order = {term: k for k, term in enumerate(TERMS)}
    frame = frame.sort_values("term", key=lambda t: t.map(order), kind="stable", ignore_index=True)
    return Comparison(frame, tuple(columns), tuple(partings(results, frames)), tuple(references))


def _free(heading: str, taken: Sequence[str]) -> str:
    k, free = 1, heading
    while free in taken:
        k += 1
        free = f"{heading} #{k}"
    return free
