"""The catalogue of data sets: what `catalogue.toml` says, as typed entries."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

__all__ = ["Column", "Entry", "read_catalogue"]

Kind = Literal["identifier", "factor", "integer", "real"]


@dataclass(frozen=True)
class Column:
    """One column of a data set.

    Attributes
    ----------
    kind : {"identifier", "factor", "integer", "real"}
        What the column is; decides its dtype.
    unit : str
        Unit or coding, in words.
    levels : tuple of int or str
        The levels of a factor in the order of the model, the baseline first; empty for the other kinds.
    """

    kind: Kind
    unit: str
    levels: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes
    ----------
    name : str
        The name that `load_dataset` takes.
    title : str
        What the data are about, one line.
    file : str
        The CSV file (gzipped if it ends in ``.gz``) beside the catalogue.
    rows : int
        Number of rows, after ``where``.
    source : str
        The original publication, or the generator of a simulated data set.
    columns : mapping of str to Column
        The columns in the order of the file.
    carrier : str
        Where the numbers were copied from, so that they can be checked; empty for a simulated data set.
    carrier_licence : str
        The terms of the carrier.
    where : mapping of str to int or str
        Column and value of the rows that are kept; empty keeps all.
    true_values : mapping of str to float
        Parameters that a data set was simulated with, by the names of its model file; empty for what was observed.
    """

    name: str
    title: str
    file: str
    rows: int
    source: str
    columns: Mapping[str, Column]
    carrier: str = ""
    carrier_licence: str = ""
    where: Mapping[str, int | str] = field(default_factory=dict)
    true_values: Mapping[str, float] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Where the numbers come from: the publication and what they were copied from, or the generator."""
        return self.source if self.true_values else f"{self.source}. Copied from: {self.carrier}."

    @property
    def licence(self) -> str:
        """The licence note: numbers are facts, their carrier is named; what was simulated is the package's own."""
        if self.true_values:
            return "simulated for this package (Apache-2.0)"
        return f"published facts; carrier: {self.carrier} ({self.carrier_licence})"


def read_catalogue() -> dict[str, Entry]:
    """Read `catalogue.toml`.

    Returns
    -------
    dict of str to Entry
        The entries by name, in the order of the file.
    """
    text = resources.files("bayesglmm.datasets").joinpath("catalogue.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {name: _entry(name, _inherited(table, tables)) for name, table in tables.items()}


def _inherited(table: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Fill a part (an entry with ``of``) from the data set that it is a part of."""
    whole = tables[table["of"]] if "of" in table else {}
    return {key: value for key, value in {**whole, **table}.items() if key != "of"}


def _entry(name: str, table: Mapping[str, Any]) -> Entry:
    columns = {
        column: Column(words["kind"], words["unit"], tuple(words.get("levels", ())))
        for column, words in table["columns"].items()
    }
    return Entry(name=name, **{**table, "columns": columns})
