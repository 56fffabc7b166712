"""What formulae makes of our text is what the formula says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from formulae.environment import Environment
from formulae.matrices import design_matrices

from bayesglmm.formula import Common, Name, columns, common_text, component_names, expand, expression_text, parse

RNG = np.random.default_rng(4)
N = 24
DATA = pd.DataFrame(
    {
        "x": np.arange(1, N + 1),
        "z": RNG.normal(size=N),
        "year": 2000 + np.arange(N) % 7,
        "a": np.tile(list("uvw"), N // 3),
        "b": np.repeat(["p", "q"], N // 2),
        "k": np.tile([3, 1, 2, 1], N // 4),
    }
)
X, Z = DATA["x"].to_numpy(float), DATA["z"].to_numpy()
FUNCTIONS = {"log": np.log, "log1p": np.log1p, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs}


def read(text: str, data: pd.DataFrame = DATA) -> Any:
    return design_matrices(text, data, env=Environment([{}]), extra_namespace=dict(FUNCTIONS)).common


def common(right: str) -> Common:
    return parse(f"y ~ {right}").common


def matrix(right: str) -> np.ndarray:
    return np.asarray(read(common_text(common(right), str)).design_matrix, dtype=float)


# formulae reads these as they are meant.
AGREED = [
    "1",
    "x",
    "0 + a",
    "a + b + x",
    "a * b",
    "a:b + x",
    "a * b * x - a:b:x",
    "(a + b + x) ** 2",
    "(a + b) / x",
    "x:z + b:z",
    "a * poly(x, 2)",
    "poly(x, 3, raw=True)",
    "bs(x, df=4)",
    "bs(x, df=5, degree=2, intercept=True, lower_bound=0, upper_bound=30.5)",
    "scale(x) * center(z)",
    "scale(log(x)) + a",
    "C(k) + C(a, Sum)",
    "C(k, Treatment(2)):z",
    'C(a, Treatment("w")) + C(b, Sum("p"))',
    "log1p(x) + sqrt(x) + exp(z) + abs(z)",
    "I(x * z) + I(z ** 2) + I(x / 3)",
]


@pytest.mark.parametrize("right", AGREED)
def test_same_matrix_as_formulae_makes_of_the_formula_itself(right: str) -> None:
    ours, theirs = read(common_text(common(right), str)), read(right)
    np.testing.assert_allclose(ours.design_matrix, theirs.design_matrix, rtol=1e-14)


# formulae adds a term of its own to a:b without its main effects.
@pytest.mark.parametrize("right", [right for right in AGREED if right != "a:b + x"])
def test_names_come_back_as_they_were_written(right: str) -> None:
    place_of = {name: f"v{k}q" for k, name in enumerate(DATA.columns)}
    part = common(right)
    learned = read(common_text(part, place_of.__getitem__), DATA.rename(columns=place_of))
    written = component_names(part, place_of.__getitem__)
    named = [[written[c.name] for c in getattr(term, "components", [])] for term in learned.terms.values()]
    assert named == [[]] * part.intercept + [[str_of(c) for c in term] for term in expand(part.terms)]


def str_of(component: Any) -> str:
    from bayesglmm.formula import node_text

    return node_text(component)


@pytest.mark.parametrize(
    ("right", "column"),
    [
        ("I((x - 50) / 10)", (X - 50) / 10),
        ("I(x - 50 / 10)", X - 5),
        ("I(-x ** 2)", -(X**2)),
        ("I((-x) ** 2)", X**2),
        ("I(2 ** -x)", 2.0**-X),
        ("I(x ** -1)", 1 / X),
        ("I(z ** 2 ** 3)", Z**8),
        ("I((z ** 2) ** 3)", Z**6),
        ("I(x - (z - 1) - 2)", X - (Z - 1) - 2),
        ("I(x / (z * 2))", X / (Z * 2)),
        ("I(1e-7 * x + 2.5e20)", 1e-7 * X + 2.5e20),
        ("I(--x - -z)", X + Z),
        ("I(-log(x) * -2)", np.log(X) * 2),
        ("log(x + 1)", np.log(X + 1)),
        ("exp(-(z + 1) ^ 2)", np.exp(-((Z + 1) ** 2))),
        ("I(log(x) / log(x + 10))", np.log(X) / np.log(X + 10)),
        ("I(x + z + x + 1)", X + Z + X + 1),
    ],
)
def test_arithmetic(right: str, column: np.ndarray) -> None:
    np.testing.assert_allclose(matrix(f"0 + {right}")[:, 0], column, rtol=1e-14)
    text = expression_text(parse(f"y ~ {right}").common.terms, str)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.asarray(read(f"0 + {text}").design_matrix)[:, 0], column, rtol=1e-14)


def test_powers_of_whole_numbers_do_not_overflow() -> None:
    np.testing.assert_allclose(matrix("0 + I(year ** 6)")[:, 0], DATA["year"].to_numpy(float) ** 6)


def test_terms_that_formulae_would_merge_or_choke_on() -> None:
    assert matrix("I((x + 1) * 2) + I(x + 1 * 2)").shape == (N, 3)
    assert matrix("scale(log(x)) + scale(x)").shape == (N, 3)
    assert matrix("I(log(x) + 1) + I(x + 1) + C(a, Sum) + C(a, Sum('u'))").shape[1] == 7


def test_nested_factors_are_labelled_right() -> None:
    learned = read(common_text(common("a / b"), str))
    labels = [label for term in learned.terms.values() for label in term.labels]
    assert len(labels) == learned.design_matrix.shape[1] == 6


def test_transforms_remember_what_they_learned() -> None:
    learned = read(common_text(common("scale(log(x)) + scale(x) + poly(x, 2) + C(k)"), str))
    head = learned.evaluate_new_data(DATA.head(5)).design_matrix
    np.testing.assert_allclose(head, learned.design_matrix[:5], rtol=1e-12)


def test_a_thousand_columns() -> None:
    wide = pd.DataFrame(RNG.normal(size=(3, 1000)), columns=[f"x{k}" for k in range(1000)])
    part = common("0 + " + " + ".join(wide.columns))
    learned = read(common_text(part, str), wide)
    assert list(learned.terms) == list(wide.columns)
    np.testing.assert_array_equal(learned.design_matrix, wide.to_numpy())


def test_any_column_name_works_renamed_or_in_backticks() -> None:
    odd = {"x": "weight (kg)", "a": "größe~|`", "z": "lambda"}
    data = DATA.rename(columns=odd)
    part = common("`lambda` * `größe~|``` + poly(`weight (kg)`, 2)")
    assert columns(part) == ("lambda", "größe~|`", "weight (kg)")
    place_of = {name: f"v{k}" for k, name in enumerate(data.columns)}
    ours = read(common_text(part, place_of.__getitem__), data.rename(columns=place_of)).design_matrix
    np.testing.assert_allclose(ours, matrix("z * a + poly(x, 2)"))
    assert common_text(common("`a b`:x"), str) == "1 + `a b`:x"
    with pytest.raises(ValueError, match="backtick"):
        common_text(part, str)


def test_text() -> None:
    assert common_text(common("0 + a * b - a"), str.upper) == "0 + B + A:B"
    assert common_text(common("1"), str) == "1"
    assert common_text(common("0"), str) == "0"
    assert common_text(common("x + offset(z)"), str) == "1 + x"
    assert expression_text(Name("x"), str) == "x"
    assert expression_text(parse("y ~ offset(x / 2)").common.offsets[0], str) == "I(+I(x * 1.0) / 2.0)"
