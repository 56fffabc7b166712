"""Lambda(theta) of all group terms: block diagonal, one small block a term, applied to vectors and matrices."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.theta import LOWER_TRIANGLE, ThetaMap
from bayesglmm.design import Design
from bayesglmm.grouping import GroupEffects

__all__ = ["FactorLayout", "RelativeFactor"]


@dataclass(frozen=True, eq=False)
class FactorLayout:
    """Where the parameters of each group term's Lambda stand in theta.

    Attributes
    ----------
    groups : tuple of GroupEffects
        Group terms.
    slices : tuple of slice
        Each term's part of theta.
    maps : tuple of ThetaMap
        What Lambda each term's part stands for.
    """

    groups: tuple[GroupEffects, ...]
    slices: tuple[slice, ...]
    maps: tuple[ThetaMap, ...]

    @classmethod
    def of(cls, design: Design, entries: bool = False) -> FactorLayout:
        """Lay out theta for ``design``; with ``entries`` it holds the lower triangle of every Lambda."""
        maps = tuple(LOWER_TRIANGLE if entries else g.structure.theta for g in design.groups)
        slices, at = [], 0
        for group, own in zip(design.groups, maps, strict=True):
            size = own.size(group.n_effects)
            slices.append(slice(at, at + size))
            at += size
        return cls(design.groups, tuple(slices), maps)

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.slices[-1].stop if self.slices else 0

    @functools.cached_property
    def row_slices(self) -> tuple[slice, ...]:
        """Each term's rows of the (m, n) arrays of `EffectColumns`."""
        stops = np.cumsum([0, *(g.n_effects for g in self.groups)]).tolist()
        return tuple(slice(a, b) for a, b in itertools.pairwise(stops))

    @functools.cached_property
    def effect_slices(self) -> tuple[slice, ...]:
        """Each term's part of u."""
        stops = np.cumsum([0, *(g.size for g in self.groups)]).tolist()
        return tuple(slice(a, b) for a, b in itertools.pairwise(stops))

    @functools.cached_property
    def diagonal(self) -> np.ndarray:
        """Which entries of theta are diagonal entries of a Lambda (kept >= 0), bool, shape (size,)."""
        parts = [own.diagonal(g.n_effects) for g, own in zip(self.groups, self.maps, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)

    def at(self, theta: np.ndarray) -> RelativeFactor:
        """Return Lambda at ``theta``."""
        blocks = tuple(
            own.factor(theta[s], g.n_effects) for g, s, own in zip(self.groups, self.slices, self.maps, strict=True)
        )
        return RelativeFactor(self, blocks, theta)

    def natural(self, sds: Sequence[np.ndarray]) -> np.ndarray:
        """Return the natural scale of each entry of theta (size,), given each term's of its standard deviations."""
        parts = [m.natural(s, g.n_effects) for m, s, g in zip(self.maps, sds, self.groups, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return positions in theta of parameters that say nothing once their first is zero (`ThetaMap.columns`)."""
        parts = zip(self.groups, self.slices, self.maps, strict=True)
        return tuple(part.start + members for g, part, own in parts for members in own.columns(g.n_effects))

    @functools.cached_property
    def scales(self) -> np.ndarray:
        """Which entries of theta are as many times larger as Lambda is, bool, shape (size,)."""
        parts = [own.scales(g.n_effects) for g, own in zip(self.groups, self.maps, strict=True)]
        return np.concatenate([np.zeros(0, dtype=bool), *parts])

    def lifted(self, theta: np.ndarray, least: np.ndarray) -> np.ndarray:
        """Return theta inside its bounds (`ThetaMap.lifted`)."""
        parts = zip(self.groups, self.slices, self.maps, strict=True)
        return np.concatenate([np.zeros(0), *(m.lifted(theta[s], least[s], g.n_effects) for g, s, m in parts)])

    def mixes(self) -> tuple[bool, ...]:
        """Return, for each of `columns`, whether it is a column of a Lambda."""
        return tuple(m.mixes for g, m in zip(self.groups, self.maps, strict=True) for _ in m.columns(g.n_effects))


@dataclass(frozen=True, eq=False)
class RelativeFactor:
    """Lambda of the effects at the columns' means, block diagonal: ``blocks[t]`` (q, q) once for every level of term t.

    A fit works with centred columns (`GroupEffects.origin`): it does not depend on where a covariate has its zero.
    """

    layout: FactorLayout
    blocks: tuple[np.ndarray, ...]
    theta: np.ndarray

    @property
    def natural_blocks(self) -> tuple[np.ndarray, ...]:
        """Lambda of the effects as the formula codes them: G = B Lambda Lambda' B'."""
        return tuple(g.origin @ block for g, block in zip(self.layout.groups, self.blocks, strict=True))

    def effects(self, z: np.ndarray) -> np.ndarray:
        """Return the group effects u, as the formula codes them, of z (Q,) or (Q, k)."""
        u = np.empty_like(z)
        for group, block, part in zip(self.layout.groups, self.natural_blocks, self.layout.effect_slices, strict=True):
            stacked = z[part].reshape(group.n_levels, group.n_effects, -1)
            u[part] = (block @ stacked).reshape(z[part].shape)
        return u

    def rows(self, value: np.ndarray) -> np.ndarray:
        """Return the rows of Z Lambda at the effects that they touch, given those of Z, both (m, n)."""
        out = np.empty_like(value)
        for group, block, part in zip(self.layout.groups, self.blocks, self.layout.row_slices, strict=True):
            out[part] = block.T @ value[part] if group.n_effects > 1 else block[0, 0] * value[part]
        return out

    def pull_back(self, gradients: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the gradient in theta, given the gradient in each block (q, q)."""
        of_terms = zip(self.layout.maps, self.layout.slices, gradients, strict=True)
        parts = [own.pull_back(self.theta[part], G) for own, part, G in of_terms]
        return np.concatenate(parts) if parts else np.zeros(0)
