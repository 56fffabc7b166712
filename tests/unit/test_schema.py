"""The one table that posteriors and fits share."""

from __future__ import annotations

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.schema import TIDY_COLUMNS, number, tail_probabilities, tidy_frame


def frame_of(level: float = 0.95):
    return tidy_frame(
        terms=["fixed", "sd"],
        names=["x", "sd(g)"],
        estimates=[1.0, 2.0],
        std_errors=[0.5, np.nan],
        lower=[0.0, 1.0],
        upper=[2.0, 3.0],
        level=level,
        method="laplace",
        estimand="conditional",
    )


def test_columns_in_order():
    frame = frame_of()
    assert tuple(frame.columns) == TIDY_COLUMNS
    assert frame.iloc[0].to_dict() == {
        **{"term": "fixed", "name": "x", "estimate": 1.0, "std_error": 0.5, "lower": 0.0, "upper": 2.0},
        **{"level": 0.95, "method": "laplace", "estimand": "conditional"},
    }


def test_tails():
    assert tail_probabilities(0.95) == pytest.approx((0.025, 0.975))
    assert tail_probabilities(np.float32(0.5)) == (0.25, 0.75)


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, np.nan, np.inf, "0.95", None, True])
def test_a_level_is_between_0_and_1(level):
    with pytest.raises(bg.SpecificationError, match=r"^level=.* is not a number between 0 and 1; a 95% interval is"):
        frame_of(level)


def test_a_fit_refuses_such_a_level_too(sleepstudy_model):
    with pytest.raises(bg.SpecificationError, match=r"level=95 is not a number between 0 and 1"):
        sleepstudy_model.fit("laplace").tidy(level=95)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.0634, 3, "1.063"),
        (0.0, 4, "0.0000"),
        (-0.0, 2, "0.00"),
        (0.00123, 3, "0.001"),
        (0.00123, 4, "0.0012"),
        (0.00123, 2, "0.00123"),
        (-0.00012345, 4, "-0.0001234"),
        (3.1e-12, 3, "3.1e-12"),
        (999999.0, 1, "999999.0"),
        (-1234567.0, 3, "-1.235e+06"),
        (float("nan"), 3, "nan"),
        (float("inf"), 3, "inf"),
    ],
)
def test_a_figure_shows_whatever_its_size(value, digits, text):
    assert number(value, digits) == text
