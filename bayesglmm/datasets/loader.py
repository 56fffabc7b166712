"""From a name to a tidy data frame that knows its source and units."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from bayesglmm.datasets.catalogue import Column, Entry, read_catalogue
from bayesglmm.errors import Problem, SpecificationError, nearest

__all__ = ["list_datasets", "load_dataset"]

_STORED_AS = {"integer": "int64", "real": "float64"}


def load_dataset(name: str) -> pd.DataFrame:
    """Load one of the package's data sets.

    Parameters
    ----------
    name : str
        A name from `list_datasets`.

    Returns
    -------
    pandas.DataFrame
        A new frame, one row an observation. Identifiers are unordered categories in numeric (or alphabetical)
        order; factors are ordered categories, the first one the baseline; counts, scores and 0/1 indicators
        are int64; measurements are float64 (missing ones nan, in ``glucose_weekly`` only). ``attrs`` holds ``name``,
        ``title``, ``source`` (original publication and carrier; the generator of a simulated data set), ``licence``,
        ``units`` (column to unit or coding, in words) and, for simulated data, ``true_values`` (parameter to value, by
        the names of the model file).

    Raises
    ------
    SpecificationError
        If there is no such data set; the message lists those that there are.

    Examples
    --------
    >>> load_dataset("cbpp")["period"].cat.categories.tolist()
    [1, 2, 3, 4]
    """
    catalogue = read_catalogue()
    if name not in catalogue:
        known = ", ".join(catalogue)
        words = f"there is no data set {name!r}.{nearest(name, catalogue)} Available: {known}."
        remedy = 'Your own data go to GLMM as a DataFrame, or into a model file as path = "file.csv" under [data].'
        raise SpecificationError([Problem("dataset", f"{words} {remedy}", kind="unknown")])
    entry = catalogue[name]
    frame = _filtered(_read(entry), entry)
    frame.attrs = {
        "name": entry.name,
        "title": entry.title,
        "source": entry.origin,
        "licence": entry.licence,
        "units": {column: described.unit for column, described in entry.columns.items()},
    }
    if entry.true_values:
        frame.attrs["true_values"] = dict(entry.true_values)
    return frame


def list_datasets() -> pd.DataFrame:
    """List the data sets of the package.

    Returns
    -------
    pandas.DataFrame
        One row a data set: ``name``, ``title``, ``rows`` (their number), ``columns`` (their names, separated
        by commas) and ``source`` (the original publication).
    """
    entries = read_catalogue().values()
    return pd.DataFrame(
        {
            "name": [entry.name for entry in entries],
            "title": [entry.title for entry in entries],
            "rows": [entry.rows for entry in entries],
            "columns": [", ".join(entry.columns) for entry in entries],
            "source": [entry.source for entry in entries],
        }
    )


def _read(entry: Entry) -> pd.DataFrame:
    stored = {name: _STORED_AS[c.kind] for name, c in entry.columns.items() if c.kind in _STORED_AS}
    with resources.files("bayesglmm.datasets").joinpath(entry.file).open("rb") as stream:
        # A stream has no name from which pandas could tell that it is compressed.
        raw = pd.read_csv(stream, dtype=stored, compression="gzip" if entry.file.endswith(".gz") else None)
    return pd.DataFrame({name: _coded(raw[name], column) for name, column in entry.columns.items()})


def _coded(values: pd.Series, column: Column) -> pd.Series:
    if column.kind == "identifier":
        return values.astype("category")
    if column.kind == "factor":
        # Ordered, because formulae sorts the levels of an unordered category: fall would come before summer.
        return values.astype(pd.CategoricalDtype(list(column.levels), ordered=True))
    return values


def _filtered(frame: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    for name, value in entry.where.items():
        frame = frame[frame[name] == value]
    if not entry.where:
        return frame
    frame = frame.reset_index(drop=True)
    categories = [name for name, column in entry.columns.items() if column.kind in ("identifier", "factor")]
    return frame.assign(**{name: frame[name].cat.remove_unused_categories() for name in categories})
