"""The most specific prior wins; keys that speak of nothing are reported."""

from __future__ import annotations

import pytest

from bayesglmm.priors import Parameter, Prior, resolve

WIDE, NARROW, HALF = Prior("Normal", sigma=10), Prior("Normal", sigma=1), Prior("HalfNormal", sigma=2)
OTHER_HALF, LKJ = Prior("Exponential", lam=1), Prior("LKJ", eta=2)
PARAMETERS = [
    Parameter.coefficient("Intercept"),
    Parameter.coefficient("days"),
    Parameter.sd("subject", "Intercept", "sd(subject, Intercept)"),
    Parameter.sd("subject", "days", "sd(subject, days)"),
    Parameter.sd("female", "Intercept", "sd(female)"),
    Parameter.cor("subject"),
    Parameter.dispersion("sigma"),
]


def resolved(given, parameters=PARAMETERS):
    result = resolve(given, parameters)
    assert result.problems == ()
    found = zip(result.parameters, result.priors, result.keys, strict=True)
    return {p.name: key for p, prior, key in found if prior is not None}


def test_nothing_given_nothing_found():
    assert resolved({}) == {}
    assert resolve({}, PARAMETERS).priors == (None,) * len(PARAMETERS)


def test_beta_is_for_all_coefficients_unless_one_is_named():
    assert resolved({"beta": WIDE}) == {"Intercept": "beta", "days": "beta"}
    assert resolved({"beta": WIDE, "Intercept": NARROW}) == {"Intercept": "Intercept", "days": "beta"}
    assert resolved({"beta": WIDE, "beta[days]": NARROW})["days"] == "beta[days]"


def test_sd_from_all_to_one():
    assert resolved({"sd": HALF}) == {
        "sd(subject, Intercept)": "sd",
        "sd(subject, days)": "sd",
        "sd(female)": "sd",
    }
    found = resolved({"sd": HALF, "sd(subject)": OTHER_HALF, "sd(subject,days)": HALF})
    assert found == {
        "sd(subject, Intercept)": "sd(subject)",
        "sd(subject, days)": "sd(subject,days)",
        "sd(female)": "sd",
    }


def test_an_intercept_alone_is_reached_by_its_long_name_as_well():
    assert resolved({"sd(female, Intercept)": HALF}) == {"sd(female)": "sd(female, Intercept)"}


def test_a_key_that_is_a_parameters_own_name_is_for_that_parameter_alone():
    split = [Parameter.sd("s", "Intercept", "sd(s)"), Parameter.sd("s", "x", "sd(s, x)")]
    assert resolved({"sd(s)": HALF}, split) == {"sd(s)": "sd(s)"}


def test_correlations_and_dispersion():
    assert resolved({"cor": LKJ, "sigma": HALF}) == {"cor(subject)": "cor", "sigma": "sigma"}
    assert resolved({"cor": LKJ, "cor(subject)": Prior("LKJ", eta=1)}) == {"cor(subject)": "cor(subject)"}


@pytest.mark.parametrize("name", ["sigma", "sd", "beta", "sd(female)", "phi"])
def test_a_coefficient_called_like_a_word_of_priors_is_reached_through_beta(name):
    parameters = [Parameter.coefficient(name), Parameter.dispersion("sigma")]
    assert resolve({f"beta[{name}]": NARROW, "sigma": HALF}, parameters).priors == (NARROW, HALF)
    assert resolve({"beta": WIDE}, parameters).keys == ("beta", None)


def problem_of(given, parameters=PARAMETERS):
    (problem,) = resolve(given, parameters).problems
    return problem


def test_a_key_that_speaks_of_nothing():
    problem = problem_of({"sd(femal)": HALF})
    assert problem.where == "priors, key sd(femal)"
    assert "speaks of no parameter of this model. Did you mean 'sd(female)'?" in problem.message
    assert "Keys that do: Intercept, beta, days, " in problem.message
    assert "beta[days]" not in problem.message


def test_a_dispersion_that_the_family_does_not_have():
    problem = problem_of({"sigma": HALF}, PARAMETERS[:-1])
    assert problem.message.startswith("'sigma' speaks of no parameter")


def test_many_names_are_not_all_listed():
    parameters = [Parameter.coefficient(f"x{k}") for k in range(200)]
    assert problem_of({"y": WIDE}, parameters).message.endswith(", ....")


def test_one_parameter_given_twice():
    problem = problem_of({"sd(subject, days)": HALF, "sd(subject,days)": OTHER_HALF})
    assert "are the same parameter; give its prior once" in problem.message


def test_a_prior_that_its_parameter_cannot_have_is_said_once():
    problem = problem_of({"sd": WIDE})
    assert problem.where == "priors, key sd"
    assert "a scale is positive" in problem.message
