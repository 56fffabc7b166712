"""Partial centring of nested terms together, the parents' effects given what the data say through their children.

For the terms of a chain (leaves first: students, classes, schools), with C the information Z' W Z between nodes that
lie within one another and r their scores, leaves are integrated out level by level,

    M_v = Lambda (I + Lambda' C_v Lambda)^-1 Lambda',   C_ab <- C_ab - C_va' M_v C_vb,   r_a <- r_a - C_va' M_v r_v

for all ancestors a, b of v, and each node is then centred, from the roots down, given its ancestors' effects:

    z_v = P_v^-1 Lambda' (r_v - sum_a C_va u_a) + K_v^-T w_v,    P_v = I + Lambda' C_v Lambda = K_v K_v'.

For a normal likelihood the w are independent standard normal whatever the standard deviations are, so that a sampler
does not meet the trade between the levels of a hierarchy. Scalar effects; `centring` has the general unnested case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesglmm.compiled import jitable

__all__ = ["GU", "SPHERICAL", "WORK_ROWS", "C", "Nesting", "R", "U", "W", "nest_effects", "nest_effects_adjoint"]

_SMALL = 1e-150


@dataclass(frozen=True, eq=False)
class Nesting:
    """Which terms are centred together, and their couplings.

    Attributes
    ----------
    terms : ndarray of int64, shape (D,)
        Positions of the terms, leaves first; empty for none.
    first : ndarray of int64, shape (D + 1,)
        First node of each depth; nodes of a depth are the levels of its term.
    ancestors : ndarray of int64, shape (nodes, D)
        Node of each depth that a node lies in.
    couplings : ndarray, shape (nodes, D)
        Z_v' W Z_a of a node and its ancestor at each depth (read above the node's own depth only).
    """

    terms: np.ndarray
    first: np.ndarray
    ancestors: np.ndarray
    couplings: np.ndarray

    @classmethod
    def none(cls) -> Nesting:
        """Return the nesting of no terms."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, np.zeros(1, dtype=np.int64), np.zeros((0, 0), dtype=np.int64), np.zeros((0, 0)))


#: Rows of the work space of the nodes: information and score (replaced by what is left when the children are
#: integrated out), coordinates, spherical effects, effects, 1 / P, score given the ancestors; for the reverse pass the
#: gradients in u, P, score and information.
C, R, W, SPHERICAL, U, INVERSE, GIVEN, GU, GP, GR, GC = range(11)
WORK_ROWS = 11


@jitable
def _integrate_out(sigma, first, ancestors, node, k):  # type: ignore[no-untyped-def]  # compiled
    """Replace information, couplings and scores of every node by what is left when its children are integrated out."""
    D = sigma.shape[0]
    c, r, inverse = node[C], node[R], node[INVERSE]
    for d in range(D):
        variance = sigma[d] * sigma[d]
        for v in range(first[d], first[d + 1]):
            inverse[v] = 1.0 / (1.0 + variance * c[v])
            m, score = variance * inverse[v], r[v]
            for e in range(d + 1, D):
                a, coupling = ancestors[v, e], k[v, e]
                through = coupling * m
                r[a] -= through * score
                c[a] -= through * coupling
                for f in range(e + 1, D):
                    k[a, f] -= through * k[v, f]


