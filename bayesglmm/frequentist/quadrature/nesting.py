"""Group terms as a chain of nested levels: which integrals lie inside which."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.quadrature.groupings import Grouping, groupings

__all__ = ["MAX_EFFECTS", "MAX_NODES", "Level", "Section", "check_nodes", "nested_levels"]

#: The product of one-dimensional rules is the wrong tool for more effects of one group.
MAX_EFFECTS = 3

#: Nodes of all levels together (100 points for 3 effects): each costs an evaluation of every row.
MAX_NODES = 10**6


@dataclass(frozen=True, eq=False)
class Section:
    """Groups of a level that have a Lambda in common: all, but where terms have one for each kind (``by=``).

    Attributes
    ----------
    terms : tuple of int
        Positions of their terms among those of the design.
    groups : slice
        Which groups they are.
    """

    terms: tuple[int, ...]
    groups: slice


@dataclass(frozen=True, eq=False)
class Level:
    """Every group term of one grouping of the rows: one integral a group.

    Attributes
    ----------
    sections : tuple of Section
        Which terms the groups' effects are of.
    codes : ndarray of int64, shape (n,)
        Group of each row, 0..J-1.
    columns : ndarray, shape (q, n)
        What the q effects of all terms multiply (centred, see `GroupEffects.columns`).
    levels : tuple of ndarray of int64, each shape (J,)
        For each term of its section, the level of its own factor that each group is.
    """

    sections: tuple[Section, ...]
    codes: np.ndarray
    columns: np.ndarray
    levels: tuple[np.ndarray, ...]

    @property
    def terms(self) -> tuple[int, ...]:
        """Positions of all its terms among those of the design."""
        return tuple(dict.fromkeys(t for section in self.sections for t in section.terms))

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

    def rows_of(self, section: Section) -> np.ndarray:
        """Return the rows of the groups of a section."""
        return self.order[self.starts[section.groups.start] : self.starts[section.groups.stop]]

    def by_section(self, gradients: np.ndarray) -> np.ndarray:
        """Return gradients (J, q, q) in each group's Lambda as those in each section's, (J, S, q, q)."""
        if len(self.sections) == 1:
            return gradients[:, None]
        J, q = gradients.shape[:2]
        out = np.zeros((J, len(self.sections), q, q))
        for k, section in enumerate(self.sections):
            out[section.groups, k] = gradients[section.groups]
        return out

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
    coarse_first = sorted(groupings(design), key=lambda grouping: grouping.n_levels)
    chains: list[list[Grouping]] = []
    for grouping in coarse_first:
        previous = chains[-1][0] if chains else None
        if previous is not None and not _nested(previous, grouping):
            raise _crossed(method, previous, grouping)
        if previous is not None and previous.n_levels == grouping.n_levels:
            chains[-1].append(grouping)
        else:
            chains.append([grouping])
    for chain in chains:
        q = sum(len(grouping.effects) for grouping in chain)
        if q > MAX_EFFECTS:
            raise _too_many_effects(method, chain, q)
    return tuple(_level(design, sorted(chain, key=lambda grouping: grouping.terms)) for chain in chains)


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


def _nested(outer: Grouping, inner: Grouping) -> bool:
    """Whether every level of ``inner`` lies within one of ``outer``."""
    _, first = np.unique(inner.codes, return_index=True)
    return bool((outer.codes[first][inner.codes] == outer.codes).all())


def _level(design: Design, chain: list[Grouping]) -> Level:
    """Return a level of groupings that are the same, its groups sorted by the kinds that they are of."""
    codes = chain[0].codes
    _, first = np.unique(codes, return_index=True)
    kinds = np.array([grouping.kinds[grouping.codes[first]] for grouping in chain])
    order = np.lexsort(kinds[::-1])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first, kinds = first[order], kinds[:, order]
    ends = np.flatnonzero(np.r_[True, (kinds[:, 1:] != kinds[:, :-1]).any(axis=0), True])
    sections = tuple(
        Section(tuple(g.terms[k] for g, k in zip(chain, kinds[:, begin], strict=True)), slice(int(begin), int(end)))
        for begin, end in itertools.pairwise(ends)
    )
    columns = [sum(design.groups[t].columns(centered=True) for t in grouping.terms) for grouping in chain]
    levels = tuple(grouping.own[grouping.codes[first]] for grouping in chain)
    return Level(sections, rank[codes], np.ascontiguousarray(np.vstack(columns)), levels)


def _crossed(method: str, a: Grouping, b: Grouping) -> SpecificationError:
    pairs = zip(a.codes.tolist(), b.codes.tolist(), strict=True)
    met: dict[int, int] = {}
    level, other = next((i, j) for i, j in pairs if met.setdefault(j, i) != i)
    first = met[other]
    return SpecificationError(
        f"method {method!r} does not apply: {a.name} and {b.name} cross ({b.name} {b.labels[other]!r} is found "
        f"in {a.name} {a.labels[first]!r} and in {a.labels[level]!r}), so that the integral over their "
        "effects does not factor into small ones, one a group, which quadrature needs. Nested factors (1 | a/b) are "
        'allowed. Use "laplace" or "mcml", or sample the posterior (model.sample()).'
    )


def _too_many_effects(method: str, chain: list[Grouping], q: int) -> SpecificationError:
    effects = ", ".join(itertools.chain.from_iterable(grouping.effects for grouping in chain))
    return SpecificationError(
        f"method {method!r} does not apply: {chain[0].name} has {q} effects a level ({effects}), and the nodes of "
        f"each multiply with those of the others; at most {MAX_EFFECTS} are allowed. Leave effects out, use "
        '"laplace" or "mcml", or sample the posterior (model.sample()).'
    )
