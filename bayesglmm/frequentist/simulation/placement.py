"""Where draws are placed: z = centre + C t, around the conditional modes as they move, or from the prior.

Around the modes, centre = z^ and C C' = H^-1, H = I + A' W A the joint curvature of each block: both follow the
parameters, so that the weights stay even wherever the search goes (Skaug 2002), and for Gaussian responses with normal
draws they are constant. The gradient follows too. With g the slope of the log weight in z, averaged over draws by their
weights, and M the average of g t' (its upper triangle: C is upper triangular),

    d(centre) = H^-1 d(A'd1 - z)|_z,    dC = -C Phi',    Phi = lower half of C' dH C, its diagonal halved,
    g' d(centre) + <M, dC> - <H^-1, dH> / 2 = g' d(centre) + <P, dH>,    P = -C sym(lower half of M'C) C' - H^-1 / 2,

and dH is a sum over rows as in `engine.marginal`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.engine.pirls import Mode, find_mode
from bayesglmm.frequentist.simulation.partition import Partition

__all__ = ["AroundModes", "FromPrior", "Placed", "Placement", "RowSums"]

type RowSums = tuple[np.ndarray, np.ndarray, np.ndarray]


type Parameters = tuple[np.ndarray, np.ndarray, np.ndarray]


class Placed(Protocol):
    """Places at one x, effects in the order of `Partition.effects`."""

    @property
    def kernel_arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centre (Q,), C of every block one after another (sum D^2,), and log det C (B,)."""
        ...

    @property
    def follows(self) -> bool:
        """Whether places depend on x."""
        ...

    def pull_back(self, pull: np.ndarray, moments: np.ndarray, determinant: float) -> RowSums:
        """Return what the moving places add to the gradient, as sums over rows.

        Parameters
        ----------
        pull : ndarray, shape (Q,)
            Average slope of the log weights in z.
        moments : ndarray, shape (sum D^2,)
            Average of slope times t'.
        determinant : float
            1 to include log det C, 0 for a difference of two averages.

        Returns
        -------
        scores : ndarray, shape (n,)
            Coefficient of each row's X beta.
        cross : ndarray, shape (m, n)
            Coefficients of its entries of A.
        slopes : ndarray, shape (m, n)
            Coefficients of each row's log phi (m = 1), or of its auxiliary predictors (m = 2); (1, n) of zeros for
            places that do not move.
        """
        ...


class Placement(Protocol):
    """A rule for places."""

    def at(self, x: Parameters, start: np.ndarray) -> Placed | None:
        """Return the places at (beta, theta, working family scalars); None if there are none.

        Modes are searched from ``start`` (Q,).
        """
        ...

    def with_marginal(self, marginal: LaplaceMarginal) -> Placement:
        """Return the same rule for another response."""
        ...


@dataclass(frozen=True, eq=False)
class FromPrior:
    """z ~ N(0, I), whatever the data say (for normal draws)."""

    marginal: LaplaceMarginal
    partition: Partition

    def at(self, x: Parameters, start: np.ndarray) -> PlacedFromPrior:  # noqa: ARG002
        """Return the same places for every x."""
        return PlacedFromPrior(self.partition, self.marginal.rows.effects.index.shape)

    def with_marginal(self, marginal: LaplaceMarginal) -> FromPrior:
        """Return the same rule for another response."""
        return replace(self, marginal=marginal)


