"""Group terms as index codes: the level a row belongs to, and the few columns its effects multiply; never a dense Z."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayesglmm.coding import INTERCEPT, Coding, learn_coding
from bayesglmm.covariance import (
    AUTOREGRESSIVE,
    COMPOUND_SYMMETRY,
    KNOWN,
    Relationship,
    Structure,
    autoregressive,
    known,
    structure_for,
)
from bayesglmm.errors import DataError, Problem, nearest
from bayesglmm.factor import Factor, learn_factor
from bayesglmm.formula.tree import GroupTerm
from bayesglmm.parts import Kind, kinds_of
from bayesglmm.visits import VisitCoding, learn_visits

__all__ = ["INTERCEPT", "GroupEffects", "group_effects"]


@dataclass(frozen=True, eq=False)
class GroupEffects:
    """The effects of one group term: u_j ~ N(0, Lambda Lambda'), j = 1..J, q effects each.

    Attributes
    ----------
    label : str
        Unique in a model: the factor's name, ``female`` or ``herd:period``; a second term of the same factor adds its
        effects, ``subject.days``.
    factor : Factor
        J levels.
    codes : ndarray of int32, shape (n,)
        Level of each row.
    effects : tuple of str
        Names of the q effects, ``Intercept`` first if there is one.
    slopes : ndarray, shape (q - has_intercept, n)
        The columns that the effects other than the intercept multiply.
    structure : Structure
        Covariance structure of the q effects.
    coding : Coding or VisitCoding
        How the effects' columns were coded.
    term : GroupTerm or None
        The term of the formula.
    kind : Kind or None
        Which of the levels these are, with ``by=``.
    qualifier : str
        What tells the parameters from those of another term of the same factor, ``ar1`` or ``trt[a]``; empty if there
        is none.
    """

    label: str
    factor: Factor
    codes: np.ndarray
    effects: tuple[str, ...]
    slopes: np.ndarray
    structure: Structure
    coding: Coding | VisitCoding = field(repr=False)
    term: GroupTerm | None = field(default=None, repr=False)
    kind: Kind | None = None
    qualifier: str = ""

    @property
    def name(self) -> str:
        """Name of the grouping factor, ``herd:period``."""
        return ":".join(self.factor.columns)

    @property
    def n_levels(self) -> int:
        """Number of levels J."""
        return len(self.factor.levels)

    @property
    def n_effects(self) -> int:
        """Number of effects q of each level."""
        return len(self.effects)

    @property
    def has_intercept(self) -> bool:
        """Whether the first effect is an intercept (its column of ones is not stored)."""
        return self.effects[0] == INTERCEPT and self.kind is None

    @property
    def size(self) -> int:
        """Number of group effects J q."""
        return self.n_levels * self.n_effects

    @property
    def n_sds(self) -> int:
        """Number of standard deviations."""
        return self.structure.n_sds(self.n_effects)

    @property
    def n_correlations(self) -> int:
        """Number of unconstrained coordinates of the correlation matrix."""
        return self.structure.coordinates(self.n_effects)

    def sd_name(self, effect: str) -> str:
        """Return the name of an effect's standard deviation, ``sd(female)`` or ``sd(subject, days)``."""
        alone = self.structure.common or self.effects == (INTERCEPT,)
        return self._called("sd", *(() if alone else (effect,)))

    def sd_names(self) -> tuple[str, ...]:
        """Return the names of the standard deviations, one for all effects where they have it in common."""
        return tuple(dict.fromkeys(map(self.sd_name, self.effects)))

    @property
    def cor_name(self) -> str:
        """Name of the correlations together, ``cor(subject)``."""
        return self._called("cor")

    def _called(self, kind: str, *effects: str) -> str:
        parts = (self.name, *effects, *([self.qualifier] if self.qualifier else []))
        return f"{kind}({', '.join(parts)})"

    @functools.cached_property
    def origin(self) -> np.ndarray:
        """Matrix B of u = B u~ (q, q), where u~ are the effects at the means of the slope columns.

        The identity where there is no intercept to move, or where the structure distinguishes one origin from another.
        """
        B = np.eye(self.n_effects)
        if self.has_intercept and self.structure.theta.invariant:
            B[0, 1:] = -self.slopes.mean(axis=1)
        return B

    def effect_name(self, level: str, effect: str) -> str:
        """Return the name of one group effect, ``female[12]`` or ``subject[308, days]``."""
        factor = self.name
        if self.effects != (INTERCEPT,):
            return f"{factor}[{level}, {effect}]"
        beside = self.qualifier and self.kind is None
        return f"{factor}[{level}, {self.qualifier}]" if beside else f"{factor}[{level}]"

    def cor_names(self) -> tuple[str, ...]:
        """Return the names of the correlations, row by row of the lower triangle; of a common one, its name."""
        if not self.structure.correlated:
            return ()
        if self.structure.common:
            return (self.cor_name,)
        pairs = [(self.effects[k], self.effects[i]) for i in range(self.n_effects) for k in range(i)]
        return tuple(self._called("cor", a, b) for a, b in pairs)

    @functools.cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray, int]:
        """How rows meet the effects: codes (n,), columns (k, n) and effects that a row touches.

        Where every row touches one effect of its level, these are the codes of scalar effects, which are as many.
        """
        if not isinstance(self.coding, VisitCoding) or self.kind is not None:
            return self.codes, self.slopes, self.n_effects
        own = self.codes * self.n_effects + self.slopes.argmax(axis=0)
        return own.astype(np.int32), self.slopes[:0], 1

    def new_codes(self, data: pd.DataFrame) -> np.ndarray:
        """Return the level of each row of ``data``, int32 shape (n,); -1 where it was not learned."""
        codes = self.factor.codes(data)
        # Rows of another kind have columns of 0: any level will do.
        return codes if self.kind is None else np.where(self.kind.rows(data), codes, 0).astype(np.int32)

    def new_columns(self, data: pd.DataFrame) -> np.ndarray:
        """Return the columns that the effects multiply in rows of ``data``, shape (q, n)."""
        columns = np.ascontiguousarray(self.coding.matrix(data).T)
        return columns if self.kind is None else columns * self.kind.rows(data)

    def columns(self, centered: bool = False) -> np.ndarray:
        """Return the (q, n) columns that the effects multiply, the intercept's ones included.

        ``centered`` columns are those of the effects u~ of `origin`.
        """
        if not self.has_intercept:
            return self.slopes
        shift = self.origin[0, 1:, None] if centered else 0.0
        return np.vstack([np.ones((1, len(self.codes))), self.slopes + shift])


