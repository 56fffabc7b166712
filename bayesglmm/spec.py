"""What is to be modelled, without data and without any fitting code: frozen, comparable, serialisable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from bayesglmm.errors import FormulaError, nearest
from bayesglmm.formula import Formula, columns, name_text, parse
from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.reading import read_priors
from bayesglmm.spec_problems import NOT_AVAILABLE, ComplaintsError, kind_of, located, refuse, shown

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

    # Validated in this order: formula and link are checked against the family, each on its own.
    family: str = "gaussian"
    formula: Formula = Field(description='Write one as formula = "y ~ x + (1 | g)".')
    link: str = Field(default="", validate_default=True)
    priors: FrozenDict[str, Prior] = FrozenDict()
    weights: str | None = None
    missing: Literal["raise", "drop"] = "raise"
    residual: None = None
    dispersion: None = None

    def __init__(self, /, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            refuse(located(error, ModelSpec))

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> ModelSpec:
        """Make a specification, or raise ComplaintsError with the path of every problem (files know their lines)."""
        made = cls.__new__(cls)
        try:
            BaseModel.__init__(made, **given)  # ours would turn paths into text
        except ValidationError as error:
            raise ComplaintsError(located(error, ModelSpec)) from error
        return made

    @field_validator("family")
    @classmethod
    def _known_family(cls, given: str) -> str:
        from bayesglmm.families import FAMILIES

        if given not in FAMILIES:
            allowed = ", ".join(map(repr, FAMILIES))
            raise ComplaintsError.one(f"{shown(given)} is given.{nearest(given, FAMILIES)} Allowed: {allowed}.")
        return given

    @field_validator("formula", mode="before")
    @classmethod
    def _read_formula(cls, given: Any, info: ValidationInfo) -> Formula:
        if not isinstance(given, str | Formula):
            words = f"{shown(given)} ({kind_of(given)}) is given"
            raise ComplaintsError.one(f'{words}; text such as "y ~ x + (1 | g)" is needed.')
        try:
            formula = parse(given) if isinstance(given, str) else given
        except FormulaError as error:
            raise ComplaintsError.one(str(error), kind="formula") from error
        if "family" in info.data:
            _check_size(formula, info.data["family"])
        _check_response(formula)
        return formula

    @field_validator("link")
    @classmethod
    def _resolve_link(cls, given: str, info: ValidationInfo) -> str:
        if "family" not in info.data:
            return given  # the family is refused already, and its links with it
        from bayesglmm.families import get_family

        family = get_family(info.data["family"])
        if given and given not in family.links:
            allowed = ", ".join(map(repr, family.links))
            words = f"{shown(given)} is given.{nearest(given, family.links)}"
            raise ComplaintsError.one(f"{words} Links of {family.name}: {allowed}.")
        return given or family.default_link

    @field_validator("priors", mode="before")
    @classmethod
    def _read_priors(cls, given: Any) -> FrozenDict[str, Prior]:
        return read_priors(given)

    @field_validator("residual", "dispersion", mode="before")
    @classmethod
    def _not_yet(cls, given: Any) -> None:
        if given is not None:
            message = (
                f"{shown(given)} is given; this is not available yet. Available: independent rows with one "
                "dispersion parameter (leave the key out)."
            )
            raise ComplaintsError.one(message, kind=NOT_AVAILABLE)

    @field_serializer("formula")
    def _formula_text(self, formula: Formula) -> str:
        return str(formula)

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        yield "formula", str(self.formula)
        for name in ("family", "link", "priors", "weights", "missing"):
            if getattr(self, name) != type(self).model_fields[name].default:
                yield name, getattr(self, name)

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


def _check_size(formula: Formula, family: str) -> None:
    """Refuse trials or standard errors where the family's rows have none."""
    from bayesglmm.families import FAMILIES

    response = formula.response
    for word, said in (("trials", response.trials), ("se", response.se)):
        if said is not None and FAMILIES[family].size != word:
            takers = " or ".join(repr(f.name) for f in FAMILIES.values() if f.size == word)
            words = f'"y | {word}(...)" is given, and {family} has no {word}.'
            raise ComplaintsError.one(f"{words} Leave it out, or use family = {takers}.")


def _check_response(formula: Formula) -> None:
    """Refuse a response that explains itself; of several columns, as in ``after - before``, one may be a predictor."""
    names = columns(formula.response.expression)
    if len(names) != 1:
        return
    (name,) = names
    common, groups = formula.common, formula.groups
    uses = (
        ("a common term", columns(common.terms) if common.terms is not None else ()),
        ("an offset", [c for offset in common.offsets for c in columns(offset)]),
        (
            "an effect of a group term",
            [c for g in groups if g.effects.terms is not None for c in columns(g.effects.terms)],
        ),
        ("a grouping factor", [c for g in groups for c in (*g.factor.columns, *([g.by] if g.by else []))]),
    )
    said = [what for what, used in uses if name in used]
    if said:
        words = f"{name_text(name)} is the response and {' and '.join(said)} as well: it would explain itself."
        raise ComplaintsError.one(f"{words} Leave it out of the right side.", kind="formula")
