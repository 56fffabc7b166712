"""Group terms as a chain of nested levels: which integrals lie inside which."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError
from bayesglmm.grouping import GroupEffects

__all__ = ["MAX_EFFECTS", "MAX_NODES", "Level", "check_nodes", "nested_levels"]

#: The product of one-dimensional rules is the wrong tool for more effects of one group.
MAX_EFFECTS = 3

#: Nodes of all levels together (100 points for 3 effects): each costs an evaluation of every row.
MAX_NODES = 10**6


@dataclass(frozen=True, eq=False)
class Level:
    """Every group term of one grouping of the rows: one integral a group.

    Attributes
    ----------
    terms : tuple of int
        Positions of the terms among those of the design.
    codes : ndarray of int64, shape (n,)
        Group of each row, 0..J-1.
    columns : ndarray, shape (q, n)
        What the q effects of all terms multiply (centred, see `GroupEffects.columns`).
    levels : tuple of ndarray of int64, each shape (J,)
        For each term, the level of its own factor that each group is.
    """

    terms: tuple[int, ...]
    codes: np.ndarray
    columns: np.ndarray
    levels: tuple[np.ndarray, ...]

    @property
    def n_groups(self) -> int:
        """Number of groups J."""
        return len(self.levels[0])

    @property
    def n_effects(self) -> int:
        """Number of effects q of each group."""
        return len(self.columns)

    @functools.cached_property
    def order(self) -> np.ndarray:
        """Rows sorted by group, shape (n,)."""
        return np.argsort(self.codes, kind="stable")

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where each group begins in ``order``, shape (J + 1,)."""
        return np.searchsorted(self.codes[self.order], np.arange(self.n_groups + 1))

    def groups_within(self, inner: Level) -> np.ndarray:
        """Return the group of this level that holds each group of a level nested in it, shape (J of inner,)."""
        return self.codes[inner.order[inner.starts[:-1]]]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of ``values`` (n,) over the rows of each group, shape (J,)."""
        return np.bincount(self.codes, weights=values, minlength=self.n_groups)


def nested_levels(design: Design, method: str) -> tuple[Level, ...]:
    """Return the levels of ``design`` from the coarsest grouping to the finest.

    Raises
    ------
    SpecificationError
        Groups of two terms cross, or a level has more than `MAX_EFFECTS` effects.
    """
    coarse_first = sorted(range(len(design.groups)), key=lambda t: design.groups[t].n_levels)
    chains: list[list[int]] = []
    for t in coarse_first:
        previous = design.groups[chains[-1][0]] if chains else None
        if previous is not None and not _nested(previous, design.groups[t]):
            raise _crossed(method, previous, design.groups[t])
        if previous is not None and previous.n_levels == design.groups[t].n_levels:
            chains[-1].append(t)
        else:
            chains.append([t])
    levels = tuple(_level(design, tuple(sorted(chain))) for chain in chains)
    for level in levels:
        if level.n_effects > MAX_EFFECTS:
            raise _too_many_effects(method, [design.groups[t] for t in level.terms], level.n_effects)
    return levels


def check_nodes(levels: tuple[Level, ...], points: int, method: str) -> None:
    """Raise SpecificationError if ``points`` in every direction of all nested levels are more than `MAX_NODES`."""
    q = sum(level.n_effects for level in levels)
    if points**q > MAX_NODES:
        most = int(MAX_NODES ** (1.0 / q) + 1e-9)
        raise SpecificationError(
            f"method {method!r} with points={points} would evaluate every row at {points} ** {q} nodes, since the "
            f"{q} effects of the nested groups multiply; at most {MAX_NODES:,} are allowed. Choose points={most} or "
            'fewer, or use "laplace", or sample the posterior (model.sample()).'
        )


def _nested(outer: GroupEffects, inner: GroupEffects) -> bool:
    """Whether every level of ``inner`` lies within one of ``outer``."""
    _, first = np.unique(inner.codes, return_index=True)
    return bool((outer.codes[first][inner.codes] == outer.codes).all())


def _level(design: Design, terms: tuple[int, ...]) -> Level:
    groups = [design.groups[t] for t in terms]
    codes = groups[0].codes.astype(np.int64)
    _, first = np.unique(codes, return_index=True)
    columns = np.vstack([g.columns(centered=True) for g in groups])
    levels = tuple(g.codes[first].astype(np.int64) for g in groups)
    return Level(terms, codes, np.ascontiguousarray(columns), levels)


def _crossed(method: str, a: GroupEffects, b: GroupEffects) -> SpecificationError:
    pairs = zip(a.codes.tolist(), b.codes.tolist(), strict=True)
    met: dict[int, int] = {}
    level, other = next((i, j) for i, j in pairs if met.setdefault(j, i) != i)
    first = met[other]
    return SpecificationError(
        f"method {method!r} does not apply: {a.name} and {b.name} cross ({b.name} {b.factor.levels[other]!r} is found "
        f"in {a.name} {a.factor.levels[first]!r} and in {a.factor.levels[level]!r}), so that the integral over their "
        "effects does not factor into small ones, one a group, which quadrature needs. Nested factors (1 | a/b) are "
        'allowed. Use "laplace" or "mcml", or sample the posterior (model.sample()).'
    )


def _too_many_effects(method: str, groups: list[GroupEffects], q: int) -> SpecificationError:
    effects = ", ".join(itertools.chain.from_iterable(g.effects for g in groups))
    return SpecificationError(
        f"method {method!r} does not apply: {groups[0].name} has {q} effects a level ({effects}), and the nodes of "
        f"each multiply with those of the others; at most {MAX_EFFECTS} are allowed. Leave effects out, use "
        '"laplace" or "mcml", or sample the posterior (model.sample()).'
    )
