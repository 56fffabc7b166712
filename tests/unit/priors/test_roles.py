"""Which parameter can have which prior, and how many levels a flat one needs."""

from __future__ import annotations

import pytest

from bayesglmm.priors import Prior, minimum_levels, refusal, role_of_key
from bayesglmm.priors.roles import speaks_of, tidy_key


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("beta", "coefficient"),
        ("Intercept", "coefficient"),
        ("cross[RR]", "coefficient"),
        ("sd", "sd"),
        ("sd(female)", "sd"),
        (" sd( subject ,days ) ", "sd"),
        ("cor", "cor"),
        ("cor(subject)", "cor"),
        ("sigma", "dispersion"),
        ("phi", "dispersion"),
        ("sd_of_x", "coefficient"),
        ("beta[sd(x)]", "coefficient"),
    ],
)
def test_role_of_a_key(key, role):
    assert role_of_key(key) == role


def test_spelling_of_keys():
    assert tidy_key("sd(subject,days)") == tidy_key(" sd ( subject , days ) ") == "sd(subject, days)"
    assert tidy_key(" a column ") == " a column "
    assert speaks_of("sd(a:b,x)", "a:b")
    assert speaks_of("cor(a)", "a")
    assert not speaks_of("sd(ab)", "a")


@pytest.mark.parametrize(
    ("role", "prior"),
    [
        ("coefficient", Prior("Normal", sigma=1)),
        ("coefficient", Prior("Flat")),
        ("coefficient", Prior("Exponential", lam=1)),
        ("coefficient", Prior("Uniform", lower=-1, upper=1)),
        ("sd", Prior("HalfCauchy", beta=1)),
        ("sd", Prior("Flat")),
        ("sd", Prior("Flat", on="variance")),
        ("sd", Prior("HalfFlat")),
        ("sd", Prior("Uniform", lower=0, upper=1)),
        ("sd", Prior("Gamma", alpha=0.001, beta=0.001, on="precision")),
        ("dispersion", Prior("InverseGamma", alpha=1, beta=1, on="variance")),
        ("cor", Prior("LKJ", eta=2)),
    ],
)
def test_allowed(role, prior):
    assert refusal(role, prior) is None


@pytest.mark.parametrize(
    ("role", "prior", "words"),
    [
        ("coefficient", Prior("LKJ", eta=1), "belongs to cor"),
        ("coefficient", Prior("Normal", sigma=1, on="variance"), "Leave `on` out"),
        ("coefficient", Prior("HalfFlat"), "a coefficient takes Flat"),
        ("sd", Prior("Normal", sigma=1), "Use HalfNormal"),
        ("sd", Prior("Cauchy", alpha=0, beta=1), "Use HalfCauchy"),
        ("dispersion", Prior("StudentT", nu=4, sigma=1), "Use HalfStudentT"),
        ("sd", Prior("Uniform", lower=-1, upper=1), "Use lower = 0 or above"),
        ("sd", Prior("LKJ", eta=1), "belongs to cor"),
        ("sd", Prior("Flat", on="precision"), "improper posterior"),
        ("dispersion", Prior("HalfFlat", on="precision"), "improper posterior"),
        ("cor", Prior("Normal", sigma=1), 'correlations take {dist = "LKJ", eta = 1}'),
        ("cor", Prior("LKJ", eta=1, on="variance"), "Leave `on` out"),
    ],
)
def test_refused_with_what_to_do(role, prior, words):
    assert words in refusal(role, prior)


@pytest.mark.parametrize(
    ("prior", "levels"),
    [
        (Prior("Flat"), 3),
        (Prior("HalfFlat"), 3),
        (Prior("Flat", on="variance"), 4),
        (Prior("HalfNormal", sigma=1), 1),
    ],
)
def test_levels_that_a_flat_prior_needs(prior, levels):
    assert minimum_levels(prior) == levels
