"""Families with auxiliary predictors by Laplace: against glmmTMB and ordinal::clmm, known truth, other methods."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.engine.marginal import LaplaceMarginal
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.working import Working

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FOLDER = Path(__file__).parents[2] / "reference"
REFERENCE = pd.read_csv(FOLDER / "zero_parts.csv", keep_default_na=False)
PROBLEMS = list(REFERENCE["problem"].unique())
DATA = pd.read_csv(FOLDER / "zero_parts_data.csv").astype({"g": str})


def model_of(problem: str) -> bg.GLMM:
    first = REFERENCE[REFERENCE["problem"] == problem].iloc[0]
    options = {key: first[key] for key in ("link", "zero", "dispersion") if first[key]}
    data = bg.load_dataset("wine") if problem.startswith("wine") else DATA
    return bg.GLMM(first["formula"], data, family=first["family"], **options)


@cache
def fitted(problem: str) -> bg.Fit:
    return model_of(problem).fit("laplace")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_other_programs_say_the_same(problem: str) -> None:
    theirs = REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")
    fit = fitted(problem)
    ours = fit.tidy().set_index("name")
    assert fit.converged
    # Their gradients at the end are below 3e-3: a log-likelihood that is at most 1e-6 too low, estimates within a
    # thousandth of a standard error.
    assert fit.loglik == pytest.approx(float(theirs["loglik"].iloc[0]), abs=2e-6)
    assert set(ours.index) == set(theirs.index)
    for name, row in theirs.iterrows():
        std_error = float(row["std_error"] or ours.loc[name, "std_error"])
        assert abs(ours.loc[name, "estimate"] - float(row["estimate"])) < 1e-3 * std_error, name
        if row["std_error"]:
            assert ours.loc[name, "std_error"] == pytest.approx(std_error, rel=2e-3), name


def test_wine_as_published() -> None:
    """Christensen (2019), the package's vignette: logLik -81.57, 3.06300 and 1.83488, judge 1.13.

    ordinal::clmm prints -81.5654093 with its loose conditional modes, -81.5654128 with tight ones (zero_parts.out),
    and its estimates move by 2e-5.
    """
    fit = fitted("wine, logit")
    assert fit.loglik == pytest.approx(-81.5654128, abs=1e-7)
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx([3.062997, 1.834885], abs=3e-5)
    assert fit.variance_components.loc["sd(judge)", "estimate"] == pytest.approx(1.131133, abs=1e-5)


@pytest.mark.parametrize("problem", ["wine, probit", "wine, cloglog", "zip, formula", "zinb, dispersion", "hurdle"])
def test_gradient_of_laplace(problem: str) -> None:
    design = model_of(problem).design
    marginal, working = LaplaceMarginal.of(design), Working.of(design)
    x = fitted(problem).optimum.x + 0.05 * np.cos(np.arange(working.size))
    zero = np.zeros(marginal.rows.effects.size)
    gradient = marginal.evaluate(*working.split(x), zero).gradient
    for k in range(working.size):
        h = 1e-4 * np.eye(working.size)[k]
        up, down, up2, down2 = (marginal.evaluate(*working.split(x + s * h), zero).value for s in (1, -1, 2, -2))
        numeric = (8.0 * (up - down) - (up2 - down2)) / 12e-4
        assert gradient[k] == pytest.approx(numeric, rel=1e-6, abs=1e-6 * np.abs(gradient).max())


def test_student_t_without_groups_is_the_maximum_of_its_likelihood() -> None:
    from scipy import optimize, stats

    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=200)})
    data["y"] = 1.0 + 0.5 * data["x"] + 0.7 * rng.standard_t(3.0, 200)

    def loss(v: np.ndarray) -> float:
        return -stats.t.logpdf(data["y"], np.exp(v[3]), v[0] + v[1] * data["x"], np.exp(v[2])).sum()

    found = optimize.minimize(loss, [1.0, 0.5, 0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    fit = bg.GLMM("y ~ x", data, family="student_t").fit("laplace")
    assert fit.loglik == pytest.approx(-found.fun, abs=1e-7)
    table = fit.tidy().set_index("name")["estimate"]
    expected = [found.x[0], found.x[1], np.exp(found.x[2]), np.exp(found.x[3])]
    assert table[["Intercept", "x", "sigma", "nu"]].to_numpy() == pytest.approx(expected, rel=1e-3)


@cache
def simulated(family: str, link: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return data of x + (1 | g) of 100 groups of 10, with known values, drawn by the family's own simulation."""
    rng = np.random.default_rng(8)
    groups, each = 100, 10
    n = groups * each
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), each).astype(str), "x": rng.normal(size=n)})
    eta = 0.5 - 0.5 * data["x"].to_numpy() + np.repeat(rng.normal(0.0, 0.6, groups), each)
    truth = {"x": -0.5, "sd(g)": 0.6}
    noise = {"logit": rng.logistic(size=n), "probit": rng.normal(size=n), "cloglog": -rng.gumbel(size=n)}
    if family == "cumulative":
        data["y"] = ((eta - 0.5 + noise[link])[:, None] > np.array([-0.8, 0.2, 1.3])).sum(axis=1)
        return data, truth | {"cutpoint[0|1]": -0.8, "cutpoint[1|2]": 0.2, "cutpoint[2|3]": 1.3}
    data["y"] = eta + 0.4 * rng.standard_t(4.0, n)
    return data, truth | {"Intercept": 0.5, "sigma": 0.4, "nu": 4.0}


