"""Group terms as index codes: levels, new rows, effects and their names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame

from bayesglmm.errors import DataError
from bayesglmm.factor import learn_factor
from bayesglmm.formula import parse
from bayesglmm.grouping import group_effects


def terms_of(text: str, data: pd.DataFrame | None = None):
    return group_effects(parse(f"normal ~ 1 + {text}").groups, make_frame() if data is None else data)


def categories(values: list, order: list | None = None) -> pd.Series:
    return pd.Series(pd.Categorical(values, categories=order))


TEXT = ["c", "a", "b", "a"]
DATES = ["2020-01-03", "2020-01-01", "2020-01-02", "2020-01-01"]
#: Column, its levels, and new values of another kind: the first and third level, a new one, a missing one.
FACTORS = {
    "text": (pd.Series(TEXT), "abc", pd.Series(["a", "c", "z", None])),
    "whole numbers": (pd.Series([30, 4, 5, 4]), ["4", "5", "30"], pd.Series([4, 30, 9, None], dtype="Int64")),
    "numbers, new ones as floats": (pd.Series([30, 4, 5, 4]), ["4", "5", "30"], pd.Series([4.0, 30.0, 4.5, np.nan])),
    "floats": (pd.Series([0.3, 0.1, 0.2, 0.1]), ["0.1", "0.2", "0.3"], pd.Series([0.1, 0.3, 0.25, np.nan])),
    "pandas strings": (pd.Series(TEXT, dtype="string"), "abc", pd.Series(["a", "c", "z", None], dtype=object)),
    "categories": (categories(TEXT, list("cbaz")), "cba", pd.Series(["c", "a", "z", None])),
    "text, new ones as categories": (pd.Series(TEXT), "abc", categories(["a", "c", "z", None], list("zca"))),
    "categories of numbers": (categories([30, 4, 5, 4]), ["4", "5", "30"], categories([4, 30, 9, None])),
    "intervals": (
        pd.Series(pd.cut([9, 1, 5, 2], [0, 3, 6, 10])),
        ["(0, 3]", "(3, 6]", "(6, 10]"],
        pd.Series(pd.cut([2, 8, 99, np.nan], [0, 3, 6, 10])),
    ),
    "dates": (
        pd.Series(pd.to_datetime(DATES)),
        ["2020-01-01", "2020-01-02", "2020-01-03"],
        pd.Series(pd.to_datetime(["2020-01-01", "2020-01-03", "1999-12-31", None])),
    ),
    "kinds without order": (
        pd.Series([2.5, "a", 1, "a"], dtype=object),
        ["2.5", "a", "1"],
        pd.Series([2.5, 1, "z", None], dtype=object),
    ),
}


@pytest.mark.parametrize("name", FACTORS)
def test_levels_and_codes(name):
    column, levels, new = FACTORS[name]
    data = pd.DataFrame({"g": column})
    factor, codes = learn_factor(("g",), data)
    assert factor.levels == tuple(levels)
    assert codes.dtype == np.int32
    shown = column.dt.strftime("%Y-%m-%d") if name == "dates" else column
    assert [factor.levels[code] for code in codes] == [str(value) for value in shown]
    np.testing.assert_array_equal(factor.codes(data), codes)
    np.testing.assert_array_equal(factor.codes(pd.DataFrame({"g": new})), [0, 2, -1, -1])
    assert factor.codes(data).dtype == np.int32


@pytest.mark.parametrize("name", FACTORS)
def test_combinations_are_those_that_occur(name):
    column, _, _ = FACTORS[name]
    data = pd.DataFrame({"g": column, "h": [2, 1, 1, 2]})
    single, codes = learn_factor(("g",), data)
    factor, crossed = learn_factor(("g", "h"), data)
    assert sorted(factor.levels) == sorted(f"{single.levels[c]}:{h}" for c, h in zip(codes, data["h"], strict=True))
    np.testing.assert_array_equal(factor.codes(data), crossed)
    other = data.assign(h=[2, 2, 1, 9])
    np.testing.assert_array_equal(factor.codes(other), [crossed[0], crossed[3], crossed[2], -1])


def test_levels_of_combinations_are_in_the_order_of_their_parts():
    data = pd.DataFrame({"g": [10, 9, 10, 9], "h": list("xyyy")})
    assert learn_factor(("g", "h"), data)[0].levels == ("9:y", "10:x", "10:y")
    assert learn_factor(("h", "g"), data)[0].levels == ("x:10", "y:9", "y:10")


def test_values_that_print_alike_are_an_error():
    data = pd.DataFrame({"g": pd.Series([1, "1", "a"], dtype=object)})
    with pytest.raises(DataError, match="two different values print as the same level '1'"):
        learn_factor(("g",), data)
    colons = pd.DataFrame({"g": ["a:b", "a"], "h": ["c", "b:c"]})
    with pytest.raises(DataError, match="same level 'a:b:c'"):
        learn_factor(("g", "h"), colons)


def test_intercept_alone():
    (term,) = terms_of("(1 | a)")
    assert (term.label, term.name, term.effects) == ("a", "a", ("Intercept",))
    assert term.has_intercept
    assert term.slopes.shape == (0, 40)
    assert (term.n_levels, term.n_effects, term.size, term.n_correlations) == (4, 1, 4, 0)
    assert term.sd_name("Intercept") == "sd(a)"
    assert term.effect_name("3", "Intercept") == "a[3]"
    assert term.cor_names() == ()
    assert term.structure.name == "scalar"
    np.testing.assert_array_equal(term.columns(), np.ones((1, 40)))


def test_several_effects():
    data = make_frame()
    (term,) = terms_of("(1 + x0 + cell | b)", data)
    assert term.effects == ("Intercept", "x0", "cell[green]", "cell[red]")
    assert (term.n_levels, term.size, term.n_correlations) == (5, 20, 6)
    assert term.slopes.shape == (3, 40)
    assert term.slopes.flags.c_contiguous
    np.testing.assert_array_equal(term.columns()[:2], [np.ones(40), data["x0"]])
    assert term.sd_name("x0") == "sd(b, x0)"
    assert term.effect_name("2", "x0") == "b[2, x0]"
    first_three = [("Intercept", "x0"), ("Intercept", "cell[green]"), ("x0", "cell[green]")]
    assert term.cor_names()[:3] == tuple(f"cor(b, {one}, {other})" for one, other in first_three)
    assert term.structure.name == "unstructured"


def test_single_slope_is_named_with_its_effect():
    (term,) = terms_of("(0 + x0 | a)")
    assert term.effects == ("x0",)
    assert not term.has_intercept
    assert term.sd_name("x0") == "sd(a, x0)"
    assert term.effect_name("1", "x0") == "a[1, x0]"
    np.testing.assert_array_equal(term.columns(), term.slopes)


def test_independent_effects():
    (term,) = terms_of("(1 + x0 || a)")
    assert term.structure.name == "independent"
    assert (term.n_correlations, term.cor_names()) == (0, ())


def test_nested_terms():
    data = make_frame()
    outer, inner = terms_of("(1 | a/b)", data)
    assert (outer.name, inner.name) == ("a", "a:b")
    assert inner.n_levels == len(data[["a", "b"]].drop_duplicates())
    assert inner.sd_name("Intercept") == "sd(a:b)"


def test_second_term_of_a_factor_has_a_label_of_its_own():
    first, second = terms_of("(1 | a) + (0 + x0 | a)")
    assert (first.label, second.label) == ("a", "a.x0")
    assert first.name == second.name == "a"
    assert second.sd_name("x0") == "sd(a, x0)"


def test_effects_given_twice_are_an_error():
    with pytest.raises(DataError, match="the effect 'x0' of a is in two group terms"):
        terms_of("(1 + x0 | a) + (0 + x0 + x1 | a)")


def test_new_rows_of_effects_use_the_learned_coding():
    data = make_frame()
    (term,) = terms_of("(1 + scale(x0) + cell | a)", data)
    some = data.iloc[[4, 9]]
    np.testing.assert_allclose(term.coding.matrix(some).T, term.columns()[:, [4, 9]])


def test_the_data_are_not_changed():
    data = make_frame().assign(a=lambda d: d["a"].astype("category"))
    before = data.copy(deep=True)
    terms_of("(1 + x0 | a/b)", data)
    pd.testing.assert_frame_equal(data, before)
