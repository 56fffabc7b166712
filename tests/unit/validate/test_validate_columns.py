import numpy as np
import pandas as pd
import pytest


def test_infinite_values(errors, clean):
    clean.loc[[5, 6], "x"] = [np.inf, -np.inf]
    assert errors("y ~ x", clean) == [
        "x: 2 of 60 values infinite (rows 5: inf, 6: -inf). Correct them, or leave these rows out."
    ]


def test_offset_of_minus_infinity(errors, clean):
    clean.loc[[8], "z"] = -np.inf
    (said,) = errors("deaths ~ x + offset(z)", clean, family="poisson")
    assert said.startswith("z: 1 of 60 values infinite (row 8: -inf).")


@pytest.mark.parametrize(
    ("formula", "place"),
    [
        ("y ~ log(t)", "log(t)"),
        ("y ~ scale(t)", "scale(t)"),
        ("y ~ I(t + x)", "I(t + x)"),
        ("y ~ poly(t, 2)", "poly(t, 2)"),
        ("y ~ bs(t, df=4)", "bs(t, df=4)"),
        ("y ~ x + offset(t)", "offset(t)"),
        ("y | se(t) ~ x", "the known standard error"),
        ("y | weights(t) ~ x", "the weight of a row"),
        ("b | trials(t) ~ x", "the number of trials"),
        ("y ~ x + (log(t) | g)", "log(t)"),
        ("log(t) ~ x", "the response log(t)"),
    ],
)
def test_numbers_stored_as_text_used_as_numbers(errors, clean, formula, place):
    clean["t"] = [str(1 + k % 7) for k in range(60)]
    family = "binomial" if "trials" in formula else "gaussian"
    assert errors(formula, clean, family=family) == [
        f"t: holds numbers stored as text ('1', '2', '3', '4', '5' and 2 more); {place} needs numbers. "
        "Convert it: data['t'] = pd.to_numeric(data['t'])."
    ]


def test_response_stored_as_text(errors, clean):
    (said,) = errors("t ~ x", clean.assign(t=clean["y"].astype(str)))
    assert said.startswith("t: not numbers")
    assert "pd.to_numeric" in said


def test_numbers_stored_as_categories_have_their_own_conversion(errors, clean):
    (said,) = errors("y ~ log(t)", clean.assign(t=pd.Categorical(clean["deaths"] + 1)))
    assert "holds numbers stored as categories" in said
    assert "data['t'].astype(float)" in said


def test_one_value_that_is_no_number(errors, clean):
    clean["t"] = clean["dose"].astype(str)
    clean.loc[17, "t"] = "n/a"
    assert errors("y ~ log(t)", clean) == [
        "t: 1 of 60 values do not read as numbers (row 17: 'n/a'); log(t) needs numbers. "
        "Correct them, then convert the column: pd.to_numeric(data['t'])."
    ]


def test_text_that_is_no_number_at_all(errors, clean):
    assert errors("y ~ scale(f)", clean) == [
        "f: holds text ('a', 'b', 'c'); scale(f) needs numbers. Use it as a factor by its bare name, f, or recode it."
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([1.5, 2.5, 3.5] * 20, dtype=object), "numbers of a dtype that formulas cannot use"),
        (pd.date_range("1986-07-01", periods=60), "dates or times"),
        (np.arange(60) * 1j, "complex numbers"),
        (np.array([1, "1", 2.0] * 20, dtype=object), "values of several types"),
        (pd.Categorical([1, "1"] * 30), "categories of several types"),
    ],
)
def test_columns_that_are_neither_numbers_nor_a_factor(errors, clean, values, words):
    (said,) = errors("y ~ x + t", clean.assign(t=values))
    assert said.startswith(f"t: holds {words}; the term t needs numbers, text or categories.")


def test_labels_that_cannot_be_labels(errors, clean):
    (said,) = errors("y ~ x + (1 | t)", clean.assign(t=[[k % 6] for k in range(60)]))
    assert said.startswith("t: holds values that cannot be labels ('[0]'); the group term (1 | t) needs")


def test_labels_that_print_alike(errors, clean):
    (said,) = errors("y ~ x + (1 | t)", clean.assign(t=np.array([1, "1", 2] * 20, dtype=object)))
    assert said.startswith("t: two different values print as the same level '1'")


