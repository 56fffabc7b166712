"""Partial centring: the data decide, level by level, between centred and non-centred group effects.

With C_j the information that the data hold on the effects of level j and r_j their score (both constants, taken at a
penalised fit), the spherical effects are

    z_j = P_j^-1 Lambda' r_j + K_j^-T w_j,    P_j = I + Lambda' C_j Lambda = K_j K_j'   (K_j lower triangular)

so that u_j = Lambda z_j = m_j(theta) + S_j(theta) w_j with S_j S_j' = (G^-1 + C_j)^-1 and m_j = S_j S_j' r_j: what a
normal likelihood with information C_j would make of a N(0, G) prior. No data (C_j = 0) leaves the non-centred form,
much data the centred one (Papaspiliopoulos, Roberts & Skold 2007, give the scalar case). Nothing is inverted, so that a
standard deviation of 0 or a correlation of 1 is a point like any other. log |dz / dw| = -sum log diag K_j.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.autoregressive import AUTOREGRESSIVE_CODE
from bayesglmm.density.centring_pairs import center_pairs, center_pairs_adjoint
from bayesglmm.density.layout import LEVELS, STRUCTURE, Layout, Q
from bayesglmm.density.nesting import Nesting
from bayesglmm.families.elementary import add_in_any_order

__all__ = ["Centring", "center_term", "center_term_adjoint"]

#: Factors of the determinant are multiplied down to here before a logarithm is taken.
_SMALL = 1e-150


@dataclass(frozen=True, eq=False)
class Centring:
    """What the data say of each level's effects: constants of the coordinates w.

    Attributes
    ----------
    information : ndarray, flat
        C_j, one symmetric (q, q) block a level, term after term; of serial effects (see `chain`) its diagonal (q,).
    score : ndarray, shape (n_effects,)
        r_j.
    nesting : Nesting
        Scalar terms that nest in one another and are centred together (see `nesting`); most often none.
    beside : ndarray of int64, shape (terms,)
        For each term of serial effects the position of the intercepts that are centred with it; -1 for none.
    """

    information: np.ndarray
    score: np.ndarray
    nesting: Nesting
    beside: np.ndarray

    @classmethod
    def none(cls, layout: Layout) -> Centring:
        """Return the centring that leaves w = z."""
        serial = layout.terms[:, STRUCTURE] == AUTOREGRESSIVE_CODE
        size = int((layout.terms[:, LEVELS] * layout.terms[:, Q] ** np.where(serial, 1, 2)).sum())
        alone = np.full(len(layout.terms), -1, dtype=np.int64)
        return cls(np.zeros(size), np.zeros(layout.n_effects), Nesting.none(), alone)

    @property
    def absent(self) -> bool:
        """Whether w = z."""
        return not (self.information.any() or self.score.any() or len(self.nesting.terms))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What the kernel reads, in its order."""
        n = self.nesting
        return self.information, self.score, n.terms, n.first, n.ancestors, n.couplings, self.beside