@pytest.mark.parametrize(
    ("family", "link"),
    [("student_t", "identity"), ("cumulative", "logit"), ("cumulative", "probit"), ("cumulative", "cloglog")],
)
def test_recovers_what_was_simulated(family: str, link: str) -> None:
    data, truth = simulated(family, link)
    table = bg.GLMM("y ~ x + (1 | g)", data, family=family, link=link).fit("laplace").tidy().set_index("name")
    for name, value in truth.items():
        # Three standard errors: Laplace's bias is small beside them with ten rows a group.
        assert abs(table.loc[name, "estimate"] - value) < 3.0 * table.loc[name, "std_error"], name


@pytest.mark.parametrize("problem", ["zip, formula", "zinb", "hurdle"])
def test_recovers_what_zero_parts_py_simulated(problem: str) -> None:
    truth = {"Intercept": 0.6, "x": 0.4, "sd(g)": 0.5, "zero[Intercept]": -1.0, "zero[x]": 0.7, "phi": 2.0}
    table = fitted(problem).tidy().set_index("name")
    for name in table.index.intersection(list(truth)):
        assert abs(table.loc[name, "estimate"] - truth[name]) < 3.0 * table.loc[name, "std_error"], name


@pytest.mark.parametrize(
    ("problem", "method", "reason"),
    [
        ("zip", "fixed", r"fits a generalized linear model, .* depend on zero\[Intercept\] as well"),
        ("zip", "reml", "is for gaussian responses with the identity link"),
        (
            "gaussian",
            "ml",
            r"one sigma for all rows, .* depend on log_sigma\[sex\[F\]\], .*; use \"laplace\", which is max",
        ),
        ("gaussian", "reml", "one sigma for all rows"),
    ],
)
def test_methods_of_one_dispersion_refuse_with_a_reason(problem: str, method: str, reason: str) -> None:
    with pytest.raises(SpecificationError, match=reason):
        model_of(problem).fit(method)


def test_expected_information_is_refused() -> None:
    with pytest.raises(
        SpecificationError, match="expected information of a row, which is known for rows with one disp"
    ):
        model_of("zip").fit("laplace", information="expected")


@pytest.mark.parametrize("problem", ["zip, formula", "wine, logit", "gaussian"])
def test_profile_and_bootstrap_follow(problem: str) -> None:
    fit = fitted(problem)
    name = fit.design.family_names[-1]
    profile = fit.profile([name], level=0.95)
    lower, upper = profile.interval(0.95).loc[name, ["lower", "upper"]]
    estimate = fit.tidy().set_index("name").loc[name]
    assert lower < estimate["estimate"] < upper
    assert (upper - lower) / (estimate["upper"] - estimate["lower"]) == pytest.approx(1.0, abs=0.15)
    draws = fit.bootstrap(3, seed=1, progress=False).draws
    assert np.isfinite(draws[name]).all()


def test_with_weights_a_row_counts_as_often() -> None:
    whole = pd.concat([DATA, DATA.iloc[:100]], ignore_index=True)
    weighted = DATA.assign(w=np.where(np.arange(len(DATA)) < 100, 2.0, 1.0))
    formula, options = "zip ~ x + (1 | g)", {"family": "zero_inflated_poisson", "zero": "~ x"}
    one = bg.GLMM(formula, whole, **options).fit("laplace")
    other = bg.GLMM(formula, weighted, weights="w", **options).fit("laplace")
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
