"""Rows of the families with a dispersion phi against mpmath: l and its derivatives in eta and log(phi), for every phi.

An error counts beside what the rounding of eta does to the exact value, and beside the largest terms of a row, which
are of the order of the response (y, trials) or of 1.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from bayesglmm.families import FAMILIES, compile_rows
from bayesglmm.families.poisson import SATURATED

lgamma = mpmath.loggamma
LOGS = {
    "logit": (lambda x: -mpmath.log1p(mpmath.exp(-x)), lambda x: -mpmath.log1p(mpmath.exp(x))),
    "probit": (
        lambda x: mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2),
        lambda x: mpmath.log(mpmath.erfc(x / mpmath.sqrt(2)) / 2),
    ),
    "cloglog": (lambda x: mpmath.log(-mpmath.expm1(-mpmath.exp(x))), lambda x: -mpmath.exp(x)),
}


def negative_binomial(link, y, size, eta, log_phi):
    mu, phi = mpmath.exp(eta), mpmath.exp(log_phi)
    saturated = y * mpmath.log(y) - y if y > SATURATED else 0
    return lgamma(y + phi) - lgamma(phi) + y * eta - y * mpmath.log(mu + phi) - phi * mpmath.log1p(mu / phi) - saturated


def gamma(link, y, size, eta, log_phi):
    k, log_mu = mpmath.exp(-log_phi), -mpmath.log(eta) if link == "inverse" else eta
    return k * mpmath.log(k) - lgamma(k) + k * (mpmath.log(y) - log_mu) - k * y * mpmath.exp(-log_mu)


def beta(link, y, size, eta, log_phi):
    phi = mpmath.exp(log_phi)
    a, b = (phi * mpmath.exp(part(eta)) for part in LOGS[link])
    return lgamma(phi) - lgamma(a) - lgamma(b) + a * mpmath.log(y) + b * mpmath.log1p(-y)


def beta_binomial(link, y, size, eta, log_phi):
    phi = mpmath.exp(log_phi)
    a, b = (phi * mpmath.exp(part(eta)) for part in LOGS[link])
    return lgamma(y + a) - lgamma(a) + lgamma(size - y + b) - lgamma(b) - lgamma(size + phi) + lgamma(phi)


COUNTS = [(0, 1), (1, 1), (40, 1), (10**6, 1)]
POSITIVE = [(1e-5, 1), (2.7, 1), (1e6, 1)]
SHARES = [(1e-9, 1), (0.3, 1), (1 - 1e-9, 1)]
TRIALS = [(0, 1), (1, 1), (5, 12), (12, 12), (30, 4000)]
CASES = {
    ("negative_binomial", "log"): (negative_binomial, COUNTS, [-9.0, 0.0, 3.6, 13.8, 25.0], [1e-6, 0.7, 40, 1e8, 1e14]),
    ("gamma", "log"): (gamma, POSITIVE, [-11.5, 0.0, 0.993, 20.0], [1e-12, 0.01, 0.7, 1e4]),
    ("gamma", "inverse"): (gamma, POSITIVE, [1e-6, 0.37, 3.0, 1e5], [1e-12, 0.01, 0.7, 1e4]),
    ("beta", "logit"): (beta, SHARES, [-20.7, -0.85, 0.0, 8.0, 35.0], [1e-3, 3, 40, 1e9]),
    ("beta", "probit"): (beta, SHARES, [-6.0, -0.52, 0.0, 3.3], [1e-3, 3, 1e9]),
    ("beta", "cloglog"): (beta, SHARES, [-8.0, -1.03, 0.5, 3.1], [1e-3, 3, 1e9]),
    ("beta_binomial", "logit"): (beta_binomial, TRIALS, [-30.0, -0.3, 0.0, 4.0, 30.0], [1e-6, 3, 40, 1e9, 1e14]),
}
#: Largest term of a row: what cancels in l is no more, and in a derivative of order k no more than slope^k times it.
#: For small a, b and phi what is left of log Gamma is itself good to 1e-14 (test_polygamma.py), and two of them meet.
SIZE = {"negative_binomial": lambda y, size: 1 + y, "beta_binomial": lambda y, size: 4 * size + 20}
SLOPE = {"probit": lambda eta: max(1.0, abs(eta)), "cloglog": lambda eta: max(1.0, np.exp(eta))}
ORDERS = (0, 1, 2, 3, 0, 1, 2)


def exact(density, link, y, size, eta, phi):
    """Return the seven quantities, and what a relative change of eta does to each of them."""
    h, log_phi, eta = mpf(10) ** -20, mpmath.log(mpf(phi)), mpf(eta)

    def jet(at):
        coefficients = mpmath.taylor(lambda t: density(link, mpf(y), mpf(size), t, at), eta, 4)
        return [c * mpmath.factorial(k) for k, c in enumerate(coefficients)]

    m, up, down = jet(log_phi), jet(log_phi + h), jet(log_phi - h)
    p = [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]
    return [*m[:4], *p[:3]], [abs(eta * d) for d in [*m[1:], *p[1:4]]]


@pytest.mark.parametrize(("family", "link"), list(CASES))
def test_rows(family: str, link: str) -> None:
    density, outcomes, etas, phis = CASES[family, link]
    kernels = compile_rows(FAMILIES[family].links[link].row)
    eta, n = np.array(etas), len(etas)
    with mpmath.workdps(70):
        for phi in phis:
            for y, size in outcomes:
                out = np.empty((7, n))
                columns = (np.full(n, float(v)) for v in (y, size, 1.0))
                kernels.derivatives(*columns, eta, float(phi), out)
                for i, at in enumerate(etas):
                    values, moves = exact(density, link, y, size, at, phi)
                    for k, (value, move) in enumerate(zip(values, moves, strict=True)):
                        scale = abs(value) + move
                        # log Gamma of a small a = mu phi is -log(a), in l alone.
                        largest = SIZE.get(family, lambda y, size: 4)(y, size) + (abs(np.log(phi)) if k == 0 else 0.0)
                        rounding = 1e-15 * largest
                        rounding *= SLOPE.get(link, lambda eta: 1.0)(at) ** ORDERS[k]
                        error = abs(mpf(float(out[k, i])) - value)
                        assert error <= 1e-13 * scale + rounding, (phi, y, size, at, k, float(out[k, i]), value)


@pytest.mark.parametrize("phi", [1e6, 1e10, 1e14])
def test_derivatives_in_phi_keep_their_digits_towards_poisson(phi: float) -> None:
    """l_phi is about ((y - (y - mu)^2) / (2 phi): ten digits of it, where the terms it comes from are 1e14 as large."""
    kernels = compile_rows(FAMILIES["negative_binomial"].links["log"].row)
    y, eta = np.array([0.0, 1.0, 7.0, 300.0]), np.array([0.3, -1.0, 2.5, 5.9])
    out = np.empty((7, 4))
    kernels.derivatives(y, np.ones(4), np.ones(4), eta, phi, out)
    with mpmath.workdps(70):
        for i in range(4):
            values, _ = exact(negative_binomial, "log", y[i], 1.0, eta[i], phi)
            for k in (4, 5, 6):
                assert abs(mpf(float(out[k, i])) / values[k] - 1) < 1e-10, (i, k)


def test_the_limits_are_poisson_and_binomial() -> None:
    n = 50
    rng = np.random.default_rng(1)
    eta = rng.normal(size=n)
    for family, limit, y, size in (
        ("negative_binomial", "poisson", rng.poisson(np.exp(eta)), np.ones(n)),
        ("beta_binomial", "binomial", rng.binomial(9, 0.4, n), np.full(n, 9.0)),
    ):
        tables = np.empty((2, 7, n))
        for table, name in zip(tables, (family, limit), strict=True):
            row = FAMILIES[name].links[FAMILIES[name].default_link].row
            compile_rows(row).derivatives(y.astype(float), size, np.ones(n), eta, 1e17, table)
        np.testing.assert_allclose(tables[0][:4], tables[1][:4], rtol=1e-13, atol=1e-13)
        assert np.abs(tables[0][4:]).max() < 1e-14


@pytest.mark.parametrize(("family", "link"), [key for key in CASES if key[1] != "inverse"])
def test_far_out_nothing_is_not_a_number(family: str, link: str) -> None:
    kernels = compile_rows(FAMILIES[family].links[link].row)
    eta = np.array([-800.0, -300.0, -40.0, 40.0, 300.0, 800.0])
    for y, size in CASES[family, link][1]:
        for phi in (1e-8, 1.0, 1e12):
            out = np.empty((7, 6))
            kernels.derivatives(np.full(6, float(y)), np.full(6, float(size)), np.ones(6), eta, phi, out)
            assert not np.isnan(out).any(), (y, size, phi, out)
