"""ModelSpec: what it takes, what it says to everything else, all of it at once."""

from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import ValidationError

from bayesglmm.errors import SpecificationError
from bayesglmm.families import FAMILIES
from bayesglmm.formula import parse
from bayesglmm.priors import Prior
from bayesglmm.spec import ModelSpec
from bayesglmm.spec_problems import ComplaintsError

FULL = ModelSpec(
    formula="y | weights(w) ~ x + (1 + x | g)",
    family="poisson",
    link="sqrt",
    priors={
        "beta": ("Normal", {"sigma": 2.5}),
        "sd(g, x)": {"dist": "InverseGamma", "alpha": 1, "beta": 0.5, "on": "variance"},
        "cor": Prior("LKJ", eta=2),
    },
    missing="drop",
)


def complaints(**given: object) -> dict[str, str]:
    """Return where -> message of everything that is wrong."""
    with pytest.raises(SpecificationError) as caught:
        ModelSpec(**given)
    return {p.where: p.message for p in caught.value.problems}


def test_defaults() -> None:
    spec = ModelSpec(formula="y ~ x")
    assert (spec.family, spec.link, spec.missing, spec.weights) == ("gaussian", "identity", "raise", None)
    assert spec.priors == {}
    assert spec.formula == parse("y ~ x")
    assert ModelSpec(formula=parse("y ~ x")) == spec


@pytest.mark.parametrize("family", FAMILIES)
def test_link_is_the_familys_own_unless_said(family: str) -> None:
    for link in FAMILIES[family].links:
        assert ModelSpec(formula="y ~ 1", family=family, link=link).link == link
    default = ModelSpec(formula="y ~ 1", family=family)
    assert default.link == FAMILIES[family].default_link
    assert default == ModelSpec(formula="y ~ 1", family=family, link=default.link)


def test_plain_values_and_back() -> None:
    words = FULL.to_dict()
    assert words == {
        "formula": "y | weights(w) ~ x + (1 + x | g)",
        "family": "poisson",
        "link": "sqrt",
        "missing": "drop",
        "priors": {
            "beta": {"dist": "Normal", "mu": 0.0, "sigma": 2.5},
            "sd(g, x)": {"dist": "InverseGamma", "alpha": 1.0, "beta": 0.5, "on": "variance"},
            "cor": {"dist": "LKJ", "eta": 2.0},
        },
    }
    assert ModelSpec.from_dict(words) == FULL
    assert ModelSpec.from_dict(FULL.model_dump()) == FULL
    assert ModelSpec.from_dict(ModelSpec(formula="y ~ x", weights="w").to_dict()).weights == "w"


def test_print_out_is_short_and_can_be_typed_again() -> None:
    assert repr(ModelSpec(formula="y~x+(1|g)")) == "ModelSpec(formula='y ~ x + (1 | g)', link='identity')"
    poisson = ModelSpec(formula="y ~ x", family="poisson", missing="drop", weights="w")
    assert eval(repr(poisson)) == poisson


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_are_equal_hash_equal_and_stay_frozen(duplicate) -> None:
    again = duplicate(FULL)
    assert again == FULL
    assert hash(again) == hash(FULL)
    with pytest.raises(TypeError, match="frozen"):
        again.priors["sd"] = Prior("HalfNormal", sigma=1)
    with pytest.raises(ValidationError, match="frozen"):
        again.link = "log"


def test_everything_wrong_is_said_at_once() -> None:
    found = complaints(
        formula="y ~ (x",
        family="poison",
        link=3,
        priors={"beta": 1, "sd(g)": ("Normal", {"sigma": 1}), "x": {"dist": "Normal", "sigma": -1, "my": 0}},
        weights=["w"],
        missing="ignore",
        familly="poisson",
    )
    assert found.keys() == {
        "formula",
        "family",
        "link",
        "priors.beta",
        'priors."sd(g)"',
        "priors.x.my",
        "weights",
        "missing",
        "familly",
    }
    assert found["family"].startswith("'poison' is given. Did you mean 'poisson'? Allowed: 'gaussian', 'bernoulli', ")
    assert found["familly"].startswith("there is no such key here. Did you mean 'family'? Allowed: ")
    assert found["missing"] == "'ignore' is given. Allowed: 'raise', 'drop'."
    assert found["weights"] == "['w'] (a list) is given; text in quotes is needed."
    assert "^" in found["formula"]
    assert "Use HalfNormal" in found['priors."sd(g)"']


