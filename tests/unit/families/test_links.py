from __future__ import annotations

import mpmath
import numpy as np
import pytest

from bayesglmm.families import links
from bayesglmm.families.links import CAUCHIT, CLOGLOG, IDENTITY, LOG, LOGIT, PROBIT, SQRT

BINARY = [LOGIT, PROBIT, CLOGLOG, CAUCHIT]
ALL = [getattr(links, name) for name in links.__all__]

EXACT_INVERSE = {
    "logit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "probit": lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "cloglog": lambda x: -mpmath.expm1(-mpmath.exp(x)),
    "cauchit": lambda x: mpmath.atan2(1, -x) / mpmath.pi,
}


@pytest.mark.parametrize("link", BINARY, ids=lambda link: link.name)
def test_inverse_is_accurate_in_both_tails(link):
    eta = np.array([-37.0, -10.0, -1.0, -1e-8, 0.0, 0.4, 1.0, 3.0, 10.0, 38.0])
    with mpmath.workdps(50):
        exact = [float(EXACT_INVERSE[link.name](mpmath.mpf(float(x)))) for x in eta]
    np.testing.assert_allclose(link.inverse(eta), exact, rtol=1e-12)


@pytest.mark.parametrize("link", ALL, ids=lambda link: link.name)
def test_forward_undoes_inverse(link):
    eta = np.array([1e-8, 1e-3, 0.3, 0.7, 1.0])  # beyond, a probability near 1 cannot hold eta to 1e-12
    if link is not SQRT:
        eta = np.concatenate([-30.0 * eta, eta])
    np.testing.assert_allclose(link.forward(link.inverse(eta)), eta, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("link", BINARY, ids=lambda link: link.name)
def test_the_ends_are_infinite_without_a_warning(link):
    ends = link.forward(np.array([0.0, 1.0]))
    assert ends[0] == -np.inf
    assert ends[1] == np.inf
    np.testing.assert_allclose(link.inverse(np.array([-1e5, 1e5])), [0.0, 1.0], atol=1e-5)


def test_log_link_overflows_quietly():
    assert LOG.inverse(np.array([1000.0]))[0] == np.inf
    assert LOG.forward(np.array([0.0]))[0] == -np.inf


def test_cauchit_forward_keeps_a_small_probability():
    np.testing.assert_allclose(CAUCHIT.forward(np.array([1e-20])), [-1.0 / (np.pi * 1e-20)], rtol=1e-14)
    assert CAUCHIT.forward(np.array([0.5]))[0] == 0.0


def test_identity_copies():
    eta = np.array([1.0, 2.0])
    mu = IDENTITY.inverse(eta)
    mu[0] = 9.0
    assert eta[0] == 1.0


@pytest.mark.parametrize("link", ALL, ids=lambda link: link.name)
def test_latex_has_one_place_for_mu(link):
    assert (link.latex % r"\mu_i").count(r"\mu_i") == 1
