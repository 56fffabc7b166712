"""The sum over the nodes of outer effects, group by group: its logarithm and weighted means, one node at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.frequentist.quadrature.nesting import Level

__all__ = ["Mixture"]


@dataclass(eq=False)
class Mixture:
    """A running log-sum-exp of J groups with the weighted means of what comes with each term.

    Nothing of a node is kept but its share, so that memory does not grow with their number.

    Attributes
    ----------
    level, within : Level
        The groups that are summed for, and the groups one level further in.
    shift, total : ndarray, shape (J,)
        The sum so far is exp(shift) total.
    r : ndarray, shape (1 + m, n)
        Sum of shares times the rows' gradients, in the fixed part and in their m auxiliary predictors.
    parts : list of ndarray, each shape (J, ...)
        Sums of shares times g (J, q), N (J, q, q), slope (J,), the gradients in each group's own Lambda
        (J, q, q) and those in the sections' of each level within (J, S, q, q), in the notation of `group_integral`.
    """

    level: Level
    within: Level
    shift: np.ndarray
    total: np.ndarray
    r: np.ndarray
    parts: list[np.ndarray]

    @classmethod
    def over(cls, levels: tuple[Level, ...], n_auxiliary: int) -> Mixture:
        """Start an empty sum for the groups of the first of nested ``levels``."""
        J, q = levels[0].n_groups, levels[0].n_effects
        shapes = [(J, q), (J, q, q), (J,), (J, q, q)]
        shapes += [(J, len(level.sections), level.n_effects, level.n_effects) for level in levels[1:]]
        empty = [np.zeros(shape) for shape in shapes]
        r = np.zeros((1 + n_auxiliary, len(levels[0].codes)))
        return cls(levels[0], levels[1], np.full(J, -np.inf), np.zeros(J), r, empty)

    def add(
        self,
        t: np.ndarray,
        log_weight: float,
        z: np.ndarray,
        C: np.ndarray,
        a: np.ndarray,
        value: np.ndarray,
        r: np.ndarray,
        G: tuple[np.ndarray, ...],
        slope: np.ndarray,
    ) -> None:
        """Add one node: t (q,), effects z (J, q), rows a (q, n) of Z Lambda, and the inner groups' integrals there."""
        parents = self.level.groups_within(self.within)
        h = log_weight + 0.5 * (t @ t - np.einsum("jq,jq->j", z, z)) + _sums(parents, value, len(z))
        new = np.maximum(self.shift, h)
        possible = new > -np.inf
        with np.errstate(invalid="ignore"):
            kept = np.where(possible, np.exp(self.shift - new), 1.0)
            share = np.where(possible, np.exp(h - new), 0.0)
        share = np.where(np.isnan(h), np.nan, share)
        r = np.where(share[self.level.codes] == 0.0, 0.0, r)  # where the rows are impossible slopes need not be finite
        pull = np.array([self.level.sums(x * r[0]) for x in self.level.columns]).T
        force = np.array([self.level.sums(row * r[0]) for row in a]).T - z
        along = np.einsum("jab,ja->jb", C, force)
        gone = share[parents] == 0.0
        inner = [np.where(gone.reshape(-1, *[1] * (x.ndim - 1)), 0.0, x) for x in (slope, *G)]
        terms = [force, along[:, :, None] * t, *(_sums(parents, x, len(z)) for x in inner)]
        terms.insert(3, pull[:, :, None] * z[:, None, :])
        self.shift, self.total = new, kept * self.total + share
        self.r = kept[self.level.codes] * self.r + share[self.level.codes] * r
        self.parts = [_times(kept, old) + _times(share, x) for old, x in zip(self.parts, terms, strict=True)]

    def means(
        self,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
        """Return log of the sum (J,), weighted means r (1 + m, n), g, N, gradients in sections' Lambda, and slope."""
        with np.errstate(divide="ignore", invalid="ignore"):
            g, N, slope, *G = (_times(1.0 / self.total, part) for part in self.parts)
            value = self.shift + np.log(self.total)
            blocks = self.level.by_section(G[0]), *G[1:]
            return value, self.r / self.total[self.level.codes], g, N, blocks, slope


def _times(by: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Multiply ``values`` (J, ...) by ``by`` (J,)."""
    return by.reshape(-1, *[1] * (values.ndim - 1)) * values


def _sums(groups: np.ndarray, values: np.ndarray, n_groups: int) -> np.ndarray:
    """Return sums of ``values`` (J', ...) by group (J',), shape (J, ...)."""
    out = np.zeros((n_groups, *values.shape[1:]))
    np.add.at(out, groups, values)
    return out