@jitable
def nest_effects(sigma, first, ancestors, couplings, node, k):  # type: ignore[no-untyped-def]  # compiled
    """Fill z and u = sigma z of all nodes from w; return the log Jacobian.

    Parameters
    ----------
    sigma : ndarray, shape (D,)
        Standard deviation of each depth, leaves first.
    first : ndarray of int64, shape (D + 1,)
        First node of each depth.
    ancestors : ndarray of int64, shape (nodes, D)
        Node of each depth that a node lies in.
    couplings : ndarray, shape (nodes, D)
        C between a node and its ancestor at each depth.
    node : ndarray, shape (11, nodes)
        Rows C, R and W as given; those of z and u are filled. Keeps what `nest_effects_adjoint` needs.
    k : ndarray, shape (nodes, D)
        Work space, kept likewise.
    """
    D = sigma.shape[0]
    for v in range(k.shape[0]):
        for d in range(D):
            k[v, d] = couplings[v, d]
    _integrate_out(sigma, first, ancestors, node, k)
    r, w, z, u, inverse, given = node[R], node[W], node[SPHERICAL], node[U], node[INVERSE], node[GIVEN]
    total, product = 0.0, 1.0
    for d in range(D - 1, -1, -1):
        s = sigma[d]
        for v in range(first[d], first[d + 1]):
            score = r[v]
            for e in range(d + 1, D):
                score -= k[v, e] * u[ancestors[v, e]]
            given[v] = score
            z[v] = s * score * inverse[v] + w[v] * math.sqrt(inverse[v])
            u[v] = s * z[v]
            product *= inverse[v]
            if product < _SMALL:
                total += 0.5 * math.log(product)
                product = 1.0
    return total + 0.5 * math.log(product)


@jitable
def nest_effects_adjoint(sigma, first, ancestors, node, k, gk, g_sigma):  # type: ignore[no-untyped-def]  # compiled
    """Pull back the gradient in u (row GU, overwritten) and that of -z'z/2 and the log Jacobian.

    Row W receives the gradient in w, ``g_sigma`` (D,) that in the standard deviations; ``gk`` (nodes, D) is work space.
    """
    D = sigma.shape[0]
    for d in range(D):
        g_sigma[d] = _centred_adjoint(d, sigma[d], first, ancestors, node, k, gk)
    for d in range(D - 1, -1, -1):
        g_sigma[d] += _integrated_adjoint(d, sigma[d], first, ancestors, node, k, gk)


@jitable
def _centred_adjoint(d, s, first, ancestors, node, k, gk):  # type: ignore[no-untyped-def]  # compiled
    """Reverse the centring of one depth given its ancestors; return the gradient in its standard deviation."""
    D, total = k.shape[1], 0.0
    z, u, inverses, given = node[SPHERICAL], node[U], node[INVERSE], node[GIVEN]
    gu, gw, gP, gr = node[GU], node[W], node[GP], node[GR]
    for v in range(first[d], first[d + 1]):
        inverse = inverses[v]
        gz = s * gu[v] - z[v]
        along = gz * inverse
        gw[v] = gz * math.sqrt(inverse)
        ge = s * along
        total += gu[v] * z[v] + along * given[v]
        gP[v] = -0.5 * (along * (z[v] + s * given[v] * inverse) + inverse)
        gr[v] = ge
        for e in range(d + 1, D):
            a = ancestors[v, e]
            gu[a] -= k[v, e] * ge
            gk[v, e] = -ge * u[a]
    return total


@jitable
def _integrated_adjoint(d, s, first, ancestors, node, k, gk):  # type: ignore[no-untyped-def]  # compiled
    """Reverse the integration over one depth, ancestors before; return the gradient in its standard deviation."""
    D, total = k.shape[1], 0.0
    c, r, inverses, gP, gr, gc = node[C], node[R], node[INVERSE], node[GP], node[GR], node[GC]
    for v in range(first[d], first[d + 1]):
        inverse, score, g_score = inverses[v], r[v], gr[v]
        m, gm = s * s * inverse, 0.0
        for e in range(d + 1, D):
            a, coupling = ancestors[v, e], k[v, e]
            gm -= coupling * (gr[a] * score + coupling * gc[a])
            g_score -= coupling * m * gr[a]
            g_coupling = m * (score * gr[a] + 2.0 * coupling * gc[a])
            for f in range(e + 1, D):
                gm -= coupling * k[v, f] * gk[a, f]
                g_coupling += m * k[v, f] * gk[a, f]
                gk[v, f] -= m * coupling * gk[a, f]
            gk[v, e] -= g_coupling
        gr[v] = g_score
        gP[v] -= gm * m * inverse
        total += 2.0 * s * (gm * inverse + c[v] * gP[v])
        gc[v] = s * s * gP[v]
    return total
