"""TOML files <-> specifications: strict, every error with file, line and key, all of them in one go."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bayesglmm.errors import Problem, SpecificationError, nearest
from bayesglmm.spec import ModelSpec
from bayesglmm.spec_problems import ComplaintsError, Located, key_text, located, refuse, shown
from bayesglmm.toml_positions import key_lines, line_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelFile", "dumps", "load_data", "loads", "override", "read_specification", "write_specification"]

_MAX_BYTES = 1_000_000
_MODEL_KEYS = ("formula", "family", "link", "weights", "missing", "residual", "dispersion")
_METHODS = ("laplace", "ml", "reml", "agq", "gauss_hermite", "pql", "mql", "mcml", "gee", "fixed")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class DataTable(_Table):
    """``[data]``: a data set of the package or a file below the specification's folder."""

    dataset: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataTable:
        if (self.dataset is None) == (self.path is None):
            raise ComplaintsError.one('give either dataset = "salamander" or path = "file.csv", one of the two.')
        return self

    @field_validator("dataset")
    @classmethod
    def _known(cls, given: str | None) -> str | None:
        from bayesglmm.datasets.catalogue import read_catalogue

        known = read_catalogue()
        if given is not None and given not in known:
            allowed = ", ".join(map(repr, known))
            raise ComplaintsError.one(f"{shown(given)} is given.{nearest(given, known)} Data sets: {allowed}.")
        return given


class SampleTable(_Table):
    """``[sample]``: how the posterior is sampled."""

    draws: int = Field(1000, ge=1)
    tune: int | None = Field(None, ge=1)
    chains: int = Field(4, ge=1)
    seed: int | None = Field(None, ge=0)
    sampler: Literal["auto", "pymc", "nutpie", "numpyro"] = "auto"
    target_accept: float = Field(0.8, ge=0.5, lt=1.0)

    def arguments(self) -> dict[str, Any]:
        """Return keyword arguments of `GLMM.sample`."""
        return self.model_dump()


class CompareTable(_Table):
    """``[compare]``: classical methods beside the posterior."""

    methods: tuple[str, ...] = ("laplace",)

    @field_validator("methods", mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple):
            return given
        wrong = [
            Located((k,), f"{shown(m)} is given.{nearest(str(m), _METHODS)} Methods: {', '.join(_METHODS)}.")
            for k, m in enumerate(given)
            if m not in _METHODS
        ]
        if wrong:
            raise ComplaintsError(wrong)
        return tuple(given)


