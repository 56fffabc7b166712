"""Data without a maximum, and identification: every method says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg


def separated() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": np.r_[np.zeros(20), np.ones(20)], "g": np.tile(np.arange(8), 5).astype(str)})
    data["b"] = np.where(data["x"] == 1.0, 1, rng.integers(0, 2, 40))
    return data


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize("method", ["laplace", "agq", "mcml", "pql", "mql", "gee"])
def test_separation_never_looks_like_an_answer(method: str) -> None:
    model = bg.GLMM("b ~ x + (1 | g)", separated(), family="bernoulli")
    options = {"seed": 1} if method == "mcml" else {}
    try:
        converged = model.fit(method, **options).converged
    except bg.FitError:
        converged = False
    assert not converged


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_simulation_refuses_all_zero_counts() -> None:
    data = separated().assign(n=0)
    with pytest.raises(bg.FitError, match="no maximum to simulate"):
        bg.GLMM("n ~ x + (1 | g)", data, family="poisson").fit("mcml", seed=1)


def test_single_trials_with_a_level_each_are_said_to_tell_nothing() -> None:
    data = separated().assign(row=[f"r{k}" for k in range(40)])
    data["b"] = np.tile([0, 1, 1, 0], 10)
    with pytest.warns(bg.DataWarning, match=r"as many levels as rows \(40\), each a single trial"):
        bg.GLMM("b ~ x + (1 | row)", data, family="bernoulli")


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize("method", ["agq", "gauss_hermite", "laplace", "mcml"])
def test_a_model_of_nothing_has_a_likelihood(method: str) -> None:
    fit = bg.GLMM("b ~ 0", separated(), family="bernoulli").fit(method)
    assert fit.loglik == pytest.approx(40 * np.log(0.5))


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize(("y", "words"), [(["a"] * 40, "give real numbers"), (np.full(40, 1j), "give real numbers")])
def test_responses_that_are_no_numbers_are_refused(y: object, words: str) -> None:
    fit = bg.GLMM("x ~ 1 + (1 | g)", separated()).fit("ml")
    with pytest.raises(bg.DataError, match=words):
        fit.refit(y)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_weights_of_quasi_likelihood_are_precisions_and_it_says_so() -> None:
    data = separated().assign(w=2.0)
    assert any("precision" in n for n in bg.GLMM("x ~ b + (1 | g)", data, weights="w").fit("pql").notes)
    assert not any("precision" in n for n in bg.GLMM("x ~ b + (1 | g)", data).fit("pql").notes)
