"""Log densities of the registered priors and their derivatives, compiled, normalising constants included."""

from __future__ import annotations

import math

from numba.extending import register_jitable

from bayesglmm.compiled import compiled
from bayesglmm.priors.registry import DISTRIBUTIONS

__all__ = ["log_density", "log_density_of"]

# Compiled code sees these as constants; the registry is where they are said.
FLAT = DISTRIBUTIONS["Flat"].code
HALF_FLAT = DISTRIBUTIONS["HalfFlat"].code
NORMAL = DISTRIBUTIONS["Normal"].code
STUDENT_T = DISTRIBUTIONS["StudentT"].code
CAUCHY = DISTRIBUTIONS["Cauchy"].code
HALF_NORMAL = DISTRIBUTIONS["HalfNormal"].code
HALF_STUDENT_T = DISTRIBUTIONS["HalfStudentT"].code
HALF_CAUCHY = DISTRIBUTIONS["HalfCauchy"].code
EXPONENTIAL = DISTRIBUTIONS["Exponential"].code
GAMMA = DISTRIBUTIONS["Gamma"].code
INVERSE_GAMMA = DISTRIBUTIONS["InverseGamma"].code
UNIFORM = DISTRIBUTIONS["Uniform"].code

LOG_2 = math.log(2.0)
LOG_PI = math.log(math.pi)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@register_jitable
def _normal(x, mu, sigma):  # type: ignore[no-untyped-def]  # compiled
    z = (x - mu) / sigma
    return -0.5 * z * z - math.log(sigma) - HALF_LOG_2PI, -z / sigma


@register_jitable
def _log_gamma_half_step(a):  # type: ignore[no-untyped-def]  # compiled
    """Return log Gamma(a + 1/2) - log Gamma(a); a difference of lgamma would lose log10(a log a) digits."""
    if a < 20.0:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    # DLMF 5.11.13, in powers of 1/a; the next term is below 2e-16 from a = 20 on.
    r = 1.0 / (a * a)
    series = -1.0 / 8.0 + r * (1.0 / 192.0 + r * (-1.0 / 640.0 + r * (17.0 / 14336.0 + r * (-31.0 / 18432.0))))
    return 0.5 * math.log(a) + series / a


@register_jitable
def _student_t(x, nu, mu, sigma):  # type: ignore[no-untyped-def]  # compiled
    z = (x - mu) / sigma
    # The square of a large z would overflow; 1 / nu is nothing beside it.
    tail = math.log1p(z * z / nu) if abs(z) < 1e150 else 2.0 * math.log(abs(z)) - math.log(nu)
    constant = _log_gamma_half_step(0.5 * nu) - 0.5 * (math.log(nu) + LOG_PI) - math.log(sigma)
    slope = 0.0 if z == 0.0 else -(nu + 1.0) / (nu / z + z) / sigma
    return constant - 0.5 * (nu + 1.0) * tail, slope


@register_jitable
def _gamma(x, alpha, beta):  # type: ignore[no-untyped-def]  # compiled
    if x == math.inf:  # not inf - inf
        return -math.inf, 0.0
    constant = alpha * math.log(beta) - math.lgamma(alpha)
    if alpha == 1.0:  # 0 * log(0) is 0 here
        return constant - beta * x, -beta
    return constant + (alpha - 1.0) * math.log(x) - beta * x, (alpha - 1.0) / x - beta


@register_jitable
def _inverse_gamma(x, alpha, beta):  # type: ignore[no-untyped-def]  # compiled
    if x == 0.0:  # exp(-beta / x) is stronger than any power
        return -math.inf, 0.0
    constant = alpha * math.log(beta) - math.lgamma(alpha)
    return constant - (alpha + 1.0) * math.log(x) - beta / x, (beta / x - (alpha + 1.0)) / x


@register_jitable
def _positive(code, x, a, b):  # type: ignore[no-untyped-def]  # compiled
    """Dispatch for x >= 0."""
    if code == HALF_NORMAL:
        value, slope = _normal(x, 0.0, a)
        return LOG_2 + value, slope
    if code == HALF_STUDENT_T:
        value, slope = _student_t(x, a, 0.0, b)
        return LOG_2 + value, slope
    if code == HALF_CAUCHY:
        value, slope = _student_t(x, 1.0, 0.0, a)
        return LOG_2 + value, slope
    if code == EXPONENTIAL:
        return math.log(a) - a * x, -a
    if code == GAMMA:
        return _gamma(x, a, b)
    if code == INVERSE_GAMMA:
        return _inverse_gamma(x, a, b)
    return math.nan, math.nan


@register_jitable
def log_density_of(code, x, a, b, c):  # type: ignore[no-untyped-def]  # compiled
    """Return (log density, its derivative in x); inlined by other kernels, see `log_density`."""
    value, slope = math.nan, math.nan
    if code == NORMAL:
        value, slope = _normal(x, a, b)
    elif code == FLAT:
        value, slope = 0.0, 0.0
    elif code == STUDENT_T:
        value, slope = _student_t(x, a, b, c)
    elif code == CAUCHY:
        value, slope = _student_t(x, 1.0, a, b)
    elif code == UNIFORM:
        value, slope = (-math.log(b - a), 0.0) if a <= x <= b else (-math.inf, 0.0)
    elif x < 0.0:
        value, slope = -math.inf, 0.0
    elif code == HALF_FLAT:
        value, slope = 0.0, 0.0
    else:
        value, slope = _positive(code, x, a, b)
    if value == -math.inf:
        slope = 0.0
    return value, slope


@compiled
def log_density(code, x, a, b, c):  # type: ignore[no-untyped-def]  # compiled
    """Return the log density of a scalar prior and its derivative.

    Parameters
    ----------
    code : int
        `Distribution.code`; LKJ is no scalar and gives nan.
    x : float
        Where.
    a, b, c : float
        The parameters in the order of `Distribution.parameters`; what a distribution does not have is not
        read.

    Returns
    -------
    value : float
        Log density, constants included; ``-inf`` outside the support. Flat priors give 0 (they are
        unnormalised).
    derivative : float
        d value / d x; 0 where the value is ``-inf``.
    """
    return log_density_of(code, x, a, b, c)