@jitable
def center_term(q, Lambda, C, r, w, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill z (J q,) of one group term from w; return the log Jacobian."""
    if q == 1:
        return _center_scalar(Lambda[0, 0], C, r, w, z)
    if q == 2:
        return center_pairs(Lambda, C, r, w, z)
    K, a, y = np.empty((q, q)), np.empty(q), np.empty(q)
    total = 0.0
    for j in range(z.shape[0] // q):
        total -= _level_factor(q, Lambda, C[j * q * q :], K)
        _whiten_score(q, Lambda, K, r[j * q :], a, y)
        for k in range(q - 1, -1, -1):
            value = y[k] + w[j * q + k]
            for h in range(k + 1, q):
                value -= K[h, k] * z[j * q + h]
            z[j * q + k] = value / K[k, k]
    return total


@jitable
def _center_scalar(sigma, C, r, w, z):  # type: ignore[no-untyped-def]  # compiled
    # Three loops, so that the divisions and roots of the first two become vector instructions.
    inverse = np.empty(z.shape[0])
    for j in range(z.shape[0]):
        inverse[j] = 1.0 / (1.0 + sigma * sigma * C[j])
    for j in range(z.shape[0]):
        z[j] = sigma * r[j] * inverse[j] + w[j] * math.sqrt(inverse[j])
    product, total = 1.0, 0.0
    for j in range(z.shape[0]):
        product *= inverse[j]
        if product < _SMALL:
            total += 0.5 * math.log(product)
            product = 1.0
    return total + 0.5 * math.log(product)


@jitable
def _level_factor(q, Lambda, C, K):  # type: ignore[no-untyped-def]  # compiled
    """Fill K (lower triangle) with the Cholesky factor of I + Lambda' C Lambda; return sum log diag K."""
    for k in range(q):
        for l in range(k + 1):
            value = 1.0 if k == l else 0.0
            for i in range(k, q):
                for h in range(l, q):
                    value += Lambda[i, k] * C[i * q + h] * Lambda[h, l]
            K[k, l] = value
    product = 1.0
    for k in range(q):
        for l in range(k + 1):
            value = K[k, l]
            for h in range(l):
                value -= K[k, h] * K[l, h]
            K[k, l] = math.sqrt(value) if k == l else value / K[l, l]
        product *= K[k, k]
    return math.log(product)


@jitable
def _whiten_score(q, Lambda, K, r, a, y):  # type: ignore[no-untyped-def]  # compiled
    """Fill a = Lambda' r and y = K^-1 a."""
    for k in range(q):
        a[k] = 0.0
        for i in range(k, q):
            a[k] += Lambda[i, k] * r[i]
        value = a[k]
        for h in range(k):
            value -= K[k, h] * y[h]
        y[k] = value / K[k, k]


@jitable
def center_term_adjoint(q, Lambda, C, r, z, gz, gw, g_lambda):  # type: ignore[no-untyped-def]  # compiled
    """Pull back the gradient gz in z of one group term: fill gw and add to g_lambda (q, q), log Jacobian included."""
    if q == 1:
        g_lambda[0, 0] += _center_scalar_adjoint(Lambda[0, 0], C, r, z, gz, gw)
        return
    if q == 2:
        center_pairs_adjoint(Lambda, C, r, z, gz, gw, g_lambda)
        return
    work = np.empty((4, q, q))
    vectors = np.empty((3, q))
    for j in range(z.shape[0] // q):
        own = j * q
        _level_adjoint(
            q, Lambda, C[own * q :], r[own:], z[own:], gz[own:], gw[own:], g_lambda, work[0], work[1], work[2], vectors
        )


@jitable
def _center_scalar_adjoint(sigma, C, r, z, gz, gw):  # type: ignore[no-untyped-def]  # compiled
    """Fill gw; return the gradient in sigma. dz/dsigma = (r - sigma C (z + sigma r / P)) / P."""
    total = 0.0
    for j in range(z.shape[0]):
        inverse = 1.0 / (1.0 + sigma * sigma * C[j])
        gw[j] = gz[j] * math.sqrt(inverse)
        along = r[j] - sigma * C[j] * (z[j] + sigma * r[j] * inverse)
        total = add_in_any_order(total, (gz[j] * along - sigma * C[j]) * inverse)
    return total


@jitable
def _level_adjoint(q, Lambda, C, r, z, gz, gw, g_lambda, K, gK, T, vectors):  # type: ignore[no-untyped-def]  # compiled
    """Reverse mode of one level, through z = K^-T (y + w), y = K^-1 a and the Cholesky factorisation of P."""
    a, y, ga = vectors[0], vectors[1], vectors[2]
    _level_factor(q, Lambda, C, K)
    _whiten_score(q, Lambda, K, r, a, y)
    for k in range(q):  # gw = K^-1 gz
        value = gz[k]
        for h in range(k):
            value -= K[k, h] * gw[h]
        gw[k] = value / K[k, k]
    for k in range(q - 1, -1, -1):  # ga = K^-T gw
        value = gw[k]
        for h in range(k + 1, q):
            value -= K[h, k] * ga[h]
        ga[k] = value / K[k, k]
    for k in range(q):
        for l in range(k + 1):
            gK[k, l] = -z[k] * gw[l] - ga[k] * y[l]
        gK[k, k] -= 1.0 / K[k, k]
    _cholesky_adjoint(q, K, gK, T)
    # P = I + Lambda' C Lambda and a = Lambda' r; T is symmetric.
    for i in range(q):
        for k in range(i + 1):
            value = r[i] * ga[k]
            for l in range(q):
                inner = 0.0
                for h in range(l, q):
                    inner += C[i * q + h] * Lambda[h, l]
                value += 2.0 * inner * T[l, k]
            g_lambda[i, k] += value


@jitable
def _cholesky_adjoint(q, K, gK, T):  # type: ignore[no-untyped-def]  # compiled
    """Fill T with the symmetric gradient in P = K K', given that in K (Murray 2016, equation 10); gK is work space."""
    for k in range(q):  # Phi(K' gK), halved on the diagonal, as a symmetric matrix
        for l in range(k + 1):
            value = 0.0
            for h in range(k, q):
                value += K[h, k] * gK[h, l]
            T[k, l] = 0.5 * value
            T[l, k] = T[k, l]
    for c in range(q):  # K^-T from the left, column by column
        for k in range(q - 1, -1, -1):
            value = T[k, c]
            for h in range(k + 1, q):
                value -= K[h, k] * T[h, c]
            T[k, c] = value / K[k, k]
    for c in range(q):  # K^-1 from the right, row by row
        for k in range(q - 1, -1, -1):
            value = T[c, k]
            for h in range(k + 1, q):
                value -= K[h, k] * T[c, h]
            T[c, k] = value / K[k, k]
