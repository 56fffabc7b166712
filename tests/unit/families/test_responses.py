"""Reading response columns of every dtype a data frame can have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import DataError
from bayesglmm.families import FAMILIES

BERNOULLI = FAMILIES["bernoulli"]
NUMERIC = [FAMILIES[name] for name in ("gaussian", "binomial", "poisson")]


def message(family, column) -> str:
    with pytest.raises(DataError) as error:
        family.encode(column)
    return str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        [1, 0, 1],
        [1.0, 0.0, 1.0],
        pd.array([True, False, True], dtype="boolean"),
        pd.array([1, 0, 1], dtype="Int8"),
        pd.array([1, 0, 1], dtype="Float64"),
        pd.Series([1, 0, 1], dtype=object),
        pd.Series([True, False, True], dtype=object),
    ],
    ids=lambda values: str(getattr(values, "dtype", type(values[0]).__name__)),
)
@pytest.mark.parametrize("family", [f for f in FAMILIES.values() if f.name != "cumulative"], ids=lambda f: f.name)
def test_numbers_and_truth_values_are_taken_as_they_are(family, values):
    encoded = family.encode(pd.Series(values, name="y"))
    np.testing.assert_array_equal(encoded.values, [1.0, 0.0, 1.0])
    assert encoded.values.dtype == np.float64
    assert encoded.labels is None


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
@pytest.mark.parametrize("dtype", ["float64", "Int64", object])
def test_missing_numbers_become_nan(family, dtype):
    column = pd.Series([1, None, 0], dtype=dtype, name="y")
    np.testing.assert_array_equal(family.encode(column).values, [1.0, np.nan, 0.0])


def test_encoding_leaves_the_column_alone():
    column = pd.Series([1.0, 0.0], name="y")
    for family in FAMILIES.values():
        family.encode(column).values[:] = 7.0
    assert column.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("dtype", ["str", object, "category"])
def test_second_of_two_sorted_labels_is_success(dtype):
    encoded = BERNOULLI.encode(pd.Series(["yes", "no", None, "yes"], dtype=dtype))
    np.testing.assert_array_equal(encoded.values, [1.0, 0.0, np.nan, 1.0])
    assert encoded.labels == ("no", "yes")


def test_category_order_decides_before_the_alphabet():
    column = pd.Series(pd.Categorical(["yes", "no", "yes"], categories=["yes", "no"]))
    encoded = BERNOULLI.encode(column)
    np.testing.assert_array_equal(encoded.values, [0.0, 1.0, 0.0])
    assert encoded.labels == ("yes", "no")


def test_unused_categories_do_not_count():
    column = pd.Series(pd.Categorical(["b", "c", "b"], categories=["c", "a", "b"]))
    assert BERNOULLI.encode(column).labels == ("c", "b")


def test_two_categories_suffice_where_one_occurs():
    encoded = BERNOULLI.encode(pd.Series(pd.Categorical(["yes", "yes"], categories=["no", "yes"])))
    np.testing.assert_array_equal(encoded.values, [1.0, 1.0])


def test_labels_of_mixed_types_are_ordered_as_text():
    assert BERNOULLI.encode(pd.Series(["b", 1, "b"], dtype=object)).labels == ("1", "b")


def test_more_than_two_labels_are_named():
    text = message(BERNOULLI, pd.Series(["yes", "no", "perhaps", "no"], name="mated"))
    assert text == (
        "mated: 3 labels ('no', 'perhaps', 'yes'); bernoulli needs 0 or 1, False or True, or two labels. "
        "Recode the column so that it holds 0 for a failure and 1 for a success."
    )


def test_many_labels_are_cut_short():
    assert "9 labels ('0', '1', '2', '3', '4' and 4 more)" in message(BERNOULLI, pd.Series(list("012345678")))


def test_one_label_is_not_enough():
    assert "only one label ('yes')" in message(BERNOULLI, pd.Series(["yes", "yes"], name="mated"))


def test_text_without_a_value_has_no_labels():
    assert "mated: no labels; bernoulli" in message(BERNOULLI, pd.Series([None, None], dtype="str", name="mated"))


@pytest.mark.parametrize("family", NUMERIC, ids=lambda family: family.name)
def test_text_is_refused_with_its_first_values(family):
    text = message(family, pd.Series(["low", "high", "low", "a", "b", "c", "d"], name="dose level"))
    assert text.startswith("dose level: not numbers (first values: 'low', 'high', 'a', 'b', 'c' and 1 more); ")
    assert f"{family.name} needs {family.needs}" in text
    assert "Convert it to numbers" in text


@pytest.mark.parametrize("dtype", ["str", "category", object])
def test_numbers_stored_as_text_get_the_remedy(dtype):
    text = message(FAMILIES["poisson"], pd.Series(["3", "4", None], name="deaths", dtype=dtype))
    assert "pd.to_numeric" in text


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"])),
        pd.Series(pd.to_timedelta([1, 2], unit="D")),
        pd.Series([1 + 2j, 3.0]),
        pd.Series([1, "a", 2.5], dtype=object),
    ],
    ids=["dates", "durations", "complex", "mixed"],
)
def test_other_types_are_refused(column):
    assert message(FAMILIES["gaussian"], column).startswith("response: not numbers (first values: ")
