"""What is read from a fit with a covariance structure: covariances of rows, shrinkage, likelihood ratios, equations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.models import make_frame
from support.pedigree import animal_data

import bayesglmm as bg
from bayesglmm.frequentist.inference.nesting import added_effects
from bayesglmm.frequentist.reading.marginal_covariance import marginal_covariance
from bayesglmm.frequentist.reading.shrinkage import shrinkage

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"subject": np.repeat(np.arange(20), 4), "visit": np.tile([0, 1, 3, 4], 20)})
    data["trt"] = np.where(data["subject"] < 9, "drug", "placebo")
    data["x"] = rng.normal(size=80)
    u = rng.normal(size=20)[data["subject"]] * np.where(data["trt"] == "drug", 0.5, 2.0)
    return data.assign(y=u + rng.normal(size=80) + 0.5 * np.sin(data["visit"]))


def test_covariance_of_rows_is_that_of_the_structure():
    data = frame()
    fit = bg.GLMM("y ~ ar1(0 + visit | subject)", data).fit("ml")
    found = fit.tidy().set_index("name")["estimate"]
    V = marginal_covariance(fit, by="subject")["7"].to_numpy()
    place = np.array([0, 1, 3, 4])
    R = found["cor(subject)"] ** np.abs(np.subtract.outer(place, place))
    expected = found["sd(subject)"] ** 2 * R + found["sigma"] ** 2 * np.eye(4)
    np.testing.assert_allclose(V, expected, rtol=1e-8)


def test_covariance_of_rows_is_that_of_their_kind():
    data = frame()
    fit = bg.GLMM("y ~ (1 | subject, by=trt)", data).fit("ml")
    found = fit.tidy().set_index("name")["estimate"]
    blocks = marginal_covariance(fit, by="subject")
    assert sorted(map(int, blocks)) == list(range(20))
    for level, kind in (("3", "drug"), ("15", "placebo")):
        expected = found[f"sd(subject, trt[{kind}])"] ** 2 + found["sigma"] ** 2 * np.eye(4)
        np.testing.assert_allclose(blocks[level].to_numpy(), expected, rtol=1e-10)
    table = shrinkage(fit).frame
    assert set(table["n"]) == {4}


def test_covariance_of_rows_of_relatives():
    data, A = animal_data()
    fit = bg.GLMM('y ~ x + known(1 | animal, "A")', data, known_covariances={"A": A}).fit("reml")
    found = fit.tidy().set_index("name")["estimate"]
    own = A.loc[data["animal"], data["animal"]].to_numpy()
    expected = found["sd(animal)"] ** 2 * own + found["sigma"] ** 2 * np.eye(len(data))
    np.testing.assert_allclose(marginal_covariance(fit).to_numpy(), expected, rtol=1e-10)
    with pytest.raises(bg.SpecificationError, match="a level there shrinks towards what its relatives say"):
        shrinkage(fit)


def test_nesting_looks_at_structures():
    data = frame()
    plain = bg.GLMM("y ~ (1 | subject)", data).design
    both = bg.GLMM("y ~ (1 | subject) + ar1(0 + visit | subject)", data).design
    # No mixture of chi-squares is known: rho says nothing where the standard deviation is 0.
    assert added_effects(plain, both) == (("sd(subject, ar1)",), False)
    for other in ("cs(1 + x | subject)", "ar1(0 + visit | subject)", "(1 | subject, by=trt)"):
        with pytest.raises(bg.SpecificationError, match="not nested"):
            added_effects(plain, bg.GLMM(f"y ~ {other}", data).design)


def test_compound_symmetry_beside_sigma_is_said_to_be_confounded():
    with pytest.warns(bg.DataWarning, match="sd.subject. and sigma cannot be told apart.*Write .1 | subject."):
        bg.GLMM("y ~ cs(0 + C(visit) | subject)", frame())


def test_equations_say_the_structure():
    data = make_frame(40)
    data["kind"] = np.where(data["a"] < 2, "low", "high")
    terms = "ar1(0 + d | b) + (1 | b) + cs(1 + x2 | c) + (1 | a, by=kind)"
    model = bg.GLMM(f"count ~ x1 + {terms}", data, family="poisson")
    text = model.equation()
    assert r"u_{\text{b}[i], \text{d}[i]}" in text
    assert r"R_{st} = \rho_{\text{b}, \text{ar1}}^{|s - t|}" in text
    assert r"\sigma_{\text{c}}^2\, R), \quad R_{st} = \rho_{\text{c}}^{[s \neq t]}" in text
    assert r"\sigma_{\text{a}, \text{kind[high]}}^2" in text
    records, A = animal_data()
    animal = bg.GLMM('y ~ x + known(1 | animal, "A")', records, known_covariances={"A": A})
    assert r"u &\sim \mathcal{N}_{50}(0, \sigma_{\text{animal}}^2\, A)" in animal.equation()
    assert "by a, kind[high]" in repr(model)


def test_series_that_are_too_long_for_dense_blocks_are_sampled_and_not_fitted():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"subject": np.repeat([0, 1, 2, 3], 250), "visit": np.tile(np.arange(250), 4)})
    data["y"] = rng.poisson(np.exp(1.0 + 0.5 * rng.normal(size=4)[data["subject"]]))
    model = bg.GLMM("y ~ ar1(0 + visit | subject)", data, family="poisson")
    for method in ("laplace", "pql"):
        with pytest.raises(bg.FitError, match=r"the series of ar1.. have 250 places, and classical fits keep a dense"):
            model.fit(method)
    posterior = model.sample(20, chains=1, tune=30, seed=1, progress=False)
    assert "series of 250 places" in posterior.tree["sample_stats"].attrs["sampler_fallback"]
    assert np.isfinite(posterior.tree["posterior"]["u_subject"]).all()
