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
from bayesglmm.formula import (
    Common,
    Formula,
    ResidualTerm,
    columns,
    name_text,
    one_sided_text,
    parse,
    parse_one_sided,
    read_residual,
)
from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.reading import read_priors
from bayesglmm.spec_problems import ComplaintsError, kind_of, located, refuse, shown
from bayesglmm.title import model_title

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
    residual : str or ResidualTerm, optional
        How residuals of one group correlate, ``"ar1(week | patient)"``; see `bayesglmm.formula.residual`. Gaussian
        responses with the identity link; ``"iid"`` is the same as leaving it out.
    dispersion : str, optional
        Formula of the logarithm of the dispersion parameter, ``"~ 0 + sex"``; one for all rows if left out.
    zero : str, optional
        Formula of the logit of the zero part's probability, for families that have one; ``"~ 1"`` if left out.

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
    residual: ResidualTerm | None = None
    dispersion: str | None = None
    zero: str | None = None

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
        from bayesglmm.families import FAMILIES, nearest_family

        if given not in FAMILIES:
            allowed = ", ".join(map(repr, FAMILIES))
            raise ComplaintsError.one(f"{shown(given)} is given.{nearest_family(str(given))} Allowed: {allowed}.")
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

    @field_validator("dispersion", "zero", mode="before")
    @classmethod
    def _read_part(cls, given: Any, info: ValidationInfo) -> str | None:
        return None if given is None else _checked_part(given, str(info.field_name), info.data)

    @field_validator("residual", mode="before")
    @classmethod
    def _read_residual(cls, given: Any, info: ValidationInfo) -> ResidualTerm | None:
        try:
            term = read_residual(given)
        except FormulaError as error:
            raise ComplaintsError.one(str(error), kind="formula") from error
        if term is not None:
            _check_residual(term, info.data)
        return term

    @field_serializer("formula")
    def _formula_text(self, formula: Formula) -> str:
        return str(formula)

    @field_serializer("residual")
    def _residual_text(self, residual: ResidualTerm | None) -> str | None:
        return None if residual is None else str(residual)

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        yield "formula", str(self.formula)
        for name in ("family", "link", "priors", "weights", "missing", "dispersion", "zero"):
            if getattr(self, name) != type(self).model_fields[name].default:
                yield name, getattr(self, name)
        if self.residual is not None:
            yield "residual", str(self.residual)

    @property
    def beside(self) -> dict[str, str]:
        """What is specified beside the formula: texts of ``residuals``, ``dispersion`` and ``zero``, where given."""
        given = {"residuals": self.residual, "dispersion": self.dispersion, "zero": self.zero}
        return {what: str(text) for what, text in given.items() if text is not None}

    @property
    def title(self) -> str:
        """The model in one line."""
        return model_title(str(self.formula), self.beside)

    @property
    def auxiliary_formulas(self) -> dict[str, Common]:
        """The formulas beside that of eta, by the name of the parameter that they are of: ``sigma``, ``zero``."""
        from bayesglmm.families import get_family

        named = {str(get_family(self.family).dispersion): self.dispersion, "zero": self.zero}
        return {name: parse_one_sided(text) for name, text in named.items() if text is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values (text, numbers, dicts) from which `from_dict` makes the same specification."""
        words: dict[str, Any] = {"formula": str(self.formula), "family": self.family, "link": self.link}
        if self.weights is not None:
            words["weights"] = self.weights
        if self.missing != "raise":
            words["missing"] = self.missing
        words |= {name: text for name in ("dispersion", "zero") if (text := getattr(self, name)) is not None}
        if self.residual is not None:
            words["residual"] = str(self.residual)
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


def _checked_part(given: Any, name: str, data: Mapping[str, Any]) -> str:
    """Return the canonical text of a formula without a response, or say why the family cannot have it."""
    from bayesglmm.families import FAMILIES

    try:
        common = parse_one_sided(given)
    except FormulaError as error:
        raise ComplaintsError.one(str(error), kind="formula") from error
    if common == Common(None, False):
        raise ComplaintsError.one(f'{shown(given)} has no terms; write "~ 1" for one value in all rows.')
    if "family" in data and not _takes(data["family"], name):
        takers = ", ".join(repr(f) for f in FAMILIES if _takes(f, name))
        what = "dispersion parameter" if name == "dispersion" else "part of its own for zeros"
        raise ComplaintsError.one(
            f"{shown(given)} is given, and {data['family']} has no {what}. Leave it out, or use one of: {takers}."
        )
    if name == "dispersion" and "formula" in data and data["formula"].response.se is not None:
        raise ComplaintsError.one(
            f'{shown(given)} is given together with "y | se(...)", which fixes the dispersion. Leave out one of them.'
        )
    return one_sided_text(common)


def _takes(family: str, name: str) -> bool:
    """Whether a family has what the formula called ``name`` is of."""
    from bayesglmm.families import get_family

    record = get_family(family)
    return record.dispersion is not None if name == "dispersion" else any(p.name == name for p in record.predictors)


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


def _check_residual(term: ResidualTerm, said: Mapping[str, Any]) -> None:
    """Refuse a residual structure beside what it cannot stand beside; ``said`` holds the fields checked before."""
    from bayesglmm.families import get_family

    family, link, formula = said.get("family"), said.get("link"), said.get("formula")
    if family is not None and link is not None and not get_family(family).links[link].linear:
        words = (
            f'"{term}" is given; residuals correlate in gaussian models with the identity link, and this is {family}'
        )
        raise ComplaintsError.one(f"{words} with the {link} link. Leave it out, or add group effects.")
    if formula is None:
        return
    response = formula.response
    if response.weights is not None or said.get("weights") is not None:
        # Rows of one group have one log-likelihood together, which a row's weight cannot multiply.
        words = f'"{term}" is given beside weights, which multiply the log-likelihoods of independent rows.'
        raise ComplaintsError.one(f"{words} Leave one of them out.")
    if response.se is not None:
        words = f'"{term}" is given beside known standard errors, y | se(s), whose errors are independent.'
        raise ComplaintsError.one(f"{words} Leave one of them out.")
    if set(term.columns) & set(columns(response.expression)):
        raise ComplaintsError.one(f'"{term}" names the response; take another column for time and group.')
