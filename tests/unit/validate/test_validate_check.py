import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from bayesglmm.build import build_design
from bayesglmm.datasets import load_dataset
from bayesglmm.errors import DataError
from bayesglmm.spec import ModelSpec
from bayesglmm.validate import separation, validate, validate_columns


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ x + f + (x | g)", "gaussian"),
        ("y ~ x * f + log(dose) + (1 | g)", "gaussian"),
        ("b ~ x + f + (1 | g)", "bernoulli"),
        ("p(deaths, trials) ~ x + f + (x || g)", "binomial"),
        ("deaths ~ x + offset(log(dose)) + (1 | g)", "poisson"),
        ("y ~ 1", "gaussian"),
        ("y ~ 0 + (1 | g)", "gaussian"),
    ],
)
def test_clean_data_are_passed_in_silence(cautions, clean, formula, family):
    assert cautions(formula, clean, family=family) == []


def test_three_mistakes_are_heard_at_once(errors, clean):
    clean.loc[17, "deaths"] = -1
    clean["w"] = 2.0 * clean["z"]
    said = errors("deaths ~ z + w + (1 | h)", clean.assign(h="only"), family="poisson")
    assert [line.split(":")[0] for line in said] == ["deaths", "w", "h"]
    assert "below 0 (row 17: -1)" in said[0]
    assert "w = 2 z" in said[1]
    assert "one level" in said[2]


def test_an_unknown_column_does_not_hide_the_others(errors, clean):
    clean.loc[17, "deaths"] = -1
    clean.loc[4, "x"] = np.nan
    clean.loc[9, "dose"] = 0.0
    said = errors("deaths ~ x + ff + (1 | h) + (1 | g) + offset(log(dose))", clean.assign(h="only"), family="poisson")
    assert [line.split(":")[0] for line in said] == ["ff", "x", "deaths", "offset(log(dose))", "h"]


def test_the_message_counts_and_numbers_them(clean):
    with pytest.raises(DataError) as caught:
        build_design(ModelSpec(formula="y ~ xx + (1 | gg)"), clean)
    assert str(caught.value).startswith("2 problems:\n  1. xx: ")
    assert [problem.kind for problem in caught.value.problems] == ["unknown column", "unknown column"]


def test_missing_values_do_not_hide_a_column_that_follows_from_others(errors, clean):
    clean["w"] = 2.0 * clean["z"]
    clean.loc[4, "z"] = np.nan
    said = errors("y ~ z + w + f", clean)
    assert [line.split(":")[0] for line in said] == ["z", "w"]


def test_errors_that_need_the_coding_come_together(errors, clean):
    said = errors("y ~ x + trials + (1 | h) + (1 | k)", clean.assign(h="only", k=range(60)))
    assert [line.split(":")[0] for line in said] == ["trials", "h", "k"]


def test_nothing_is_printed(errors, clean, capsys):
    clean.loc[17, "deaths"] = -1
    errors("deaths ~ f + bs(b, df=9) + (1 | g)", clean.assign(f="only"), family="poisson")
    assert capsys.readouterr() == ("", "")


def test_one_row(errors, clean):
    said = errors("y ~ x + f + (1 | g)", clean.iloc[:1])
    assert [line.split(":")[0] for line in said] == ["f", "g"]


FORMULA = "y ~ service + studage + lectage + (1 | s) + (1 | d) + (1 | dept)"


@pytest.fixture(scope="module")
def insteval():
    data = load_dataset("insteval")
    spec = ModelSpec(formula=FORMULA)
    used, _ = validate_columns(spec, data)
    with pytest.warns(UserWarning, match="levels with a single row"):
        built = build_design(spec, data)
    return spec, data, used, built


def test_73421_rows_take_milliseconds(insteval):
    spec, data, used, built = insteval
    times = []
    for _ in range(5):
        start = time.perf_counter()
        validate_columns(spec, data)
        validate(built, used)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_73421_rows_take_little_memory(insteval):
    spec, data, used, built = insteval
    tracemalloc.start()
    try:
        validate_columns(spec, data)
        _, columns_peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        validate(built, used)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert columns_peak < 0.5 * built.X.nbytes
    assert peak < built.X.nbytes


def test_separation_of_many_rows_is_settled_by_a_few(design, monkeypatch):
    rng = np.random.default_rng(0)
    n, p = 70_000, 10
    X = rng.normal(size=(n, p))
    data = pd.DataFrame(X, columns=[f"x{k}" for k in range(p)])
    data["b"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-X.sum(axis=1)))).astype(int)
    seen = []
    solve = separation._solve
    monkeypatch.setattr(separation, "_solve", lambda X, *rest: (seen.append(len(X)), solve(X, *rest))[1])
    design("b ~ " + " + ".join(data.columns[:p]), data, family="bernoulli")
    assert seen
    assert max(seen) < 5_000


def test_levels_that_print_alike_are_heard_beside_others(errors, clean):
    clean["h"] = np.array(["a:b", "a", "c"] * 20, dtype=object)
    clean["k"] = np.array(["c", "b:c", "d"] * 20, dtype=object)
    said = errors("y ~ xx + (1 | h:k)", clean)
    assert [line.split(": ")[0] for line in said] == ["xx", "h:k"]
    assert "print as the same level 'a:b:c'" in said[1]