def test_a_bad_formula_does_not_hide_a_bad_link() -> None:
    found = complaints(formula="y ~", family="poisson", link="logit")
    assert found.keys() == {"formula", "link"}
    assert found["link"] == "'logit' is given. Did you mean 'log'? Links of poisson: 'log', 'sqrt'."


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        ("y | trials(n) ~ x", "poisson", '"y | trials(...)" is given, and poisson has no trials.'),
        ("y | se(s) ~ x", "bernoulli", '"y | se(...)" is given, and bernoulli has no se.'),
    ],
)
def test_what_a_family_does_not_have_on_its_left_side(formula: str, family: str, message: str) -> None:
    found = complaints(formula=formula, family=family)
    assert found["formula"].startswith(message)
    takers = {"trials": "'binomial' or 'beta_binomial'", "se": "'gaussian'"}["trials" if "trials" in formula else "se"]
    assert found["formula"].endswith(f"Leave it out, or use family = {takers}.")


@pytest.mark.parametrize(
    ("given", "where", "message"),
    [
        ({}, "formula", 'this key is missing. Write one as formula = "y ~ x + (1 | g)".'),
        ({"formula": None}, "formula", "None (nothing) is given; text such as"),
        ({"formula": 3}, "formula", "3 (a whole number) is given; text such as"),
        (
            {"formula": "y ~ x", "priors": [1]},
            "priors",
            "[1] (a list) is given; a table of priors by parameter is needed",
        ),
        (
            {"formula": "y ~ x", "priors": {3: ("Flat", {})}},
            "priors",
            "3 is given as a parameter's name; text is needed.",
        ),
        ({"formula": "y ~ x", "self": 1}, "self", "there is no such key here."),
        ({"formula": "y ~ x", "family": 10**5000}, "family", "a whole number of 16610 bits (a whole number) is given"),
    ],
)
def test_wrong_kinds(given: dict, where: str, message: str) -> None:
    found = complaints(**given)
    assert list(found) == [where]
    assert found[where].startswith(message)


@pytest.mark.parametrize("structure", ["ar1", "car1", "cs", "us"])
def test_a_dispersion_formula_may_stand_beside_correlated_residuals(structure: str) -> None:
    residual = f"{structure}(week | patient)"
    spec = ModelSpec(formula="y ~ x", residual=residual, dispersion="~ 0 + sex")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert spec.title == f"y ~ x, residuals {residual}, dispersion ~ 0 + sex"


def test_checked_keeps_paths_for_files() -> None:
    with pytest.raises(ComplaintsError) as caught:
        ModelSpec.checked({"formula": "y ~ x", "priors": {"sd(g)": {"dist": "Gamma", "alpha": 0, "beta": 1}}})
    (item,) = caught.value.items
    assert item.path == ("priors", "sd(g)", "alpha")
    assert ModelSpec.checked(FULL.to_dict()) == FULL


@pytest.mark.parametrize(
    ("formula", "served"),
    [
        ("y ~ y + x", "a common term"),
        ("y ~ x * log(y)", "a common term"),
        ("log(y) ~ x + y", "a common term"),
        ("y | trials(n) ~ y", "a common term"),
        ("y ~ x + offset(log(y))", "an offset"),
        ("y ~ x + (y | g)", "an effect of a group term"),
        ("y ~ x + (1 | g:y)", "a grouping factor"),
        ("y ~ y + (1 | y)", "a common term and a grouping factor"),
    ],
)
def test_a_response_that_would_explain_itself(formula: str, served: str) -> None:
    found = complaints(formula=formula, family="binomial" if "trials" in formula else "gaussian", missing="ignore")
    assert found.keys() == {"formula", "missing"}
    assert found["formula"] == (
        f"y is the response and {served} as well: it would explain itself. Leave it out of the right side."
    )


@pytest.mark.parametrize("formula", ["I(after - before) ~ before + x", "y ~ x + (1 + x | g)", "y ~ 1", "y | se(s) ~ s"])
def test_other_columns_of_the_left_side_may_be_predictors(formula: str) -> None:
    assert str(ModelSpec(formula=formula).formula) == formula
