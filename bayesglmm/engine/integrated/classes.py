"""Levels of one group term that meet nothing, those with equal Z' W Z taken together; compiled.

With K = M H_j^-1 M', which such levels have in common, the sum over them of D_j' K D_j is a sum over pairs of effects,
sum_ab K_ab sum_j D_ja' D_jb: balanced data cost what one level costs, whatever their number. Nothing is approximated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.engine.integrated.levels import add_whole, factor_level

__all__ = ["Classes", "class_moments", "factor_classes"]


@dataclass(frozen=True, eq=False)
class Classes:
    """Levels by their Z' W Z.

    Attributes
    ----------
    blocks : ndarray, shape (classes * q * q,)
        Z' W Z of each class.
    counts : ndarray, shape (classes,)
        Its levels; empty where taking them together does not pay.
    products : ndarray, shape (classes * pairs, m * m)
        sum_j (D_ja' D_jb + D_jb' D_ja) / 2 of the pairs of effects b <= a, symmetric in its m columns.
    """

    blocks: np.ndarray
    counts: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, blocks: np.ndarray, D: np.ndarray, q: int) -> Classes:
        """Find equal blocks (J * q * q,) of levels whose rows of D are (J * q, m)."""
        m = D.shape[1]
        distinct, member, counts = np.unique(blocks.reshape(-1, q * q), axis=0, return_inverse=True, return_counts=True)
        # A class costs as much as 3 (q + 1) levels in vector instructions.
        if 3 * len(distinct) * (q + 1) > len(member):
            return cls.none()
        pairs = [(a, b) for a in range(q) for b in range(a + 1)]
        products = np.zeros((len(distinct), len(pairs), m, m))
        levels = D.reshape(-1, q, m)
        for c in range(len(distinct)):
            own = levels[member.ravel() == c]
            for k, (a, b) in enumerate(pairs):
                product = own[:, a].T @ own[:, b]
                products[c, k] = (product + product.T) / 2.0
        return cls(distinct.ravel(), counts.astype(np.float64), products.reshape(-1, m * m))

    @classmethod
    def none(cls) -> Classes:
        """Return no classes: levels are taken one by one."""
        return cls(np.zeros(0), np.zeros(0), np.zeros((0, 1)))


@jitable
def _spread(M, q, L, own, W):  # type: ignore[no-untyped-def]  # compiled
    """Fill W = M L^-T (q, q)."""
    for a in range(q):
        for k in range(q):
            value = M[0, a, k] if k <= a else 0.0
            for h in range(k):
                value -= L[own + k * q + h] * W[a, h]
            W[a, k] = value / L[own + k * q + k]


@jitable
def factor_classes(M, q, classes, L, W, S):  # type: ignore[no-untyped-def]  # compiled
    """Factor each class (L flat, as its blocks) and take its levels' D' M H^-1 M' D from the lower triangle of S.

    Returns log det H of all levels (nan if there is no factor); fills W (classes, q, q) = M L^-T.
    """
    blocks, counts, products = classes
    m, pair, total = S.shape[0], 0, 0.0
    for c in range(counts.shape[0]):
        total += counts[c] * math.log(factor_level(M, 0, q, blocks, c * q * q, L))
        _spread(M, q, L, c * q * q, W[c])
        for a in range(q):
            for b in range(a + 1):
                both = 0.0
                for k in range(q):
                    both += W[c, a, k] * W[c, b, k]
                if b < a:
                    both *= 2.0
                for x in range(m):
                    for y in range(x + 1):
                        S[x, y] -= both * products[pair, x * m + y]
                pair += 1
    return total


@jitable
def class_moments(N, classes, L, W, R, second):  # type: ignore[no-untyped-def]  # compiled
    """Add to ``second`` (q, q) the sum over levels of L^-T (I + U U') L^-1, U = W' D N; ``R`` (2, q, q) is work space.

    The sum of U U' is W' (sum D N N' D') W, and its middle is a sum over pairs like that of `factor_classes`.
    """
    _blocks, counts, products = classes
    q, m, pair = second.shape[0], N.shape[0], 0
    F = np.empty((m, m))
    for x in range(m):
        for y in range(x + 1):
            value = 0.0
            for z in range(N.shape[1]):
                value += N[x, z] * N[y, z]
            F[x, y] = value if x == y else 2.0 * value
    middle, X = R[0], R[1]
    for c in range(counts.shape[0]):
        for a in range(q):
            for b in range(a + 1):
                value = 0.0
                for x in range(m):
                    for y in range(x + 1):
                        value += F[x, y] * products[pair, x * m + y]
                middle[a, b] = value
                middle[b, a] = value
                pair += 1
        _between(W[c], middle, X)
        for k in range(q):
            X[k, k] += counts[c]
        add_whole(L, c * q * q, X, second)


@jitable
def _between(W, middle, X):  # type: ignore[no-untyped-def]  # compiled
    """Fill X = W' middle W."""
    q = X.shape[0]
    for k in range(q):
        for l in range(k + 1):
            value = 0.0
            for a in range(q):
                for b in range(q):
                    value += W[a, k] * middle[a, b] * W[b, l]
            X[k, l] = value
            X[l, k] = value