def group_effects(
    terms: tuple[GroupTerm, ...], data: pd.DataFrame, relationships: Mapping[str, Relationship] | None = None
) -> tuple[GroupEffects, ...]:
    """Code every group term of a formula; effects that are given twice for one factor are an error.

    Parameters
    ----------
    terms : tuple of GroupTerm
        Group terms.
    data : DataFrame
        n rows without missing values in the columns used.
    relationships : mapping of str to Relationship, optional
        Known covariances that ``known(1 | g, "A")`` names.
    """
    coded: list[GroupEffects] = []
    shared = Counter(frozenset(term.factor.columns) for term in terms)
    for term in terms:
        beside = shared[frozenset(term.factor.columns)] > 1
        effects = _term_effects(term, data, relationships or {}, term.structure or "" if beside else "")
        name, label = effects.name, effects.name
        earlier = [e for e in coded if set(e.factor.columns) == set(effects.factor.columns)]
        alike = [e for e in earlier if e.structure.keyword == effects.structure.keyword]
        twice = sorted({n for e in alike for n in e.effects} & set(effects.effects))
        if twice:
            message = f"the effect {twice[0]!r} of {name} is in two group terms; keep it in one of them."
            raise DataError([Problem(name, message, "duplicate effect")])
        if beside and term.structure is not None:
            label = f"{name}.{term.structure}"
        elif any(e.structure.keyword is None for e in earlier):
            label = ".".join([name, *effects.effects])
        coded += _kinds(replace(effects, label=label), data)
    return tuple(coded)


