"""The arithmetic of a blocked elimination, node by node; for compiled code.

H is kept as flat blocks (q, q) of the nodes, flat couplings (list, q) of the nodes with what is eliminated after them,
and a dense tail. Eliminating node v with block D = L L' and couplings B leaves Y = B L^-T, and takes Y Y' from the
blocks, couplings and tail of those in its list. The selected inverse goes the other way, from the tail down.
"""

from __future__ import annotations

from bayesglmm.compiled import jitable

__all__ = ["accumulate", "add_prior", "backward", "eliminate_nodes", "forward", "selected_inverse"]


@jitable
def accumulate(weights, a, rows, tree, blocks, couplings, tail):  # type: ignore[no-untyped-def]  # compiled
    """Add A' W A, rows of A given at the effects that they touch (m, n); lower triangles where symmetric."""
    order, starts, tail_rows, tail_index, local = rows
    depths, ancestors, coupling_starts, _meets, meets_starts, above, _effects = tree
    for j in range(starts.shape[0] - 1):
        for d in range(depths.shape[1]):
            v = ancestors[d, j]
            q, first_row = depths[0, d], depths[3, d]
            block = depths[4, d] + (v - depths[1, d]) * q * q
            coupling = coupling_starts[v]
            for s in range(starts[j], starts[j + 1]):
                i = order[s]
                for k in range(q):
                    wk = weights[i] * a[first_row + k, i]
                    for l in range(k + 1):
                        blocks[block + k * q + l] += wk * a[first_row + l, i]
                    at = coupling + k
                    for e in range(d + 1, depths.shape[1]):
                        for l in range(depths[0, e]):
                            couplings[at] += wk * a[depths[3, e] + l, i]
                            at += q
                    for b in range(tail_rows.shape[0]):
                        c = local[b, i] if d == 0 else above[d, meets_starts[j] + local[b, i]]
                        couplings[at + c * q] += wk * a[tail_rows[b], i]
        for s in range(starts[j], starts[j + 1]):
            i = order[s]
            for b in range(tail_rows.shape[0]):
                wb = weights[i] * a[tail_rows[b], i]
                for c in range(tail_rows.shape[0]):
                    if tail_index[c, i] <= tail_index[b, i]:
                        tail[tail_index[b, i], tail_index[c, i]] += wb * a[tail_rows[c], i]


@jitable
def add_prior(tree, blocks, tail, precision):  # type: ignore[no-untyped-def]  # compiled
    """Add the effects' prior precision to A' W A: I, but for the tail's ``precision`` (R, R) where it is not empty."""
    depths, ancestors, _couplings, _meets, _starts, _above, _effects = tree
    for d in range(depths.shape[1]):
        q = depths[0, d]
        last = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(last - depths[1, d]):
            for k in range(q):
                blocks[depths[4, d] + v * q * q + k * q + k] += 1.0
    if precision.shape[0] == 0:
        for r in range(tail.shape[0]):
            tail[r, r] += 1.0
        return
    for r in range(tail.shape[0]):
        for c in range(r + 1):
            tail[r, c] += precision[r, c]


@jitable
def _factor_node(blocks, block, q, couplings, first, last):  # type: ignore[no-untyped-def]  # compiled
    """Turn D into L and B into Y = B L^-T in place; return whether D was positive definite."""
    for k in range(q):
        for l in range(k + 1):
            value = blocks[block + k * q + l]
            for h in range(l):
                value -= blocks[block + k * q + h] * blocks[block + l * q + h]
            if k == l:
                if not value > 0.0:
                    return False
                blocks[block + k * q + k] = value**0.5
            else:
                blocks[block + k * q + l] = value / blocks[block + l * q + l]
    for c in range(first, last, q):
        for k in range(q):
            value = couplings[c + k]
            for h in range(k):
                value -= blocks[block + k * q + h] * couplings[c + h]
            couplings[c + k] = value / blocks[block + k * q + k]
    return True


@jitable
def _dot(Y, a, b, q):  # type: ignore[no-untyped-def]  # compiled
    value = 0.0
    for k in range(q):
        value += Y[a + k] * Y[b + k]
    return value


