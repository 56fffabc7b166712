"""A model in one line, wherever one is named: specification, fit, posterior's record, comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.bayes.record import ModelRecord
from bayesglmm.title import columns_used, model_title

FORMULA = "y ~ x + (1 | g)"


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.repeat(np.arange(8), 5), "week": np.tile(np.arange(5), 8), "x": rng.normal(size=40)})
    return frame.assign(g=frame["g"].astype(str), y=rng.normal(size=40), n=rng.poisson(2.0, size=40))


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({}, FORMULA),
        ({"dispersion": "~ x"}, f"{FORMULA}, dispersion ~ x"),
        ({"residual": "ar1(week | g)"}, f"{FORMULA}, residuals ar1(week | g)"),
        (
            {"residual": "ar1(week|g)", "dispersion": "~ 0 + x"},
            f"{FORMULA}, residuals ar1(week | g), dispersion ~ 0 + x",
        ),
        (
            {"formula": "n ~ x", "family": "zero_inflated_negative_binomial", "dispersion": "~ x", "zero": "~ week"},
            "n ~ x, dispersion ~ x, zero ~ week",
        ),
    ],
)
def test_what_is_specified_beside_the_formula_is_named(options, title):
    model = bg.GLMM(**{"formula": FORMULA, "data": data(), **options})
    assert model.spec.title == title
    record = ModelRecord.of(model.design, model._parameters)
    assert record.title == title
    assert ModelRecord.from_json(record.model_dump_json()).title == title


def test_a_record_without_the_parts_is_read():
    model = bg.GLMM(FORMULA, data(), dispersion="~ x")
    words = ModelRecord.of(model.design, model._parameters).model_dump(exclude={"dispersion", "zero"})
    assert ModelRecord.model_validate(words).title == FORMULA


def test_comparisons_tell_dispersion_formulas_apart():
    fits = [bg.GLMM(FORMULA, data(), dispersion=d).fit("laplace") for d in (None, "~ x", "~ x + week")]
    shown = repr(bg.compare(*fits))
    assert f"{FORMULA}; " in shown
    assert f"{FORMULA}, dispersion ~ x; " in shown
    assert f"{FORMULA}, dispersion ~ x + week." in shown
    # The fingerprint is of the columns that a model uses: the third uses another one, and its data are the same.
    assert "different data" not in shown
    assert repr(fits[1]).startswith(f"Fit of {FORMULA}, dispersion ~ x\n")


def test_columns_used():
    beside = {"residuals": "car1(t | a:b)", "dispersion": "~ log(s) + offset(o)", "zero": "~ 0 + z"}
    assert columns_used("y ~ x + (1 | g)", beside) == frozenset("yxgtabsoz")
    assert model_title("y ~ x", {}) == "y ~ x"
