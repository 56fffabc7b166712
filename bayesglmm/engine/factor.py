"""Lambda(theta) of all group terms: block diagonal, one small block a term, applied to vectors and matrices."""

from __future__ import annotations

import functools
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
    """Lambda, block diagonal: ``blocks[t]`` (q, q) stands once for every level of term t."""

    layout: FactorLayout
    blocks: tuple[np.ndarray, ...]

    def times(self, M: np.ndarray) -> np.ndarray:
        """Return Lambda M for M of shape (Q,) or (Q, k)."""
        return self._apply(M, transposed=False)

    def transposed_times(self, M: np.ndarray) -> np.ndarray:
        """Return Lambda' M for M of shape (Q,) or (Q, k)."""
        return self._apply(M, transposed=True)

    def _apply(self, M: np.ndarray, transposed: bool) -> np.ndarray:
        out = np.empty_like(M)
        at = 0
        for group, block in zip(self.layout.groups, self.blocks, strict=True):
            part = slice(at, at + group.size)
            B = block.T if transposed else block
            stacked = M[part].reshape(group.n_levels, group.n_effects, -1)
            out[part] = (B @ stacked).reshape(M[part].shape)
            at += group.size
        return out

    def pull_back(self, pairs: list[tuple[np.ndarray, np.ndarray]], B: np.ndarray) -> np.ndarray:
        """Return the gradient in theta, given the gradient in Lambda as sums over levels.

        Parameters
        ----------
        pairs : list of (a, b), each shape (Q,)
            Contribute sum_j a_j b_j' to the gradient of a term's block.
        B : ndarray, shape (Q, Q)
            Contributes the sum of its diagonal blocks.
        """
        gradient = np.empty(self.layout.size)
        at = 0
        for group, where in zip(self.layout.groups, self.layout.slices, strict=True):
            J, q = group.n_levels, group.n_effects
            part = slice(at, at + group.size)
            levels = np.arange(J)
            G = B[part, part].reshape(J, q, J, q)[levels, :, levels, :].sum(axis=0)
            for a, b in pairs:
                G = G + a[part].reshape(J, q).T @ b[part].reshape(J, q)
            gradient[where] = group.structure.theta.pull_back(G)
            at += group.size
        return gradient
