import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import DataError
from bayesglmm.spec import ModelSpec
from bayesglmm.validate import validate_columns


@pytest.mark.parametrize("given", [{"y": [1]}, [1, 2], None])
def test_not_a_data_frame(errors, given):
    (said,) = errors("y ~ 1", given)
    assert said.startswith("data: a pandas DataFrame with one row an observation is needed; got ")
    assert type(given).__name__ in said
    assert "pandas.DataFrame(...)" in said


def test_frame_of_another_library_is_pointed_to_its_conversion(errors):
    class Foreign:
        def to_pandas(self):
            return None

    (said,) = errors("y ~ 1", Foreign())
    assert said.endswith("got Foreign. Call its to_pandas() first.")


def test_empty_data(errors, clean):
    assert errors("y ~ x", clean.iloc[:0]) == ["data: the data frame has no rows; check how it was read or filtered."]


def test_unknown_column_offers_the_nearest_and_lists_a_few(errors, clean):
    said = errors("y ~ doze + (1 | gg)", clean[["y", "dose", "g"]])
    assert said == [
        "doze: is not a column of the data. Did you mean 'dose'? Columns: y, dose, g.",
        "gg: is not a column of the data. Did you mean 'g'? Columns: y, dose, g.",
    ]


def test_unknown_column_of_a_wide_frame_does_not_list_it(errors, clean):
    wide = clean.assign(**{f"w{k}": 0.0 for k in range(40)})
    (said,) = errors("y ~ qqqq", wide)
    assert said == "qqqq: is not a column of the data. The data have 49 columns."


def test_unknown_column_of_weights_beside_the_formula(errors, clean):
    (said,) = errors("y ~ x", clean, weights="wt")
    assert said.startswith("wt: is not a column of the data.")


def test_duplicate_column(errors, clean):
    doubled = clean.rename(columns={"z": "x"})
    assert errors("y ~ x", doubled) == ["x: 2 columns of the data have this name; rename or drop all but one."]


def test_duplicate_column_that_the_model_does_not_use(cautions, clean):
    assert cautions("y ~ x", clean.rename(columns={"z": "dose"})) == []


def test_column_labelled_by_a_number(errors, clean):
    (said,) = errors("y ~ `3`", clean.rename(columns={"x": 3}))
    assert "the data have a column labelled 3 (int)" in said
    assert "data.rename(columns=str)" in said


def test_columns_with_two_levels_of_labels(errors, clean):
    clean.columns = pd.MultiIndex.from_product([["a"], clean.columns])
    (said,) = errors("y ~ x", clean)
    assert said.startswith("data: the columns have 2 levels of labels")


def test_column_called_intercept_as_a_term(errors, clean):
    renamed = clean.rename(columns={"x": "Intercept"})
    for formula in ("y ~ Intercept", "y ~ z + (0 + Intercept | g)"):
        (said,) = errors(formula, renamed)
        assert said.startswith("Intercept: this is the name of the model's own intercept; rename")


NAMES = [
    "sigma",
    "beta",
    "my col",
    "größe",
    "日",
    "a`b",
    "a+b",
    "1",
    "class",
    "C",
    "log",
    "None",
    "u_g",
    "\U0001f98e",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("place", "formula"),
    [
        ("x", "y ~ {} + f + ({} | g)"),
        ("x", "y ~ log(abs({})) + f"),
        ("f", "y ~ x + {} + (1 | g)"),
        ("g", "y ~ x + (1 | {})"),
        ("y", "{} ~ x + (1 | g)"),
    ],
)
def test_any_name_works(cautions, clean, name, place, formula):
    quoted = "`" + name.replace("`", "``") + "`"
    assert cautions(formula.replace("{}", quoted), clean.rename(columns={place: name})) == []


@pytest.mark.parametrize("place", ["y", "g"])
def test_a_column_called_intercept_elsewhere_works(cautions, clean, place):
    formula = {"y": "Intercept ~ x + (1 | g)", "g": "y ~ x + (1 | Intercept)"}[place]
    assert cautions(formula, clean.rename(columns={place: "Intercept"})) == []


def test_values_are_shared_with_the_data(clean):
    used, dropped = validate_columns(ModelSpec(formula="y ~ x + (1 | g)"), clean)
    assert list(used.columns) == ["y", "x", "g"]
    assert np.shares_memory(used["x"].to_numpy(), clean["x"].to_numpy())
    assert len(dropped) == 0


def test_the_data_are_not_changed(clean):
    clean.loc[3, "x"] = np.nan
    before = clean.copy(deep=True)
    validate_columns(ModelSpec(formula="y ~ x", missing="drop"), clean)
    with pytest.raises(DataError):
        validate_columns(ModelSpec(formula="y ~ x"), clean)
    pd.testing.assert_frame_equal(clean, before)


def test_an_index_level_is_pointed_to_reset_index(errors, clean):
    (said,) = errors("y ~ x + (1 | g)", clean.set_index("g"))
    assert said.startswith("g: is not a column of the data. It is an index level; call reset_index(). ")
    said = errors("y ~ x + f + (1 | g)", clean.set_index(["g", "f"]))
    assert [line.split(" Columns")[0] for line in said] == [
        f"{name}: is not a column of the data. It is an index level; call reset_index()." for name in ("f", "g")
    ]
