"""Data that break fits: the right answer with the right words, or a clear error; never nonsense in silence.

What lme4 and glmmTMB answer to the same data, with their words, stands in tests/reference/robustness.csv. The
"reference" rows there, or closed forms, are what ours is held to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, ndtri
from scipy.stats import norm

import bayesglmm as bg
from bayesglmm.errors import DataWarning
from bayesglmm.frequentist.search.optimum import OptimumStatus

TABLE = pd.read_csv(Path(__file__).parents[2] / "reference" / "robustness.csv", keep_default_na=False)
TABLE[["estimate", "loglik"]] = TABLE[["estimate", "loglik"]].apply(pd.to_numeric, errors="coerce")


def share(i: np.ndarray, k: int) -> np.ndarray:
    """Return numbers between 0 and 1, the same in R: a hash of whole numbers."""
    i = np.asarray(i, dtype=np.float64)
    return ((i * i * (2 * k + 3) + 37 * i + 101 * k) % 997 + 0.5) / 997


def z(i: np.ndarray, k: int) -> np.ndarray:
    return ndtri(share(i, k))


def frame(groups: int = 10, size: int = 6) -> pd.DataFrame:
    """Return the data of robustness.R: groups of ``size`` rows, a covariate x and responses y, s (0/1), n (counts)."""
    i = np.arange(groups * size)
    j = i // size
    x, b = z(i, 1), z(j, 3)
    columns = {
        "g": pd.Categorical.from_codes(j, [f"g{k}" for k in range(groups)]),
        "x": x,
        "y": 1 + 0.5 * x + 0.8 * b + z(i, 2),
        "s": (share(i, 4) < expit(0.3 + 0.8 * x + 0.9 * b)).astype(int),
        "n": np.floor(np.exp(1 + 0.4 * x + 0.5 * b) + share(i, 5)).astype(np.int64),
        "row": i,
        "f": np.array(["a", "b", "c"])[i % 3],
    }
    return pd.DataFrame(columns)


def one_large_group() -> pd.DataFrame:
    return frame().assign(g=["big"] * 55 + [f"one{k}" for k in range(1, 6)])


def no_variance_between() -> pd.DataFrame:
    data = frame()
    return data.assign(y=data["y"] - data.groupby("g", observed=True)["y"].transform("mean") + data["y"].mean())


def large_counts() -> pd.DataFrame:
    data = frame()
    log_mean = np.log(1e9) + 0.4 * data["x"] + 0.5 * z(data["g"].cat.codes, 3) + 0.3 * z(data["row"], 2)
    return data.assign(n=np.floor(np.exp(log_mean) + 0.5).astype(np.int64))


DATA: dict[str, Callable[[], pd.DataFrame]] = {
    "complete separation": lambda: frame().assign(s=lambda d: (d["x"] > 0.1).astype(int)),
    "quasi-complete separation": lambda: frame().assign(s=lambda d: d["s"].where(d["f"] != "c", 1)),
    "separation in a group": lambda: frame().assign(s=lambda d: d["s"].where(d["g"] != "g4", 1)),
    "separation in every group": lambda: frame().assign(s=lambda d: (d["g"].cat.codes + 1) % 2),
    "counts all zero": lambda: frame().assign(n=0),
    "counts all zero in a group": lambda: frame().assign(n=lambda d: d["n"].where(d["g"] != "g4", 0)),
    "counts of 1e9": large_counts,
    "counts of 1e9, one row a group": large_counts,
    "one row a group, gaussian": frame,
    "one row a group, counts": frame,
    "one row a group, binary": frame,
    "groups of 55, 1, 1, 1, 1, 1": one_large_group,
    "groups of 55, 1, 1, 1, 1, 1, binary": one_large_group,
    "no variance between groups": no_variance_between,
    "no variance within groups": lambda: frame().assign(y=lambda d: (d["g"].cat.codes + 1) * 1.5),
    "covariate times 1": frame,
    "covariate times 1, binary": frame,
    "covariate times 1e-08": lambda: frame().assign(x=lambda d: d["x"] * 1e-8),
    "covariate times 1e-08, binary": lambda: frame().assign(x=lambda d: d["x"] * 1e-8),
    "covariate times 1e+08": lambda: frame().assign(x=lambda d: d["x"] * 1e8),
    "covariate times 1e+08, binary": lambda: frame().assign(x=lambda d: d["x"] * 1e8),
    "collinear columns": lambda: frame().assign(w=lambda d: 2 * d["x"] + 1),
    "collinear columns, binary": lambda: frame().assign(w=lambda d: 2 * d["x"] + 1),
    "100,000 groups of two": lambda: frame(100_000, 2),
    "100,000 groups of two, binary": lambda: frame(100_000, 2),
}


def model(case: str) -> bg.GLMM:
    first = TABLE[TABLE["case"] == case].iloc[0]
    return bg.GLMM(first["formula"], DATA[case](), family=first["family"])


def fitted(case: str, method: str = "laplace") -> bg.Fit:
    """Return the fit of a case; its data warnings are the business of other tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return model(case).fit(method)


