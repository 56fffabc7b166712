from __future__ import annotations

import pytest

from bayesglmm.errors import FormulaError
from bayesglmm.formula import Binary, Name, Number, Sum, Unary, expand, node_text, parse


def written_out(right: str) -> list[str]:
    return [":".join(node_text(c) for c in term) for term in expand(parse(f"y ~ {right}").common.terms)]


@pytest.mark.parametrize(
    ("right", "terms"),
    [
        ("1", ""),
        ("a", "a"),
        ("a + b + a", "a b"),
        ("a:b + b:a", "a:b"),
        ("a * b", "a b a:b"),
        ("a * b * c", "a b a:b c a:c b:c a:b:c"),
        ("a / b", "a a:b"),
        ("a / b / c", "a a:b a:b:c"),
        ("a / (b + c)", "a a:b a:c"),
        ("(a + b) / c", "a b a:b:c"),
        ("(a + b) / (c:d + e)", "a b a:b:c:d a:b:e"),
        ("(a + b):(c + d)", "a:c a:d b:c b:d"),
        ("(a + b) * (a + b)", "a b a:b"),
        ("(a + b + c) ** 2", "a b c a:b a:c b:c"),
        ("(a + b + c) ** 9", "a b c a:b a:c b:c a:b:c"),
        ("(a * b) ** 1", "a b a:b"),
        ("a * b - a", "b a:b"),
        ("a * b * c - a:c:b - b:a", "a b c a:c b:c"),
        ("a + b - (a + b)", ""),
        ("c + (b * c - c)", "c b b:c"),
        ("a + a:b - a", "a:b"),
        ("poly(a, 2) * log(b)", "poly(a, 2) log(b) poly(a, 2):log(b)"),
        ("C(a):C(a, Sum)", "C(a):C(a, Sum)"),
    ],
)
def test_written_out(right: str, terms: str) -> None:
    assert " ".join(written_out(right)) == terms


@pytest.mark.parametrize(
    "right",
    [
        "a*b*c",
        "(a + b + c)**3",
        "a*(b + c:d)",
        "b:a + a",
        "(a + b):c + c",
        "a*b - b",
        "x + log(x):(a + b)",
    ],
)
def test_order_and_meaning_are_those_of_formulae(right: str) -> None:
    from formulae.model_description import model_description

    theirs = [term.name for term in model_description("0 + " + right).common_terms if term.name != "NegatedIntercept"]
    assert written_out(right) == theirs


@pytest.mark.parametrize(
    "node",
    [Number(2), Unary("-", Name("a")), Sum((Name("a"), Number(1))), Binary("-", Name("a"), Name("b"))],
)
def test_what_is_no_sum_of_terms(node: object) -> None:
    with pytest.raises(FormulaError):
        expand(node)  # type: ignore[arg-type]
