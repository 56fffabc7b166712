import numpy as np
import pytest


def test_offset_of_a_logarithm_of_zero(errors, clean):
    clean.loc[[3, 8], "dose"] = 0.0
    assert errors("deaths ~ x + offset(log(dose))", clean, family="poisson") == [
        "offset(log(dose)): 2 of 60 values not finite (rows 3: dose = 0, 8: dose = 0); log() needs "
        "numbers above 0. "
        "Correct these rows, leave them out, or choose another transformation."
    ]


@pytest.mark.parametrize(
    ("term", "value", "domain"),
    [
        ("log(dose)", -1.0, "log() needs numbers above 0"),
        ("log1p(dose)", -1.0, "log1p() needs numbers above -1"),
        ("sqrt(dose)", -1.0, "sqrt() needs numbers >= 0"),
        ("exp(dose)", 1000.0, "exp() is too large above 709"),
    ],
)
def test_functions_outside_their_domain(errors, clean, term, value, domain):
    clean.loc[3, "dose"] = value
    shown = f"{value:g}"
    for formula in (f"y ~ x + {term}", f"y ~ x + (0 + {term} | g)", f"y ~ x + scale({term})"):
        (said,) = errors(formula, clean)
        assert said.startswith(f"{term}: 1 of 60 values not finite (row 3: dose = {shown}); {domain}.")


def test_an_expression_of_several_columns_shows_its_own_value(errors, clean):
    clean.loc[3, "dose"] = 0.0
    (said,) = errors("y ~ I(trials / dose)", clean)
    assert said.startswith("I(trials / dose): 1 of 60 values not finite (row 3: inf).")


def test_scale_of_a_constant(errors, clean):
    (said,) = errors("y ~ scale(trials)", clean)
    assert said == "scale(trials): cannot be scaled, because it is constant. Leave the term out."


@pytest.mark.parametrize(
    ("term", "columns", "most"), [("poly(b, 3)", 3, 1), ("poly(b, 2)", 2, 1), ("bs(b, df=6)", 6, 1)]
)
def test_a_basis_for_more_than_the_data_hold(errors, clean, capsys, term, columns, most):
    (said,) = errors(f"y ~ {term}", clean)
    assert said == (
        f"{term}: asks for {columns} columns, and its argument takes only 2 distinct values. Ask for at most {most}."
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("term", ["poly(b, 1)", "poly(x, 4)", "bs(x, df=6)", 'C(f, Treatment("b"))', "C(b)"])
def test_a_basis_that_the_data_hold(cautions, clean, term):
    assert cautions(f"y ~ {term}", clean) == []


def test_reference_level_that_does_not_occur(errors, clean):
    clean["f"] = clean["f"].map({"a": "control", "b": "low", "c": "high"})
    (said,) = errors('y ~ C(f, Treatment("controls"))', clean)
    assert said == (
        "C(f, Treatment(\"controls\")): f has no level 'controls'. Did you mean 'control'? "
        "Levels: 'control', 'high', 'low'."
    )


@pytest.mark.parametrize("formula", ["y ~ x + f", "y ~ 0 + f", "y ~ x + C(f)", "y ~ x + (f | g)", "y ~ x:f"])
def test_a_factor_with_one_level(errors, clean, formula):
    said = errors(formula, clean.assign(f="only"))
    assert said == [
        "f: this factor has one level ('only'): there is nothing to compare it with. Leave it out of the formula."
    ]


def test_a_number_made_a_factor_with_one_level(errors, clean):
    (said,) = errors("y ~ C(trials)", clean)
    assert said.startswith("trials: this factor has one level (20)")


def test_a_factor_with_a_level_for_every_row(errors, clean):
    clean["id"] = [f"row {k}" for k in range(60)]
    assert errors("y ~ x + id", clean) == [
        "id: this factor has 60 levels in 60 rows, a coefficient for every row. Make it a group term, "
        "(1 | id), "
        "or convert it with pd.to_numeric if it is a number."
    ]


def test_one_bad_function_is_said_once(errors, clean):
    clean.loc[3, "dose"] = np.nan
    clean.loc[4, "dose"] = 0.0
    said = errors("y ~ scale(log(dose)) + (0 + log(dose) | g) + offset(log(dose))", clean)
    assert len(said) == 2
    assert said[0].startswith("dose: 1 of 60 values missing (row 3)")
    assert said[1].startswith("log(dose): 1 of 59 values not finite (row 4: dose = 0)")


def test_a_common_factor_too_wide_to_be_coded(errors, clean, monkeypatch):
    monkeypatch.setattr("bayesglmm.validate.terms._MOST_ENTRIES", 12 * 60 - 1)
    assert errors("y ~ x + g", clean) == [
        "g: this factor has 12 levels in 60 rows, too many coefficients to code. Make it a group term, "
        "(1 | g), "
        "or convert it with pd.to_numeric if it is a number."
    ]


def test_an_offset_that_is_arithmetic(errors, clean):
    clean.loc[3, "dose"] = 0.0
    (said,) = errors("y ~ x + offset(x / dose)", clean)
    assert said.startswith("offset(x / dose): 1 of 60 values not finite (row 3: ")


def test_a_basis_outside_its_bounds(errors, clean, capsys):
    (said,) = errors("y ~ bs(x, df=5, lower_bound=100, upper_bound=200)", clean)
    assert said.startswith("bs(x, df=5, lower_bound=100, upper_bound=200): cannot be computed from these data: ")
    assert capsys.readouterr().out == ""


def test_signs_and_sums_inside_functions(cautions, clean):
    assert cautions("y ~ exp(-x) + I(x + z - dose) + (exp(-z) | g)", clean) == []


def test_a_number_for_every_row_but_one(errors, clean):
    text = clean["dose"].astype(str)
    text.loc[5] = "."
    (said,) = errors("y ~ t", clean.assign(t=text))
    assert said.endswith(
        "or convert it with pd.to_numeric if it is a number, after correcting what does not read as one (row 5: '.')."
    )
