"""Row functions of beta and beta-binomial responses: a = mu phi, b = (1 - mu) phi, for every link of a probability.

A link enters by the logarithms A = log(mu) and B = log(1 - mu) with their derivatives in eta (`special`), the gamma
functions by what Stirling's formula leaves of them (`polygamma`), with derivatives in log(a) = A + log(phi) and in
log(b): both are bounded in the tails, and no digits are lost for large phi.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import math

from bayesglmm.families.elementary import exp_nonpositive, log1p_unit
from bayesglmm.families.polygamma import Jet, log1p_excess, rising_jet, stirling_jet
from bayesglmm.families.record import RowValues
from bayesglmm.families.rows import compiled_scalar
from bayesglmm.families.special import log_cloglog_jet, log_ndtr_jet

__all__ = [
    "beta_binomial_logit_row",
    "beta_cloglog_row",
    "beta_logit_row",
    "beta_probit_row",
]

_LOG_2PI = math.log(2.0 * math.pi)
#: Of the complementary log-log: beyond, mu has long been 1, and third powers of exp(eta) would overflow.
_LARGEST_EXPONENT = 100.0


@compiled_scalar
def _logit_jet(eta: float) -> Jet:
    """Return log(1 / (1 + exp(-eta))) and its first three derivatives."""
    e = exp_nonpositive(-abs(eta))
    near, far = 1.0 / (1.0 + e), e / (1.0 + e)
    mu, nu = (near, far) if eta >= 0.0 else (far, near)
    return min(eta, 0.0) - log1p_unit(e), nu, -mu * nu, -mu * nu * (nu - mu)


@compiled_scalar
def _mirrored(jet: Jet) -> Jet:
    """Return the jet of f(-eta) from that of f at -eta."""
    return jet[0], -jet[1], jet[2], -jet[3]


@compiled_scalar
def _composed(f: Jet, A: Jet) -> tuple[float, float, float]:
    """Return the three derivatives in eta of f(A(eta)), f's jet being in A (Faa di Bruno)."""
    a = A[1]
    return f[1] * a, f[1] * A[2] + f[2] * a * a, f[1] * A[3] + 3.0 * f[2] * a * A[2] + f[3] * a * a * a


@compiled_scalar
def _beta(y: float, phi: float, A: Jet, B: Jet) -> RowValues:
    """Row of a share y, from the jets in eta of log(mu) and log(1 - mu).

    l = -phi K + (log(phi / 2 pi) + A + B) / 2 + S(phi) - S(a) - S(b), without -log(y) - log(1 - y), where K is the
    divergence mu log(mu / y) + (1 - mu) log((1 - mu) / (1 - y)): log Gamma(phi) - log Gamma(a) - log Gamma(b) with
    Stirling's formula for each, whose terms in phi log(phi) cancel on paper.
    """
    mu, nu = math.exp(A[0]), math.exp(B[0])
    log_y, log_z = math.log(y), math.log1p(-y)
    away = y - mu if mu < 0.5 else nu - (1.0 - y)
    if abs(away) < 0.5 * min(mu, nu):
        K = -mu * log1p_excess(away / mu) - nu * log1p_excess(-away / nu)
    else:
        K = mu * (A[0] - log_y) + nu * (B[0] - log_z)
    # phi K in eta: mu A' + (1 - mu) B' = 0 leaves mu' (A - B - logit(y)).
    m1 = mu * A[1]
    m2 = mu * (A[2] + A[1] * A[1])
    m3 = mu * (A[3] + 3.0 * A[1] * A[2] + A[1] * A[1] * A[1])
    gap, gap1, gap2 = log_y - log_z - A[0] + B[0], A[1] - B[1], A[2] - B[2]
    K1, K2, K3 = -m1 * gap, m1 * gap1 - m2 * gap, 2.0 * m2 * gap1 + m1 * gap2 - m3 * gap
    a, b, whole = stirling_jet(mu * phi), stirling_jet(nu * phi), stirling_jet(phi)
    a1, a2, a3 = _composed((0.0, 0.5 - a[1], -a[2], -a[3]), A)
    b1, b2, b3 = _composed((0.0, 0.5 - b[1], -b[2], -b[3]), B)
    return (
        -phi * K + 0.5 * (math.log(phi) - _LOG_2PI + A[0] + B[0]) + whole[0] - a[0] - b[0],
        -phi * K1 + a1 + b1,
        -phi * K2 + a2 + b2,
        -phi * K3 + a3 + b3,
        -phi * K + 0.5 + whole[1] - a[1] - b[1],
        -phi * K1 - a[2] * A[1] - b[2] * B[1],
        -phi * K2 - a[3] * A[1] * A[1] - a[2] * A[2] - b[3] * B[1] * B[1] - b[2] * B[2],
    )


@compiled_scalar
def _beta_binomial(y: float, size: float, phi: float, A: Jet, B: Jet) -> RowValues:
    """Row of y successes in `size` trials, from the jets in eta of log(mu) and log(1 - mu).

    The binomial row y A + (size - y) B, and the logarithm of a (a + 1) ... (a + y - 1) / a^y with the like in b and
    phi: these vanish as phi goes to infinity.
    """
    z = size - y
    a, b = rising_jet(math.exp(A[0]) * phi, y), rising_jet(math.exp(B[0]) * phi, z)
    whole = rising_jet(phi, size)
    a1, a2, a3 = _composed((0.0, y + a[1], a[2], a[3]), A)
    b1, b2, b3 = _composed((0.0, z + b[1], b[2], b[3]), B)
    l = (y * A[0] if y > 0.0 else 0.0) + (z * B[0] if z > 0.0 else 0.0) + a[0] + b[0] - whole[0]
    return (
        l,
        a1 + b1,
        a2 + b2,
        a3 + b3,
        a[1] + b[1] - whole[1],
        a[2] * A[1] + b[2] * B[1],
        a[3] * A[1] * A[1] + a[2] * A[2] + b[3] * B[1] * B[1] + b[2] * B[2],
    )


@compiled_scalar
def _log_odds_jets(eta: float) -> tuple[Jet, Jet]:
    return _logit_jet(eta), _mirrored(_logit_jet(-eta))


@compiled_scalar
def _normal_jets(eta: float) -> tuple[Jet, Jet]:
    return log_ndtr_jet(eta), _mirrored(log_ndtr_jet(-eta))


@compiled_scalar
def _gumbel_jets(eta: float) -> tuple[Jet, Jet]:
    w = math.exp(min(eta, _LARGEST_EXPONENT))
    return log_cloglog_jet(eta), (-w, -w, -w, -w)


@compiled_scalar
def beta_logit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of a share with mu = 1 / (1 + exp(-eta))."""
    A, B = _log_odds_jets(eta)
    return _beta(y, phi, A, B)


@compiled_scalar
def beta_probit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of a share with mu = Phi(eta), the standard normal distribution function."""
    A, B = _normal_jets(eta)
    return _beta(y, phi, A, B)


@compiled_scalar
def beta_cloglog_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of a share with mu = 1 - exp(-exp(eta))."""
    A, B = _gumbel_jets(eta)
    return _beta(y, phi, A, B)


@compiled_scalar
def beta_binomial_logit_row(y: float, size: float, eta: float, phi: float) -> RowValues:
    """Row of successes with mu = 1 / (1 + exp(-eta))."""
    A, B = _log_odds_jets(eta)
    return _beta_binomial(y, size, phi, A, B)
