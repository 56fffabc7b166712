"""Design + given priors -> every parameter's prior, the centring, and the tables that compiled code reads."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.coding import level_columns
from bayesglmm.design import Design
from bayesglmm.errors import Problem, SpecificationError
from bayesglmm.families.parts import FamilyPart
from bayesglmm.grouping import INTERCEPT, GroupEffects
from bayesglmm.priors.defaults import (
    coefficient_defaults,
    correlation_default,
    sd_default,
)
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.resolution import Parameter, resolve
from bayesglmm.priors.roles import minimum_levels
from bayesglmm.priors.scalar import ScalarPrior, prior_table, scalar_prior
from bayesglmm.residual import RESIDUAL

__all__ = ["Parameters", "Scales", "build_parameters"]


@dataclass(frozen=True, eq=False)
class Scales:
    """Natural scales of a design, to which defaults and starting points are set.

    Attributes
    ----------
    location, scale : float
        Where the linear predictor lies and by how much it can be expected to vary.
    columns : ndarray, shape (p,)
        Standard deviation of each column of X; 1 for the intercept and for columns that do not vary.
    effects : tuple of ndarray, each shape (number of standard deviations,)
        For each group term: 1 for an intercept, the standard deviation of the centred column for a slope; where effects
        have one standard deviation, one number.
    levels : tuple of bool, length p
        Whether a coefficient is a level of the linear predictor (intercept, cell mean) and not a difference.
    """

    location: float
    scale: float
    columns: np.ndarray
    effects: tuple[np.ndarray, ...]
    levels: tuple[bool, ...]

    @classmethod
    def of(cls, design: Design) -> Scales:
        """Measure the scales of ``design``."""
        family, link = design.family, design.spec.link
        return cls(
            location=family.location(design.y, design.size, link),
            scale=family.scale(design.y, design.size, link),
            columns=_spreads(design.X.T),
            effects=tuple(_effect_spreads(g) for g in design.groups),
            levels=level_columns(design.coding, design.X),
        )


@dataclass(frozen=True, eq=False)
class Parameters:
    """The prior of every parameter of a model.

    Attributes
    ----------
    coefficients : tuple of Prior, length p
        The first one is for the intercept at the columns' means if ``centered``; else every prior is for the
        coefficient exactly as the formula codes it.
    sds : tuple of tuple of Prior
        For each group term, one prior a standard deviation.
    cors : tuple of (Prior or None)
        For each group term, the prior of its correlation matrix.
    family : tuple of tuple of Prior
        For each part of `Design.family_parts`, one prior a scalar.
    given : frozenset of str
        Names of the parameters whose prior was given; the others have defaults.
    centered : bool
        Whether the intercept is sampled at the columns' means.
    center : ndarray, shape (p,)
        Column means (0 for the intercept itself, and everywhere if not ``centered``).
    scales : Scales
        What defaults and starting points are scaled to.
    family_parts : tuple of FamilyPart
        As in the design.
    residual : Prior or None
        Prior of the residual structure's correlations.
    n_residual : int
        Number of its correlation coordinates.
    shortened : tuple of float
        For each standard deviation of group effects, the scale of its coordinate (see `ScalarPrior.shortened`) or 0
        where it is sampled as its logarithm; empty where all are.
    """

    coefficients: tuple[Prior, ...]
    sds: tuple[tuple[Prior, ...], ...]
    cors: tuple[Prior | None, ...]
    family: tuple[tuple[Prior, ...], ...]
    given: frozenset[str]
    centered: bool
    center: np.ndarray
    scales: Scales
    family_parts: tuple[FamilyPart, ...] = ()
    residual: Prior | None = None
    n_residual: int = 0
    shortened: tuple[float, ...] = ()

    def with_short_tails(self, scales: Sequence[float]) -> Parameters:
        """Return the same parameters with standard deviations of group effects in coordinates without a long tail.

        Parameters
        ----------
        scales : sequence of float
            For each of them, term after term, a scale, or 0 to leave it as it is.
        """
        return replace(self, shortened=tuple(float(s) for s in scales))

    @functools.cached_property
    def scalars(self) -> tuple[ScalarPrior, ...]:
        """Priors of coefficients, standard deviations and family scalars, in the order of the unconstrained vector."""
        coded = [scalar_prior(p, "coefficient") for p in self.coefficients]
        sds = [scalar_prior(p, "scale") for term in self.sds for p in term]
        scales = self.shortened or (0.0,) * len(sds)
        coded += [p.shortened(s) if s > 0.0 else p for p, s in zip(sds, scales, strict=True)]
        for part, priors in zip(self.family_parts, self.family, strict=True):
            own = [scalar_prior(p, part.role) for p in priors]
            coded += [own[0], *(p.above_the_last() for p in own[1:])] if part.kind == "ordered" else own
        # Coordinates as they are: their prior is one for all of them, and the pass over the rows adds it.
        coded += [scalar_prior(Prior("Flat"), "coefficient")] * self.n_residual
        return tuple(coded)

    @functools.cached_property
    def table(self) -> np.ndarray:
        """The scalars' priors as compiled code reads them, shape (scalars, 8)."""
        return prior_table(self.scalars)

    @functools.cached_property
    def lkj(self) -> np.ndarray:
        """LKJ's eta of each group term (1 where it has no correlations), shape (terms,)."""
        return np.array([1.0 if p is None else p.params["eta"] for p in self.cors], dtype=np.float64)


