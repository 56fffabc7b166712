from __future__ import annotations

import pytest

from bayesglmm.formula import Binary, Call, Contrast, Name, Node, Number, Sum, Unary, name_text, node_text

A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Sum((A, Sum((B, C)))), "a + (b + c)"),
        (Sum((Sum((A, B)), C)), "a + b + c"),
        (Sum((Binary("-", A, B), C)), "a - b + c"),
        (Sum((A, Binary("-", B, C))), "a + (b - c)"),
        (Binary("-", A, Sum((B, C))), "a - (b + c)"),
        (Binary("-", Binary("-", A, B), C), "a - b - c"),
        (Binary("-", A, Binary("-", B, C)), "a - (b - c)"),
        (Binary("*", Sum((A, B)), C), "(a + b) * c"),
        (Binary("/", A, Binary("*", B, C)), "a / (b * c)"),
        (Binary("*", Binary("/", A, B), C), "a / b * c"),
        (Binary(":", Binary("*", A, B), C), "(a * b):c"),
        (Binary("*", A, Binary(":", B, C)), "a * b:c"),
        (Binary(":", A, Binary(":", B, C)), "a:(b:c)"),
        (Binary("**", Binary("**", A, B), C), "(a ** b) ** c"),
        (Binary("**", A, Binary("**", B, C)), "a ** b ** c"),
        (Binary("**", Unary("-", A), Number(2)), "(-a) ** 2"),
        (Unary("-", Binary("**", A, Number(2))), "-a ** 2"),
        (Unary("-", Binary("*", A, B)), "-(a * b)"),
        (Binary("*", Unary("-", A), B), "-a * b"),
        (Binary("**", A, Unary("-", B)), "a ** -b"),
        (Call("poly", (A,), (("degree", 2), ("raw", False))), "poly(a, 2, raw=False)"),
        (Call("C", (A,), (("contrast", Contrast("Treatment", "x y")),)), 'C(a, Treatment("x y"))'),
        (Call("C", (A,), (("contrast", Contrast("Sum")),)), "C(a, Sum)"),
        (Number(1e-7), "1e-07"),
    ],
)
def test_brackets_where_they_are_needed_and_nowhere_else(node: Node, text: str) -> None:
    assert node_text(node) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [("x", "x"), ("a b", "`a b`"), ("a`b", "`a``b`"), ("", "``"), ("import", "`import`"), ("1", "`1`")],
)
def test_names(name: str, text: str) -> None:
    assert name_text(name) == text
