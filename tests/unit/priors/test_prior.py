"""Priors as users write them: every form, and a sentence for everything that is wrong."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from bayesglmm.errors import SpecificationError
from bayesglmm.priors import Prior, as_prior
from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.spec_problems import ComplaintsError

NORMAL = Prior("Normal", mu=0, sigma=2.5)


class Normal:
    """What a PreliZ distribution looks like from outside."""

    def __init__(self, mu, sigma):
        self.mu, self.sigma = mu, sigma
        self.params_dict = {"mu": mu, "sigma": sigma}


class Gamma:
    """PreliZ's Gamma given mu and sigma: alpha and beta are attributes as well."""

    def __init__(self):
        self.alpha, self.beta = 4.0, 2.0
        self.params_dict = {"mu": 2.0, "sigma": 1.0}


class Truncated:
    def __init__(self):
        self.params_dict = {"mu": 0.0, "sigma": 1.0, "lower": 0.0}


@pytest.mark.parametrize(
    "given",
    [
        NORMAL,
        ("Normal", {"mu": 0, "sigma": 2.5}),
        ["Normal", {"sigma": np.float32(2.5)}],
        {"dist": "Normal", "mu": np.int64(0), "sigma": 2.5},
        {"dist": "Normal", "params": {"mu": 0.0, "sigma": 2.5}},
        {"dist": "Normal", "sigma": 2.5, "on": "sd"},
        Normal(0.0, 2.5),
    ],
)
def test_every_form_says_the_same(given):
    prior = as_prior(given)
    assert prior == NORMAL
    assert hash(prior) == hash(NORMAL)
    assert prior.params == {"mu": 0.0, "sigma": 2.5}
    assert all(type(v) is float for v in prior.params.values())


def test_preliz_objects_are_read_in_our_parameters():
    assert as_prior(Gamma()) == Prior("Gamma", alpha=4, beta=2)


def test_text_and_plain_form():
    prior = Prior("InverseGamma", alpha=0.001, beta=0.001, on="variance")
    assert str(prior) == "InverseGamma(alpha=0.001, beta=0.001) on variance"
    assert prior.model_dump() == {"dist": "InverseGamma", "alpha": 0.001, "beta": 0.001, "on": "variance"}
    assert as_prior(prior.model_dump()) == prior
    assert str(NORMAL) == "Normal(mu=0, sigma=2.5)"
    assert "on" not in NORMAL.model_dump()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_are_equal_and_frozen(duplicate):
    again = duplicate(NORMAL)
    assert again == NORMAL
    assert hash(again) == hash(NORMAL)
    with pytest.raises(TypeError, match="frozen"):
        again.params["sigma"] = 1.0


def test_nothing_on_a_prior_can_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        NORMAL.on = "variance"
    for change in (
        lambda d: d.update(sigma=1.0),
        lambda d: d.pop("mu"),
        lambda d: d.clear(),
        lambda d: d.setdefault("nu", 3.0),
        lambda d: d.__delitem__("mu"),
        lambda d: d.__ior__({"mu": 1.0}),
    ):
        with pytest.raises(TypeError, match="frozen"):
            change(NORMAL.params)


def test_frozen_dicts_hash_by_content():
    assert hash(FrozenDict(a=1, b=2)) == hash(FrozenDict(b=2, a=1))
    assert FrozenDict(a=1) == {"a": 1}