class PublishedTable(_Table):
    """One ``[[published]]``: a column of figures from the literature."""

    method: str
    reference: str
    estimates: dict[str, float]

    @field_validator("estimates", mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        # TOML has whole numbers and others; strict pydantic would take only the latter for a float.
        return {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in given.items()}


class ModelFile(_Table):
    """A specification file.

    Attributes
    ----------
    schema_ : int
        Version of the file's form; 1.
    title, reference : str
        What the model is, where it comes from.
    data : DataTable
        Where the data are.
    spec : ModelSpec
        The ``[model]`` and ``[priors]`` tables.
    sample : SampleTable
        Settings of the sampler.
    compare : CompareTable
        Classical methods.
    published : tuple of PublishedTable
        Figures from the literature.
    folder : Path or None
        Folder of the file; paths in it are relative to this.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    title: str = ""
    reference: str = ""
    data: DataTable
    spec: ModelSpec
    sample: SampleTable = SampleTable()
    compare: CompareTable = CompareTable()
    published: tuple[PublishedTable, ...] = ()
    folder: Path | None = Field(None, exclude=True)


def read_specification(path: str | Path) -> ModelFile:
    """Read a specification file.

    Parameters
    ----------
    path : str or Path
        A TOML file of at most 1 MB.

    Raises
    ------
    SpecificationError
        Everything that is wrong with it; each problem with file, line and key.
    """
    path = Path(path)
    if not path.is_file():
        raise SpecificationError([Problem(str(path), "is not a file; give the path of a specification (.toml).")])
    if path.stat().st_size > _MAX_BYTES:
        raise SpecificationError([Problem(path.name, "is larger than 1 MB; a specification is a few dozen lines.")])
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start}); save it as UTF-8."
        raise SpecificationError([Problem(path.name, message)]) from error
    return loads(text, name=path.name, folder=path.resolve().parent)


def loads(text: str, *, name: str = "specification", folder: Path | None = None) -> ModelFile:
    """Read a specification from TOML text; see `read_specification`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecificationError([Problem(name, f"is not valid TOML: {error}.")]) from error
    except RecursionError as error:
        raise SpecificationError([Problem(name, "is nested too deeply; a specification has two levels.")]) from error
    return _checked(raw, text, name, folder)


def _checked(raw: dict[str, Any], text: str, name: str, folder: Path | None) -> ModelFile:
    lines = key_lines(text)

    def where(path: tuple[str | int, ...]) -> str:
        line = line_of(path, lines)
        place = f"{name}, line {line}" if line is not None else name
        return f"{place}, key {key_text(path)}" if path else place

    found: list[Located] = []
    file = _model_file(raw, folder, found)
    if file is not None and file.data.path is not None and folder is not None:
        complaint = _path_complaint(file.data.path, folder)
        if complaint is not None:
            found.append(Located(("data", "path"), complaint, "path"))
    if found or file is None:
        refuse(found, where)
    return file


def _model_file(raw: dict[str, Any], folder: Path | None, found: list[Located]) -> ModelFile | None:
    """Validate the tables; problems are added to ``found``."""
    rest = {key: value for key, value in raw.items() if key not in ("model", "priors")}
    if "spec" in rest or "folder" in rest:
        for key in ("spec", "folder"):
            if rest.pop(key, None) is not None:
                found.append(Located((key,), f"there is no such key. Allowed: {', '.join(_TOP)}."))
    if isinstance(rest.get("schema"), int) and rest["schema"] != 1:
        given = rest.pop("schema")
        found.append(Located(("schema",), f"{given} is given; this version reads schema 1. Use schema = 1, or a newer version."))
    spec = _spec(raw, found)
    for key in set(rest) - set(_TOP):
        found.append(Located((key,), f"there is no such key.{nearest(key, _TOP)} Allowed: {', '.join(_TOP)}."))
        rest.pop(key)
    if isinstance(rest.get("published"), list):
        rest["published"] = tuple(rest["published"])
    placeholder = spec or ModelSpec(formula="y ~ 1")
    try:
        file = ModelFile.model_validate({**rest, "spec": placeholder, "folder": folder})
    except ValidationError as error:
        found += located(error, ModelFile)
        return None
    return file if spec is not None else None


_TOP = ("schema", "title", "reference", "data", "model", "priors", "sample", "compare", "published")


def _spec(raw: Mapping[str, Any], found: list[Located]) -> ModelSpec | None:
    model = raw.get("model")
    if not isinstance(model, Mapping):
        words = "the table [model] is missing" if model is None else f"{shown(model)} is given; a table is needed"
        found.append(Located(("model",), f'{words}. Write [model] and, below it, formula = "y ~ x + (1 | g)".'))
        return None
    strange = [key for key in model if key not in _MODEL_KEYS]
    for key in strange:
        found.append(Located(("model", key), f"there is no such key.{nearest(key, _MODEL_KEYS)} Allowed: {', '.join(_MODEL_KEYS)}."))
    given = {key: value for key, value in model.items() if key not in strange}
    try:
        return ModelSpec.checked({**given, "priors": raw.get("priors", {})})
    except ComplaintsError as complaints:
        # Priors have a table of their own in a file.
        found += [
            Located(item.path if item.path[:1] == ("priors",) else ("model", *item.path), item.message, item.kind)
            for item in complaints.items
        ]
        return None


def _path_complaint(given: str, folder: Path) -> str | None:
    """Say why a data path is refused, or return None."""
    remedy = "Give the name of a .csv or .parquet file in the specification's folder or below it."
    if "://" in given or given.startswith("\\\\"):
        return f"{shown(given)} is an address; data are read from files only. Download it first. {remedy}"
    path = Path(given)
    if path.is_absolute() or path.drive or given.startswith("~"):
        return f"{shown(given)} is absolute; a path is relative to the specification's folder. {remedy}"
    if ".." in path.parts:
        return f"{shown(given)} leads out of the specification's folder. {remedy}"
    if not given.lower().endswith((".csv", ".csv.gz", ".parquet")):
        return f"{shown(given)} is neither CSV nor Parquet (.csv, .csv.gz, .parquet). {remedy}"
    target = folder / path
    try:
        resolved = target.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        there = sorted(p.name for p in folder.glob("*") if p.suffix in (".csv", ".gz", ".parquet"))
        return f"{shown(given)} does not exist below the specification's folder.{nearest(given, there)} {remedy}"
    if not resolved.is_relative_to(folder.resolve()):
        return f"{shown(given)} is a link that leads out of the specification's folder. Copy the file there. {remedy}"
    return None if resolved.is_file() else f"{shown(given)} is not a file. {remedy}"


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
    import pandas as pd

    given, folder = str(file.data.path), file.folder or Path.cwd()
    complaint = _path_complaint(given, folder)  # again: the file may have changed since the specification was read
    if complaint is not None:
        raise SpecificationError([Problem("data.path", complaint, "path")])
    path = (folder / given).resolve(strict=True)
    try:
        data = pd.read_parquet(path) if path.name.endswith(".parquet") else pd.read_csv(path)
    except Exception as error:  # whatever a reader says of a broken file, the user needs the file's name
        raise SpecificationError([Problem("data.path", f"{given} cannot be read ({error}).", "path")]) from error
    data.attrs = {"source": given}
    return data


def override(file: ModelFile, settings: Sequence[str]) -> ModelFile:
    """Return the specification with values replaced, each given as ``KEY=VALUE`` (``sample.draws=2000``).

    Values are read as TOML; what is not TOML is taken as text.
    """
    if not settings:
        return file
    raw = as_dict(file)
    for setting in settings:
        key, equals, value = setting.partition("=")
        steps = key.strip().split(".")
        if not equals or not all(steps):
            raise SpecificationError([Problem("--set", f"{setting!r} is given; write KEY=VALUE, for instance sample.draws=2000.")])
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            parsed = value
        at = raw
        for step in steps[:-1]:
            at = at.setdefault(step, {})
            if not isinstance(at, dict):
                raise SpecificationError([Problem("--set", f"{key!r} names nothing that can be replaced in the specification.")])
        at[steps[-1]] = parsed
    return _checked(raw, "", "--set", file.folder)


def as_dict(file: ModelFile) -> dict[str, Any]:
    """Return the plain TOML values of a specification."""
    words = file.model_dump(by_alias=True, exclude={"spec"}, exclude_none=True, exclude_defaults=True)
    spec = file.spec.to_dict()
    priors = spec.pop("priors", {})
    ordered = {"schema": 1, "title": file.title, "reference": file.reference}
    tables = {"data": file.data.model_dump(exclude_none=True), "model": spec, "priors": priors}
    tables["sample"] = words.get("sample", {})
    tables["compare"] = {"methods": list(file.compare.methods)} if "compare" in words else {}
    published = [p.model_dump() for p in file.published]
    ordered.update({key: value for key, value in tables.items() if value})
    if published:
        ordered["published"] = published
    return {key: value for key, value in ordered.items() if value != ""}


def dumps(file: ModelFile) -> str:
    """Return a specification as TOML text; `loads` reads the same specification from it."""
    import tomli_w

    return tomli_w.dumps(as_dict(file))


def write_specification(file: ModelFile, path: str | Path) -> Path:
    """Write a specification; an old file is replaced whole or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(dumps(file), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path