def _term_effects(
    term: GroupTerm, data: pd.DataFrame, relationships: Mapping[str, Relationship], qualifier: str
) -> GroupEffects:
    """Code one group term, its levels of all kinds together."""
    factor, codes = learn_factor(term.factor.columns, data)
    name = ":".join(factor.columns)
    coding: Coding | VisitCoding
    if term.structure == AUTOREGRESSIVE.keyword:
        coding, places = learn_visits(term, data)
        slopes = np.ascontiguousarray(np.eye(len(coding.names))[:, places])
        structure = autoregressive(coding.gaps)
    else:
        coding, matrix = learn_coding(term.effects, data)
        has_intercept = bool(coding.names) and coding.names[0] == INTERCEPT
        # A copy, also where there is nothing to copy: a view would keep the column of ones alive.
        slopes = np.array(matrix[:, 1:].T if has_intercept else matrix.T, order="C")
        structure = structure_for(len(coding.names), term.correlated)
    if term.structure == COMPOUND_SYMMETRY.keyword:
        structure = COMPOUND_SYMMETRY
        if len(coding.names) < 2:
            message = (
                f"{term} has one effect, which is correlated with nothing. Write (1 | {name}), or make levels of "
                f"numbers: cs(0 + C(visit) | {name})."
            )
            raise DataError([Problem(name, message, "structure")])
    if term.structure == KNOWN.keyword:
        factor, codes, structure = _with_relationship(term, data, factor, coding.names, relationships)
    return GroupEffects(name, factor, codes, coding.names, slopes, structure, coding, term, None, qualifier)


def _with_relationship(
    term: GroupTerm,
    data: pd.DataFrame,
    factor: Factor,
    effects: tuple[str, ...],
    relationships: Mapping[str, Relationship],
) -> tuple[Factor, np.ndarray, Structure]:
    """Return the levels of a known covariance: all its names, those without rows included, which are predicted."""
    key, name = str(dict(term.options)["covariance"]), ":".join(factor.columns)
    if len(effects) != 1 or term.by is not None:
        message = f'{term} needs one effect and no by=: known(1 | {name}, "{key}").'
        raise DataError([Problem(str(term), message, "known covariance")])
    if key not in relationships:
        given = ", ".join(map(repr, relationships)) or "none"
        message = (
            f"no known covariance is called {key!r}.{nearest(key, relationships)} Given: {given}. Give it as "
            f"known_covariances={{{key!r}: DataFrame}}, or below [known_covariances] in a specification."
        )
        raise DataError([Problem(str(term), message, "known covariance")])
    relationship = relationships[key]
    whole = Factor(factor.columns, relationship.names, pd.Index(relationship.names, dtype=object), as_text=True)
    codes = whole.codes(data)
    absent = sorted({factor.levels[k] for k in factor.codes(data[codes < 0])}) if (codes < 0).any() else []
    if absent:
        listing = ", ".join(map(repr, absent[:5])) + (", ..." if len(absent) > 5 else "")
        message = (
            f"{len(absent)} of {len(factor.levels)} levels have no row in the known covariance {key!r}: {listing}. "
            "Add them to the matrix, or leave their rows out of the data."
        )
        raise DataError([Problem(name, message, "known covariance")])
    return whole, codes, known(relationship)


def _kinds(whole: GroupEffects, data: pd.DataFrame) -> list[GroupEffects]:
    """Return a term as it is, or one term for each level of its ``by=``."""
    if whole.term is None or whole.term.by is None:
        return [whole]
    parts = []
    by, row_kinds = learn_factor((whole.term.by,), data)
    groups = (whole.name, whole.factor.levels, whole.codes)
    for kind in kinds_of(whole.term.by, (by.levels, by.values, row_kinds), groups, data.index):
        place = np.zeros(whole.n_levels, dtype=np.int32)
        place[kind.levels] = np.arange(len(kind.levels))
        parts.append(
            replace(
                whole,
                label=f"{whole.label}.{kind.label}",
                factor=whole.factor.part(kind.levels),
                codes=np.where(kind.inside, place[whole.codes], 0).astype(np.int32),
                slopes=np.ascontiguousarray(whole.columns() * kind.inside),
                kind=kind,
                qualifier=", ".join([whole.qualifier, kind.name]).removeprefix(", "),
            )
        )
    return parts
