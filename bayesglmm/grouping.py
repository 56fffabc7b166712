"""Group terms as index codes: the level a row belongs to, and the few columns its effects multiply; never a dense Z."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayesglmm.coding import INTERCEPT, Coding, learn_coding
from bayesglmm.covariance import Structure, structure_for
from bayesglmm.errors import DataError, Problem
from bayesglmm.formula.tree import GroupTerm

__all__ = ["INTERCEPT", "Factor", "GroupEffects", "group_effects", "learn_factor"]


@dataclass(frozen=True, eq=False)
class Factor:
    """A grouping factor: the combinations of the values of one or more columns that occur in the data.

    Attributes
    ----------
    columns : tuple of str
        The columns that cross, ``("herd", "period")`` for ``herd:period``.
    levels : tuple of str
        Labels of the J levels; values of several columns are joined by ``:``.
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    _index: pd.Index = field(repr=False)

    def codes(self, data: pd.DataFrame) -> np.ndarray:
        """Return the level of each row of ``data``, int32 shape (n,); -1 where the level was not learned."""
        return np.asarray(self._index.get_indexer(_keys(data, self.columns)), dtype=np.int32)


def _keys(data: pd.DataFrame, names: tuple[str, ...]) -> pd.Index:
    if len(names) == 1:
        column = data[names[0]]
        if isinstance(column.dtype, pd.CategoricalDtype):
            # Compare by value: codes of another frame's categories mean something else. As objects, since a missing
            # value has no place in a dtype such as that of whole numbers.
            return pd.Index(column.astype(object))
        return pd.Index(column)
    parts = [_keys(data, (name,)) for name in names]
    return pd.MultiIndex.from_arrays(parts)


def learn_factor(names: tuple[str, ...], data: pd.DataFrame) -> tuple[Factor, np.ndarray]:
    """Learn the levels of a grouping factor (category order where there is one, else sorted).

    Returns
    -------
    Factor
        With J levels.
    ndarray of int32, shape (n,)
        The level of each row.
    """
    coded = [_codes_and_values(data[name]) for name in names]
    combined = np.zeros(len(data), dtype=np.int64)
    for codes, values in coded:
        combined = combined * len(values) + codes
    occurring, row_codes = np.unique(combined, return_inverse=True)
    positions = []
    rest = occurring
    for _, values in reversed(coded):
        positions.append(rest % len(values))
        rest = rest // len(values)
    places = list(reversed(positions))
    parts = [values[at] for (_, values), at in zip(coded, places, strict=True)]
    texts = [pd.Index(values).astype(str).to_numpy()[at] for (_, values), at in zip(coded, places, strict=True)]
    labels = tuple(":".join(level) for level in zip(*texts, strict=True))
    if len(set(labels)) < len(labels):
        twice = pd.Series(labels).loc[lambda s: s.duplicated()].iloc[0]
        message = (
            f"two different values print as the same level {twice!r} (for instance 1 and '1'); "
            "make the column all text or all numbers."
        )
        raise DataError([Problem(":".join(names), message, "levels")])
    index = pd.Index(parts[0]) if len(parts) == 1 else pd.MultiIndex.from_arrays(parts)
    return Factor(names, labels, index), row_codes.astype(np.int32)


def _codes_and_values(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), np.asarray(column.cat.categories)
    codes, values = pd.factorize(column)
    try:
        order = np.argsort(np.asarray(values), kind="stable")
    except TypeError:  # values of mixed types have no order: keep that of appearance
        return codes, np.asarray(values, dtype=object)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], np.asarray(values)[order]


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
    coding : Coding
        How the effects' columns were coded.
    """

    label: str
    factor: Factor
    codes: np.ndarray
    effects: tuple[str, ...]
    slopes: np.ndarray
    structure: Structure
    coding: Coding = field(repr=False)

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
        return self.effects[0] == INTERCEPT

    @property
    def size(self) -> int:
        """Number of group effects J q."""
        return self.n_levels * self.n_effects

    @property
    def n_correlations(self) -> int:
        """Number of unconstrained coordinates of the correlation matrix."""
        return self.structure.coordinates(self.n_effects)

    def sd_name(self, effect: str) -> str:
        """Return the name of an effect's standard deviation, ``sd(female)`` or ``sd(subject, days)``."""
        factor = self.name
        return f"sd({factor})" if self.effects == (INTERCEPT,) else f"sd({factor}, {effect})"

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
        return f"{factor}[{level}]" if self.effects == (INTERCEPT,) else f"{factor}[{level}, {effect}]"

    def cor_names(self) -> tuple[str, ...]:
        """Return the names of the correlations, row by row of the lower triangle."""
        if not self.structure.correlated:
            return ()
        factor = self.name
        pairs = [(self.effects[k], self.effects[i]) for i in range(self.n_effects) for k in range(i)]
        return tuple(f"cor({factor}, {a}, {b})" for a, b in pairs)

    def columns(self, centered: bool = False) -> np.ndarray:
        """Return the (q, n) columns that the effects multiply, the intercept's ones included.

        ``centered`` columns are those of the effects u~ of `origin`.
        """
        if not self.has_intercept:
            return self.slopes
        shift = self.origin[0, 1:, None] if centered else 0.0
        return np.vstack([np.ones((1, len(self.codes))), self.slopes + shift])


def group_effects(terms: tuple[GroupTerm, ...], data: pd.DataFrame) -> tuple[GroupEffects, ...]:
    """Code every group term of a formula; effects that are given twice for one factor are an error."""
    coded: list[GroupEffects] = []
    for term in terms:
        factor, codes = learn_factor(term.factor.columns, data)
        coding, matrix = learn_coding(term.effects, data)
        names = coding.names
        has_intercept = bool(names) and names[0] == INTERCEPT
        # A copy, also where there is nothing to copy: a view would keep the column of ones alive.
        slopes = np.array(matrix[:, 1:].T if has_intercept else matrix.T, order="C")
        earlier = [e for e in coded if set(e.factor.columns) == set(factor.columns)]
        twice = sorted({n for e in earlier for n in e.effects} & set(names))
        name = ":".join(factor.columns)
        if twice:
            message = f"the effect {twice[0]!r} of {name} is in two group terms; keep it in one of them."
            raise DataError([Problem(name, message, "duplicate effect")])
        label = ".".join([name, *names]) if earlier else name
        structure = structure_for(len(names), term.correlated)
        coded.append(GroupEffects(label, factor, codes, names, slopes, structure, coding))
    return tuple(coded)
