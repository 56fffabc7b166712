import numpy as np
import pytest


def test_a_column_that_follows_from_others(errors, clean):
    assert errors("y ~ x + z + total", clean.assign(total=clean["x"] - 2.0 * clean["z"] + 3.0)) == [
        "total: the columns of X are linearly dependent: total = 3 Intercept + x - 2 z. "
        "Leave out one of total, x, z, for instance total."
    ]


def test_a_constant_column(errors, clean):
    assert errors("y ~ x + trials", clean) == [
        "trials: constant (20) in every row, as the intercept is. Leave out trials."
    ]


def test_a_constant_column_without_an_intercept(cautions, clean):
    assert cautions("y ~ 0 + x + trials", clean) == []


def test_a_factor_that_follows_from_another(errors, clean):
    clean["ab"] = clean["f"].map({"a": "one", "b": "one", "c": "two"})
    assert errors("y ~ f + ab", clean) == [
        "ab[two]: the columns of X are linearly dependent: ab[two] = f[c]. Leave out one of ab, f, for instance ab."
    ]


def test_many_equations_are_said_once(errors, clean):
    (said,) = errors("y ~ 0 + f + C(f)", clean)
    assert said == (
        "C(f): the columns of X are linearly dependent: C(f)[b] = f[b], and 1 more such equation. "
        "Leave out one of C(f), f, for instance C(f)."
    )


def test_combinations_that_do_not_occur(errors, clean):
    clean["h"] = np.where((clean["f"] != "a") & (clean["b"] == 1), "yes", "no")
    clean.loc[clean["f"] == "c", "h"] = "no"
    (said,) = errors("y ~ f * h", clean)
    assert "f[c]:h[yes]" in said
    assert "leave the interaction out, or merge levels" in said


def test_fewer_rows_than_coefficients(errors, clean):
    (said,) = errors("y ~ x + z + dose + f + deaths", clean.iloc[:5])
    assert said == (
        "common part: 7 coefficients for 5 rows (Intercept, x, z, dose, f[b] and 2 more): they have no "
        "unique "
        "values. Leave terms out, or make a factor with many levels a group term."
    )


def test_two_coefficients_with_one_name(errors, clean):
    (said,) = errors("y ~ f + `f[b]`", clean.assign(**{"f[b]": clean["x"]}))
    assert said == "f[b]: two coefficients would have this name; rename a column, or a level of a factor."


def test_a_product_that_overflows(errors, clean):
    clean["x"] = 1e200 * (1.0 + clean["dose"])
    clean["z"] = np.where(np.arange(60) == 2, 1e200, 1.0 + clean["z"])
    (said,) = errors("y ~ x:z", clean)
    assert said == "x:z: 1 of 60 values of this column of X not finite (row 3: inf). Rescale it."


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e5, "standard deviation over 1000 (x "), (1e-5, "standard deviation below 0.001 (x ")],
)
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ z + (0 + x | g)"])
def test_scales_that_overflow(cautions, clean, factor, words, formula):
    (said,) = cautions(formula, clean.assign(x=factor * clean["x"]))
    assert said.startswith(f"x: {words}")
    assert said.endswith("choose another unit, or write scale() around the column.")


def test_columns_of_one_scale_are_said_together(cautions, clean):
    (said,) = cautions("y ~ x + z", clean.assign(x=1e5 * clean["x"], z=1e5 * clean["z"]))
    assert said.startswith("x, z: standard deviations over 1000 (x ")


@pytest.mark.parametrize("term", ["scale(x)", "f", "b", "year"])
def test_scales_that_do_not(cautions, clean, term):
    data = clean.assign(x=1e6 * clean["x"], year=2000 + np.arange(60))
    assert cautions(f"y ~ {term}", data) == []


def test_a_long_equation_is_shortened(errors, clean):
    rng = np.random.default_rng(5)
    data = clean.assign(**{f"w{k}": rng.normal(size=60) for k in range(8)})
    data["total"] = sum(data[f"w{k}"] for k in range(8))
    terms = " + ".join(f"w{k}" for k in range(8))
    assert errors(f"y ~ {terms} + total", data) == [
        "total: the columns of X are linearly dependent: total is a combination of w0, w1, w2, w3, w4 "
        "and 3 more. "
        "Leave out one of total, w0, w1, w2, w3 and 4 more, for instance total."
    ]
