"""Counts in words."""

from __future__ import annotations

import pytest

from bayesglmm.counting import count
from bayesglmm.left_out import rows_words


@pytest.mark.parametrize(("number", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_one_is_no_plural(number, words):
    assert count(number, "row") == words
    assert rows_words(number, []) == words


def test_rows_left_out():
    assert rows_words(1, ["b"]) == "1 row (1 left out for missing values: b)"
