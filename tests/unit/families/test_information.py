"""Expected information: the mean of -d2 over the family's distribution, for every link of every family."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from bayesglmm.families import FAMILIES, compile_rows

ALL = [(family, link) for family, record in FAMILIES.items() if not record.predictors for link in record.links]
ETA = np.array([-3.0, -1.2, -0.4, 0.3, 0.9, 2.1])
SIZE, PHI = 3.0, 1.7
#: Of beta rows: with less, a part of the mass is nearer to 1 than the next smaller number.
PRECISION = 1e4


def outcomes(family: str, link: str, eta: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return responses, their probabilities (or quadrature weights) at eta, and the row's size."""
    mu = float(FAMILIES[family].links[link].link.inverse(np.array(eta)))
    if family == "gaussian":  # size is a known standard error
        nodes, weights = special.roots_hermitenorm(40)
        return mu + PHI * SIZE * nodes, weights / weights.sum(), SIZE
    if family == "poisson":
        y = np.arange(0.0, 200.0)
        return y, np.exp(special.xlogy(y, mu) - mu - special.gammaln(y + 1.0)), 1.0
    if family == "negative_binomial":
        y = np.arange(0.0, 1500.0)
        return y, stats.nbinom.pmf(y, PHI, PHI / (PHI + mu)), 1.0
    if family == "gamma":
        nodes, weights = special.roots_genlaguerre(60, 1.0 / PHI - 1.0)
        return mu * PHI * nodes, weights / weights.sum(), 1.0
    if family == "beta":
        # In the logit, whose tails are exponential, by the trapezoid rule.
        a, b = mu * PRECISION, (1.0 - mu) * PRECISION
        sd = np.sqrt(special.polygamma(1, a) + special.polygamma(1, b))
        t = special.logit(mu) + 0.05 * sd * np.arange(-800.0, 800.0)
        t = t[t < 30.0]
        log_density = a * special.log_expit(t) + b * special.log_expit(-t)
        weights = np.exp(log_density - log_density.max())
        return special.expit(t), weights / weights.sum(), 1.0
    if family == "beta_binomial":
        y = np.arange(0.0, SIZE + 1.0)
        return y, stats.betabinom.pmf(y, SIZE, mu * PHI, (1.0 - mu) * PHI), SIZE
    size = {"bernoulli": 1.0, "binomial": SIZE}[family]
    y = np.arange(0.0, size + 1.0)
    return y, special.comb(size, y) * mu**y * (1.0 - mu) ** (size - y), size


@pytest.mark.parametrize(("family", "link"), ALL)
def test_it_is_the_mean_of_the_negative_second_derivative_and_of_the_squared_score(family: str, link: str) -> None:
    record = FAMILIES[family].links[link]
    kernels = compile_rows(record.row)
    phi = PRECISION if family == "beta" else PHI
    for eta in ETA[ETA > 0.0] if link == "inverse" else ETA:
        y, probability, size = outcomes(family, link, eta)
        assert probability.sum() == pytest.approx(1.0, abs=1e-12)
        sizes = np.full(len(y), size)
        table = np.empty((7, len(y)))
        kernels.derivatives(y, sizes, np.ones(len(y)), np.full(len(y), eta), phi, table)
        information = record.information(np.array([eta]), np.array([size]), phi)
        assert information.shape == (1,)
        assert information[0] == pytest.approx(-(probability @ table[2]), rel=1e-9)
        assert information[0] == pytest.approx(probability @ table[1] ** 2, rel=1e-9)
        assert probability @ table[1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("family", "link"), ALL)
def test_it_is_finite_and_not_negative_in_both_tails(family: str, link: str) -> None:
    eta = np.array([-800.0, -40.0, -10.0, 0.0, 10.0, 40.0, 300.0])
    information = FAMILIES[family].links[link].information(eta, np.ones(len(eta)), 1.0)
    assert np.isfinite(information).all()
    assert (information >= 0.0).all()


@pytest.mark.parametrize(
    ("link", "eta", "expected"),
    [
        ("logit", -40.0, 4.24835425529159e-18),  # mu (1 - mu)
        ("logit", 40.0, 4.24835425529159e-18),
        ("probit", -10.0, 7.77007743304013e-22),  # f^2 / (F (1 - F))
        ("probit", 10.0, 7.77007743304013e-22),
        ("cloglog", -30.0, 9.35762296883974e-14),  # w^2 / (exp(w) - 1), about w
        ("cauchit", -1e6, 3.18309987504476e-19),  # about 1 / (pi |eta|^3)
    ],
)
def test_tails_against_forty_digits_of_mpmath(link: str, eta: float, expected: float) -> None:
    got = FAMILIES["bernoulli"].links[link].information(np.array([eta]), np.ones(1), 1.0)[0]
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("family", "link"), [(f, l) for f, record in FAMILIES.items() if not record.predictors for l in record.links]
)
def test_linear_rows_are_the_parabolas(family: str, link: str) -> None:
    member = FAMILIES[family].links[link]
    y, size, eta, out = np.array([1.0, 1.0, 0.0]), np.ones(3), np.array([0.3, 1.4, 0.8]), np.empty((7, 3))
    compile_rows(member.row).derivatives(y, size, np.ones(3), eta, 1.7, out)
    parabola = np.allclose(out[2], -1.0 / 1.7**2) and np.allclose(out[1], (y - eta) / 1.7**2)
    assert member.linear == parabola
