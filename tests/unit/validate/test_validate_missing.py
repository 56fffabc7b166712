import numpy as np
import pandas as pd
import pytest

from bayesglmm.spec import ModelSpec
from bayesglmm.validate import validate_columns


def test_missing_values_name_their_rows(errors, clean):
    clean.loc[[4, 9], "x"] = np.nan
    clean.loc[[9], "f"] = None
    clean.loc[[7], "g"] = None
    assert errors("y ~ x + f + (1 | g)", clean) == [
        'x: 2 of 60 values missing (rows 4, 9). Fill them in, or leave these rows out with missing="drop".',
        'f: 1 of 60 values missing (row 9). Fill them in, or leave these rows out with missing="drop".',
        'g: 1 of 60 values missing (row 7). Fill them in, or leave these rows out with missing="drop".',
    ]


def test_only_the_first_five_rows_are_listed(errors, clean):
    clean.loc[11:30, "x"] = np.nan
    (said,) = errors("y ~ x", clean)
    assert said.startswith("x: 20 of 60 values missing (rows 11, 12, 13, 14, 15 and 15 more).")


def test_an_empty_column_has_another_remedy(errors, clean):
    (said,) = errors("y ~ x + z", clean.assign(x=np.nan))
    assert said.endswith("Fill the column in, or leave it out of the model.")


def test_missing_values_in_a_column_that_is_not_used(cautions, clean):
    assert cautions("y ~ x", clean.assign(z=np.nan)) == []


def test_dropped_rows_are_listed(design, clean):
    clean.loc[[4, 9], "x"] = np.nan
    clean.loc[[9, 11], "g"] = None
    built = design("y ~ x + (1 | g)", clean, missing="drop")
    assert list(built.dropped) == [4, 9, 11]
    assert list(built.row_labels) == [k for k in range(1, 61) if k not in (4, 9, 11)]
    np.testing.assert_array_equal(built.y, clean["y"].drop([4, 9, 11]))


def test_rows_with_equal_labels_are_dropped_by_place(clean):
    clean.index = ["twin"] * 60
    clean.iloc[3, 1] = np.nan
    used, dropped = validate_columns(ModelSpec(formula="y ~ x", missing="drop"), clean)
    assert list(dropped) == ["twin"]
    np.testing.assert_array_equal(used["y"], np.delete(clean["y"].to_numpy(), 3))


def test_no_row_left(errors, clean):
    clean.loc[:30, "x"] = np.nan
    clean.loc[30:, "z"] = np.nan
    said = errors("y ~ x + z", clean, missing="drop")
    assert said[0] == (
        'data: missing="drop" leaves no row: each of the 60 rows has a missing value (x in 30, z in 31). '
        "Fill in the columns with the most, or leave them out of the model."
    )


@pytest.mark.parametrize(
    ("labels", "said_as"),
    [
        (["r" + str(k) for k in range(60)], "(row r3)"),
        (pd.MultiIndex.from_product([["a", "b"], range(30)]), "(row (a, 3))"),
        (pd.date_range("1986-07-01", periods=60), "(row 1986-07-04 00:00:00)"),
        (np.arange(60) / 2, "(row 1.5)"),
    ],
)
def test_rows_go_by_the_labels_of_the_frame(errors, clean, labels, said_as):
    clean.index = labels
    clean.iloc[3, 1] = np.nan
    (said,) = errors("y ~ x", clean)
    assert said_as in said


def test_nullable_and_numpy_gaps_are_the_same(errors, clean):
    nullable = clean.astype({"x": "Float64", "f": "string"})
    nullable.loc[3, ["x", "f"]] = pd.NA
    clean.loc[3, "x"], clean.loc[3, "f"] = np.nan, None
    assert errors("y ~ x + f", nullable) == errors("y ~ x + f", clean)


def test_nothing_is_dropped_from_complete_data(design, clean):
    built = design("y ~ x + (1 | g)", clean, missing="drop")
    assert len(built.dropped) == 0
    assert built.n_rows == 60
