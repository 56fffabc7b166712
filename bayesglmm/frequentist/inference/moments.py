"""The matrices that Kenward & Roger's adjustments are made of, from K = Z' V^-1 Z, (Q, Q) for Q group effects.

V = sum_i s_i G_i with s the entries of every term's covariance, G_i = Z S_i Z', and sigma^2, G = D. V^-1 Z follows from
the factored H = I + A' W A: V^-1 Z = W (Z - A T) with T = H^-1 A' W Z, and tr((V^-1 R)^2) = n - Q + tr(H^-2).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.theta import DIAGONAL_THETA, LOWER_TRIANGLE
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.frequentist.inference.linear_marginal import LinearMarginal, transposed
from bayesglmm.grouping import GroupEffects

__all__ = ["Pieces"]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Products that the moments are made of; entries of terms' covariances first, sigma^2 last.

    Attributes
    ----------
    entries : tuple of list of slice
        For each (co)variance the strided places of its effects in u, (a,) on the diagonal and (a, b) off it.
    U : ndarray, shape (Q, p)
        Z' V^-1 B with B (n, p) an orthonormal basis of X's columns.
    K, KR : ndarray, shape (Q, Q)
        Z' V^-1 Z, and Z' V^-1 D V^-1 Z with D = dV/dsigma^2.
    DD : float
        tr(V^-1 D V^-1 D).
    DVQ, VDVQ : ndarray, shape (n, p)
        D V^-1 B, and V^-1 of it.
    ZVDVQ : ndarray, shape (Q, p)
        Z' of that.
    VQ : ndarray, shape (n, p)
        V^-1 B.
    has_sigma : bool
        Whether sigma is estimated.
    """

    entries: tuple[tuple[slice, ...], ...]
    U: np.ndarray
    K: np.ndarray
    KR: np.ndarray
    DD: float
    DVQ: np.ndarray
    VDVQ: np.ndarray
    ZVDVQ: np.ndarray
    VQ: np.ndarray
    has_sigma: bool

    @classmethod
    def of(cls, marginal: LinearMarginal) -> Pieces:
        """Compute the pieces at the estimates."""
        design, Z = marginal.design, marginal.effects
        n, Q = design.n_rows, Z.size
        D = design.size**2
        sigma2 = float(marginal.residual[0] / D[0])
        ZWZ = _cross_products(Z, 1.0 / marginal.residual)
        AWZ = np.empty_like(ZWZ)
        for group, block, part in zip(
            design.groups, marginal.factor.blocks, marginal.factor.layout.effect_slices, strict=True
        ):
            stacked = ZWZ[part].reshape(group.n_levels, group.n_effects, Q)
            AWZ[part] = (block.T @ stacked).reshape(-1, Q)
        T = marginal.elimination.solve(AWZ)
        inverse = marginal.elimination.solve(np.eye(Q))
        K = ZWZ - AWZ.T @ T
        DVQ = D[:, None] * marginal.VQ
        VDVQ = marginal.solve(DVQ)
        return cls(
            entries=tuple(_entries(design.groups)),
            U=transposed(Z, marginal.VQ),
            K=K,
            KR=(K - T.T @ T) / sigma2,
            DD=(n - Q + float((inverse**2).sum())) / sigma2**2,
            DVQ=DVQ,
            VDVQ=VDVQ,
            ZVDVQ=transposed(Z, VDVQ),
            VQ=marginal.VQ,
            has_sigma=design.dispersion is not None,
        )

    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return P (r, p, p), Q (r, r, p, p) and tr(V^-1 G_i V^-1 G_j) (r, r)."""
        k, p = len(self.entries), self.U.shape[1]
        r = k + int(self.has_sigma)
        P, Q, traces = np.zeros((r, p, p)), np.zeros((r, r, p, p)), np.zeros((r, r))
        moved = [_moved(entry, self.U) for entry in self.entries]
        for i, entry in enumerate(self.entries):
            P[i] = -self.U.T @ moved[i]
            weighted = self.K @ moved[i]
            for j in range(k):
                Q[j, i] = moved[j].T @ weighted
                traces[j, i] = self._trace(entry, self.entries[j])
        if self.has_sigma:
            P[k] = -self.VQ.T @ self.DVQ
            Q[k, k] = self.DVQ.T @ self.VDVQ
            traces[k, k] = self.DD
            for i, entry in enumerate(self.entries):
                Q[k, i] = self.ZVDVQ.T @ moved[i]
                Q[i, k] = Q[k, i].T
                traces[i, k] = traces[k, i] = sum(float(np.trace(self.KR[a, b])) for a, b in _pairs(entry))
        return P, Q, traces

    def _trace(self, first: tuple[slice, ...], second: tuple[slice, ...]) -> float:
        """Return tr(K S_i K S_j), S the sum over levels of unit matrices at the places of an entry."""
        return sum(
            float(np.einsum("ij,ij->", self.K[c, b], self.K[a, d]))
            for (a, c), (b, d) in itertools.product(_pairs(first), _pairs(second))
        )


def _pairs(entry: tuple[slice, ...]) -> tuple[tuple[slice, slice], ...]:
    a, b = entry[0], entry[-1]
    return ((a, a),) if len(entry) == 1 else ((a, b), (b, a))


def _moved(entry: tuple[slice, ...], U: np.ndarray) -> np.ndarray:
    """Return S U."""
    out = np.zeros_like(U)
    for a, b in _pairs(entry):
        out[a] = U[b]
    return out


def _entries(groups: tuple[GroupEffects, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield the places of the effects of every free (co)variance."""
    at = 0
    for group in groups:
        q = group.n_effects
        places = [slice(at + k, at + group.size, q) for k in range(q)]
        entries = LOWER_TRIANGLE if group.structure.correlated else DIAGONAL_THETA
        for row, column in zip(*entries.positions(q), strict=True):
            yield (places[row],) if row == column else (places[row], places[column])
        at += group.size


def _cross_products(Z: EffectColumns, weights: np.ndarray) -> np.ndarray:
    """Return Z' diag(weights) Z, shape (Q, Q)."""
    out = np.zeros((Z.size, Z.size))
    for a, b in itertools.product(range(len(Z.index)), repeat=2):
        np.add.at(out, (Z.index[a], Z.index[b]), weights * Z.value[a] * Z.value[b])
    return out
