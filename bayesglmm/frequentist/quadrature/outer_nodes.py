"""Where the nodes of outer effects stand: at the joint mode, scaled by the joint curvature's inverse.

Let H be the joint curvature of the outer effects and all that lie within, E the columns of the identity that pick the
outer ones: (E' H^-1 E)^-1 = S is the outer curvature with the inner effects profiled out (a Schur complement), and
C = R^-1 with S = R'R. Then dS = T' dH T with T = H^-1 E S, so that the formulas of `group_integral` hold with T K T' in
the place of K and the joint v = H^-1 (E g + A'c).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.pirls import Mode, find_mode
from bayesglmm.frequentist.quadrature.integrand import JointRows, RowsAt
from bayesglmm.frequentist.quadrature.nesting import Level, Section

__all__ = ["OuterNodes", "Pull", "joint_nodes", "prior_nodes"]


@dataclass(frozen=True, eq=False)
class Pull:
    """What the movement of the nodes adds to the gradient of an integral.

    Attributes
    ----------
    r : ndarray, shape (1 + m, n)
        In the rows' fixed part, then in their m auxiliary predictors.
    G : tuple of ndarray, each shape (J, S, q, q)
        In each section's Lambda of the outer level and of each within, summed within the J outer groups.
    slope : ndarray, shape (J,)
        In log phi; 0 with auxiliary predictors.
    """

    r: np.ndarray
    G: tuple[np.ndarray, ...]
    slope: np.ndarray


@dataclass(frozen=True, eq=False)
class OuterNodes:
    """The nodes center + C t_k of each of J outer groups.

    Attributes
    ----------
    center : ndarray, shape (J, q)
        Modes.
    C : ndarray, shape (J, q, q)
        Upper triangular.
    joint : _Joint or None
        What they follow; None for nodes that do not move.
    """

    center: np.ndarray
    C: np.ndarray
    joint: _Joint | None


@dataclass(frozen=True, eq=False)
class _Joint:
    """The joint mode of the outer effects and those within, and T (Q, q)."""

    rows: JointRows
    levels: tuple[Level, ...]
    mode: Mode
    elimination: Elimination
    T: np.ndarray

    def pull(self, C: np.ndarray, g: np.ndarray, N: np.ndarray) -> Pull:
        """Return what following the mode adds, given the weighted means g (J, q) and N (J, q, q)."""
        outer, A = self.levels[0], self.mode.A
        d1, d2, d3 = self.mode.rows[1:4]
        K = C @ (np.eye(C.shape[-1]) + np.triu(N) + np.triu(N, 1).transpose(0, 2, 1)) @ C.transpose(0, 2, 1)
        b = np.array([A.times(np.ascontiguousarray(column)) for column in self.T.T])
        Kb = np.einsum("nab,bn->an", K[outer.codes], b)
        s = np.einsum("an,an->n", b, Kb)
        c = 0.5 * s * d3
        force = A.transposed_times(c)
        force[self.rows.positions[0]] += g
        v = self.elimination.solve(force)
        Av = A.times(v)
        r = c + d2 * Av
        G = tuple(self._block_gradients(r, d1, d2, v, Kb))
        # One dispersion for all rows, or auxiliary predictors: slopes of each in turn.
        slopes = [0.5 * s * d2p + d1p * Av for d1p, d2p in zip(self.mode.rows[5::3], self.mode.rows[6::3], strict=True)]
        if len(slopes) == 1:
            return Pull(r[None], G, outer.sums(slopes[0]))
        return Pull(np.array([r, *slopes]), G, np.zeros(outer.n_groups))

    def _block_gradients(
        self, r: np.ndarray, d1: np.ndarray, d2: np.ndarray, v: np.ndarray, Kb: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield the gradient in each level's Lambda of each section, (J, S, q, q)."""
        outer = self.levels[0]
        for level, where in zip(self.levels, self.rows.positions, strict=True):
            at = where[level.codes]
            Ka = np.einsum("nkr,rn->nk", self.T[at], Kb)
            moved = r[:, None] * self.mode.z[at] + d2[:, None] * Ka + d1[:, None] * v[at]
            parts = [_outside_zero(level, section, moved) for section in level.sections]
            sums = [[[outer.sums(x * column) for column in part.T] for x in level.columns] for part in parts]
            yield np.moveaxis(np.array(sums), -1, 0)


def _outside_zero(level: Level, section: Section, values: np.ndarray) -> np.ndarray:
    """Return ``values`` (n, q) with zeros in the rows of other sections."""
    if len(level.sections) == 1:
        return values
    rows = level.rows_of(section)
    out = np.zeros_like(values)
    out[rows] = values[rows]
    return out


def prior_nodes(level: Level) -> OuterNodes:
    """Return nodes that stand where the effects' distribution is."""
    J, q = level.n_groups, level.n_effects
    return OuterNodes(np.zeros((J, q)), np.broadcast_to(np.eye(q), (J, q, q)), None)


def joint_nodes(
    rows: JointRows,
    levels: tuple[Level, ...],
    fixed: np.ndarray,
    factor: RelativeFactor,
    at: RowsAt,
    start: np.ndarray,
) -> tuple[OuterNodes, np.ndarray] | None:
    """Return the adapted nodes of the first of ``levels`` and the joint mode z (Q,); None if it is not found.

    Parameters
    ----------
    rows : JointRows
        Data of ``levels``.
    levels : tuple of Level
        The outer level and all within.
    fixed : ndarray, shape (n,)
        Linear predictor without their effects.
    factor : RelativeFactor
        Lambda of all terms of the design.
    at : RowsAt
        What is known of the rows.
    start : ndarray, shape (Q,)
        Where the search for the mode starts.
    """
    own, data = rows.factor(factor), replace(rows.rows, size=at.size)
    mode = find_mode(data, fixed, own, at.phi, start)
    if mode.converged:
        # A search may end 1e-8 from the mode, where h is as high but C, and so the sum, is not yet what it is there.
        mode = find_mode(data, fixed, own, at.phi, mode.z)
    if not mode.converged or mode.elimination is None:
        return None
    outer, where = levels[0], rows.positions[0]
    E = np.zeros((len(mode.z), outer.n_effects))
    for k, place in enumerate(where.T):
        E[place, k] = 1.0
    T = mode.elimination.solve(E)
    S = np.linalg.inv(T[where])
    C = np.linalg.inv(np.linalg.cholesky(0.5 * (S + S.transpose(0, 2, 1)))).transpose(0, 2, 1)
    for level, place in zip(levels, rows.positions, strict=True):
        T[place] = T[place] @ S[outer.groups_within(level)]
    return OuterNodes(mode.z[where], C, _Joint(rows, levels, mode, mode.elimination, T)), mode.z
