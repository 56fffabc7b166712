"""Several results of one model in one table, the estimand of each named, and in words where they part and why."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from bayesglmm.errors import SpecificationError
from bayesglmm.formula import node_text, parse
from bayesglmm.partings import partings
from bayesglmm.schema import TERMS, number, shown_names, tail_probabilities
from bayesglmm.title import columns_used, model_title

__all__ = ["Comparison", "Result", "compare"]


@runtime_checkable
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

    @property
    def formula(self) -> str:
        """Formula of its model; empty if not known."""
        ...

    @property
    def beside(self) -> Mapping[str, str]:
        """What was specified beside the formula, by name; empty if nothing was or this is not known."""
        ...

    @property
    def family(self) -> str:
        """Family of the response; empty if not known."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of its data; empty if not known."""
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
        wide: dict[tuple[str, str], dict[str, str]] = {}
        figures = self.frame[["estimate", "std_error", "lower", "upper"]].to_numpy(dtype=np.float64).tolist()
        parameters = zip(self.frame["term"].astype(str), self.frame["name"].astype(str), strict=True)
        for parameter, column, row in zip(parameters, self.frame["column"], figures, strict=True):
            wide.setdefault(parameter, {})[str(column)] = _cell(*row, digits=digits)
        rows = [[cells.get(column, "") for column in self.columns] for cells in wide.values()]
        shown = shown_names([term for term, _ in wide], [name for _, name in wide])
        return pd.DataFrame(rows, index=pd.Index(shown, name="parameter", dtype="str"), columns=list(self.columns))

    def __repr__(self) -> str:
        return "\n".join([self.table().to_string(), "", *self.references, *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in (*self.references, *self.notes))
        return self.table().to_html(border=0) + notes


def _cell(estimate: float, std_error: float, lower: float, upper: float, *, digits: int) -> str:
    if not np.isfinite(estimate):
        return ""
    text = number(estimate, digits)
    if np.isfinite(std_error):
        text += f" ({number(std_error, digits)})"
    if np.isfinite(lower) and np.isfinite(upper):
        text += f" [{number(lower, 2)}, {number(upper, 2)}]"
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
        Nothing was given, or something that is not a result; or the results are of different responses or families, or
        have no parameter in common.

    Notes
    -----
    Fits of different formulas or data are shown, and the first notes say so; where they part is then not explained.
    """
    _require_results(results)
    tail_probabilities(level)
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
    _require_one_response(results, columns)
    _require_common_names(results, columns, frames)
    frames = _with_known_terms(results, frames)
    frame = pd.concat(frames, ignore_index=True)
    order = {term: k for k, term in enumerate(TERMS)}
    frame = frame.sort_values("term", key=lambda t: t.map(order), kind="stable", ignore_index=True)
    notes = (*_differences(results, columns), *partings(results, frames))
    return Comparison(frame, tuple(columns), notes, tuple(references))


def _require_results(given: Sequence[Any]) -> None:
    needed = "model.sample(...), model.fit(...)"
    if not given:
        raise SpecificationError(f"compare() needs at least one result, from {needed}.")
    for k, result in enumerate(given, 1):
        if isinstance(result, list | tuple):
            words = f"argument {k} of compare() is a {type(result).__name__}; give its members one by one: "
            raise SpecificationError(f"{words}compare(*results), each a result of {needed}.")
        if isinstance(result, type) or not isinstance(result, Result):
            kind = type(result).__name__
            shown = repr(result) if isinstance(result, str | int | float | None) else f"a {kind}"
            words = f"argument {k} of compare() is {shown[:80]}, which is no result"
            raise SpecificationError(f"{words}; pass what {needed} return.")


def _require_one_response(results: Sequence[Result], columns: Sequence[str]) -> None:
    """Refuse results of different responses or families: their parameters are not of one kind."""
    kinds = {
        column: f"{node_text(parse(result.formula).response.expression)} ({result.family})"
        for result, column in zip(results, columns, strict=True)
        if result.formula
    }
    for (first, one), (second, other) in itertools.pairwise(kinds.items()):
        if one != other:
            raise SpecificationError(
                f"these results are of different responses or families: {first!r} of {one}, {second!r} of {other}; "
                "compare results of one response and family."
            )


def _require_common_names(results: Sequence[Result], columns: Sequence[str], frames: Sequence[pd.DataFrame]) -> None:
    """Refuse computed results without a common parameter; what was published may have but a few of its own."""
    named = {c: list(f["name"]) for r, c, f in zip(results, columns, frames, strict=True) if not r.reference}
    if named and not set.intersection(*map(set, named.values())):
        names = "; ".join(f"{column}: {', '.join(map(str, given))}" for column, given in named.items())
        raise SpecificationError(f"these results have no parameter in common ({names}); compare results of one model.")


def _with_known_terms(results: Sequence[Result], frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the frames, with published figures under the terms of the computed parameters of their names.

    A publication gives names alone: its ``sigma`` is what a fit beside it calls so, a dispersion or a coefficient.
    """
    known: dict[str, list[str]] = {}
    for result, frame in zip(results, frames, strict=True):
        if not result.reference:
            for term, name in zip(frame["term"], frame["name"], strict=True):
                known.setdefault(name, []).append(term)
    matched = []
    for result, frame in zip(results, frames, strict=True):
        if result.reference:
            rows = zip(frame["term"], frame["name"], strict=True)
            terms = [term if term in known.get(name, [term]) else known[name][0] for term, name in rows]
            matched.append(frame.assign(term=terms))
        else:
            matched.append(frame)
    return matched


def _differences(results: Sequence[Result], columns: Sequence[str]) -> Iterator[str]:
    """Say which columns are of other models or data than others."""
    known = [(r, c) for r, c in zip(results, columns, strict=True) if r.formula]
    if len({_model(result) for result, _ in known}) > 1:
        yield f"These are fits of different models: {'; '.join(f'{c}: {_model(r)}' for r, c in known)}."
    # The fingerprint is of the columns that a model uses: it compares models that use the same ones.
    data: dict[frozenset[str], dict[str, list[str]]] = {}
    for result, column in known:
        if result.fingerprint:
            used = columns_used(result.formula, result.beside)
            data.setdefault(used, {}).setdefault(result.fingerprint, []).append(column)
    for alike in data.values():
        if len(alike) > 1:
            sets = "; ".join(f"data set {k}: {', '.join(c)}" for k, c in enumerate(alike.values(), 1))
            yield f"These are fits of different data: {sets}."


def _model(result: Result) -> str:
    return model_title(result.formula, result.beside)


def _free(heading: str, taken: Sequence[str]) -> str:
    k, free = 1, heading
    while free in taken:
        k += 1
        free = f"{heading} #{k}"
    return free