@pytest.mark.parametrize(
    ("dist", "params", "key", "message"),
    [
        (
            "Norml",
            {"mu": 0},
            "dist",
            "'Norml' is not a registered distribution. Did you mean 'Normal'? Allowed: Flat, ",
        ),
        (3, {}, "dist", "3 is not a registered distribution. Allowed"),
        (
            "Normal",
            {"mu": 0, "sgma": 1},
            "sgma",
            "Normal has no parameter 'sgma'. Did you mean 'sigma'? It is Normal(mu, sigma).",
        ),
        ("Normal", {}, "", "Normal needs sigma (Normal(mu, sigma))."),
        ("Gamma", {}, "", "Gamma needs alpha and beta (Gamma(alpha, beta))."),
        ("Normal", {"sigma": 0}, "sigma", "sigma = 0 is given; Normal needs sigma > 0."),
        ("StudentT", {"nu": -1, "sigma": 1}, "nu", "nu = -1 is given; StudentT needs nu > 0."),
        (
            "Uniform",
            {"lower": 2, "upper": 2},
            "upper",
            "lower = 2 and upper = 2 are given; Uniform needs lower < upper.",
        ),
        ("Normal", {"sigma": "wide"}, "sigma", "'wide' is given; a finite number is needed."),
        ("Normal", {"sigma": True}, "sigma", "True is given; a finite number is needed."),
        ("Normal", {"sigma": float("inf")}, "sigma", "inf is given; a finite number is needed."),
        ("Normal", {"sigma": float("nan")}, "sigma", "nan is given; a finite number is needed."),
        ("Flat", {"mu": 0}, "mu", "Flat has no parameter 'mu'. It is Flat()."),
    ],
)
def test_what_is_wrong_is_said(dist, params, key, message):
    with pytest.raises(SpecificationError) as caught:
        Prior(dist, params)
    (problem,) = caught.value.problems
    assert problem.where == key
    assert problem.message.startswith(message)


def test_a_number_beyond_all_floats_is_not_finite():
    with pytest.raises(SpecificationError, match="a finite number is needed"):
        Prior("Normal", sigma=10**400)


def test_parameters_come_as_a_table_or_as_keywords_but_once():
    assert Prior("Normal", {"mu": 0}, sigma=2.5) == NORMAL
    with pytest.raises(SpecificationError, match="sigma: is given twice; say it once"):
        Prior("Normal", {"sigma": 1}, sigma=2)
    with pytest.raises(SpecificationError, match="a table of parameters is needed"):
        Prior("Normal", 3)


def test_the_pair_may_say_on():
    assert as_prior(("HalfNormal", {"sigma": 1, "on": "variance"})).on == "variance"


def test_everything_wrong_with_a_prior_is_said_at_once():
    with pytest.raises(SpecificationError) as caught:
        Prior("StudentT", mu="x", sigm=2.0, on="varance")
    assert [p.where for p in caught.value.problems] == ["on", "mu", "sigm", ""]
    assert "'varance' is given. Did you mean 'variance'? Allowed: 'sd', 'variance', 'precision'." in str(caught.value)
    assert "StudentT needs nu and sigma" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Normal(0, 1)", "this is no prior. Write it as"),
        (2.5, "this is no prior. Write it as"),
        ({"mu": 0, "sigma": 1}, "the key dist is missing. Write it as"),
        (("Normal", 0, 1), "a prior is a pair of a name and parameters"),
        ({"dist": "Normal", "params": 3}, "3 is given; a table of parameters is needed"),
        ({"dist": "Normal", "params": {"sigma": 1}, "sigma": 2}, "is given twice; say it once"),
        (("Normal", {"dist": "Cauchy", "sigma": 1}), "Normal has no parameter 'dist'"),
        ((["Normal"], {"sigma": 1}), "['Normal'] is not a registered distribution"),
        (("Normal",), "a prior is a pair of a name and parameters"),
        (None, "this is no prior. Write it as"),
        (np.ones(2), "this is no prior. Write it as"),
        ({}, "the key dist is missing"),
        ({3: 4, "dist": "Normal", "sigma": 1}, "Normal has no parameter 3"),
        (Truncated(), "'Truncated' is not a registered distribution"),
        (Normal(None, None), "Normal needs sigma"),
    ],
)
def test_what_is_no_prior_is_refused_with_the_way_to_write_one(given, message):
    with pytest.raises(ComplaintsError) as caught:
        as_prior(given)
    assert message in str(caught.value)
