"""What data must be for a residual structure, in sentences that name column and rows."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import DataError, DataWarning


def frame(**columns) -> pd.DataFrame:
    base = {"g": list("aaabbbccc"), "t": [0, 1, 2] * 3, "y": np.random.default_rng(1).normal(size=9)}
    return pd.DataFrame({**base, **columns})


def problems_of(data: pd.DataFrame, residual: str, formula: str = "y ~ 1"):
    with pytest.raises(DataError) as caught:
        bg.GLMM(formula, data, residual=residual)
    return caught.value.problems


def assert_one(problems, where: str, *words: str) -> None:
    assert [p.where for p in problems] == [where]
    for word in words:
        assert word in problems[0].message


def test_two_rows_at_one_time_are_named():
    data = frame(t=[0, 1, 1, 0, 1, 2, 0, 1, 2])
    for residual in ("ar1(t | g)", "car1(t | g)", "cs(t | g)", "us(t | g)"):
        assert_one(problems_of(data, residual), "t", "2 rows of 9", "rows 1: a at 1, 2: a at 1")


def test_times_of_ar1_are_whole():
    data = frame(t=[0.0, 1.5, 2.0] * 3)
    assert_one(problems_of(data, "ar1(t | g)"), "t", "rows 1: 1.5, 4: 1.5, 7: 1.5", "Use car1")
    assert_one(problems_of(frame(t=list("xyz") * 3), "ar1(t | g)"), "t", "needs numbers")
    unordered = pd.Categorical(list("xyz") * 3)
    assert_one(problems_of(frame(t=unordered), "ar1(t | g)"), "t", "without an order", "as_ordered")


def test_ordered_categories_are_steps():
    ordered = pd.Categorical(list("xyz") * 3, categories=list("zyxw"), ordered=True)
    rows = bg.GLMM("y ~ 1", frame(t=ordered), residual="ar1(t | g)").design.residual
    np.testing.assert_array_equal(rows.times, [2.0, 1.0, 0.0] * 3)


def test_times_an_even_number_of_steps_apart_hide_the_sign_of_rho():
    assert_one(problems_of(frame(t=[8, 10, 12] * 3), "ar1(t | g)"), "t", "cannot tell rho from -rho", "by 2")
    bg.GLMM("y ~ 1", frame(t=[0, 3, 6] * 3), residual="ar1(t | g)")


def test_groups_of_one_row_have_nothing_to_correlate():
    assert_one(problems_of(frame(g=list("abcdefghi")), "cs(1 | g)"), "g", "every level has one row")


def test_many_visits_are_too_many_for_a_full_matrix():
    data = pd.DataFrame({"g": np.repeat([0, 1], 31), "t": np.tile(np.arange(31), 2)})
    data["y"] = np.random.default_rng(1).normal(size=62)
    assert_one(problems_of(data, "us(t | g)"), "t", "31 visits", "at most 30")


def test_columns_must_be_there_and_whole():
    assert {p.where for p in problems_of(frame(), "ar1(week | patient)")} == {"week", "patient"}
    data = frame(t=[0.0, np.nan, 2.0] * 3)
    assert_one(problems_of(data, "ar1(t | g)"), "t", "3 of 9 values missing")
    assert_one(problems_of(frame(t=[0.0, np.inf, 2.0] * 3), "car1(t | g)"), "t", "infinite")


def test_missing_rows_are_left_out_where_asked():
    data = frame(t=[0.0, np.nan, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0])
    design = bg.GLMM("y ~ 1", data, residual="ar1(t | g)", missing="drop").design
    assert list(design.dropped) == [1]
    np.testing.assert_array_equal(design.residual.gaps, [0, 2, 0, 1, 1, 0, 1, 1])


def test_a_factor_called_residual_would_have_the_same_correlations():
    data = frame(residual=list("xyzxyzxyz"))
    found = problems_of(data, "ar1(t | g)", "y ~ 1 + (1 + t | residual)")
    assert "reserved name" in {p.kind for p in found}


@pytest.mark.parametrize(("residual", "warns"), [("cs(1 | g)", True), ("us(t | g)", True), ("ar1(t | g)", False)])
def test_an_intercept_of_the_same_groups_says_the_same(residual, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bg.GLMM("y ~ 1 + (1 | g)", frame(), residual=residual)
    assert any("cannot tell them apart" in str(w.message) for w in caught) is warns


def test_visits_that_never_meet_are_named():
    data = frame(t=[0, 1, 2, 0, 1, 2, 0, 1, 3])
    with pytest.warns(DataWarning, match="no group has both visits 2 and 3"):
        bg.GLMM("y ~ 1", data, residual="us(t | g)")


@pytest.mark.parametrize(
    ("residual", "same", "other"),
    [
        # The same standard deviation for all rows; one that changes them and not the intercept's share.
        ("cs(1 | g)", ("~ 1",), ("~ x", "~ 0 + C(t)")),
        # Any covariance of the visits takes up an intercept's; with fewer coefficients, or more, it does not.
        ("us(t | g)", ("~ 1", "~ 0 + C(t)", "~ C(t)", "~ C(t) + offset(x)"), ("~ t", "~ x", "~ C(t) + z")),
    ],
)
def test_an_intercept_of_the_same_groups_where_standard_deviations_differ(residual, same, other):
    data = frame().assign(x=[0.0, 1.0, 3.0] * 3, z=[0.0, 1.0, 0.5, 2.0, 0.0, 0.3, 0.7, 1.0, 0.0])
    told = "say the same of two rows of one g"

    def warned(dispersion: str) -> list[str]:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            bg.GLMM("y ~ 1 + (1 | g)", data, residual=residual, dispersion=dispersion)
        return [str(w.message) for w in found if told in str(w.message)]

    assert all(map(warned, same))
    assert not any(map(warned, other))
