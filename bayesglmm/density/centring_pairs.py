"""Partial centring of two effects a level, an intercept and a slope most often: `centring` written out, for speed.

The letters are those of `centring`; matrices of two by two are named by their entries.
"""

from __future__ import annotations

import math

from bayesglmm.compiled import jitable

__all__ = ["center_pairs", "center_pairs_adjoint"]

_LARGE = 1e150


@jitable
def _factor(Lambda, C, at):  # type: ignore[no-untyped-def]  # compiled
    """Return C Lambda (4 entries) and K (3 entries) of one level."""
    a, b, d = Lambda[0, 0], Lambda[1, 0], Lambda[1, 1]
    c11, c21, c22 = C[at], C[at + 2], C[at + 3]
    m11, m12 = c11 * a + c21 * b, c21 * d
    m21, m22 = c21 * a + c22 * b, c22 * d
    K11 = math.sqrt(1.0 + a * m11 + b * m21)
    K21 = d * m21 / K11
    return m11, m12, m21, m22, K11, K21, math.sqrt(1.0 + d * m22 - K21 * K21)


@jitable
def center_pairs(Lambda, C, r, w, z):  # type: ignore[no-untyped-def]  # compiled
    """Fill z (J 2,) from w; return the log Jacobian."""
    a, b, d = Lambda[0, 0], Lambda[1, 0], Lambda[1, 1]
    product, total = 1.0, 0.0
    for i in range(0, z.shape[0], 2):
        _m11, _m12, _m21, _m22, K11, K21, K22 = _factor(Lambda, C, 2 * i)
        y1 = (a * r[i] + b * r[i + 1]) / K11
        y2 = (d * r[i + 1] - K21 * y1) / K22
        z[i + 1] = (y2 + w[i + 1]) / K22
        z[i] = (y1 + w[i] - K21 * z[i + 1]) / K11
        product *= K11 * K22
        if product > _LARGE:
            total -= math.log(product)
            product = 1.0
    return total - math.log(product)


@jitable
def center_pairs_adjoint(Lambda, C, r, z, gz, gw, g_lambda):  # type: ignore[no-untyped-def]  # compiled
    """Pull back gz, the gradient in z: fill gw and add to g_lambda (2, 2), log Jacobian included."""
    a, b, d = Lambda[0, 0], Lambda[1, 0], Lambda[1, 1]
    g11, g21, g22 = 0.0, 0.0, 0.0
    for i in range(0, z.shape[0], 2):
        m11, m12, m21, m22, K11, K21, K22 = _factor(Lambda, C, 2 * i)
        i11, i22 = 1.0 / K11, 1.0 / K22
        i21 = -K21 * i11 * i22
        y1 = (a * r[i] + b * r[i + 1]) * i11
        y2 = (d * r[i + 1] - K21 * y1) * i22
        w1 = gz[i] * i11
        w2 = (gz[i + 1] - K21 * w1) * i22
        gw[i], gw[i + 1] = w1, w2
        a2 = w2 * i22
        a1 = (w1 - K21 * a2) * i11
        k11 = -z[i] * w1 - a1 * y1 - i11
        k21 = -z[i + 1] * w1 - a2 * y1
        k22 = -z[i + 1] * w2 - a2 * y2 - i22
        # The symmetric gradient in P = K K': K^-T Phi(K' gK) K^-1 (see `centring`).
        t11, t21, t22 = 0.5 * (K11 * k11 + K21 * k21), 0.5 * K22 * k21, 0.5 * K22 * k22
        s12 = i11 * t21 + i21 * t22
        p11 = (i11 * t11 + i21 * t21) * i11 + s12 * i21
        p21, p22 = s12 * i22, i22 * t22 * i22
        g11 += r[i] * a1 + 2.0 * (m11 * p11 + m12 * p21)
        g21 += r[i + 1] * a1 + 2.0 * (m21 * p11 + m22 * p21)
        g22 += r[i + 1] * a2 + 2.0 * (m21 * p21 + m22 * p22)
    g_lambda[0, 0] += g11
    g_lambda[1, 0] += g21
    g_lambda[1, 1] += g22