@dataclass(frozen=True, eq=False)
class PlacedFromPrior:
    """Places of `FromPrior`; ``shape`` is (m, n)."""

    partition: Partition
    shape: tuple[int, ...]
    follows: bool = False

    @property
    def kernel_arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centre 0 and C = I."""
        scale = np.zeros(int(self.partition.entry_starts[-1]))
        for _, _, entries in self.partition.by_size():
            scale[np.diagonal(entries, axis1=1, axis2=2)] = 1.0
        return np.zeros(len(self.partition.block)), scale, np.zeros(self.partition.n_blocks)

    def pull_back(self, pull: np.ndarray, moments: np.ndarray, determinant: float) -> RowSums:  # noqa: ARG002
        """Return nothing: the places stay where they are."""
        return np.zeros(self.shape[1]), np.zeros(self.shape), np.zeros((1, self.shape[1]))


@dataclass(frozen=True, eq=False)
class AroundModes:
    """Draws around the conditional modes with the joint curvature there."""

    marginal: LaplaceMarginal
    partition: Partition

    def at(self, x: Parameters, start: np.ndarray) -> PlacedAroundModes | None:
        """Find modes and curvature at x."""
        beta, theta, family = x
        design, factor = self.marginal.design, self.marginal.layout.at(theta)
        fixed = design.offset + design.X @ beta
        rows, phi = self.marginal.rows.at(family)
        mode = find_mode(rows, fixed, factor, phi, start)
        if not mode.converged or mode.elimination is None:
            return None
        scale = _scales(self.partition, mode)
        return None if scale is None else PlacedAroundModes(self.partition, mode, scale)

    def with_marginal(self, marginal: LaplaceMarginal) -> AroundModes:
        """Return the same rule for another response."""
        return replace(self, marginal=marginal)


@dataclass(frozen=True, eq=False)
class PlacedAroundModes:
    """Places of `AroundModes`: the modes, and C of every block one after another (sum D^2,)."""

    partition: Partition
    mode: Mode
    scale: np.ndarray
    follows: bool = True

    @property
    def kernel_arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centre, C and log det C."""
        log_scale = np.empty(self.partition.n_blocks)
        for blocks, _, entries in self.partition.by_size():
            log_scale[blocks] = np.log(self.scale[np.diagonal(entries, axis1=1, axis2=2)]).sum(axis=1)
        return self.mode.z[self.partition.effects], self.scale, log_scale

    def pull_back(self, pull: np.ndarray, moments: np.ndarray, determinant: float) -> RowSums:
        """Return what the moving modes and curvature add to the gradient (see the top of this file)."""
        mode, A = self.mode, self.mode.A
        d1, d2, d3 = mode.rows[1:4]
        PA = self._times(self._curvature_slopes(moments, determinant))
        p = np.einsum("mn,mn->n", A.value, PA)
        c = -p * d3
        g = A.transposed_times(c)
        g[self.partition.effects] += pull
        assert mode.elimination is not None
        v = mode.elimination.solve(g)
        Av = A.times(v)
        scores = c + d2 * Av
        cross = scores * mode.z[A.index] + d1 * v[A.index] - 2.0 * d2 * PA
        return scores, cross, Av * mode.rows[5::3] - p * mode.rows[6::3]

    def _curvature_slopes(self, moments: np.ndarray, determinant: float) -> np.ndarray:
        """Return P of every block, (sum D^2,)."""
        P = np.empty_like(self.scale)
        for _, _, entries in self.partition.by_size():
            C = self.scale[entries]
            lower = np.tril(np.swapaxes(np.triu(moments[entries]), 1, 2) @ C)
            # The lower half with half its diagonal, made symmetric: half of lower + lower' without the diagonal twice.
            diagonal = np.einsum("kii->ki", lower)
            diagonal *= 0.5
            inner = -0.5 * (lower + np.swapaxes(lower, 1, 2))
            inner -= 0.5 * determinant * np.eye(C.shape[1])
            P[entries] = C @ inner @ np.swapaxes(C, 1, 2)
        return P

    def _times(self, P: np.ndarray) -> np.ndarray:
        """Return P a_i at the effects that row i touches, (m, n)."""
        A = self.mode.A
        out = np.zeros_like(A.value)
        for k, c, entries in _row_entries(self.partition):
            out[k] += P[entries] * A.value[c]
        return out


def _row_entries(partition: Partition) -> list[tuple[int, int, np.ndarray]]:
    """Return, for each pair of the effects that rows touch, where its entry of the block's matrix stands, (n,)."""
    index = partition.index
    block = partition.block[index[0]]
    place, size, begin = partition.place[index], partition.sizes[block], partition.entry_starts[block]
    return [(k, c, begin + place[k] * size + place[c]) for k in range(len(index)) for c in range(len(index))]


def _scales(partition: Partition, mode: Mode) -> np.ndarray | None:
    """Return C = L'^-1 with H = L L' of every block, (sum D^2,); None if some H is not positive definite."""
    A = mode.A
    H = np.zeros(int(partition.entry_starts[-1]))
    for k, c, entries in _row_entries(partition):
        H += np.bincount(entries, -mode.rows[2] * A.value[k] * A.value[c], minlength=len(H))
    scale = np.empty_like(H)
    for _, _, entries in partition.by_size():
        curvature = H[entries] + np.eye(entries.shape[1])
        try:
            L = np.linalg.cholesky(curvature)
        except np.linalg.LinAlgError:
            return None
        scale[entries] = np.triu(np.swapaxes(np.linalg.inv(L), 1, 2))
    return scale