def build_parameters(design: Design) -> Parameters:
    """Resolve the given priors of ``design.spec`` and fill in defaults scaled to the data.

    Raises
    ------
    SpecificationError
        Priors that speak of no parameter, that a parameter cannot have, or under which the posterior would be improper.
    """
    resolution = resolve(design.spec.priors, _every_parameter(design))
    # One prior (or None) a parameter, in the order of _every_parameter.
    given = iter(resolution.priors)
    coefficients = [next(given) for _ in design.coefficients]
    sds = [[next(given) for _ in g.sd_names()] for g in design.groups]
    cors = [next(given) if g.structure.correlated else None for g in design.groups]
    family = [[next(given) for _ in part.names] for part in design.family_parts]
    residual = next(given) if design.residual is not None else None
    problems = [*resolution.problems, *_improper(design, sds), *_unlike(design, family)]
    if problems:
        raise SpecificationError(problems)

    scales = Scales.of(design)
    centered = design.has_intercept and coefficients[0] is None
    cells = [n for n, level in zip(design.coefficients, scales.levels, strict=True) if level]
    column_sds = dict(zip(design.coefficients, scales.columns.tolist(), strict=True))
    defaults = coefficient_defaults(column_sds, scales.location, scales.scale, cells)
    named = zip(resolution.parameters, resolution.priors, strict=True)
    return Parameters(
        coefficients=tuple(p or defaults[n] for n, p in zip(design.coefficients, coefficients, strict=True)),
        sds=tuple(
            tuple(p or sd_default(scales.scale, float(w)) for p, w in zip(term, widths, strict=True))
            for term, widths in zip(sds, scales.effects, strict=True)
        ),
        cors=tuple(
            (p or correlation_default()) if g.structure.correlated else None
            for g, p in zip(design.groups, cors, strict=True)
        ),
        family=tuple(
            tuple(p or default for p, default in zip(priors, part.defaults, strict=True))
            for priors, part in zip(family, design.family_parts, strict=True)
        ),
        residual=(residual or correlation_default()) if design.residual is not None else None,
        n_residual=design.n_residual,
        given=frozenset(parameter.name for parameter, prior in named if prior is not None),
        centered=centered,
        center=_center(design, centered),
        scales=scales,
        family_parts=design.family_parts,
    )


def _every_parameter(design: Design) -> list[Parameter]:
    """List all parameters that can have a prior: coefficients, sds, correlations, family scalars."""
    every = [Parameter.coefficient(name) for name in design.coefficients]
    for g in design.groups:
        words = [g.structure.keyword or ""] if g.structure.common else g.effects
        every += [Parameter.sd(g.name, word, name) for word, name in zip(words, g.sd_names(), strict=True)]
    every += [Parameter.cor(g.name, g.cor_name) for g in design.groups if g.structure.correlated]
    for part in design.family_parts:
        every += [Parameter.of_family(part.name, name, part.role) for name in part.names]
    return every + ([Parameter.cor(RESIDUAL)] if design.residual is not None else [])


def _unlike(design: Design, given: Sequence[Sequence[Prior | None]]) -> Iterator[Problem]:
    """Yield ordered parameters whose priors are not all of one kind: they are one variable."""
    for part, priors in zip(design.family_parts, given, strict=True):
        kinds = {(p or default).dist for p, default in zip(priors, part.defaults, strict=True)}
        real = all(p.distribution.support == "real" for p in priors if p is not None)
        if part.kind == "ordered" and (len(kinds) > 1 or not real):
            message = (
                f"{part.name} is one ordered vector: its priors are of one kind, Normal, StudentT, Cauchy or Flat. "
                f'Give them all by "{part.name}", or give each of {", ".join(part.names)} the same kind.'
            )
            yield Problem(f"priors, key {part.name}", message, "prior")


def _improper(design: Design, given: Sequence[Sequence[Prior | None]]) -> Iterator[Problem]:
    """Yield the flat priors of standard deviations that need more levels than there are."""
    for group, priors in zip(design.groups, given, strict=True):
        for name, prior in zip(group.sd_names(), priors, strict=True):
            needed = minimum_levels(prior) if prior is not None else 1
            if group.n_levels < needed:
                message = (
                    f"a flat prior of {name} needs {needed} levels of {group.name} for a proper posterior, and "
                    f"there are {group.n_levels}; give it a proper prior, for instance HalfNormal."
                )
                yield Problem(f"priors, key {name}", message, "prior")


def _center(design: Design, centered: bool) -> np.ndarray:
    center = design.X.mean(axis=0) if centered else np.zeros(len(design.coefficients))
    center[:1] = 0.0
    return center


def _spreads(columns: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each row of ``columns``, 1 where it does not vary."""
    if not columns.size:
        return np.ones(len(columns))
    # By range: the standard deviation of equal numbers is not exactly 0 in floating point.
    return np.where(np.ptp(columns, axis=1) > 0.0, columns.std(axis=1), 1.0)


def _effect_spreads(group: GroupEffects) -> np.ndarray:
    columns = group.columns()
    spreads = _spreads(columns if group.kind is None else columns[:, group.kind.inside])
    if group.effects[0] == INTERCEPT:
        spreads[0] = 1.0
    if group.structure.common:
        # Indicators of the places of one factor count as an intercept does.
        return np.array([1.0 if all(group.coding.categorical) else np.sqrt(np.mean(spreads**2))])
    return spreads
