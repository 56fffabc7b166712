"""The learned coding is that of formulae on the same formula, whatever columns are called and however stored."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from formulae.environment import Environment
from formulae.matrices import design_matrices

from bayesglmm.coding import evaluate, learn_coding
from bayesglmm.formula import parse

RNG = np.random.default_rng(11)
N = 40
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "z": RNG.uniform(0.5, 3.0, size=N),
        "k": np.tile([3, 1, 2, 5], N // 4),
        "a": np.tile(list("uvwxy"), N // 5),
        "b": np.repeat(["p", "q"], N // 2),
        "c": pd.Categorical(np.tile(["mid", "low", "top", "mid"], N // 4), ["low", "mid", "top"], ordered=True),
        "f": np.tile([True, False, False, True], N // 4),
    }
)
ODD = {"x": "body mass (kg)", "z": "größe", "k": "np.k`", "a": "lambda", "b": "", "c": "y~c|1", "f": "🐟"}
FUNCTIONS = {"log": np.log, "log1p": np.log1p, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs}
FORMULAS = [
    "1",
    "x",
    "0 + a",
    "x + z - 1",
    "a * b",
    "a * b * x",
    "0 + a:b",
    "a:b:c",
    "a / b",
    "a / b / x",
    "(a + b) / x",
    "(a + b) ** 2",
    "(x + z + k) ** 3",
    "a * b - a:b",
    "a * x - x",
    "a * (x + z) - a:z",
    "c * x + f",
    "f:x + k",
    "poly(x, 2) * a",
    "poly(z, 3, raw=True)",
    "bs(x, df=5)",
    "bs(z, df=5, degree=2, intercept=True, lower_bound=0, upper_bound=4)",
    "scale(x) * scale(z)",
    "scale(log(z)) + center(x):b",
    "C(k) + C(c)",
    "C(k, Treatment(2)):x",
    'C(a, Treatment("w")) + C(b, Sum("p"))',
    "C(a, Sum) * z",
    "I(x * z / 2) + I(k ** 2) + I(x - z - 1)",
    "I((x + z) * 2) + I(-x)",
    "log(z) * a + exp(x) + sqrt(k) + abs(x) + log1p(z)",
    "log(exp(x) + 1) + scale(x ** 2)",
]


def renamed(right: str) -> str:
    """The formula with odd column names in backticks."""
    return re.sub(r"(?<![\w\"])[xzkabcf](?![\w(\"])", lambda m: f"`{ODD[m[0]].replace('`', '``')}`", right)


@pytest.mark.parametrize("right", FORMULAS)
def test_matrix_is_that_of_formulae(right: str) -> None:
    reference = design_matrices(right, DATA, env=Environment([{}]), extra_namespace=dict(FUNCTIONS)).common
    expected = np.asarray(reference.design_matrix, dtype=float).reshape(N, -1)
    coding, matrix = learn_coding(parse(f"y ~ {right}").common, DATA)
    np.testing.assert_allclose(matrix, expected, rtol=1e-13, atol=1e-13)
    assert len(coding.names) == len(set(coding.names)) == matrix.shape[1]

    odd = learn_coding(parse(f"y ~ {renamed(right)}").common, DATA.rename(columns=ODD))[1]
    np.testing.assert_array_equal(odd, matrix)


@pytest.mark.parametrize("right", FORMULAS)
def test_new_rows_are_coded_by_what_was_learned(right: str) -> None:
    coding, matrix = learn_coding(parse(f"y ~ {right}").common, DATA)
    rows = [7, 3, 3, 20, 39]
    np.testing.assert_allclose(coding.matrix(DATA.iloc[rows]), matrix[rows], rtol=1e-9, atol=1e-11)
    # One row alone has no spread, one level and no range: everything must come from the first data.
    np.testing.assert_allclose(coding.matrix(DATA.iloc[[5]]), matrix[[5]], rtol=1e-9, atol=1e-11)


def test_names_are_those_of_the_formula() -> None:
    right = renamed("scale(x):a + poly(z, 2) + C(b, Sum) + k")
    coding, _ = learn_coding(parse(f"y ~ {right}").common, DATA.rename(columns=ODD))
    scaled = "scale(`body mass (kg)`):lambda"
    assert coding.names == (
        "Intercept",
        *(f"{scaled}[{level}]" for level in "uvwxy"),
        "poly(größe, 2)[0]",
        "poly(größe, 2)[1]",
        "C(``, Sum)[p]",
        "np.k`",
    )


SMALL = pd.DataFrame(
    {
        "u": np.array([3, 200, 5, 250, 7, 90], dtype=np.uint8),
        "v": np.array([5, 100, 9, 251, 2, 1], dtype=np.uint8),
        "i": np.array([10**10, -2, 3, 4, 7, 1]),
        "f": [True, False, True, True, False, True],
        "h": [False, False, True, False, True, True],
        "n": pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    "term",
    [
        *["log(u)", "sqrt(u)", "exp(f)", "log1p(n)", "abs(i)", "scale(u)", "center(f)", "scale(u - v)"],
        *["I(u - v)", "I(-u)", "I(u * v)", "I(u + v)", "I(u + v + u)", "I(i * i)", "I(i * i * i)", "I(u ** 3)"],
        *["I(n ** -n)", "I(2 ** -u)", "I(f - h)", "I(-f)", "I(f + h)", "I(u / v)", "I(1 - f)", "I(-(u - v) ** 2)"],
        *["poly(u, 4, raw=True)", "poly(n, 2)", "bs(u, df=4)", "I(log(u) * v)", "I((u - v) * (v - u))"],
    ],
)
def test_whole_numbers_and_truth_values_are_numbers_in_functions(term: str) -> None:
    common = parse(f"y ~ 0 + {term}").common
    expected = learn_coding(common, SMALL.astype(float))[1]
    coding, matrix = learn_coding(common, SMALL)
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)
    np.testing.assert_allclose(coding.matrix(SMALL[:3]), expected[:3], rtol=1e-9)
    if matrix.shape[1] == 1 and not term.startswith(("scale", "center")):
        np.testing.assert_allclose(evaluate(common.terms, SMALL), expected[:, 0], rtol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("a * x - x - a:x", ("Intercept", "a[v]", "a[w]", "a[x]", "a[y]")),
        ("x + absent - absent", ("Intercept", "x")),
        ("x - x", ("Intercept",)),
        ("0 + x - x", ()),
    ],
)
def test_columns_that_are_taken_away_are_not_needed(right: str, names: tuple[str, ...]) -> None:
    coding, matrix = learn_coding(parse(f"y ~ {right}").common, DATA)
    assert coding.names == names
    assert matrix.shape == (N, len(names))
