import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.families import FAMILIES, compile_rows
from bayesglmm.validate.limits import directions
from bayesglmm.validate.separation import find_ordered_separation, find_separation


def test_complete_separation(cautions, clean):
    (said,) = cautions("b ~ x", clean.assign(b=(clean["x"] > 0.1).astype(int)), family="bernoulli")
    assert said == (
        "Intercept, x: complete separation: a combination of these columns of X predicts the response "
        "of all 60 rows "
        "without error, so without a prior the likelihood has no maximum (their coefficients grow "
        "without bound). "
        "Give beta a proper prior and use sample(), merge levels, or leave a term out."
    )


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
def test_quasi_complete_separation(cautions, clean, link):
    clean.loc[clean["f"] == "c", "b"] = 1
    (said,) = cautions("b ~ f + x", clean, family="bernoulli", link=link)
    assert said.startswith(
        "f[c]: quasi-complete separation: this column of X predicts the response of 20 of 60 rows without error"
    )
    assert "(its coefficient grows without bound)" in said


def test_every_separated_level_is_named(cautions, clean):
    clean.loc[clean["g"].isin(["g3", "g7"]), "b"] = 0
    clean.loc[clean["g"].isin(["g0"]), "b"] = [0, 1, 0, 1, 0]
    (said,) = cautions("b ~ g", clean, family="bernoulli")
    assert "g[g3]" in said.split(":")[0]
    assert "g[g7]" in said.split(":")[0]


def test_separation_of_successes_in_trials(cautions, clean):
    clean["deaths"] = np.where(clean["f"] == "b", 20, clean["deaths"])
    (said,) = cautions("p(deaths, trials) ~ f", clean, family="binomial")
    assert said.startswith("f[b]: quasi-complete separation")


def test_rows_with_successes_and_failures_allow_no_change(cautions, clean):
    clean["deaths"] = np.where(clean["x"] > 0.0, 20, clean["deaths"])
    assert cautions("p(deaths, trials) ~ x", clean, family="binomial") == []


def test_a_cell_of_counts_that_is_all_zero(cautions, clean):
    clean["deaths"] = np.where(clean["f"] == "b", 0, 1 + clean["deaths"])
    (said,) = cautions("deaths ~ f", clean, family="poisson")
    assert said.startswith("f[b]: quasi-complete separation: this column of X predicts the response of 20 of 60 rows")
    # Under the square-root link the mean is 0 at eta = 0: the estimate is finite.
    assert cautions("deaths ~ f", clean, family="poisson", link="sqrt") == []


def grades(values):
    return pd.Categorical(values, categories=[0, 1, 2, 3], ordered=True)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_separation_of_ordered_categories(cautions, clean, link):
    clean["grade"] = grades(np.digitize(clean["x"], [-0.5, 0.3, 0.9]))
    (said,) = cautions("grade ~ x", clean, family="cumulative", link=link)
    assert said.startswith("x: complete separation: this column of X predicts the response of all 60 rows")


def test_a_level_in_the_highest_category_alone(cautions, clean):
    clean["grade"] = grades(np.where(clean["f"] == "c", 3, np.arange(60) % 7 % 4))
    (said,) = cautions("grade ~ f + x", clean, family="cumulative")
    assert said.startswith("f[c]: quasi-complete separation: this column of X predicts the response of 20 of 60 rows")


def test_a_level_in_a_middle_category_alone_has_a_best_place(cautions, clean):
    clean["grade"] = grades(np.where(clean["f"] == "c", 2, np.arange(60) % 7 % 4))
    assert cautions("grade ~ f + x", clean, family="cumulative") == []


def separates(line, y):
    """Whether categories do not overlap along a line, and some rows are apart from their neighbours."""
    lower, upper = (np.array([end(line[y == k]) for k in range(3)]) for end in (np.min, np.max))
    return bool((upper[:-1] <= lower[1:] + 1e-6).all()) and bool(np.ptp(line) > 1e-3)


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_ordered_separation_against_all_directions(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 12))
    y = np.concatenate([[0.0, 1.0, 2.0], rng.integers(0, 3, n - 3)])
    X = rng.normal(size=(n, 2)).round(1)
    X -= X.mean(axis=0)
    found = find_ordered_separation(X, y, 2)
    angles = np.linspace(0.0, 2.0 * np.pi, 721)
    around = any(separates(X @ [np.cos(a), np.sin(a)], y) for a in angles)
    assert separates(X @ found.direction, y) if found is not None else not around


def test_too_wide_to_be_checked_is_said(cautions, clean, monkeypatch):
    monkeypatch.setattr("bayesglmm.validate.separation._MOST_COEFFICIENTS", 2)
    (said,) = cautions("b ~ x + z", clean, family="bernoulli")
    assert said.startswith("common part: not checked for separation: X is 60 x 3")