def test_text_that_reads_as_numbers_used_as_a_factor(cautions, clean):
    clean["year"] = [str(1983 + k % 3) for k in range(60)]
    assert cautions("y ~ x + year", clean) == [
        "year: text that reads as numbers ('1983', '1984', '1985') is used as a factor with 3 levels. "
        "If it is a number, convert it with pd.to_numeric; if it is a factor, say so with C(year)."
    ]


@pytest.mark.parametrize("formula", ["y ~ x + C(year)", "y ~ x + factor(year)", "y ~ x + (1 | year)"])
def test_saying_that_it_is_a_factor_settles_it(cautions, clean, formula):
    assert cautions(formula, clean.assign(year=[str(1983 + k % 6) for k in range(60)])) == []


def test_categories_without_rows(cautions, clean):
    clean["f"] = pd.Categorical(clean["f"], categories=list("abcde"))
    assert cautions("y ~ f", clean) == [
        "f: 2 of 5 categories without a row ('d', 'e'), left out of the model. "
        "data['f'].cat.remove_unused_categories() says that this is meant."
    ]


def test_categories_that_lost_their_rows_to_missing_values(cautions, clean):
    clean["f"] = pd.Categorical(clean["f"])
    clean.loc[clean["f"] == "b", "x"] = np.nan
    (said,) = cautions("y ~ x + f", clean, missing="drop")
    assert said.startswith("f: 1 of 3 categories without a row ('b')")


@pytest.mark.parametrize(
    "formula", ["y ~ z + C(x)", "y ~ z + (1 | x)", "x ~ z", "y ~ x + (x | g)", "y ~ z + offset(x)"]
)
def test_whole_numbers_with_gaps_work_as_floats_with_gaps_do(design, clean, formula):
    whole = clean["deaths"].astype("Int64")
    whole.loc[[4, 9]] = pd.NA
    nullable = design(formula, clean.assign(x=whole), missing="drop")
    floats = design(formula, clean.assign(x=whole.astype("float64")), missing="drop")
    assert list(nullable.dropped) == [4, 9]
    np.testing.assert_array_equal(nullable.rows, floats.rows)
    np.testing.assert_array_equal(nullable.X, floats.X)
    for a, b in zip(nullable.groups, floats.groups, strict=True):
        np.testing.assert_array_equal(a.codes, b.codes)
        np.testing.assert_array_equal(a.slopes, b.slopes)


@pytest.mark.parametrize("formula", ["deaths ~ w", "y | se(w) ~ x", "y | weights(w) ~ x", "w ~ x", "y ~ log(w) + C(w)"])
def test_whole_numbers_with_gaps_are_said_to_be_missing(errors, clean, formula):
    clean["w"] = clean["trials"].astype("Int64")
    clean.loc[4, "w"] = pd.NA
    said = errors(formula, clean)
    assert said[0].startswith("w: 1 of 60 values missing (row 4).")


NUMBERS = ["float32", "Float64", "Int64", "int8", "uint16", "double[pyarrow]", "int64[pyarrow]"]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_dtype_of_numbers_works(cautions, clean, dtype):
    data = clean.assign(x=clean["deaths"].astype(dtype))
    assert cautions("y ~ x + (x | g)", data) == []
    assert cautions("deaths ~ log1p(x) + offset(x)", data, family="poisson") == []


@pytest.mark.parametrize("dtype", ["object", "str", "string", "string[pyarrow]", "category"])
def test_every_dtype_of_labels_works(cautions, clean, dtype):
    assert cautions("y ~ f + (1 | g)", clean.astype({"f": dtype, "g": dtype})) == []


@pytest.mark.parametrize("dtype", ["bool", "boolean", "Int8"])
def test_truth_values_work(cautions, clean, dtype):
    data = clean.assign(b=clean["b"].astype(bool).astype(dtype))
    assert cautions("b ~ x", data, family="bernoulli") == []
    assert cautions("y ~ b", data) == []


def test_truth_values_that_formulae_cannot_read_have_a_conversion(errors, clean):
    data = clean.assign(b=clean["b"].astype("bool[pyarrow]"))
    (said,) = errors("y ~ b", data)
    assert said.endswith("Convert it: data['b'] = data['b'].astype(float).")
    assert errors("y ~ log1p(b)", data)[0].startswith("b: holds numbers of a dtype that formulas cannot use; log1p(b)")
