"""What is to be modelled, without data and without any fitting code: frozen, comparable, serialisable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator, model_validator

from bayesglmm.errors import FormulaError, NotAvailableError, SpecificationError, nearest
from bayesglmm.formula import Formula, parse
from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.prior import Prior, as_prior
from bayesglmm.priors.roles import refusal, role_of_key
from bayesglmm.spec_problems import NOT_AVAILABLE, ComplaintsError, Located, located, refuse, shown

__all__ = ["ModelSpec"]


class ModelSpec(BaseModel):
    """Specification of a model.

    Parameters
    ----------
    formula : str or Formula
        Response, common part, group terms; see `bayesglmm.formula`.
    family, link : str
        Response distribution and link; the family's default link if left out.
    priors : mapping of str to Prior
        Priors by parameter; the most specific key wins.
    weights : str, optional
        Column that multiplies the rows' log-likelihoods.
    missing : {"raise", "drop"}
        What to do with rows that have missing values.
    residual, dispersion : str, optional
        Residual structures and dispersion formulas: not available yet.

    Raises
    ------
    SpecificationError
        Everything that is wrong, at once.
    NotAvailableError
        Nothing is wrong, but this version cannot do it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)

    formula: Formula = Field(description='Write one as "y ~ x + (1 | g)".')
    family: str = "gaussian"
    link: str = ""
    priors: FrozenDict[str, Prior] = FrozenDict()
    weights: str | None = None
    missing: Literal["raise", "drop"] = "raise"
    residual: None = None
    dispersion: None = None

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            refuse(located(error, ModelSpec))

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> ModelSpec:
        """Make a specification, or raise ComplaintsError with the path of every problem (for files, which add lines)."""
        try:
            return cls(**given)
        except (SpecificationError, NotAvailableError) as error:
            cause = error.__context__
            assert isinstance(cause, ValidationError)
            raise ComplaintsError(located(cause, ModelSpec)) from error

    @field_validator("formula", mode="before")
    @classmethod
    def _read_formula(cls, given: Any) -> Formula:
        if isinstance(given, Formula):
            return given
        if not isinstance(given, str):
            raise ComplaintsError.one(f'{shown(given)} is given; text such as "y ~ x + (1 | g)" is needed.')
        try:
            return parse(given)
        except FormulaError as error:
            raise ComplaintsError.one(str(error)) from error

    @field_validator("priors", mode="before")
    @classmethod
    def _read_priors(cls, given: Any) -> FrozenDict[str, Prior]:
        if not isinstance(given, Mapping):
            raise ComplaintsError.one(f"{shown(given)} is given; a table of priors by parameter is needed.")
        priors: dict[str, Prior] = {}
        wrong: list[Located] = []
        for key, value in given.items():
            if not isinstance(key, str):
                wrong.append(Located((), f"{shown(key)} is given as a parameter's name; text is needed."))
                continue
            try:
                prior = as_prior(value)
            except ComplaintsError as complaints:
                wrong += [Located((key, *item.path), item.message, item.kind) for item in complaints.items]
                continue
            words = refusal(role_of_key(key), prior)
            if words is None:
                priors[key] = prior
            else:
                wrong.append(Located((key,), words, "prior"))
        if wrong:
            raise ComplaintsError(wrong)
        return FrozenDict(priors)

    @field_validator("residual", "dispersion", mode="before")
    @classmethod
    def _not_yet(cls, given: Any) -> None:
        if given is not None:
            message = (
                f"{shown(given)} is given; this is not available yet. Available: independent rows with one dispersion "
                "parameter (leave the key out)."
            )
            raise ComplaintsError.one(message, kind=NOT_AVAILABLE)

    @field_validator("family")
    @classmethod
    def _known_family(cls, given: str) -> str:
        from bayesglmm.families import FAMILIES

        if given not in FAMILIES:
            allowed = ", ".join(map(repr, FAMILIES))
            raise ComplaintsError.one(f"{shown(given)} is given.{nearest(given, FAMILIES)} Allowed: {allowed}.")
        return given

    @model_validator(mode="after")
    def _resolve_link(self) -> Self:
        from bayesglmm.families import FAMILIES

        family = FAMILIES[self.family]
        if self.link and self.link not in family.links:
            allowed = ", ".join(map(repr, family.links))
            hint = nearest(self.link, family.links)
            raise ComplaintsError.one(f"{shown(self.link)} is given.{hint} Links of {self.family}: {allowed}.", "link")
        response = self.formula.response
        for word, said in (("trials", response.trials), ("se", response.se)):
            if said is not None and family.size != word:
                takers = " or ".join(repr(f.name) for f in FAMILIES.values() if f.size == word)
                message = f'"y | {word}(...)" is given, and {self.family} has no {word}. Leave it out, or use family={takers}.'
                raise ComplaintsError.one(message, "formula")
        object.__setattr__(self, "link", self.link or family.default_link)
        return self

    @field_serializer("formula")
    def _formula_text(self, formula: Formula) -> str:
        return str(formula)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values (text, numbers, dicts) from which `from_dict` makes the same specification."""
        words: dict[str, Any] = {"formula": str(self.formula), "family": self.family, "link": self.link}
        if self.weights is not None:
            words["weights"] = self.weights
        if self.missing != "raise":
            words["missing"] = self.missing
        if self.priors:
            words["priors"] = {key: prior.model_dump() for key, prior in self.priors.items()}
        return words

    @classmethod
    def from_dict(cls, words: Mapping[str, Any]) -> ModelSpec:
        """Read what `to_dict` returned."""
        return cls(**words)

    def to_toml(self) -> str:
        """Return the ``[model]`` and ``[priors]`` tables of a specification file."""
        import tomli_w

        words = self.to_dict()
        priors = words.pop("priors", {})
        return tomli_w.dumps({"model": words, **({"priors": priors} if priors else {})})

