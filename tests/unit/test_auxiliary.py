"""Formulas of dispersions and zero parts, and ordered categories: from specification to design and priors."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame

import bayesglmm as bg
from bayesglmm.errors import DataError, DataWarning, SpecificationError
from bayesglmm.priors import Prior
from bayesglmm.spec import ModelSpec


def model(formula: str = "normal ~ x0 + (1 | a)", data: pd.DataFrame | None = None, **options) -> bg.GLMM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return bg.GLMM(formula, make_frame() if data is None else data, **options)


def test_a_dispersion_formula_has_a_coefficient_a_column_on_the_log_scale():
    made = model(dispersion="~0+cell")
    assert made.design.family_names == ("log_sigma[cell[blue]]", "log_sigma[cell[green]]", "log_sigma[cell[red]]")
    assert made.design.dispersion is None
    assert not made.design.is_linear
    place = np.log(made.design.family.scale(made.design.y, made.design.size, "identity"))
    assert made.parameters.family == ((Prior("Normal", mu=place, sigma=2.0),) * 3,)
    assert "log of sigma: ~ 0 + cell" in str(made)


def test_default_priors_are_those_of_centred_columns():
    data = make_frame()
    data["year"] = 2000.0 + 3.0 * data["x1"]
    intercept, slope = model(data=data, dispersion="~ year").parameters.family[0]
    sd = data["year"].std(ddof=0)
    assert slope.params["sigma"] == pytest.approx(1.0 / sd)
    assert intercept.params["sigma"] == pytest.approx(np.hypot(2.0, data["year"].mean() / sd))


def test_the_zero_part_has_an_intercept_unless_something_is_said():
    made = model("count ~ x0 + (1 | a)", family="zero_inflated_poisson")
    assert made.design.family_names == ("zero[Intercept]",)
    assert made.parameters.family == ((Prior("Normal", mu=0.0, sigma=2.5),),)
    both = model("count ~ x0", family="zero_inflated_negative_binomial", zero="~ 0 + x1", dispersion="~ cell")
    assert both.design.family_names[:2] == ("log_phi[Intercept]", "log_phi[cell[green]]")
    assert both.design.family_names[-1] == "zero[x1]"


def test_keys_of_priors():
    given = {"log_sigma": Prior("Normal", sigma=1), "log_sigma[x1]": Prior("StudentT", nu=4, sigma=0.5)}
    made = model(dispersion="~ x1", priors=given)
    assert made.parameters.family == ((given["log_sigma"], given["log_sigma[x1]"]),)
    with pytest.raises(SpecificationError, match="speaks of no parameter"):
        model(dispersion="~ x1", priors={"sigma": Prior("HalfNormal", sigma=1)})
    with pytest.raises(SpecificationError, match="one ordered vector"):
        model("grade ~ x0", family="cumulative", priors={"cutpoint[1|2]": Prior("Cauchy", alpha=0, beta=2)})
    with pytest.raises(SpecificationError, match="one ordered vector"):
        model("grade ~ x0", family="cumulative", priors={"cutpoint": Prior("Exponential", lam=1)})
    assert model("normal ~ x0", family="student_t", priors={"nu": Prior("Gamma", alpha=2, beta=0.2)})


def test_a_formula_of_one_value_is_the_ordinary_model():
    plain, by_formula = model().fit("laplace"), model(dispersion="~ 1").fit("laplace")
    assert by_formula.loglik == pytest.approx(plain.loglik, abs=1e-9)
    figures = by_formula.tidy().set_index("name").loc["log_sigma[Intercept]"]
    sigma = plain.tidy().set_index("name").loc["sigma"]
    assert np.exp(figures["estimate"]) == pytest.approx(sigma["estimate"], rel=1e-6)
    assert figures["std_error"] == pytest.approx(sigma["std_error"] / sigma["estimate"], rel=1e-4)


def test_likelihood_ratio_of_dispersions():
    plain, one, other = model().fit("laplace"), model(dispersion="~ cell").fit("laplace"), model(dispersion="~ x1")
    assert bg.likelihood_ratio(plain, one).df == 2
    with pytest.raises(SpecificationError, match="not nested: log_sigma"):
        bg.likelihood_ratio(other.fit("laplace"), one)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dispersion": "~ x", "family": "poisson"}, "'poisson' has no dispersion|poisson has no dispersion"),
        ({"zero": "~ x", "family": "poisson"}, "poisson has no part of its own for zeros"),
        ({"dispersion": "x"}, "a formula without a response is needed"),
        ({"dispersion": "y ~ x"}, "a formula without a response is needed"),
        ({"dispersion": "~ x + (1 | g)"}, "group terms such as"),
        ({"dispersion": "~ 0"}, "has no terms"),
        ({"dispersion": "~ x +"}, ""),
        ({"dispersion": 3}, "a formula without a response is needed"),
        ({"dispersion": "~ x", "formula": "y | se(s) ~ x"}, "which fixes the dispersion"),
    ],
)
def test_what_cannot_be(options, words):
    with pytest.raises(SpecificationError) as error:
        ModelSpec(**{"formula": "y ~ x", **options})
    assert re.search(words, str(error.value)), str(error.value)


def test_the_specification_is_written_and_read_back():
    spec = ModelSpec(formula="y ~ x", family="zero_inflated_negative_binomial", dispersion="~0+ sex", zero="~x")
    assert (spec.dispersion, spec.zero) == ("~ 0 + sex", "~ x")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert 'dispersion = "~ 0 + sex"' in spec.to_toml()


def test_columns_of_these_formulas_are_checked_too():
    data = make_frame()
    with pytest.raises(DataError, match="nowhere"):
        model(data=data, dispersion="~ nowhere")
    data.loc[3, "x4"] = np.nan
    with pytest.raises(DataError, match="x4"):
        model(data=data, dispersion="~ x4")
    with pytest.raises(DataError, match="linearly dependent"):
        model(data=data.assign(x3=2.0 * data["x2"]), dispersion="~ x2 + x3")


def test_cutpoints_take_the_intercepts_place():
    for formula in ("grade ~ x0 + cell", "grade ~ 0 + x0 + cell"):
        made = model(formula, family="cumulative")
        assert made.design.coefficients == ("x0", "cell[green]", "cell[red]")
        assert made.design.family_names == ("cutpoint[0|1]", "cutpoint[1|2]", "cutpoint[2|3]")
        assert made.design.new_rows(make_frame()).X.shape == (40, 3)
    start = made.design.family_parts[0].start
    assert np.all(np.diff(start) > 0.0)


def test_ordered_labels_are_kept():
    data = make_frame()
    words = ["none", "some", "much", "all", "unused"]
    data["answer"] = pd.Categorical(np.array(words)[data["grade"]], categories=words, ordered=True)
    made = model("answer ~ x0", data, family="cumulative")
    assert made.design.response_labels == ("none", "some", "much", "all")
    assert made.design.family_names[0] == "cutpoint[none|some]"
    assert "categories in order: 'none' (10)" in str(made)
    with pytest.raises(DataError, match="labels without an order"):
        model("answer ~ x0", data.astype({"answer": str}), family="cumulative")
    with pytest.raises(DataError, match="numbers that are not whole"):
        model("normal ~ x0", data, family="cumulative")
    with pytest.raises(DataError, match="1 category"):
        model("one ~ x0", data.assign(one=1), family="cumulative")


def test_new_rows_have_predictors_of_their_own():
    made = model("count ~ x0", family="zero_inflated_negative_binomial", zero="~ cell + offset(x2)")
    new = make_frame(seed=5).iloc[:7]
    auxiliary = made.design.new_rows(new).auxiliary
    w = np.array([0.4, 0.3, -0.5, 0.8])
    phi, zero = auxiliary.simulation(w)
    np.testing.assert_allclose(phi, np.exp(0.4))
    cell = new["cell"].to_numpy()
    np.testing.assert_allclose(zero, 0.3 - 0.5 * (cell == "green") + 0.8 * (cell == "red") + new["x2"])
    with pytest.raises(DataError, match="x2"):
        made.design.new_rows(new.drop(columns="x2"))


def test_the_equation_says_what_the_dispersion_depends_on():
    lines = model(dispersion="~ x1").equation().splitlines()
    assert any(r"\log(\sigma_i) &= \gamma_0 + \gamma_{1}\,\text{x1}_i" in line for line in lines)


def test_another_response_moves_between_the_cutpoints():
    design = model("grade ~ x0", family="cumulative").design
    y = np.roll(design.y, 1)
    moved = design.with_response(y)
    first, second = moved.auxiliary.predictors
    w = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(first.at(w), np.append(w, np.inf)[y.astype(int)])
    np.testing.assert_array_equal(second.at(w), np.append(-np.inf, w)[y.astype(int)])
    with pytest.raises(DataError, match="category"):
        design.with_response(y + 1.0)
