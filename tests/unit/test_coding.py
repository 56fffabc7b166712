"""Columns of a data frame to columns of a design matrix: values, names, new rows, any column name."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame

import bayesglmm as bg
from bayesglmm.coding import Coding, evaluate, learn_coding
from bayesglmm.errors import DataError
from bayesglmm.formula import parse


def coded(right: str, data: pd.DataFrame) -> tuple[Coding, np.ndarray]:
    return learn_coding(parse(f"normal ~ {right}").common, data)


def expression(text: str):
    return parse(f"normal ~ 1 + offset({text})").common.offsets[0]


@pytest.fixture
def data() -> pd.DataFrame:
    return make_frame()


def indicator(data: pd.DataFrame, column: str, level: object) -> np.ndarray:
    return (data[column] == level).to_numpy(dtype=float)


def test_treatment_coding_has_the_first_level_as_reference(data):
    coding, X = coded("x0 + cell", data)
    assert coding.names == ("Intercept", "x0", "cell[green]", "cell[red]")
    assert coding.terms == ("Intercept", "x0", "cell", "cell")
    assert coding.categorical == (False, False, True, True)
    assert coding.columns == ("x0", "cell")
    expected = [np.ones(40), data["x0"], indicator(data, "cell", "green"), indicator(data, "cell", "red")]
    np.testing.assert_array_equal(X, np.column_stack(expected))
    assert X.flags.c_contiguous
    assert X.dtype == np.float64


def test_without_intercept_every_level_has_a_column(data):
    coding, X = coded("0 + cell", data)
    assert coding.names == ("cell[blue]", "cell[green]", "cell[red]")
    np.testing.assert_array_equal(X.sum(axis=1), 1.0)
    np.testing.assert_array_equal(X[:, 2], indicator(data, "cell", "red"))


@pytest.mark.parametrize(("ordered", "second", "third"), [(True, "blue", "green"), (False, "green", "red")])
def test_order_of_categories_counts_where_they_are_ordered(data, ordered, second, third):
    """As in formulae and Bambi: levels of an unordered factor are sorted. Unused categories have no column."""
    data["cell"] = pd.Categorical(data["cell"], categories=["red", "white", "blue", "green"], ordered=ordered)
    assert coded("cell", data)[0].names == ("Intercept", f"cell[{second}]", f"cell[{third}]")


@pytest.mark.parametrize(
    ("right", "names", "columns"),
    [
        ("0 + I(x0 ** 2)", ("I(x0 ** 2)",), lambda d: [d["x0"] ** 2]),
        ("0 + log(positive)", ("log(positive)",), lambda d: [np.log(d["positive"])]),
        ("0 + log(positive + 10)", ("log(positive + 10)",), lambda d: [np.log(d["positive"] + 10)]),
        ("0 + scale(x0)", ("scale(x0)",), lambda d: [(d["x0"] - d["x0"].mean()) / d["x0"].std(ddof=0)]),
        ("0 + scale(log(positive))", ("scale(log(positive))",), None),
        ("0 + center(x0)", ("center(x0)",), lambda d: [d["x0"] - d["x0"].mean()]),
        ("0 + x0:x1", ("x0:x1",), lambda d: [d["x0"] * d["x1"]]),
        ("0 + x0:I(x1 + 1)", ("x0:I(x1 + 1)",), lambda d: [d["x0"] * (d["x1"] + 1)]),
        ("0 + poly(x0, 2)", ("poly(x0, 2)[0]", "poly(x0, 2)[1]"), None),
        ("0 + bs(x0, df=4)", tuple(f"bs(x0, df=4)[{k}]" for k in range(4)), None),
        ("1 + C(a)", ("Intercept", "C(a)[1]", "C(a)[2]", "C(a)[3]"), None),
        ("1 + C(cell, Sum)", ("Intercept", "C(cell, Sum)[blue]", "C(cell, Sum)[green]"), None),
        (
            "0 + cell:x0",
            ("cell[blue]:x0", "cell[green]:x0", "cell[red]:x0"),
            lambda d: [indicator(d, "cell", c) * d["x0"] for c in ("blue", "green", "red")],
        ),
    ],
)
def test_names_are_those_of_the_formula(data, right, names, columns):
    coding, X = coded(right, data)
    assert coding.names == names
    assert len(coding.terms) == len(coding.categorical) == X.shape[1] == len(names)
    if columns is not None:
        np.testing.assert_allclose(X, np.column_stack(columns(data)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "right", ["1", "x0 * cell", "scale(x0)", "poly(x0, 3)", "bs(x0, df=5)", "C(a)", "0 + C(cell, Sum):x0"]
)
def test_new_rows_go_through_what_was_learned(data, right):
    coding, X = coded(right, data)
    some = [7, 3, 3, 20]
    np.testing.assert_allclose(coding.matrix(data.iloc[some]), X[some], rtol=1e-12, atol=1e-14)
    one = coding.matrix(data.iloc[[5]].reset_index(drop=True))
    np.testing.assert_allclose(one, X[[5]], rtol=1e-12, atol=1e-14)


def test_new_rows_keep_levels_that_they_do_not_have(data):
    data["cell"] = data["cell"].astype("category")
    coding, X = coded("0 + cell", data)
    reds = data[data["cell"] == "red"]
    np.testing.assert_array_equal(coding.matrix(reds), X[data["cell"] == "red"])
    text = reds.assign(cell=reds["cell"].astype(str))
    np.testing.assert_array_equal(coding.matrix(text), X[data["cell"] == "red"])


def test_unknown_level_is_an_error_that_names_level_and_column(data):
    coding, _ = coded("x0 + cell", data)
    with pytest.raises(DataError, match=r"violet.*cell"):
        coding.matrix(data.assign(cell="violet"))
    with pytest.raises(DataError) as caught:
        coding.matrix(data.assign(cell="violet"))
    assert "colz" not in str(caught.value)


def test_text_in_the_place_of_numbers_is_an_error(data):
    coding, _ = coded("log(positive)", data)
    with pytest.raises(DataError, match="positive"):
        coding.matrix(data.assign(positive="many"))


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "it's",
        'double"quote',
        "back\\slash",
        "back`tick",
        "ünï ☃",
        "sigma",
        "Q",
        "True",
        "lambda",
        "1st",
        "colz1q",
        "x.y",
    ],
)
def test_any_column_name(name):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({name: rng.normal(size=12), f"{name} 2": np.tile(["colz0q", "colz7q", name], 4)})
    x, g = ("`" + c.replace("`", "``") + "`" for c in data.columns)
    coding, X = coded(f"0 + {x} + {g} + I({x} ** 2)", data)
    levels = [f"{name} 2[{level}]" for level in sorted(["colz0q", "colz7q", name])]
    written = name if name in ("sigma", "Q", "colz1q") else x
    assert coding.names == (name, *levels, f"I({written} ** 2)")
    assert coding.columns == (name, f"{name} 2")
    np.testing.assert_array_equal(X[:, 0], data[name])
    np.testing.assert_allclose(coding.matrix(data), X)


def test_no_common_part(data):
    coding, X = learn_coding(parse("normal ~ 0 + (1 | a)").common, data)
    assert coding.names == coding.columns == ()
    assert X.shape == coding.matrix(data).shape == (40, 0)


@pytest.mark.parametrize("dtype", ["Int64", "int8", "float32", "bool"])
def test_number_types(data, dtype):
    data["v"] = pd.Series(np.arange(40) % 2).astype(dtype)
    coding, X = coded("0 + x0 + I(v * 2)" if dtype == "bool" else "0 + x0 + v", data)
    np.testing.assert_array_equal(X[:, 1], (np.arange(40) % 2) * (2.0 if dtype == "bool" else 1.0))
    np.testing.assert_array_equal(coding.matrix(data), X)


def test_the_data_are_not_changed(data):
    before = data.copy(deep=True)
    coding, _ = coded("x0 * cell + scale(x1)", data)
    coding.matrix(data)
    pd.testing.assert_frame_equal(data, before)


def test_no_copy_of_the_rows_is_kept():
    n = 997
    coding, _ = coded("x0 * cell + scale(x1) + poly(x2, 2) + C(a)", make_frame(n))
    seen, stack, kept = set(), [coding], []
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(thing, type) or callable(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray | pd.Series | pd.DataFrame) and n in thing.shape:
            kept.append(thing)
        if type(thing).__module__ != "builtins" or isinstance(thing, dict | list | tuple):
            stack += [other for other in gc.get_referents(thing) if type(other).__name__ != "module"]
        assert len(seen) < 100_000
    assert kept == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x0", lambda d: d["x0"]),
        ("log(exposure)", lambda d: np.log(d["exposure"])),
        ("log(exposure) + 2 * x1", None),
        ("I(x0 / exposure)", lambda d: d["x0"] / d["exposure"]),
        ("abs(x0)", lambda d: np.abs(d["x0"])),
    ],
)
def test_expressions(data, text, expected):
    values = evaluate(expression(text), data)
    reference = np.log(data["exposure"]) + 2 * data["x1"] if expected is None else expected(data)
    assert values.shape == (40,)
    np.testing.assert_allclose(values, reference, rtol=1e-14)


def test_a_number_is_repeated(data):
    np.testing.assert_array_equal(evaluate(parse("count | trials(9) ~ 1").response.trials, data), np.full(40, 9.0))


@pytest.mark.parametrize(("exposure", "expected"), [(0.0, -np.inf), (-1.0, np.nan), (np.nan, np.nan)])
def test_values_that_are_no_numbers_are_left_to_the_validation(data, exposure, expected, caplog, capfd):
    values = evaluate(expression("log(exposure)"), data.assign(exposure=exposure))
    np.testing.assert_array_equal(values, expected)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_new_rows_with_missing_values_or_text_are_refused_with_column_and_row() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=40), "x": rng.normal(size=40), "e": 1.0, "g": list("abcdefgh") * 5})
    design = bg.GLMM("y ~ x + offset(log(e)) + (1 | g)", data).design
    missing = data.copy()
    missing.loc[3, "x"] = np.nan
    with pytest.raises(bg.DataError, match=r"x: 1 of 40 values missing \(rows 3\)"):
        design.new_rows(missing)
    with pytest.raises(bg.DataError, match="e: numbers are needed here"):
        design.new_rows(data.assign(e="text"))
    with pytest.raises(bg.DataError, match="g: is not a column of the new data"):
        design.new_rows(data.drop(columns="g"))


def test_products_of_whole_numbers_do_not_overflow() -> None:
    data = pd.DataFrame(
        {"u": np.array([100, 2], dtype=np.int8), "v": np.array([50, 3], dtype=np.int8), "w": [10**10, 1]}
    )
    _, X = learn_coding(parse("y ~ 0 + u:v + w:I(w)").common, data)
    assert X[:, 0].tolist() == [5000.0, 6.0]
    assert X[0, 1] == 1e20
    coding, _ = learn_coding(parse("y ~ 0 + C(u)").common, data)
    assert coding.names == ("C(u)[2]", "C(u)[100]")
