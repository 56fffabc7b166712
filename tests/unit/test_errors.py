"""The tree of errors: listings, carets, nearest words."""

from __future__ import annotations

import pytest

from bayesglmm.errors import DataError, FormulaError, Problem, SpecificationError, nearest


def test_one_problem_is_a_sentence_several_are_numbered() -> None:
    assert str(DataError([Problem("y", "is missing.")])) == "y: is missing."
    both = DataError([Problem("y", "is missing."), Problem("", "No rows.")])
    assert str(both) == "2 problems:\n  1. y: is missing.\n  2. No rows."
    assert len(both.problems) == 2
    assert str(SpecificationError("No such method.")) == "No such method."


@pytest.mark.parametrize(
    ("text", "position", "columns"),
    [("y ~ x +", 6, 6), ("身長 ~ ?", 5, 7), ("e\u0301 ~ ?", 5, 4)],
)
def test_the_caret_stands_under_the_token_as_a_terminal_shows_it(text: str, position: int, columns: int) -> None:
    *_, shown, caret = str(FormulaError("Wrong.", text, position)).split("\n")
    assert shown == f"    {text}"
    assert caret == " " * (4 + columns) + "^"


def test_long_texts_are_shown_around_the_place_only() -> None:
    error = FormulaError("Wrong.", "a + " * 10_000 + "?", 40_000)
    assert len(str(error)) < 200
    assert error.text[error.position] == "?"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(FormulaError("Wrong.", "y ~ \x1b[31m x\n", 4))


def test_nearest_word() -> None:
    assert nearest("gausian", ["gaussian", "poisson"]) == " Did you mean 'gaussian'?"
    assert nearest("zzz", ["gaussian"]) == ""
