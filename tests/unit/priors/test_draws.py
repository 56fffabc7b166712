"""Draws follow their densities: Kolmogorov-Smirnov against scipy, and the marginals of LKJ."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st

from bayesglmm.errors import NotAvailableError
from bayesglmm.priors import DISTRIBUTIONS, Prior

N = 20_000
CASES = [
    (Prior("Normal", mu=1.0, sigma=2.0), st.norm(1.0, 2.0)),
    (Prior("StudentT", nu=3.0, mu=1.0, sigma=2.0), st.t(3.0, 1.0, 2.0)),
    (Prior("Cauchy", alpha=1.0, beta=2.0), st.cauchy(1.0, 2.0)),
    (Prior("HalfNormal", sigma=2.0), st.halfnorm(scale=2.0)),
    (Prior("HalfStudentT", nu=1.0, sigma=2.0), st.halfcauchy(scale=2.0)),
    (Prior("HalfCauchy", beta=2.0), st.halfcauchy(scale=2.0)),
    (Prior("Exponential", lam=4.0), st.expon(scale=0.25)),
    (Prior("Gamma", alpha=2.0, beta=4.0), st.gamma(2.0, scale=0.25)),
    (Prior("InverseGamma", alpha=2.0, beta=4.0), st.invgamma(2.0, scale=4.0)),
    (Prior("Uniform", lower=-1.0, upper=3.0), st.uniform(-1.0, 4.0)),
]


@pytest.mark.parametrize(("prior", "frozen"), CASES, ids=lambda c: c.dist if isinstance(c, Prior) else "")
def test_draws_have_the_distribution(prior, frozen):
    draws = prior.distribution.draw(np.random.default_rng(1986), prior.params, (N,))
    assert draws.shape == (N,)
    assert st.kstest(draws, frozen.cdf).pvalue > 1e-3


def test_every_proper_distribution_is_drawn_from():
    proper = {n for n, d in DISTRIBUTIONS.items() if d.is_proper}
    assert {p.dist for p, _ in CASES} == proper - {"LKJ"}


@pytest.mark.parametrize("name", ["Flat", "HalfFlat"])
def test_nothing_is_drawn_from_an_improper_prior(name):
    with pytest.raises(NotAvailableError, match="proper prior"):
        DISTRIBUTIONS[name].draw(np.random.default_rng(1), {}, (3,))


@pytest.mark.parametrize(("eta", "q"), [(1.0, 2), (0.5, 3), (4.0, 4)])
def test_lkj_marginals_are_beta(eta, q):
    # Each correlation is 2 Beta(b, b) - 1 with b = eta - 1 + q / 2 (Lewandowski et al. 2009).
    R = DISTRIBUTIONS["LKJ"].draw(np.random.default_rng(3), {"eta": eta}, (N, q, q))
    b = eta - 1.0 + q / 2.0
    np.testing.assert_array_equal(R, R.swapaxes(1, 2))
    np.testing.assert_array_equal(R.diagonal(axis1=1, axis2=2), 1.0)
    assert np.linalg.eigvalsh(R).min() > -1e-12
    for i in range(q):
        for k in range(i):
            assert st.kstest((R[:, i, k] + 1.0) / 2.0, st.beta(b, b).cdf).pvalue > 1e-3


def test_lkj_wants_a_square():
    with pytest.raises(ValueError, match="must be equal"):
        DISTRIBUTIONS["LKJ"].draw(np.random.default_rng(3), {"eta": 1.0}, (10, 2, 3))