def reference(case: str, method: str, program: str = "reference") -> pd.DataFrame:
    method = "ml" if method == "laplace" and "ml" in set(TABLE.loc[TABLE["case"] == case, "method"]) else method
    chosen = TABLE[(TABLE["case"] == case) & (TABLE["method"] == method) & (TABLE["program"] == program)]
    assert len(chosen), (case, method, program)
    return chosen.set_index("parameter")


def estimates(fit: bg.Fit) -> pd.Series:
    return fit.tidy().set_index("name")["estimate"]


def hold(fit: bg.Fit, expected: pd.Series, loglik: float) -> None:
    assert fit.loglik >= loglik - 1e-6
    assert fit.loglik == pytest.approx(loglik, abs=1e-5)
    assert set(estimates(fit).index) == set(expected.index)
    for name, value in expected.items():
        assert estimates(fit)[name] == pytest.approx(value, rel=1e-4, abs=2e-5), name


def test_every_case_of_the_table_is_tested() -> None:
    assert set(TABLE["case"]) == set(DATA)
    for case in DATA:
        assert "lme4" in set(TABLE.loc[TABLE["case"] == case, "program"]), case


# ---- clear errors ----------------------------------------------------------------------------------------------------

REFUSED = {
    "one row a group, gaussian": (
        bg.DataError,
        r"as many levels as rows \(60\), so sd\(row\) and sigma cannot be told apart",
    ),
    "collinear columns": (bg.DataError, r"linearly dependent: w = Intercept \+ 2 x.*Leave out one of w, x"),
    "collinear columns, binary": (bg.DataError, r"linearly dependent: w = Intercept \+ 2 x.*Leave out one of w, x"),
    "no variance within groups": (bg.FitError, r"sigma (goes to|is estimated as) 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_answer_is_refused_in_words(case: str) -> None:
    error, words = REFUSED[case]
    gaussian = (TABLE.loc[TABLE["case"] == case, "family"] == "gaussian").any()
    for method in ("laplace", "ml", "reml") if gaussian else ("laplace",):
        with pytest.raises(error, match=words):
            fitted(case, method)


# ---- no maximum: said, with the names of what grows without bound ----------------------------------------------------

GROWING = {
    "complete separation": (r"^Intercept, x: complete separation:.*Give beta a proper prior", "x"),
    "quasi-complete separation": (r"^f\[c\]: quasi-complete separation:.*20 of 60 rows", "f[c]"),
    "counts all zero": (r"^n: constant response: every row has 0; the likelihood has no maximum", "Intercept"),
}


@pytest.mark.parametrize("case", GROWING)
def test_without_a_maximum_data_and_fit_say_so(case: str) -> None:
    caution, name = GROWING[case]
    with pytest.warns(DataWarning, match=caution):
        held = model(case)
    fit = held.fit("laplace")
    assert not fit.converged
    assert fit.optimum.status is OptimumStatus.FLAT
    assert any(name in note for note in fit.notes)
    assert "separation" in fit.optimum.message
    assert "flat" in repr(fit)


def test_under_quasi_complete_separation_the_rest_is_what_the_other_rows_say() -> None:
    fit = fitted("quasi-complete separation")
    data = DATA["quasi-complete separation"]()
    rest = bg.GLMM("s ~ f + (1 | g)", data[data["f"] != "c"], family="bernoulli").fit("laplace")
    assert fit.loglik == pytest.approx(rest.loglik, abs=1e-6)
    for name in rest.tidy()["name"]:
        assert estimates(fit)[name] == pytest.approx(estimates(rest)[name], rel=1e-4), name


def test_a_standard_deviation_that_grows_without_bound_is_named() -> None:
    """Every group has one response throughout: the likelihood rises with sd(g) for ever (to 10 log(1/2))."""
    fit = fitted("separation in every group")
    assert not fit.converged
    assert any("of g" in note or "sd(g)" in note for note in fit.notes), fit.notes
    assert np.isfinite(fit.loglik)


# ---- answers that others confirm -------------------------------------------------------------------------------------

CONFIRMED = [
    ("separation in a group", "laplace"),
    ("counts all zero in a group", "laplace"),
    ("covariate times 1, binary", "laplace"),
]


@pytest.mark.parametrize(("case", "method"), CONFIRMED)
def test_an_ordinary_maximum(case: str, method: str) -> None:
    fit, expected = fitted(case, method), reference(case, method)
    hold(fit, expected["estimate"], expected["loglik"].iloc[0])
    assert fit.optimum.status is OptimumStatus.CONVERGED


ZERO = [
    ("one row a group, counts", "laplace"),
    *(("groups of 55, 1, 1, 1, 1, 1", method) for method in ("laplace", "ml", "reml")),
    ("groups of 55, 1, 1, 1, 1, 1, binary", "laplace"),
    *(("no variance between groups", method) for method in ("laplace", "ml", "reml")),
]


@pytest.mark.parametrize(("case", "method"), ZERO)
def test_a_standard_deviation_of_zero_is_exactly_zero_and_said(case: str, method: str) -> None:
    fit, expected = fitted(case, method), reference(case, method)
    hold(fit, expected["estimate"], expected["loglik"].iloc[0])
    (sd,) = (name for name in expected.index if name.startswith("sd("))
    assert estimates(fit)[sd] == 0.0
    assert np.isnan(fit.variance_components.loc[sd, "std_error"])
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert any(f"{sd} is estimated as 0" in note for note in fit.notes)


def test_without_variance_between_groups_the_rest_is_a_sample_of_one_mean() -> None:
    y = DATA["no variance between groups"]()["y"]
    for method, ddof in (("laplace", 0), ("ml", 0), ("reml", 1)):
        fit = fitted("no variance between groups", method)
        assert estimates(fit)["Intercept"] == pytest.approx(y.mean(), rel=1e-9)
        assert estimates(fit)["sigma"] == pytest.approx(y.std(ddof=ddof), rel=1e-7)


def test_a_binary_row_says_nothing_of_its_own_effect() -> None:
    """One row a group: no more than a logistic regression, and sd(row) = 0 in words; so lme4."""
    fit, theirs = fitted("one row a group, binary"), reference("one row a group, binary", "laplace", "lme4")
    hold(fit, theirs["estimate"], theirs["loglik"].iloc[0])
    assert estimates(fit)["sd(row)"] == 0.0
    assert any("sd(row) is estimated as 0" in note for note in fit.notes)


# ---- scales ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["laplace", "ml", "reml"])
@pytest.mark.parametrize("factor", [1.0, 1e-8, 1e8])
def test_a_slope_that_varies_in_any_unit(factor: float, method: str) -> None:
    fit, expected = fitted(f"covariate times {factor:g}", method), reference("covariate times 1", method)
    moved = expected["estimate"].copy()
    moved[["x", "sd(g, x)"]] /= factor
    # REML has the lengths of the columns of X in its likelihood.
    loglik = expected["loglik"].iloc[0] - (np.log(factor) if method == "reml" else 0.0)
    assert fit.loglik >= loglik - 1e-6
    assert fit.loglik == pytest.approx(loglik, abs=1e-5)
    for name, value in moved.items():
        assert estimates(fit)[name] == pytest.approx(value, rel=2e-4), name
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert any("cor(g, Intercept, x) is estimated as 1" in note for note in fit.notes)


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_a_coefficient_in_any_unit(factor: float) -> None:
    fit, expected = fitted(f"covariate times {factor:g}, binary"), reference("covariate times 1, binary", "laplace")
    assert fit.loglik == pytest.approx(expected["loglik"].iloc[0], abs=1e-6)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    assert estimates(fit)["x"] * factor == pytest.approx(expected.loc["x", "estimate"], rel=1e-5)
    assert estimates(fit)["sd(g)"] == pytest.approx(expected.loc["sd(g)", "estimate"], rel=1e-5)


@pytest.mark.parametrize(("factor", "words"), [(1e-8, "below 0.001"), (1e8, "over 1000")])
def test_a_unit_far_from_one_is_said(factor: float, words: str) -> None:
    with pytest.warns(DataWarning, match=f"^x: standard deviation {words}.*choose another unit, or write scale"):
        model(f"covariate times {factor:g}, binary")


def test_singletons_are_said() -> None:
    with pytest.warns(DataWarning, match=r"^g: 5 of 6 levels with a single row \('one1', .*say little about sd\(g\)"):
        model("groups of 55, 1, 1, 1, 1, 1")


# ---- huge counts: closed forms ---------------------------------------------------------------------------------------


def test_counts_of_1e9_are_lognormal() -> None:
    """A count of 1e9 is its mean to nine digits: log n ~ Normal, density of n = density of log n / n."""
    log_n = np.log(DATA["counts of 1e9"]()["n"].to_numpy(dtype=np.float64))
    fit = fitted("counts of 1e9, one row a group")
    mean, sd = log_n.mean(), log_n.std()
    assert estimates(fit)["Intercept"] == pytest.approx(mean, abs=1e-7)
    assert estimates(fit)["sd(row)"] == pytest.approx(sd, rel=1e-6)
    assert fit.coefficients.loc["Intercept", "std_error"] == pytest.approx(sd / np.sqrt(60), rel=1e-4)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    exact = norm.logpdf(log_n, mean, sd).sum() - log_n.sum()
    assert exact == pytest.approx(
        reference("counts of 1e9, one row a group", "laplace", "lme4")["loglik"].iloc[0], abs=1e-6
    )
    assert fit.loglik == pytest.approx(exact, abs=1e-6)


def test_counts_of_1e9_in_groups_are_a_linear_mixed_model() -> None:
    data = DATA["counts of 1e9"]()
    data["log_n"] = np.log(data["n"].astype(float))
    linear = bg.GLMM("log_n ~ x + (1 | g)", data).fit("ml")
    fit = fitted("counts of 1e9")
    for name, other in (("Intercept", "Intercept"), ("x", "x"), ("sd(g)", "sd(g)"), ("sd(row)", "sigma")):
        assert estimates(fit)[name] == pytest.approx(estimates(linear)[other], rel=1e-5), name
    assert fit.loglik == pytest.approx(linear.loglik - data["log_n"].sum(), abs=1e-6)


# ---- many groups -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ml", "reml", "laplace"])
def test_a_hundred_thousand_groups_of_two(method: str) -> None:
    """Balanced one-way analysis of variance (Searle, Casella & McCulloch 1992, section 4.6)."""
    data = DATA["100,000 groups of two"]()
    y = data["y"].to_numpy().reshape(-1, 2)
    J = len(y)
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum() / J
    between = 2 * ((y.mean(axis=1) - y.mean()) ** 2).sum() / (J - (method == "reml"))
    fit = fitted("100,000 groups of two", method)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    assert estimates(fit)["Intercept"] == pytest.approx(y.mean(), rel=1e-8)
    assert estimates(fit)["sigma"] == pytest.approx(np.sqrt(within), rel=1e-6)
    assert estimates(fit)["sd(g)"] == pytest.approx(np.sqrt((between - within) / 2), rel=1e-6)
    expected = reference("100,000 groups of two", method)
    assert fit.loglik == pytest.approx(expected["loglik"].iloc[0], abs=1e-5)


@pytest.mark.slow
def test_a_hundred_thousand_binary_groups_of_two() -> None:
    fit, expected = fitted("100,000 groups of two, binary"), reference("100,000 groups of two, binary", "laplace")
    hold(fit, expected["estimate"], expected["loglik"].iloc[0])
    assert fit.optimum.status is OptimumStatus.CONVERGED
