"""The words of complaints: keys as TOML writes them, values cut short, paths kept."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, Field, ValidationError

from bayesglmm.spec_problems import (
    ComplaintsError,
    Located,
    key_text,
    kind_of,
    located,
    near,
    shown,
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("sample", "draws"), "sample.draws"),
        (("priors", "sd(female)", "sigma"), 'priors."sd(female)".sigma'),
        (("published", 0, "estimates", "cross[RR]"), 'published[0].estimates."cross[RR]"'),
        (('a"b\n', "é", ""), '"a\\"b\\n"."é".""'),
    ],
)
def test_keys(path: tuple[str | int, ...], text: str) -> None:
    assert key_text(path) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "a truth value"),
        (3, "a whole number"),
        (0.5, "a number"),
        ("x", "text"),
        ({}, "a table"),
        ([], "a list"),
        (datetime.datetime(2020, 1, 1), "a date"),
        (datetime.time(1), "a time"),
        (None, "nothing"),
        (3 + 1j, "complex"),
    ],
)
def test_kinds(value: object, words: str) -> None:
    assert kind_of(value) == words


def test_whatever_is_shown_is_short_and_on_one_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    long = ["x" * 10**6, [["x"] * 10**5] * 10, {k: k for k in range(10**5)}, 10**9999, [10**9999]]
    for value in (*long, "a\nb", np.eye(3), pd.DataFrame({"x": [1, 2]}), object(), Broken()):
        assert len(shown(value)) < 300
        assert "\n" not in shown(value)
    assert shown("two  blanks") == "'two  blanks'"


def test_only_text_is_near_to_text() -> None:
    assert near("lapace", ["laplace"]) == " Did you mean 'laplace'?"
    assert near(10**9999, ["laplace"]) == near(["laplace"], ["laplace"]) == ""


def test_a_complaint_that_no_sentence_was_written_for_still_says_what_was_given() -> None:
    class Model(BaseModel):
        word: str = Field(max_length=2)

    with pytest.raises(ValidationError) as caught:
        Model(word="long")
    (item,) = located(caught.value, Model)
    assert item.path == ("word",)
    assert item.message.startswith("'long' is given: ")


def test_complaints_move_below_a_key() -> None:
    moved = ComplaintsError([Located(("a",), "x", "k"), Located((), "y")]).below("top")
    assert [item.path for item in moved.items] == [("top", "a"), ("top",)]
    assert moved.items[0].kind == "k"