@jitable
def eliminate_nodes(tree, blocks, couplings, tail):  # type: ignore[no-untyped-def]  # compiled
    """Factor every node in place and leave in ``tail`` what is still to be factored; False if not positive definite."""
    depths, ancestors, coupling_starts, meets, meets_starts, above, _effects = tree
    for d in range(depths.shape[1]):
        q, above_count = depths[0, d], depths[5, d]
        last_node = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(depths[1, d], last_node):
            first, last = coupling_starts[v], coupling_starts[v + 1]
            if not _factor_node(blocks, depths[4, d] + (v - depths[1, d]) * q * q, q, couplings, first, last):
                return False
            to_tail = first + above_count * q
            begin = meets_starts[v]
            width = meets_starts[v + 1] - begin
            # Ancestors: blocks, couplings between them, and couplings with the tail.
            near = first
            for e in range(d + 1, depths.shape[1]):
                a, qe = ancestors[e, v], depths[0, e]
                block, coupling = depths[4, e] + (a - depths[1, e]) * qe * qe, coupling_starts[a]
                for k in range(qe):
                    own = near + k * q
                    for l in range(k + 1):
                        blocks[block + k * qe + l] -= _dot(couplings, own, near + l * q, q)
                    at = coupling + k
                    for far in range(near + qe * q, to_tail, q):
                        couplings[at] -= _dot(couplings, own, far, q)
                        at += qe
                    for c in range(width):
                        couplings[at + above[e, begin + c] * qe] -= _dot(couplings, own, to_tail + c * q, q)
                near += qe * q
            for c in range(width):
                row = meets[begin + c]
                if q == 1:
                    y = couplings[to_tail + c]
                    for b in range(c + 1):
                        tail[row, meets[begin + b]] -= y * couplings[to_tail + b]
                else:
                    for b in range(c + 1):
                        tail[row, meets[begin + b]] -= _dot(couplings, to_tail + c * q, to_tail + b * q, q)
    return True


@jitable
def forward(tree, blocks, couplings, b):  # type: ignore[no-untyped-def]  # compiled
    """Turn the nodes' parts of b (Q, k) into L^-1 b and take their share from what is eliminated after them."""
    depths, ancestors, coupling_starts, meets, meets_starts, _above, effects = tree
    for d in range(depths.shape[1]):
        q = depths[0, d]
        last_node = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(depths[1, d], last_node):
            block = depths[4, d] + (v - depths[1, d]) * q * q
            u = depths[2, d] + (v - depths[1, d]) * q
            for x in range(b.shape[1]):
                for k in range(q):
                    value = b[u + k, x]
                    for h in range(k):
                        value -= blocks[block + k * q + h] * b[u + h, x]
                    b[u + k, x] = value / blocks[block + k * q + k]
                at = coupling_starts[v]
                for e in range(d + 1, depths.shape[1]):
                    qe = depths[0, e]
                    to = depths[2, e] + (ancestors[e, v] - depths[1, e]) * qe
                    for l in range(qe):
                        for k in range(q):
                            b[to + l, x] -= couplings[at + k] * b[u + k, x]
                        at += q
                for c in range(meets_starts[v], meets_starts[v + 1]):
                    to = effects[meets[c]]
                    for k in range(q):
                        b[to, x] -= couplings[at + k] * b[u + k, x]
                    at += q


@jitable
def backward(tree, blocks, couplings, b):  # type: ignore[no-untyped-def]  # compiled
    """Turn the nodes' parts of b into L^-T (b - Y' x) at the solutions x of what is eliminated after them."""
    depths, ancestors, coupling_starts, meets, meets_starts, _above, effects = tree
    for d in range(depths.shape[1] - 1, -1, -1):
        q = depths[0, d]
        last_node = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(depths[1, d], last_node):
            block = depths[4, d] + (v - depths[1, d]) * q * q
            u = depths[2, d] + (v - depths[1, d]) * q
            for x in range(b.shape[1]):
                at = coupling_starts[v]
                for e in range(d + 1, depths.shape[1]):
                    qe = depths[0, e]
                    to = depths[2, e] + (ancestors[e, v] - depths[1, e]) * qe
                    for l in range(qe):
                        for k in range(q):
                            b[u + k, x] -= couplings[at + k] * b[to + l, x]
                        at += q
                for c in range(meets_starts[v], meets_starts[v + 1]):
                    to = effects[meets[c]]
                    for k in range(q):
                        b[u + k, x] -= couplings[at + k] * b[to, x]
                    at += q
                for k in range(q - 1, -1, -1):
                    value = b[u + k, x]
                    for h in range(k + 1, q):
                        value -= blocks[block + h * q + k] * b[u + h, x]
                    b[u + k, x] = value / blocks[block + k * q + k]


