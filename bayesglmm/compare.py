"""Several results of one model in one tidy table, the estimand of each column named, and in words where they part and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from bayesglmm.errors import SpecificationError
from bayesglmm.schema import TERMS

__all__ = ["Comparison", "Published", "Result", "compare"]


class Result(Protocol):
    """What a column is made of: a `Posterior`, a `Fit` or a `Published`."""

    @property
    def method(self) -> str:
        """Name of the method."""
        ...

    @property
    def estimand(self) -> str:
        """Conditional or marginal."""
        ...

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return one row a parameter."""
        ...


@dataclass(frozen=True)
class Published:
    """Figures from the literature as a column of their own.

    Attributes
    ----------
    method, reference : str
        How they were obtained, and where they are printed.
    estimates : mapping of str to float
        By parameter name.
    estimand : str
        Conditional or marginal.
    """

    method: str
    reference: str
    estimates: Mapping[str, float]
    estimand: str = "conditional"

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:  # noqa: ARG002
        """Return the printed estimates; nothing is known of their spread."""
        rows = [(name, float(value)) for name, value in self.estimates.items()]
        frame = pd.DataFrame(rows, columns=["name", "estimate"])
        frame.insert(0, "term", [_term_of(name) for name in frame["name"]])
        for name in ("std_error", "lower", "upper"):
            frame[name] = np.nan
        return frame.assign(level=level, method=f"{self.method} ({self.reference})", estimand=self.estimand)


def _term_of(name: str) -> str:
    for term in ("sd", "cor"):
        if name.startswith(f"{term}("):
            return term
    return "family" if name in ("sigma", "phi") else "fixed"


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
    """

    frame: pd.DataFrame
    columns: tuple[str, ...]
    notes: tuple[str, ...]

    def table(self, digits: int = 3) -> pd.DataFrame:
        """Return one row a parameter and one text column a result: estimate, (standard error), [interval]."""
        wide: dict[str, dict[str, str]] = {}
        for row in self.frame.itertuples(index=False):
            wide.setdefault(str(row.name), {})[str(row.column)] = _cell(row.estimate, row.std_error, row.lower, row.upper, digits)
        table = pd.DataFrame.from_dict(wide, orient="index", columns=list(self.columns)).fillna("")
        table.index.name = "parameter"
        return table

    def __repr__(self) -> str:
        return "\n".join([self.table().to_string(), "", *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return self.table().to_html(border=0) + notes


def _cell(estimate: float, std_error: float, lower: float, upper: float, digits: int) -> str:
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
    frames = []
    for result in results:
        column = _free(_heading(result), columns)
        columns.append(column)
        frames.append(result.tidy(level).assign(column=column))
    common = set.intersection(*(set(f["name"]) for f in frames))
    if not common:
        names = "; ".join(f"{c}: {', '.join(map(str, f['name']))}" for c, f in zip(columns, frames, strict=True))
        raise SpecificationError(f"these results have no parameter in common ({names}); compare results of one model.")
    frame = pd.concat(frames, ignore_index=True)
    order = {term: k for k, term in enumerate(TERMS)}
    frame = frame.sort_values("term", key=lambda t: t.map(order), kind="stable", ignore_index=True)
    return Comparison(frame, tuple(columns), tuple(_partings(results, frames)))


def _heading(result: Result) -> str:
    words = {"nuts": "posterior mean (sd)", "laplace": "Laplace (se)"}.get(result.method, result.method)
    words = f"{words} ({result.reference})" if isinstance(result, Published) else words
    return words if result.estimand == "conditional" else f"{words}, {result.estimand}"


def _free(heading: str, taken: Sequence[str]) -> str:
    k, free = 1, heading
    while free in taken:
        k += 1
        free = f"{heading} #{k}"
    return free


def _partings(results: Sequence[Result], frames: Sequence[pd.DataFrame]) -> list[str]:
    """Say where a posterior and a classical fit part, by how much, and why."""
    notes = []
    posterior = next((f for r, f in zip(results, frames, strict=True) if r.method == "nuts"), None)
    for result, frame in zip(results, frames, strict=True):
        if posterior is None or isinstance(result, Published) or result.method == "nuts":
            continue
        if result.estimand != "conditional":
            notes.append(
                f"{_heading(result)} estimates population averages; the other columns hold given the group effects and are "
                "larger in size wherever the link is not the identity."
            )
            continue
        both = posterior.merge(frame, on=["term", "name"], suffixes=("", "_fit"))
        notes += [note for note in (_spread_note(result, both), _coefficient_note(result, both)) if note]
    return notes


def _spread_note(result: Result, both: pd.DataFrame) -> str:
    sds = both[both["term"] == "sd"]
    if sds.empty:
        return ""
    gaps = (sds["estimate"] - sds["estimate_fit"]) / sds["std_error"]
    worst = sds.loc[gaps.abs().idxmax()]
    gap = float(gaps.abs().max())
    if gap < 0.1:
        return f"Standard deviations of group effects: {result.method} and the posterior agree within {gap:.2f} posterior sd."
    words = (
        f"{worst['name']} parts most: posterior mean {worst['estimate']:.3f}, {result.method} {worst['estimate_fit']:.3f} "
        f"({gap:.1f} posterior sd)."
    )
    if worst["estimate_fit"] == 0.0:
        return f"{words} The likelihood is highest at 0, and the posterior averages over the values that the data allow."
    if worst["estimate"] > worst["estimate_fit"]:
        words += " The posterior of a standard deviation is skewed to the right, so that its mean lies beyond its mode."
        caveat = getattr(result, "caveat", "")
        return f"{words} {caveat}" if caveat else words
    return f"{words} The prior holds the standard deviation down, or few levels leave it to the prior."


def _coefficient_note(result: Result, both: pd.DataFrame) -> str:
    fixed = both[both["term"] == "fixed"]
    if fixed.empty:
        return ""
    gaps = (fixed["estimate"] - fixed["estimate_fit"]).abs() / fixed["std_error"]
    gap = float(gaps.max())
    return f"Coefficients: {result.method} and the posterior agree within {gap:.2f} posterior sd (most apart: {fixed.loc[gaps.idxmax(), 'name']})."
