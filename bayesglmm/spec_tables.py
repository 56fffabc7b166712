"""The tables of a specification file as frozen, strict pydantic models: the only place that says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from bayesglmm.data_path import path_complaint
from bayesglmm.errors import nearest
from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.reading import read_priors
from bayesglmm.spec import ModelSpec
from bayesglmm.spec_problems import ComplaintsError, Located, kind_of, near, no_such_key, shown
from bayesglmm.toml_source import TomlSource

__all__ = ["METHODS", "CompareTable", "DataTable", "ModelFile", "PublishedTable", "SampleTable"]

METHODS = ("laplace", "ml", "reml", "agq", "gauss_hermite", "pql", "mql", "mcml", "gee", "fixed")
_MODEL_KEYS = tuple(key for key in ModelSpec.model_fields if key != "priors")


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


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
            words = f"{shown(given)} is given.{nearest(given, known)} Data sets: {', '.join(map(repr, known))}."
            raise ComplaintsError.one(f'{words} Data of your own are named by path = "file.csv".')
        return given

    @field_validator("path")
    @classmethod
    def _allowed(cls, given: str | None, info: ValidationInfo) -> str | None:
        folder = info.context.folder if isinstance(info.context, TomlSource) else None
        complaint = path_complaint(given, folder) if given is not None else None
        if complaint is not None:
            raise ComplaintsError.one(complaint, kind="path")
        return given


class SampleTable(_Table):
    """``[sample]``: how the posterior is sampled."""

    draws: int = Field(default=1000, ge=1, le=1_000_000)
    tune: int | None = Field(default=None, ge=1, le=1_000_000)
    chains: int = Field(default=4, ge=1, le=1000)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    sampler: Literal["auto", "pymc", "nutpie", "numpyro", "blackjax"] = "auto"
    target_accept: float | None = Field(default=None, ge=0.5, lt=1.0)
    max_depth: int = Field(default=10, ge=1, le=20)

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
            Located((k,), f"{shown(m)} is given.{near(m, METHODS)} Methods: {', '.join(METHODS)}.")
            for k, m in enumerate(given)
            if m not in METHODS
        ]
        if wrong:
            raise ComplaintsError(wrong)
        return tuple(given)


class PublishedTable(_Table):
    """One ``[[published]]``: a column of figures from the literature."""

    method: str = Field(description='Say how the figures were found: method = "Gibbs sampling".')
    reference: str = Field(description='Say where they stand: reference = "Karim & Zeger (1992)".')
    estimates: dict[str, float] = Field(description='Write estimates = {"cross[RR]" = 1.03, "sd(female)" = 1.22}.')

    @field_validator("estimates")
    @classmethod
    def _freeze(cls, given: dict[str, float]) -> FrozenDict[str, float]:
        return FrozenDict(given)


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
    priors : mapping of str to Prior
        The ``[priors]`` table; also in ``model``.
    model : ModelSpec
        The ``[model]`` table with the priors.
    known_covariances : mapping of str to str
        The ``[known_covariances]`` table: files that hold the matrices that the formula names.
    sample : SampleTable
        Settings of the sampler.
    compare : CompareTable
        Classical methods.
    published : tuple of PublishedTable
        Figures from the literature.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    title: str = ""
    reference: str = ""
    data: DataTable = Field(description='Write [data] and, below it, dataset = "salamander" or path = "file.csv".')
    priors: FrozenDict[str, Prior] = FrozenDict()
    model: ModelSpec = Field(description='Write [model] and, below it, formula = "y ~ x + (1 | g)".')
    known_covariances: FrozenDict[str, str] = FrozenDict()
    sample: SampleTable = SampleTable()
    compare: CompareTable = CompareTable()
    published: tuple[PublishedTable, ...] = ()
    _source: TomlSource = PrivateAttr(default_factory=TomlSource)

    def model_post_init(self, context: Any) -> None:
        """Remember the source, which comes as pydantic's context."""
        if isinstance(context, TomlSource):
            self._source = context

    @property
    def source(self) -> TomlSource:
        """Where it was read."""
        return self._source

    @property
    def spec(self) -> ModelSpec:
        """The specification of the model, priors included."""
        return self.model

    @field_validator("priors", mode="before")
    @classmethod
    def _read_priors(cls, given: Any) -> FrozenDict[str, Prior]:
        return read_priors(given)

    @field_validator("known_covariances", mode="before")
    @classmethod
    def _allowed_paths(cls, given: Any, info: ValidationInfo) -> FrozenDict[str, str]:
        if not isinstance(given, Mapping):
            raise ComplaintsError.one(f'{shown(given)} is given; a table such as A = "A.csv" is needed.')
        folder = info.context.folder if isinstance(info.context, TomlSource) else None
        wrong = []
        for key, path in given.items():
            said = "text in quotes is needed." if not isinstance(path, str) else path_complaint(path, folder)
            wrong += [Located((key,), said, "path")] if said is not None else []
        if wrong:
            raise ComplaintsError(wrong)
        return FrozenDict(given)

    @field_validator("model", mode="before")
    @classmethod
    def _read_model(cls, given: Any, info: ValidationInfo) -> ModelSpec:
        if not isinstance(given, Mapping):
            raise ComplaintsError.one(f"{shown(given)} ({kind_of(given)}) is given; a table is needed.")
        strange = [Located((key,), no_such_key(key, _MODEL_KEYS, cls)) for key in given if key not in _MODEL_KEYS]
        words = {key: value for key, value in given.items() if key in _MODEL_KEYS}
        try:
            spec = ModelSpec.checked({**words, "priors": info.data.get("priors", {})})
        except ComplaintsError as complaints:
            raise ComplaintsError([*strange, *complaints.items]) from complaints
        if strange:
            raise ComplaintsError(strange)
        return spec

    @field_validator("published", mode="before")
    @classmethod
    def _list_of_tables(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            raise ComplaintsError.one(
                "one table is given; there may be several: write [[published]], brackets doubled."
            )
        return tuple(given) if isinstance(given, list) else given

    @field_serializer("model")
    def _without_priors(self, model: ModelSpec) -> dict[str, Any]:
        return {key: value for key, value in model.to_dict().items() if key != "priors"}
