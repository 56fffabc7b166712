"""The model as a user holds it: nothing on it changes, nothing outside it is changed, and what it cannot do it says."""

from __future__ import annotations

import html
import tomllib
import warnings

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame
from support.posteriors import quiet_model

import bayesglmm as bg


@pytest.mark.parametrize("name", ["spec", "design", "parameters", "pymc"])
def test_attributes_cannot_be_reassigned(sleepstudy_model, name):
    before = getattr(sleepstudy_model, name)
    with pytest.raises(AttributeError, match="no setter"):
        setattr(sleepstudy_model, name, None)
    with pytest.raises(AttributeError, match="no deleter"):
        delattr(sleepstudy_model, name)
    assert getattr(sleepstudy_model, name) is before


def test_nothing_below_can_be_reassigned_either(sleepstudy_model):
    for holder, name in [(sleepstudy_model.spec, "family"), (sleepstudy_model.design, "X")]:
        with pytest.raises((AttributeError, TypeError, ValueError)):
            setattr(holder, name, None)
    with pytest.raises(AttributeError):
        sleepstudy_model.parameters.centered = False


def test_the_data_frame_is_neither_changed_nor_kept():
    data = make_frame()
    data.loc[data.index[3], "x0"] = np.nan
    data["cell"] = data["cell"].astype("category")
    before = data.copy(deep=True)
    model = quiet_model("normal ~ x0 + cell + (1 + x1 | a)", data, missing="drop")
    model.fit("laplace")
    posterior = model.sample(draws=5, tune=5, chains=1, seed=1, progress=False)
    posterior.with_log_likelihood()
    pd.testing.assert_frame_equal(data, before)
    X, y, shown = model.design.X.copy(), model.design.y.copy(), repr(model)
    data.loc[:, ["normal", "x0", "x1", "a"]] = 0
    np.testing.assert_array_equal(model.design.X, X)
    np.testing.assert_array_equal(model.design.y, y)
    assert repr(model) == shown


def test_given_priors_are_not_kept_either():
    priors = {"x0": ("Normal", {"mu": 0.0, "sigma": 1.0})}
    model = quiet_model("normal ~ x0", priors=priors)
    priors["x0"][1]["sigma"] = 99.0
    priors["x1"] = ("Normal", {"sigma": 1.0})
    assert model.spec.priors["x0"].params["sigma"] == 1.0
    assert set(model.spec.priors) == {"x0"}


def test_the_graph_is_built_once_and_when_asked_for():
    model = quiet_model("normal ~ x0 + (1 | a)")
    assert "_graph" not in vars(model)
    assert model.pymc is model.pymc
    assert {v.name for v in model.pymc.free_RVs} == {"Intercept_centered", "slopes", "sd_a", "z_a", "sigma"}


def test_rows_with_missing_values_raise_or_are_listed():
    data = make_frame()
    data.loc[data.index[[2, 5]], "x0"] = np.nan
    with pytest.raises(bg.DataError, match="x0"):
        quiet_model("normal ~ x0", data)
    model = quiet_model("normal ~ x0", data, missing="drop")
    assert list(model.design.dropped) == [2, 5]
    assert model.design.n_rows == 38


def test_to_toml_says_the_same_model():
    options = {
        "family": "poisson",
        "link": "sqrt",
        "weights": "positive",
        "missing": "drop",
        "priors": {
            "beta": ("Normal", {"mu": 0, "sigma": 2}),
            "sd(a)": {"dist": "Gamma", "alpha": 2, "beta": 1, "on": "variance"},
        },
    }
    model = quiet_model("count ~ x0 + (1 | a) + (0 + x1 | d:e)", **options)
    words = tomllib.loads(model.to_toml())
    again = bg.ModelSpec(**words["model"], priors=words["priors"])
    assert again == model.spec
    assert words["model"]["formula"] == str(model.spec.formula)


def test_from_spec_is_the_same_model():
    spec = bg.ModelSpec(formula="normal ~ x0 + (1 | a)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.DataWarning)
        model = bg.GLMM.from_spec(spec, make_frame())
    assert model.spec == spec
    assert repr(model) == repr(quiet_model("normal ~ x0 + (1 | a)"))


def test_read_model_reads_the_file_and_its_data(salamander_model):
    assert salamander_model.design.n_rows == 360
    assert str(salamander_model.spec.formula) == "mated ~ 0 + cross + (1 | female) + (1 | male)"
    assert salamander_model.spec.priors["beta"].params["sigma"] == 2.5


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"known_covariances": {"A": np.eye(3)}}, "known_covariances= .* is not available yet"),
        ({"known_covariances": pd.DataFrame(np.eye(2))}, "known_covariances= .* is not available yet"),
        ({"residual": "ar1(week | patient)"}, "not available yet"),
    ],
)
def test_what_is_not_there_yet_is_said(option, words):
    with pytest.raises(bg.NotAvailableError, match=words):
        quiet_model("normal ~ x0 + (1 | a)", **option)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"priors": [("x0", 1)]}, "priors: .* a table of priors by parameter is needed"),
        ({"family": None}, "family"),
        ({"family": "possion"}, "Did you mean 'poisson'"),
        ({"missing": None}, "missing"),
        ({"weights": 3}, "weights"),
    ],
)
def test_options_of_the_wrong_kind(option, words):
    with pytest.raises(bg.SpecificationError, match=words):
        quiet_model("normal ~ x0", **option)


def test_methods_that_are_unknown_or_not_there_yet(sleepstudy_model):
    with pytest.raises(
        bg.SpecificationError, match=r"method 'laplase' is unknown\. Did you mean 'laplace'\? Methods: "
    ):
        sleepstudy_model.fit("laplase")
    with pytest.raises(bg.SpecificationError, match="is unknown"):
        sleepstudy_model.fit(["laplace"])
    with pytest.raises(bg.SpecificationError, match="option 'points' is unknown to method 'laplace'"):
        sleepstudy_model.fit("laplace", points=5)


def test_html_holds_the_equation_and_the_print_out():
    data = make_frame().rename(columns={"x0": "a < b"})
    model = quiet_model("normal ~ `a < b` + (1 | a)", data)
    page = model._repr_html_()
    assert html.escape(model.equation()) in page
    assert html.escape(repr(model)) in page
    assert "a < b" not in page


def test_the_pymc_source_is_that_of_the_model(sleepstudy_model):
    code = sleepstudy_model.to_pymc_code()
    compile(code, "model.py", "exec")
    assert '"sd_subject"' in code or "'sd_subject'" in code


def test_public_names_come_when_they_are_used():
    assert set(bg.__all__) <= set(dir(bg))
    assert len(bg.__all__) <= 25
    for name in bg.__all__:
        assert getattr(bg, name) is not None
    with pytest.raises(AttributeError, match=r"has no attribute 'Glmm'; its public names are GLMM"):
        _ = bg.Glmm
