"""Serially correlated effects in a number of steps proportional to their number: recursion, partial centring, adjoint.

A level's effects are u_t = sigma v_t, v_t = f_t v_{t-1} + e_t z_t, f_t = rho^gap, e_t^2 = 1 - f_t^2 (f_1 = 0, e_1 = 1).
Every row touches one of them, so that what the data say is diagonal: information c_t, score r_t (see `centring`). What
visit t and those after it say of v_t is found from the last visit on,

    m_t = sigma^2 c_t + f_{t+1}^2 g_{t+1} m_{t+1},    h_t = sigma r_t + f_{t+1} g_{t+1} h_{t+1},
    g_t = 1 / (1 + e_t^2 m_t)

(the Cholesky factor of the tridiagonal posterior precision, and of its right-hand side), and then from the first one on

    z_t = e_t g_t (h_t - m_t f_t v_{t-1}) + sqrt(g_t) w_t.

An intercept b = sigma_b z_b of the same level is centred with them, the serial effects integrated out: with k_t as h_t
but c_t in the place of r_t, its information and score are sum c - sum e^2 g k^2 and sum r - sum e^2 g k h, and h_t - b
k_t takes the place of h_t afterwards. For a normal likelihood the w are then independent standard normal, whatever
sigma, sigma_b and rho are. Nothing is divided by sigma or e, so that sigma = 0 and rho = 1 are points like any other.
"""

from __future__ import annotations

import math

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.autoregressive import innovation
from bayesglmm.covariance.stretched import stretched_correlation

__all__ = ["chain_adjoint", "chain_effects", "chain_steps"]

#: Rows of the steps, and of the work space of a level.
F, E, DF, DE = range(4)
M, H, K, G = range(4)
_ADJOINTS = 6  # of m, h, k, g, and of f and e


@jitable
def chain_steps(x, eta, gaps, steps):  # type: ignore[no-untyped-def]  # compiled
    """Fill f, e and their derivatives in the coordinate x (1,) into steps (4, q); return the log prior of x."""
    rho, slope, rest, log_density, _ = stretched_correlation(x[0], eta, -1.0)
    steps[F, 0], steps[E, 0], steps[DF, 0], steps[DE, 0] = 0.0, 1.0, 0.0, 0.0
    for t in range(1, steps.shape[1]):
        steps[F, t], steps[E, t], steps[DF, t], steps[DE, t] = innovation(rho, slope, rest, gaps[t - 1])
    return log_density


@jitable
def _look_back(sigma, steps, c, r, level):  # type: ignore[no-untyped-def]  # compiled
    """Fill m, h, k and g of one level (4, q), from the last visit to the first."""
    q = steps.shape[1]
    m, h, k = 0.0, 0.0, 0.0
    for t in range(q - 1, -1, -1):
        if t < q - 1:
            f = steps[F, t + 1]
            through = f * level[G, t + 1]
            m, h, k = f * through * m, through * h, through * k
        m += sigma * sigma * c[t]
        h += sigma * r[t]
        k += sigma * c[t]
        level[M, t], level[H, t], level[K, t] = m, h, k
        level[G, t] = 1.0 / (1.0 + steps[E, t] * steps[E, t] * m)


@jitable
def _of_intercept(steps, c, r, level):  # type: ignore[no-untyped-def]  # compiled
    """Return information and score of the level's intercept, the serial effects integrated out."""
    information, score = 0.0, 0.0
    for t in range(steps.shape[1]):
        share = steps[E, t] * steps[E, t] * level[G, t] * level[K, t]
        information += c[t] - share * level[K, t]
        score += r[t] - share * level[H, t]
    # Of serial effects that explain all there is, rounding may leave less than nothing.
    return max(information, 0.0), score


