"""Lambda(theta) of all group terms: block diagonal, one small block a term, applied to vectors and matrices."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

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
    """

    groups: tuple[GroupEffects, ...]
    slices: tuple[slice, ...]

    @classmethod
    def of(cls, design: Design) -> FactorLayout:
        """Lay out theta for ``design``."""
        slices, at = [], 0
        for group in design.groups:
            size = group.structure.theta.size(group.n_effects)
            slices.append(slice(at, at + size))
            at += size
        return cls(design.groups, tuple(slices))

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
        parts = [g.structure.theta.diagonal(g.n_effects) for g in self.groups]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)

    def at(self, theta: np.ndarray) -> RelativeFactor:
        """Return Lambda at ``theta``."""
        blocks = tuple(
            g.structure.theta.factor(theta[s], g.n_effects) for g, s in zip(self.groups, self.slices, strict=True)
        )
        return RelativeFactor(self, blocks)


@dataclass(frozen=True, eq=False)
class RelativeFactor:
    """Lambda of the effects at the columns' means, block diagonal: ``blocks[t]`` (q, q) once for every level of term t.

    A fit works with centred columns (`GroupEffects.origin`): it does not depend on where a covariate has its zero.
    """

    layout: FactorLayout
    blocks: tuple[np.ndarray, ...]

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
        parts = [g.structure.theta.pull_back(G) for g, G in zip(self.layout.groups, gradients, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)
