"""The data that a specification names: a data set of the package, or a file that stays below its folder."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from bayesglmm.errors import Problem, SpecificationError, nearest
from bayesglmm.spec_problems import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["path_complaint", "read_data"]

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_REMEDY = "Give the name of a .csv or .parquet file in the specification's folder or below it."


def path_complaint(given: str, folder: Path | None) -> str | None:
    """Say why a data path is refused, or return None.

    Parameters
    ----------
    given : str
        As the specification has it.
    folder : Path or None
        Folder of the specification; None looks at the words alone.
    """
    path = Path(given)
    if "://" in given or given.startswith("\\\\"):
        words = "is an address; data are read from files only. Download it first."
    elif path.is_absolute() or given.startswith("~") or given[1:2] == ":":
        words = "is absolute; a path is relative to the specification's folder."
    elif ".." in given.replace("\\", "/").split("/"):
        words = "leads out of the specification's folder."
    elif not given.lower().endswith(_SUFFIXES):
        words = f"is neither CSV nor Parquet ({', '.join(_SUFFIXES)})."
    else:
        words = _file_complaint(path, folder) if folder is not None else ""
    return f"{shown(given)} {words} {_REMEDY}" if words else None


def _file_complaint(path: Path, folder: Path) -> str:
    """Say what is wrong with the file itself; empty if nothing is."""
    try:
        resolved = (folder / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # missing, not a name that a file can have, a ring of links
        if "\\" in str(path):
            return "does not exist below the specification's folder. Folders are separated by /."
        return f"does not exist below the specification's folder.{nearest(str(path), _data_files(path, folder))}"
    if not resolved.is_relative_to(folder.resolve()):
        return "is a link that leads out of the specification's folder. Copy the file there."
    return "" if resolved.is_file() else "is not a file."


def _data_files(path: Path, folder: Path) -> list[str]:
    """List the data files beside ``path``, as a specification would name them; none outside of ``folder``."""
    found = (p for suffix in _SUFFIXES for p in (folder / path).parent.glob(f"*{suffix}"))
    inside = (p for p in found if p.is_file() and p.resolve().is_relative_to(folder.resolve()))
    return sorted(str(p.relative_to(folder)) for p in inside)


def read_data(given: str, folder: Path, where: str = "data.path") -> pd.DataFrame:
    """Read a data file.

    Parameters
    ----------
    given : str
        Path relative to ``folder``.
    folder : Path
        Folder of the specification.
    where : str
        Where the path was given, for messages.

    Raises
    ------
    SpecificationError
        The path is not allowed, or the file is not what its name says.
    """
    complaint = path_complaint(given, folder)  # again: the file may have changed since the specification was read
    if complaint is not None:
        raise _refused(where, complaint)
    path = (folder / given).resolve(strict=True)
    # By the name that was given: a link may have another.
    read = _read_parquet if given.lower().endswith(".parquet") else _read_csv
    try:
        data = read(path, given)
    except UnicodeError as error:
        raise _refused(where, f"{given} is not UTF-8 text; save it as UTF-8.") from error
    except Exception as error:  # whatever a reader says of a broken file, the user needs its name
        raise _refused(where, f"{given} cannot be read: {_first_line(error)}.") from error
    data.attrs = {"source": given}
    return data


def _read_parquet(path: Path, _given: str) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


def _read_csv(path: Path, given: str) -> pd.DataFrame:
    import pandas as pd

    compressed = given.lower().endswith(".gz")
    with (gzip.open if compressed else open)(path, "rt", encoding="utf-8-sig", newline="") as stream:
        rows = filter(None, csv.reader(stream))
        header, first = next(rows, []), next(rows, [])
    _check_header(header, first)
    try:
        # In one piece: read in chunks, a column of text and numbers would be typed chunk by chunk. Nullable: whole
        # numbers with a gap would become floats, and long identifiers would merge.
        data = pd.read_csv(
            path,
            compression="gzip" if compressed else None,
            encoding="utf-8-sig",
            low_memory=False,
            dtype_backend="numpy_nullable",
        )
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"the file is empty; its first line has to name the columns ({_first_line(error)})") from error
    except pd.errors.ParserError as error:
        words = (
            f"a row does not fit the {len(header)} columns of the first line; a row needs as many values, separated by "
            "commas, and double quotes around a value that has a comma or a line break in it"
        )
        raise ValueError(f"{words} ({_first_line(error)})") from error
    return pd.DataFrame({name: _plain(data[name]) for name in data.columns}, index=data.index)


def _check_header(header: list[str], first: list[str]) -> None:
    """Refuse what pandas would read in silence: another separator, equal names, values without a name."""
    for separator, said in ((";", "';'"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise ValueError(
                f"it has one column, {shown(header[0])}; separated by {said}? This reads comma-separated files"
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"several columns are called {', '.join(map(repr, twice))}; give each a name of its own")
    if len(first) > len(header):
        raise ValueError(f"{len(header)} columns are named and a row has {len(first)} values; name every column")


def _plain(column: pd.Series) -> pd.Series:
    """Return a column with the dtype of NumPy or the default one of text, unless its gaps need a nullable one."""
    import pandas as pd
    from pandas.api import types

    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype):
        return column.astype("str")
    if not types.is_extension_array_dtype(dtype):
        return column
    if types.is_float_dtype(dtype) or column.isna().all():
        return pd.Series(column.to_numpy(dtype="float64", na_value=float("nan")), index=column.index, name=column.name)
    return column if column.isna().any() else pd.Series(column.to_numpy(), index=column.index, name=column.name)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _refused(where: str, message: str) -> SpecificationError:
    return SpecificationError([Problem(where, message, "path")])
