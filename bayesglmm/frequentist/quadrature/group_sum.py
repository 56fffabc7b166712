"""The sum over one group's nodes, and what their movement adds to its gradient: compiled (see `group_integral`).

For any rows: ``visit`` evaluates them (`group_rows.visit_rows`, `extended_group_rows.visit_extended`).
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import compiled, jitable

__all__ = ["follow_mode", "sum_over_nodes"]

_FAR = 200.0  # terms may outgrow the scale of the sum by this factor's exponential before it is changed


@compiled
def _scale(by, r, auxiliary, G, g, N):  # type: ignore[no-untyped-def]  # compiled
    for i in range(r.shape[0]):
        r[i] *= by
    for k in range(auxiliary.shape[0]):
        for i in range(auxiliary.shape[1]):
            auxiliary[k, i] *= by
    for b in range(g.shape[0]):
        g[b] *= by
        for c in range(g.shape[0]):
            G[b, c] *= by
            N[b, c] *= by


@jitable
def sum_over_nodes(  # type: ignore[no-untyped-def]  # compiled
    visit, row, data, x, a, phi, nodes, log_weights, center, C, shift, r, auxiliary, slopes, G, g, N
):
    """Return log sum_k W_k exp(h(z_k) + t_k't_k / 2) and its slope; fill the weighted means r, auxiliary, G, g and N.

    ``auxiliary`` (m, n) are those of the gradients in the auxiliary predictors, ``slopes`` (m, n) is for those at one
    node; m = 0 for rows without.
    """
    q, n = a.shape
    z, pull, force = np.empty(q), np.empty(q), np.empty(q)
    d1 = np.empty(n)
    total, slope = 0.0, 0.0
    for k in range(nodes.shape[0]):
        h = log_weights[k]
        for b in range(q):
            z[b] = center[b]
            for c in range(q):
                z[b] += C[b, c] * nodes[k, c]
            h += 0.5 * (nodes[k, b] * nodes[k, b] - z[b] * z[b])
        h, lp = visit(row, data, a, phi, z, h, d1, slopes)
        if h == -np.inf:  # a node where the rows are impossible: its share is 0, its slopes need not be finite
            continue
        if h > shift + _FAR:
            scale = np.exp(shift - h)
            total, slope, shift = total * scale, slope * scale, h
            _scale(scale, r, auxiliary, G, g, N)
        share = np.exp(h - shift)
        total += share
        slope += share * lp
        for i in range(n):
            r[i] += share * d1[i]
        for m in range(slopes.shape[0]):
            for i in range(n):
                auxiliary[m, i] += share * slopes[m, i]
        for b in range(q):
            force[b] = -z[b]
            pull[b] = 0.0
            for i in range(n):
                force[b] += a[b, i] * d1[i]
                pull[b] += x[b, i] * d1[i]
        for b in range(q):
            g[b] += share * force[b]
            along = 0.0
            for c in range(q):
                along += C[c, b] * force[c]
                G[b, c] += share * pull[b] * z[c]
            for c in range(q):
                N[b, c] += share * along * nodes[k, c]
    _scale(1.0 / total, r, auxiliary, G, g, N)
    return shift + np.log(total), slope / total


@jitable
def follow_mode(follow, x, a, z, C, table, g, N, r, auxiliary, G):  # type: ignore[no-untyped-def]  # compiled
    """Add to r, auxiliary and G what moves with the nodes, and return that part of the slope in log phi.

    ``follow`` does it for one row's slopes: `group_rows.follow_row`, `extended_group_rows.follow_extended`.
    """
    q, n = a.shape
    K = np.zeros((q, q))
    for b in range(q):
        for c in range(q):
            middle = N[min(b, c), max(b, c)] + (1.0 if b == c else 0.0)
            for d in range(q):
                for e in range(q):
                    K[d, e] += C[d, b] * middle * C[e, c]
    Ka, v = np.empty((q, n)), np.zeros(q)
    s = np.zeros(n)
    force = g.copy()
    for i in range(n):
        for b in range(q):
            Ka[b, i] = 0.0
            for c in range(q):
                Ka[b, i] += K[b, c] * a[c, i]
            s[i] += a[b, i] * Ka[b, i]
        for b in range(q):
            force[b] += 0.5 * a[b, i] * s[i] * table[3, i]
    for b in range(q):
        along = 0.0
        for c in range(q):
            along += C[c, b] * force[c]
        for c in range(q):
            v[c] += C[c, b] * along
    slope = 0.0
    for i in range(n):
        av = 0.0
        for b in range(q):
            av += a[b, i] * v[b]
        change = 0.5 * s[i] * table[3, i] + table[2, i] * av
        r[i] += change
        slope += follow(table, i, s[i], av, auxiliary)
        for b in range(q):
            for c in range(q):
                G[b, c] += x[b, i] * (change * z[c] + table[2, i] * Ka[c, i] + table[1, i] * v[c])
    return slope