@pytest.mark.parametrize(
    ("formula", "column", "family", "shown"),
    [
        ("b ~ x", 1, "bernoulli", "1"),
        ("b ~ x", 0, "bernoulli", "0"),
        ("deaths ~ x", 0, "poisson", "0"),
        ("p(deaths, trials) ~ x", 0, "binomial", "0"),
    ],
)
def test_a_constant_response_at_the_end_of_its_range(cautions, clean, formula, column, family, shown):
    name = formula.split(" ~")[0].removeprefix("p(").split(",")[0]
    (said,) = cautions(formula, clean.assign(**{name: column}), family=family)
    assert f"constant response: every row has {shown}; the likelihood has no maximum" in said


def test_a_constant_response_of_labels(cautions, clean):
    said = cautions("b ~ x", clean.assign(b=pd.Categorical(["yes"] * 60, categories=["no", "yes"])), family="bernoulli")
    assert said[0].startswith("b: constant response: every row has 'yes'; the likelihood has no maximum")


NO_RESIDUAL = "; the residual standard deviation (sigma) is then 0 and a classical fit has no maximum"


@pytest.mark.parametrize(
    ("formula", "family", "more"),
    [
        ("y ~ x", "gaussian", NO_RESIDUAL),
        ("y ~ 0 + f", "gaussian", NO_RESIDUAL),
        ("y ~ 0 + x + (1 | g)", "gaussian", NO_RESIDUAL),
        ("y ~ x + offset(x)", "gaussian", NO_RESIDUAL),
        ("y ~ x + offset(z)", "gaussian", ""),
        ("y ~ 0 + x", "gaussian", ""),
        ("y | se(dose) ~ x", "gaussian", ""),
        ("y ~ x", "poisson", ""),
    ],
)
def test_a_constant_response_within_its_range(cautions, clean, formula, family, more):
    (said,) = cautions(formula, clean.assign(y=3), family=family)
    assert said == (
        f"y: constant response: every row has 3; no term can explain anything{more}. "
        "Check how the column was read or filtered."
    )


#: An inverse link has no rows at all on one of the two sides.
LINKS = [(f, link) for f, r in FAMILIES.items() if not r.predictors for link in r.links if link != "inverse"]


@pytest.mark.parametrize(("family", "link"), LINKS)
def test_rows_pull_the_way_their_likelihood_rises(design, clean, family, link):
    """Against the row's own derivative in eta, far out on both sides."""
    formula = {"binomial": "p(deaths, trials) ~ x", "gaussian": "y ~ x"}.get(family, "b ~ x")
    if family == "poisson":
        clean["b"] = clean["deaths"]
    if family in ("gamma", "beta"):
        clean["b"] = (np.arange(len(clean)) + 1.0) / (len(clean) + 1.0)
    clean.loc[[1, 2], "deaths"] = [0, 20]
    built = design(formula, clean, family=family, link=link)
    kernels = compile_rows(built.family_link.row)
    slopes = np.empty((2, 7, built.n_rows))
    for k, eta in enumerate((-8.0, 8.0)):
        kernels.derivatives(built.y, built.size, np.ones(built.n_rows), np.full(built.n_rows, eta), 1.0, slopes[k])
    expected = []
    for ends in slopes[:, 1].T:
        expected.append(1 if min(ends) > 0.0 or (min(ends) == 0.0 < max(ends)) else -1 if max(ends) < 0.0 else 0)
    np.testing.assert_array_equal(directions(built), expected)


def brute_force(X, pull):
    """Whether some direction on a fine circle separates rows of two columns."""
    angles = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)
    gains = pull[:, None] * (X @ np.vstack([np.cos(angles), np.sin(angles)]))
    return bool(((gains > -1e-9).all(axis=0) & (gains > 1e-9).any(axis=0)).any())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.floats(0.0, 4.0))
def test_the_program_agrees_with_a_search(seed, n, strength):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    pull = np.where(strength * X[:, 1] + rng.normal(size=n) > 0.0, 1, -1).astype(np.int8)
    separation = find_separation(X, pull, intercept=True)
    assert (separation is not None) == brute_force(X, pull)
    if separation is not None:
        gain = pull * (X @ separation.direction)
        scale = np.abs(gain).max()
        assert gain.min() > -1e-5 * scale
        assert separation.complete  # no two rows are equal


def test_rows_that_were_not_chosen_at_first_still_count():
    rng = np.random.default_rng(3)
    n = 50_000
    x = np.sort(rng.normal(size=n))
    X = np.column_stack([np.ones(n), x])
    pull = np.where(x > 0.0, 1, -1).astype(np.int8)
    separation = find_separation(X, pull, intercept=True)
    assert separation is not None
    assert separation.complete
    pull[-10_001] *= -1  # one row on the wrong side is enough
    assert find_separation(X, pull, intercept=True) is None


def test_a_column_far_from_zero_separates_like_any_other():
    year = 1e6 + np.arange(40.0)
    X = np.column_stack([np.ones(40), year])
    pull = np.where(year > 1e6 + 20, 1, -1).astype(np.int8)
    separation = find_separation(X, pull, intercept=True)
    assert separation is not None
    assert separation.complete
    assert (pull * (X @ separation.direction) > -1e-9).all()
