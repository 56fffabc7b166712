"""ml, reml and laplace against R (tests/reference/frequentist.csv): log-likelihoods, estimates, standard errors."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FOLDER = Path(__file__).parents[2] / "reference"
REFERENCE = pd.read_csv(FOLDER / "frequentist.csv", keep_default_na=False)
REFERENCE[["std_error", "loglik"]] = REFERENCE[["std_error", "loglik"]].apply(pd.to_numeric)
COMPUTED = REFERENCE[REFERENCE["status"] == "computed"]
LARGE = {"insteval", "insteval_departments", "insteval_good"}

type Case = tuple[str, str, str]


def case(problem: str, method: str, options: str = "{}") -> object:
    """Return one fit of the table as a parameter, slow where it takes long."""
    marks = [pytest.mark.slow] if problem in LARGE else []
    words = [problem, method, *map(str, json.loads(options).values())]
    return pytest.param((problem, method, options), id="-".join(words), marks=marks)


CASES = [case(*key) for key in COMPUTED[["problem", "method", "options"]].drop_duplicates().itertuples(index=False)]
GAUSSIAN = [case(problem, "ml") for problem in COMPUTED.loc[COMPUTED["method"] == "ml", "problem"].unique()]


def rows(which: Case) -> pd.DataFrame:
    problem, method, options = which
    chosen = COMPUTED[(COMPUTED["problem"] == problem) & (COMPUTED["method"] == method)]
    return chosen[chosen["options"] == options].set_index("parameter")


@cache
def data_of(dataset: str, assign: str) -> pd.DataFrame:
    data = bg.load_dataset(dataset)
    for assignment in filter(None, assign.split("; ")):
        data = data.eval(assignment, engine="python")
    return data


@cache
def model_of(problem: str) -> bg.GLMM:
    first = COMPUTED[COMPUTED["problem"] == problem].iloc[0]
    data = data_of(first["dataset"], first["assign"])
    return bg.GLMM(first["formula"], data, family=first["family"], link=first["link"])


@cache
def fitted(which: Case) -> bg.Fit:
    problem, method, options = which
    return model_of(problem).fit(method, **json.loads(options))


@pytest.mark.parametrize("which", CASES)
def test_log_likelihood_is_the_references_or_better(which: Case) -> None:
    reference = rows(which)["loglik"].iloc[0]
    assert fitted(which).loglik >= reference - 1e-6
    # Nor is it another likelihood: every reference is a maximum itself, found by Newton's method.
    assert fitted(which).loglik == pytest.approx(reference, abs=1e-5)
    assert fitted(which).converged


@pytest.mark.parametrize("which", CASES)
def test_estimates_and_standard_errors_to_four_digits(which: Case) -> None:
    ours = fitted(which).tidy().set_index("name")
    theirs = rows(which)
    assert set(ours.index) == set(theirs.index)
    for name, row in theirs.iterrows():
        # What is small against its own standard error is known to no more digits than that.
        floor = 1e-4 * row["std_error"] if np.isfinite(row["std_error"]) else 2e-5
        assert ours.loc[name, "estimate"] == pytest.approx(row["estimate"], rel=1e-4, abs=floor), name
        if np.isfinite(row["std_error"]):
            assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=1e-4), f"std_error of {name}"


@pytest.mark.parametrize("which", GAUSSIAN)
def test_laplace_is_exact_for_gaussian_responses(which: Case) -> None:
    problem, _, _ = which
    laplace, reference = fitted((problem, "laplace", "{}")), rows(which)
    assert laplace.loglik == pytest.approx(reference["loglik"].iloc[0], abs=1e-6)
    ours = laplace.tidy().set_index("name")["estimate"]
    for name, row in reference.iterrows():
        assert ours[name] == pytest.approx(row["estimate"], rel=1e-4, abs=1e-4 * row["std_error"]), name


EXPECTED = pd.read_csv(FOLDER / "laplace.csv", keep_default_na=False)
EXPECTED = EXPECTED[EXPECTED["method"] == "laplace_expected"]


@pytest.mark.parametrize("problem", sorted(EXPECTED["problem"].unique()))
def test_laplace_with_expected_information_is_that_of_lme4(problem: str) -> None:
    theirs = EXPECTED[EXPECTED["problem"] == problem].set_index("parameter")
    first = theirs.iloc[0]
    model = bg.GLMM(first["formula"], data_of(first["dataset"], ""), family=first["family"], link=first["link"])
    fit = model.fit("laplace", information="expected")
    loglik = float(first["loglik"])
    assert fit.loglik >= loglik - 1e-6
    assert fit.loglik == pytest.approx(loglik, abs=1e-5)
    ours = fit.tidy().set_index("name")["estimate"]
    for name, row in theirs.iterrows():
        # lme4 stopped where its search did; no Newton steps finished it.
        assert ours[name] == pytest.approx(row["estimate"], rel=2e-4, abs=2e-5), name


def test_the_figures_that_lme4_and_nlme_are_known_by() -> None:
    """Of their documentation and books, to the digits printed there."""
    sleepstudy = fitted(("sleepstudy", "reml", "{}"))
    assert -2 * sleepstudy.loglik == pytest.approx(1743.628, abs=5e-4)  # lme4's "REML criterion at convergence: 1743.6"
    assert sleepstudy.coefficients["std_error"].round(3).tolist() == [6.825, 1.546]
    assert sleepstudy.variance_components["estimate"].round(2).tolist() == [24.74, 5.92, 0.07, 25.59]
    # Pinheiro & Bates (2000), section 1.1: the rails by REML and by ML.
    rail = [fitted(("rail", method, "{}")).variance_components["estimate"] for method in ("reml", "ml")]
    assert [round(r["sd(rail)"], 5) for r in rail] == [24.80547, 22.62435]
    assert rail[0]["sigma"] == pytest.approx(4.020779, abs=1e-6)


@pytest.mark.parametrize("problem", ["ovary_ar1", "glucose_car1"])
def test_fits_with_residual_structures(problem: str) -> None:
    """Those by nlme; more of them are in residual.csv."""
    theirs = REFERENCE[REFERENCE["problem"] == problem].set_index("parameter")
    first = theirs.iloc[0]
    residual = json.loads(first["options"])["residual"]
    model = bg.GLMM(first["formula"], data_of(first["dataset"], first["assign"]), residual=residual)
    fit = model.fit(first["method"])
    assert fit.loglik == pytest.approx(float(first["loglik"]), abs=1e-7)
    ours = fit.tidy().set_index("name")["estimate"]
    for name, row in theirs.rename(index={residual: "cor(residual)"}).iterrows():
        # nlme leaves the standard deviation that vanishes at 1e-4.
        assert ours[name] == pytest.approx(row["estimate"], rel=1e-5, abs=2e-4 if name == "sd(subject:date)" else 0.0)
