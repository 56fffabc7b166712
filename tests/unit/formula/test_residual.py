"""Residual structures as text: what is read, and what is said of everything else."""

from __future__ import annotations

import pytest

from bayesglmm.errors import FormulaError, NotAvailableError, SpecificationError
from bayesglmm.formula import parse_residual, read_residual
from bayesglmm.formula.residual import RESIDUAL_STRUCTURES
from bayesglmm.spec import ModelSpec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ar1(week | patient)", "ar1(week | patient)"),
        (" ar1( 1|g )", "ar1(1 | g)"),
        ("car1(time|a:b)", "car1(time | a:b)"),
        ("cs(1|g)", "cs(1 | g)"),
        ("us(`visit no`|`group, too`)", "us(`visit no` | `group, too`)"),
    ],
)
def test_text_and_back(text, canonical):
    term = parse_residual(text)
    assert str(term) == canonical
    assert parse_residual(canonical) == term


def test_iid_is_no_structure():
    assert parse_residual("iid") is None
    assert read_residual(None) is None
    assert ModelSpec(formula="y ~ x", residual="iid") == ModelSpec(formula="y ~ x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "A residual structure is written ar1"),
        ("ar2(x | g)", "no residual structure 'ar2'. Did you mean 'ar1'"),
        ("car1(1 | g)", "a column of real times"),
        ("us(1 | g)", "Before the bar of us"),
        ("ar1(log(t) | g)", "compute others in the data"),
        ("ar1(t || g)", "one bar"),
        ("ar1(t, g)", "one bar"),
        ("ar1(t | g / h)", "One grouping factor"),
        ("ar1(t | g:g)", "names a column twice"),
        ("ar1(t | 1)", "stands a grouping factor"),
        ("ar1(t | t)", "every group would have one row"),
        ("ar1(t | g", "never closed"),
        ("ar1(t | g) + cs(1 | g)", "one residual structure"),
        ("__import__('os')", "There is no residual structure"),
    ],
)
def test_everything_else_is_refused_with_its_place(text, words):
    with pytest.raises(FormulaError) as caught:
        parse_residual(text)
    assert words in str(caught.value)


def test_only_text_is_read():
    with pytest.raises(FormulaError, match="not int"):
        read_residual(3)


@pytest.mark.parametrize("residual", [f"{name}(t | g)" for name in RESIDUAL_STRUCTURES])
def test_specification_keeps_it(residual):
    spec = ModelSpec(formula="y ~ x + (1 | g)", residual=residual)
    assert f'residual = "{residual}"' in spec.to_toml()
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert residual in repr(spec)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"family": "poisson"}, "this is poisson with the log link"),
        ({"link": "log"}, "this is gaussian with the log link"),
        ({"weights": "w"}, "beside weights"),
        ({"formula": "y | weights(w) ~ x"}, "beside weights"),
        ({"formula": "y | se(s) ~ x"}, "beside known standard errors"),
        ({"formula": "t ~ x"}, "names the response"),
        ({"residual": "ar1(t g)"}, "one bar"),
    ],
)
def test_specification_refuses_what_does_not_go_with_it(options, words):
    given = {"formula": "y ~ x", "residual": "ar1(t | g)", **options}
    with pytest.raises((SpecificationError, NotAvailableError), match=words):
        ModelSpec(**given)