@jitable
def _list_product(tree, v, d, q, blocks_inverse, couplings_inverse, tail_inverse, Y, first, P):  # type: ignore[no-untyped-def]  # compiled
    """Fill P (list, q) with the inverse among the effects of v's list times Y."""
    depths, ancestors, coupling_starts, meets, meets_starts, above, _effects = tree
    begin = meets_starts[v]
    width = meets_starts[v + 1] - begin
    size = depths[5, d] + width
    for c in range(size * q):
        P[c] = 0.0
    at = 0
    for e in range(d + 1, depths.shape[1]):
        a, qe = ancestors[e, v], depths[0, e]
        block, coupling = depths[4, e] + (a - depths[1, e]) * qe * qe, coupling_starts[a]
        for k in range(qe):
            own = (at + k) * q
            for l in range(qe):
                value = blocks_inverse[block + k * qe + l]
                for h in range(q):
                    P[own + h] += value * Y[first + (at + l) * q + h]
            position = coupling + k
            for c in range(at + qe, depths[5, d]):
                value = couplings_inverse[position]
                for h in range(q):
                    P[own + h] += value * Y[first + c * q + h]
                    P[c * q + h] += value * Y[first + own + h]
                position += qe
            for c in range(width):
                value = couplings_inverse[position + above[e, begin + c] * qe]
                far = (depths[5, d] + c) * q
                for h in range(q):
                    P[own + h] += value * Y[first + far + h]
                    P[far + h] += value * Y[first + own + h]
        at += qe
    base = depths[5, d] * q
    for c in range(width):
        row = meets[begin + c]
        if q == 1:
            value = 0.0
            for b in range(width):
                value += tail_inverse[row, meets[begin + b]] * Y[first + base + b]
            P[base + c] += value
        else:
            for b in range(width):
                value = tail_inverse[row, meets[begin + b]]
                for h in range(q):
                    P[base + c * q + h] += value * Y[first + base + b * q + h]


@jitable
def selected_inverse(tree, L, Y, tail_inverse, blocks_inverse, couplings_inverse):  # type: ignore[no-untyped-def]  # compiled
    """Fill the nodes' blocks (whole) and couplings of H^-1, the tail's inverse given."""
    depths, ancestors, coupling_starts, _meets, _meets_starts, _above, _effects = tree
    for d in range(depths.shape[1] - 1, -1, -1):
        q = depths[0, d]
        last_node = depths[1, d + 1] if d + 1 < depths.shape[1] else ancestors.shape[1]
        for v in range(depths[1, d], last_node):
            block = depths[4, d] + (v - depths[1, d]) * q * q
            first, last = coupling_starts[v], coupling_starts[v + 1]
            P = couplings_inverse[first:last]
            _list_product(tree, v, d, q, blocks_inverse, couplings_inverse, tail_inverse, Y, first, P)
            # I + P' Y, then L^-T ( ) L^-1 column by column and row by row; P becomes -P L^-1.
            for k in range(q):
                for l in range(q):
                    value = 1.0 if k == l else 0.0
                    for c in range(0, last - first, q):
                        value += P[c + k] * Y[first + c + l]
                    blocks_inverse[block + k * q + l] = value
            for c in range(0, last - first, q):
                for k in range(q - 1, -1, -1):
                    value = -P[c + k]
                    for h in range(k + 1, q):
                        value -= L[block + h * q + k] * P[c + h]
                    P[c + k] = value / L[block + k * q + k]
            for l in range(q):
                for k in range(q - 1, -1, -1):
                    value = blocks_inverse[block + k * q + l]
                    for h in range(k + 1, q):
                        value -= L[block + h * q + k] * blocks_inverse[block + h * q + l]
                    blocks_inverse[block + k * q + l] = value / L[block + k * q + k]
            for k in range(q):
                for l in range(q - 1, -1, -1):
                    value = blocks_inverse[block + k * q + l]
                    for h in range(l + 1, q):
                        value -= L[block + h * q + l] * blocks_inverse[block + k * q + h]
                    blocks_inverse[block + k * q + l] = value / L[block + l * q + l]
