"""What a saved posterior must know about its model to be read without the data frame and without the fitting code."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bayesglmm.design import Design
from bayesglmm.errors import BayesGLMMError
from bayesglmm.naming import Names
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.residual import COR_VARIABLE, structure_of
from bayesglmm.title import model_title

__all__ = ["AuxiliaryRecord", "FamilyRecord", "GroupRecord", "ModelRecord", "ResidualRecord"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupRecord(_Record):
    """One group term: how its variables are called and what their entries mean.

    Attributes
    ----------
    name : str
        Grouping factor, ``herd:period``.
    label, level_dim : str
        Stem of its variables' names; dimension of its levels.
    effects, sd_names, cor_names : tuple of str
        Effects; names of their standard deviations; names of the correlations in the lower triangle, row by row.
    sds : tuple of Prior
        Prior of each standard deviation.
    cor : Prior or None
        Prior of the correlation matrix.
    common : bool
        Whether the effects have one standard deviation and, where they are correlated, one correlation.
    beside : str
        What tells a scalar effect's name from that of another term of the same factor; empty most often.
    """

    name: str
    label: str
    level_dim: str
    effects: tuple[str, ...]
    sd_names: tuple[str, ...]
    cor_names: tuple[str, ...]
    sds: tuple[dict[str, Any], ...]
    cor: dict[str, Any] | None
    common: bool = False
    beside: str = ""

    @property
    def scalar(self) -> bool:
        """Whether each level has one effect, so that variables have no effect dimension."""
        return len(self.effects) == 1

    def effect_name(self, level: str, effect: str) -> str:
        """Return the name of one group effect, ``female[12]`` or ``subject[308, days]``."""
        if self.effects != ("Intercept",):
            return f"{self.name}[{level}, {effect}]"
        return f"{self.name}[{level}, {self.beside}]" if self.beside else f"{self.name}[{level}]"


class FamilyRecord(_Record):
    """One part of the family's parameters (`FamilyPart`).

    Attributes
    ----------
    name : str
        Variable.
    kind : {"scale", "coefficient", "ordered"}
        As in `FamilyPart`.
    names : tuple of str
        Name of each scalar.
    dim : str or None
        Dimension of the variable; None for one scalar.
    priors : tuple of dict
        Prior of each scalar.
    """

    name: str
    kind: Literal["scale", "coefficient", "ordered"]
    names: tuple[str, ...]
    dim: str | None
    priors: tuple[dict[str, Any], ...]

    @property
    def role(self) -> Literal["coefficient", "scale"]:
        """What kind of prior its scalars take."""
        return "scale" if self.kind == "scale" else "coefficient"


class AuxiliaryRecord(_Record):
    """How rows depend on the family's parameters (`Auxiliary`); its columns and offsets are data of the tree.

    Attributes
    ----------
    starts : tuple of two int
        First family scalar of a and of b.
    forms : tuple of str
        What the family's predictors are.
    adapted : bool
        Whether rows are ordinary ones with phi = exp(a).
    """

    starts: tuple[int, int]
    forms: tuple[str, ...]
    adapted: bool


class ResidualRecord(_Record):
    """How residuals correlate; groups and times of the rows stand among the constant data.

    Attributes
    ----------
    text : str
        As specified: ``ar1(week | patient)``.
    cor_names : tuple of str
        Names of the correlations.
    visits : tuple of str
        Labels of the visits whose pairs have a correlation each; empty where there is one for all.
    lower : float
        Least value of the one correlation.
    prior : Prior
        LKJ.
    """

    text: str
    cor_names: tuple[str, ...]
    visits: tuple[str, ...]
    lower: float
    prior: dict[str, Any]

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> ResidualRecord | None:
        """Record the residual structure of a design, if it has one."""
        rows, prior = design.residual, parameters.residual
        if rows is None or prior is None:
            return None
        structure = structure_of(rows)
        return cls(
            text=str(rows.term),
            cor_names=structure.names(rows),
            visits=rows.visits if rows.patterned else (),
            lower=structure.lower(rows),
            prior=prior.model_dump(),
        )


class ModelRecord(_Record):
    """The model of a posterior.

    Attributes
    ----------
    formula, family, link, response : str
        As specified; the response's variable in ``observed_data``.
    coefficients : tuple of str
        Names of the p coefficients.
    priors : tuple of dict
        Prior of each coefficient (of the centred intercept first, if ``centered``).
    centered : bool
        Whether the first prior is for the intercept at the columns' means.
    center : tuple of float
        Those means, shape (p,).
    groups : tuple of GroupRecord
        Group terms.
    family_parts : tuple of FamilyRecord
        Estimated parameters of the family.
    auxiliary : AuxiliaryRecord or None
        Auxiliary predictors of the rows.
    residual : ResidualRecord or None
        Residual structure.
    dispersion, zero : str or None
        Formulas of the dispersion and of the zero part, where specified.
    """

    formula: str
    family: str
    link: str
    response: str
    coefficients: tuple[str, ...]
    priors: tuple[dict[str, Any], ...]
    centered: bool
    center: tuple[float, ...]
    groups: tuple[GroupRecord, ...]
    family_parts: tuple[FamilyRecord, ...]
    auxiliary: AuxiliaryRecord | None = None
    residual: ResidualRecord | None = None
    dispersion: str | None = None
    zero: str | None = None

    @property
    def beside(self) -> dict[str, str]:
        """What was specified beside the formula, as `ModelSpec.beside`."""
        residuals = None if self.residual is None else self.residual.text
        given = {"residuals": residuals, "dispersion": self.dispersion, "zero": self.zero}
        return {what: text for what, text in given.items() if text is not None}

    @property
    def title(self) -> str:
        """The model in one line."""
        return model_title(self.formula, self.beside)

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> ModelRecord:
        """Record a design and its priors."""
        names = Names.of(design)
        groups = tuple(
            GroupRecord(
                name=group.name,
                label=called.label,
                level_dim=called.level_dim,
                effects=group.effects,
                sd_names=group.sd_names(),
                cor_names=group.cor_names(),
                sds=tuple(p.model_dump() for p in sds),
                cor=None if cor is None else cor.model_dump(),
                common=group.structure.common,
                beside=group.qualifier if group.kind is None else "",
            )
            for group, called, sds, cor in zip(
                design.groups, names.groups, parameters.sds, parameters.cors, strict=True
            )
        )
        return cls(
            formula=str(design.spec.formula),
            family=design.spec.family,
            link=design.spec.link,
            response=names.response,
            coefficients=design.coefficients,
            priors=tuple(p.model_dump() for p in parameters.coefficients),
            centered=parameters.centered,
            center=tuple(parameters.center.tolist()),
            groups=groups,
            family_parts=tuple(
                FamilyRecord(
                    name=part.name,
                    kind=part.kind,
                    names=part.names,
                    dim=part.dim,
                    priors=tuple(p.model_dump() for p in priors),
                )
                for part, priors in zip(design.family_parts, parameters.family, strict=True)
            ),
            auxiliary=_auxiliary_record(design),
            residual=ResidualRecord.of(design, parameters),
            dispersion=design.spec.dispersion,
            zero=design.spec.zero,
        )

    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Return the shape of each variable without chain and draw; None for the number of levels."""
        shapes: dict[str, tuple[int | None, ...]] = {"beta": (len(self.coefficients),)} if self.coefficients else {}
        for term in self.groups:
            several = () if term.scalar else (len(term.effects),)
            shapes |= {f"sd_{term.label}": () if term.common else several, f"u_{term.label}": (None, *several)}
            if term.cor is not None:
                shapes[f"cor_{term.label}"] = () if term.common else (len(term.cor_names),)
        shapes |= {part.name: () if part.dim is None else (len(part.names),) for part in self.family_parts}
        if self.residual is not None:
            shapes[COR_VARIABLE] = (len(self.residual.cor_names),) if self.residual.visits else ()
        return shapes

    @classmethod
    def from_json(cls, text: str) -> ModelRecord:
        """Read a record; a file that holds anything else is refused.

        Raises
        ------
        BayesGLMMError
            The text is not a record that this version wrote.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BayesGLMMError(
                f"the model record of this posterior cannot be read ({place}: {first['msg']}); it was not written by "
                "Posterior.save() of this version. Sample again, or open the file with arviz.from_netcdf."
            ) from error


def _auxiliary_record(design: Design) -> AuxiliaryRecord | None:
    auxiliary = design.auxiliary
    if auxiliary is None:
        return None
    first, second = auxiliary.predictors
    return AuxiliaryRecord(starts=(first.start, second.start), forms=auxiliary.forms, adapted=auxiliary.adapted)


def prior_of(words: dict[str, Any]) -> Prior:
    """Return the prior that a record holds."""
    given = dict(words)
    dist, on = given.pop("dist"), given.pop("on", "sd")
    return Prior(dist, given, on)
