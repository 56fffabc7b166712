"""TOML files <-> specifications: strict, every error with file, line and key, all of them in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bayesglmm.data_path import read_data
from bayesglmm.errors import Problem, SpecificationError
from bayesglmm.overrides import with_settings
from bayesglmm.spec_problems import located, refuse, shown
from bayesglmm.spec_tables import ModelFile
from bayesglmm.toml_source import TomlSource, parse_source, read_source

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ModelFile",
    "as_dict",
    "dumps",
    "load_data",
    "load_known_covariances",
    "loads",
    "override",
    "read_specification",
]

SCHEMA = 1


def read_specification(path: str | Path) -> ModelFile:
    """Read a specification file.

    Parameters
    ----------
    path : str or Path
        A TOML file of at most 1 MB.

    Raises
    ------
    SpecificationError
        Everything that is wrong with it, each with file, line and key.
    NotAvailableError
        Nothing is wrong, but this version cannot do it.
    """
    return _validated(read_source(Path(path)))


def loads(text: str, *, name: str = "specification", folder: Path | None = None) -> ModelFile:
    """Read a specification from TOML text; see `read_specification`.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        What messages call it.
    folder : Path, optional
        Folder below which ``data.path`` stands; whether the file exists is not looked at without one.
    """
    return _validated(parse_source(text, name, folder))


def override(file: ModelFile, settings: Sequence[str]) -> ModelFile:
    """Return the specification with values replaced, each given as ``KEY=VALUE``; see `with_settings`."""
    return _validated(with_settings(file.source, settings)) if settings else file


def load_data(file: ModelFile) -> pd.DataFrame:
    """Load the data of a specification.

    Raises
    ------
    SpecificationError
        The path is not allowed, or the file cannot be read.
    """
    if file.data.dataset is not None:
        from bayesglmm.datasets import load_dataset

        return load_dataset(file.data.dataset)
    source = file.source
    return read_data(str(file.data.path), source.folder or Path.cwd(), source.where(("data", "path")))


def load_known_covariances(file: ModelFile) -> dict[str, pd.DataFrame]:
    """Load the known covariances of a specification: names of levels in the header and in the first column.

    Raises
    ------
    SpecificationError
        A path is not allowed, or a file cannot be read.
    """
    source, found = file.source, {}
    for key, path in file.known_covariances.items():
        frame = read_data(path, source.folder or Path.cwd(), source.where(("known_covariances", key)))
        named = frame.set_index(frame.columns[0])
        named.index = named.index.astype(str)
        found[key] = named
    return found


def as_dict(file: ModelFile) -> dict[str, Any]:
    """Return the plain TOML values of a specification: what was given, with the schema and the link said."""
    words = file.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    return {"schema": SCHEMA, **words}


def dumps(file: ModelFile) -> str:
    """Return a specification as TOML text; `loads` reads the same specification from it."""
    import tomli_w

    return tomli_w.dumps(as_dict(file))


def _validated(source: TomlSource) -> ModelFile:
    given = source.tables.get("schema", SCHEMA)
    if given != SCHEMA or isinstance(given, bool):
        # Alone: what else looks wrong may be right in the form that the file was written for.
        message = f"{shown(given)} is given; this version reads schema = {SCHEMA}. Write that, or use another version."
        raise SpecificationError([Problem(source.where(("schema",)), message, "schema")])
    try:
        return ModelFile.model_validate(dict(source.tables), context=source)
    except ValidationError as error:
        refuse(sorted(located(error, ModelFile), key=lambda item: source.line(item.path)), source.where)