@jitable
def chain_effects(sigma, sigma_b, steps, c, r, w, z, u, w_b, z_b, u_b):  # type: ignore[no-untyped-def]  # compiled
    """Fill z and u (J q,) of one term, and those of the intercepts centred with it (J,); return the log Jacobian.

    ``w_b``, ``z_b`` and ``u_b`` are empty where there are no intercepts.
    """
    q, beside = steps.shape[1], w_b.shape[0] > 0
    level = np.empty((4, q))
    total = 0.0
    for j in range(z.shape[0] // q):
        at = j * q
        _look_back(sigma, steps, c[at:], r[at:], level)
        b = 0.0
        if beside:
            information, score = _of_intercept(steps, c[at:], r[at:], level)
            g = 1.0 / (1.0 + sigma_b * sigma_b * information)
            z_b[j] = sigma_b * score * g + math.sqrt(g) * w_b[j]
            b = sigma_b * z_b[j]
            u_b[j] = b
            total += 0.5 * math.log(g)
        v, product = 0.0, 1.0
        for t in range(q):
            f, e, g = steps[F, t], steps[E, t], level[G, t]
            z[at + t] = e * g * (level[H, t] - b * level[K, t] - level[M, t] * f * v) + math.sqrt(g) * w[at + t]
            v = f * v + e * z[at + t]
            u[at + t] = sigma * v
            product *= g
            if product < 1e-150:
                total += 0.5 * math.log(product)
                product = 1.0
        total += 0.5 * math.log(product)
    return total


@jitable
def _back_from_effects(sigma, steps, b, level, w, z, gu, gw, adjoint):  # type: ignore[no-untyped-def]  # compiled
    """Reverse the last loop of `chain_effects`: add to the adjoints, fill gw; return the gradients in sigma and b."""
    q = steps.shape[1]
    # v_t again, into the place that the adjoint of the level's g will take.
    v = 0.0
    for t in range(q):
        v = steps[F, t] * v + steps[E, t] * z[t]
        adjoint[G, t] = v
    g_sigma, g_b, gv = 0.0, 0.0, 0.0
    for t in range(q - 1, -1, -1):
        f, e, g = steps[F, t], steps[E, t], level[G, t]
        root, v, before = math.sqrt(g), adjoint[G, t], adjoint[G, t - 1] if t > 0 else 0.0
        gv += sigma * gu[t]
        g_sigma += gu[t] * v
        gz = e * gv - z[t]
        d = level[H, t] - b * level[K, t] - level[M, t] * f * before
        gd = gz * e * g
        adjoint[4, t] += gv * before - gd * level[M, t] * before
        adjoint[5, t] += gv * z[t] + gz * g * d
        adjoint[G, t] = gz * (e * d + 0.5 * w[t] / root) + 0.5 / g
        adjoint[M, t] = -gd * f * before
        adjoint[H, t] = gd
        adjoint[K, t] = -b * gd
        g_b -= level[K, t] * gd
        gw[t] = gz * root
        gv = f * gv - gd * level[M, t] * f
    return g_sigma, g_b


@jitable
def _back_from_intercept(sigma_b, steps, c, r, level, w_b, z_b, g_b, adjoint):  # type: ignore[no-untyped-def]  # compiled
    """Reverse the centring of the intercept, g_b its gradient in b; return those in sigma_b and w_b."""
    information, score = _of_intercept(steps, c, r, level)
    g = 1.0 / (1.0 + sigma_b * sigma_b * information)
    root, gz = math.sqrt(g), sigma_b * g_b - z_b
    g_sigma = g_b * z_b + gz * score * g
    g_score = gz * sigma_b * g
    gP = -(gz * (sigma_b * score + 0.5 * w_b / root) + 0.5 / g) * g * g
    g_sigma += 2.0 * gP * sigma_b * information
    g_information = gP * sigma_b * sigma_b if information > 0.0 else 0.0
    for t in range(steps.shape[1]):
        e, h, k = steps[E, t], level[H, t], level[K, t]
        of_k = -2.0 * k * g_information - h * g_score
        both = -k * (k * g_information + h * g_score)
        adjoint[5, t] += 2.0 * e * level[G, t] * both
        adjoint[G, t] += e * e * both
        adjoint[K, t] += e * e * level[G, t] * of_k
        adjoint[H, t] -= e * e * level[G, t] * k * g_score
    return g_sigma, gz * root


@jitable
def _back_to_sigma(sigma, steps, c, r, level, adjoint):  # type: ignore[no-untyped-def]  # compiled
    """Reverse `_look_back`, from the first visit to the last: add to the adjoints of f and e; return that of sigma."""
    q, g_sigma = steps.shape[1], 0.0
    for t in range(q):
        e, g = steps[E, t], level[G, t]
        gP = -adjoint[G, t] * g * g
        gm = adjoint[M, t] + gP * e * e
        gh, gk = adjoint[H, t], adjoint[K, t]
        adjoint[5, t] += 2.0 * gP * e * level[M, t]
        g_sigma += 2.0 * gm * sigma * c[t] + gh * r[t] + gk * c[t]
        if t < q - 1:
            f, g = steps[F, t + 1], level[G, t + 1]
            m, h, k = level[M, t + 1], level[H, t + 1], level[K, t + 1]
            adjoint[4, t + 1] += g * (2.0 * gm * f * m + gh * h + gk * k)
            adjoint[G, t + 1] += f * (gm * f * m + gh * h + gk * k)
            adjoint[M, t + 1] += gm * f * f * g
            adjoint[H, t + 1] += gh * f * g
            adjoint[K, t + 1] += gk * f * g
    return g_sigma


@jitable
def chain_adjoint(sigma, sigma_b, steps, c, r, w, z, gu, gw, w_b, z_b, gu_b, gw_b):  # type: ignore[no-untyped-def]  # compiled
    """Pull back gu (and gu_b), -z'z / 2 and the log Jacobian: fill gw and gw_b.

    Returns the gradients in sigma, sigma_b and the coordinate of rho (without its prior).
    """
    q, beside = steps.shape[1], w_b.shape[0] > 0
    level, adjoint = np.empty((4, q)), np.zeros((_ADJOINTS, q))
    g_sigma, g_sigma_b = 0.0, 0.0
    for j in range(z.shape[0] // q):
        at = j * q
        _look_back(sigma, steps, c[at:], r[at:], level)
        b = sigma_b * z_b[j] if beside else 0.0
        own, g_b = _back_from_effects(sigma, steps, b, level, w[at:], z[at:], gu[at:], gw[at:], adjoint)
        g_sigma += own
        if beside:
            own, gw_b[j] = _back_from_intercept(
                sigma_b, steps, c[at:], r[at:], level, w_b[j], z_b[j], g_b + gu_b[j], adjoint
            )
            g_sigma_b += own
        g_sigma += _back_to_sigma(sigma, steps, c[at:], r[at:], level, adjoint)
    g_x = 0.0
    for t in range(1, q):
        g_x += adjoint[4, t] * steps[DF, t] + adjoint[5, t] * steps[DE, t]
    return g_sigma, g_sigma_b, g_x
