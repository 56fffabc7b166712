import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def typed(clean):
    """A column of numbers in writing, with one value that is none."""
    text = pd.Series([str(1 + k % 7) for k in range(60)], index=clean.index)
    text.loc[5] = "."
    return clean.assign(t=text)


@pytest.mark.parametrize("formula", ["y ~ t", "y ~ x + (t | g)"])
def test_numbers_but_for_one_value(cautions, typed, formula):
    said = cautions(formula, typed)
    assert said[0] == (
        "t: 59 of 60 values read as numbers, 1 does not (row 5: '.'); it is used as a factor. Correct or leave out "
        "that row, and convert the column with pd.to_numeric. If it is a factor, say so with C(t)."
    )


def test_it_is_said_beside_the_dependence_that_it_makes(errors, typed):
    said = errors("y ~ x * t", typed)
    assert "linearly dependent" in said[0]
    assert said[1].startswith("t: 59 of 60 values read as numbers, 1 does not (row 5: '.')")


def test_numbers_but_for_some_values(cautions, typed):
    typed.loc[[7, 8], "t"] = "n/a"
    (said,) = cautions("y ~ t", typed)
    assert said.startswith("t: 57 of 60 values read as numbers, 3 do not (rows 5: '.', 7: 'n/a', 8: 'n/a'); it is used")
    assert "leave out those rows" in said


def test_missing_values_do_not_count_as_strays(cautions, typed):
    typed.loc[[7, 8], "t"] = None
    (said,) = cautions("y ~ t", typed, missing="drop")
    assert said.startswith("t: 57 of 58 values read as numbers, 1 does not (row 5: '.')")


@pytest.mark.parametrize("formula", ["y ~ x + C(t)", "y ~ x + (1 | t)"])
def test_strays_of_what_is_meant_as_labels(cautions, typed, formula):
    typed.loc[[6, 7], "t"] = "."
    assert cautions(formula, typed) == []


def test_labels_of_which_few_read_as_numbers(cautions, clean):
    assert cautions("y ~ t", clean.assign(t=["1", "a", "b"] * 20)) == []


def test_group_labels_that_may_have_merged(cautions, clean):
    labels = np.array([k % 6 for k in range(60)], dtype=float)
    labels[:2] = labels[6:8] = -(2.0**53), 12345678901234560.0
    (said,) = cautions("y ~ x + (1 | h)", clean.assign(h=labels))
    assert said == (
        "h: 4 of 60 group labels are floating-point numbers of 2**53 or more (rows 1: -9007199254740992, "
        "2: 12345678901234560, 7: -9007199254740992, 8: 12345678901234560), which cannot tell neighbouring whole "
        "numbers apart: different groups may have become one. Read the column as whole numbers or as text, for "
        "instance pd.read_csv(..., dtype={'h': 'Int64'})."
    )


@pytest.mark.parametrize("dtype", ["int64", "Int64", "str"])
def test_long_group_labels_that_are_exact(cautions, clean, dtype):
    labels = pd.Series([12345678901234560 + k % 6 for k in range(60)], index=clean.index).astype(dtype)
    assert cautions("y ~ x + (1 | h)", clean.assign(h=labels)) == []
