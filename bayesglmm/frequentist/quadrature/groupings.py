"""Groupings of the rows by the group terms: a term's levels, those of all kinds of a term with ``by=`` together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.design import Design
from bayesglmm.grouping import GroupEffects

__all__ = ["Grouping", "groupings"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """The levels of a group term, or of the terms that ``by=`` took one apart into.

    Attributes
    ----------
    terms : tuple of int
        Positions of the terms among those of the design, one a kind.
    name : str
        Name of the grouping factor.
    effects : tuple of str
        Names of the effects of each level.
    labels : tuple of str
        Levels, kind after kind.
    codes : ndarray of int64, shape (n,)
        Level of each row.
    kinds, own : ndarray of int64, shape (J,)
        For each level the position of its term in ``terms``, and which of that term's levels it is.
    """

    terms: tuple[int, ...]
    name: str
    effects: tuple[str, ...]
    labels: tuple[str, ...]
    codes: np.ndarray
    kinds: np.ndarray
    own: np.ndarray

    @property
    def n_levels(self) -> int:
        """Number of levels J."""
        return len(self.labels)


def groupings(design: Design) -> tuple[Grouping, ...]:
    """Return the groupings of a design in the order of their first terms."""
    found: list[list[int]] = []
    for t, group in enumerate(design.groups):
        # The kinds of one term stand one after the other.
        before = design.groups[t - 1] if t else None
        if before is not None and group.kind is not None and before.kind is not None and group.term == before.term:
            found[-1].append(t)
        else:
            found.append([t])
    return tuple(_grouping(tuple(terms), [design.groups[t] for t in terms]) for terms in found)


def _grouping(terms: tuple[int, ...], groups: list[GroupEffects]) -> Grouping:
    counts = [group.n_levels for group in groups]
    codes = np.zeros(len(groups[0].codes), dtype=np.int64)
    for group, start in zip(groups, np.cumsum([0, *counts[:-1]]), strict=True):
        inside = slice(None) if group.kind is None else group.kind.inside
        codes[inside] = start + group.codes[inside]
    return Grouping(
        terms,
        groups[0].name,
        groups[0].effects,
        tuple(label for group in groups for label in group.factor.levels),
        codes,
        np.repeat(np.arange(len(groups)), counts),
        np.concatenate([np.arange(count) for count in counts]),
    )
