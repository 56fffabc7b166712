"""Classical fits of covariance structures: against R (tests/reference/structures.csv), dense oracles, one another."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from support.pedigree import animal_data

import bayesglmm as bg

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "structures.csv")
CASES = [tuple(key) for key in REFERENCE[["problem", "method"]].drop_duplicates().itertuples(index=False)]
PLACES = [1, 2, 4, 5, 9, 10, 12, 17, 18, 19, 22, 26]


def orthodont() -> pd.DataFrame:
    return bg.load_dataset("orthodont").assign(years=lambda d: (d["age"] - 11) / 3)


def epilepsy() -> pd.DataFrame:
    return bg.load_dataset("epilepsy").assign(lbase=lambda d: np.log(d["base"] / 4), lage=lambda d: np.log(d["age"]))


def ovary() -> pd.DataFrame:
    data = bg.load_dataset("ovary")
    data["place"] = data.groupby("mare", observed=True).cumcount() + 1
    return data.assign(sine=np.sin(2 * np.pi * data["time"]), cosine=np.cos(2 * np.pi * data["time"]))


SERIAL = "follicles ~ sine + cosine + ar1(0 + place | mare)"
COUNTS = "y ~ lbase * trt + lage + v4 + "
PROBLEMS = {
    "orthodont_cs": ("distance ~ years * sex + cs(1 + years | subject)", orthodont, "gaussian"),
    "ovary_ar1": (SERIAL, ovary, "gaussian"),
    "ovary_gaps": (SERIAL, lambda: ovary().query("place in @PLACES"), "gaussian"),
    "epilepsy_ar1": (f"{COUNTS} ar1(0 + period | subject)", epilepsy, "poisson"),
    "epilepsy_both": (f"{COUNTS} (1 | subject) + ar1(0 + period | subject)", epilepsy, "poisson"),
    "orthodont_by": ("distance ~ years * sex + (1 | subject, by=sex)", orthodont, "gaussian"),
    "orthodont_by_slopes": ("distance ~ years * sex + (1 + years | subject, by=sex)", orthodont, "gaussian"),
    "epilepsy_by": (f"{COUNTS} (1 | subject, by=trt)", epilepsy, "poisson"),
}


@cache
def model_of(problem: str) -> bg.GLMM:
    formula, data, family = PROBLEMS[problem]
    return bg.GLMM(formula, data(), family=family)


@cache
def fitted(problem: str, method: str) -> bg.Fit:
    return model_of(problem).fit(method)


@pytest.mark.parametrize(("problem", "method"), CASES)
def test_against_r(problem, method):
    rows = REFERENCE[(REFERENCE["problem"] == problem) & (REFERENCE["method"] == method)]
    fit = fitted(problem, method)
    # R's optimisers stop within 1e-8 of the maximum; ours is no lower.
    assert fit.loglik == pytest.approx(rows["loglik"].iloc[0], abs=1e-7)
    found = fit.tidy().set_index("name")["estimate"]
    # Where a log-likelihood is within 1e-9 of its maximum, an estimate is within 5e-5 of a standard error.
    expected = rows.set_index("parameter")["estimate"]
    errors = fit.tidy().set_index("name")["std_error"].reindex(expected.index).fillna(0.1)
    np.testing.assert_array_less(np.abs(found[expected.index] - expected), 2e-4 * errors + 1e-7)
    assert fit.optimum.status.value == ("boundary" if problem == "orthodont_by_slopes" else "converged")


@pytest.mark.parametrize("problem", ["orthodont_cs", "epilepsy_both", "orthodont_by"])
def test_gradients_are_exact(problem):
    design = model_of(problem).design
    from bayesglmm.frequentist.laplace import LaplaceLikelihood

    likelihood = LaplaceLikelihood.of(design)
    x = fitted(problem, "laplace").optimum.x + 0.1
    evaluate = likelihood.evaluator()
    _, gradient = evaluate(x)
    by_differences = approx_fprime(x, lambda at: evaluate(at)[0], 1e-6)
    np.testing.assert_allclose(gradient, by_differences, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("problem", ["orthodont_cs", "orthodont_by", "ovary_gaps"])
def test_laplace_of_a_linear_model_is_ml(problem):
    ml, laplace = fitted(problem, "ml"), fitted(problem, "laplace")
    assert laplace.loglik == pytest.approx(ml.loglik, abs=1e-8)
    assert list(laplace.tidy()["name"]) == list(ml.tidy()["name"])
    np.testing.assert_allclose(laplace.tidy()["estimate"], ml.tidy()["estimate"], rtol=1e-4, atol=1e-5)


def test_quadrature_and_simulation_of_serial_and_compound_effects():
    """Three visits: few enough effects for nodes; with 1 node quadrature is Laplace's approximation."""
    data = epilepsy().query("period < 4")
    for term in ("ar1(0 + period | subject)", "cs(0 + C(period) | subject)"):
        model = bg.GLMM(f"y ~ lbase + {term}", data, family="poisson")
        laplace = model.fit("laplace")
        assert model.fit("agq", points=1).loglik == pytest.approx(laplace.loglik, abs=1e-6)
        exact = model.fit("agq", points=9)
        simulated = model.fit("mcml", seed=1, tolerance=0.05)
        assert simulated.loglik == pytest.approx(exact.loglik, abs=0.15)
        found = [fit.tidy().set_index("name")["estimate"] for fit in (exact, simulated)]
        error = exact.tidy().set_index("name")["std_error"]
        np.testing.assert_array_less(np.abs(found[0] - found[1]), 0.2 * error)


def test_compound_symmetry_of_two_effects_is_unstructured_with_equal_sds():
    """cs of one effect a sex is (1 + x) with equal variances: its maximum is that of us along that line."""
    data = orthodont()
    free = bg.GLMM("distance ~ years + (1 + years | subject)", data).fit("ml")
    common = bg.GLMM("distance ~ years + cs(1 + years | subject)", data).fit("ml")
    assert common.loglik < free.loglik
    # Columns scaled so that the free estimates have equal sds: both models then have one maximum.
    sds = free.tidy().set_index("name")["estimate"]
    ratio = sds["sd(subject, years)"] / sds["sd(subject, Intercept)"]
    scaled = data.assign(years=data["years"] * ratio)
    again = bg.GLMM("distance ~ years + cs(1 + years | subject)", scaled).fit("ml")
    assert again.loglik == pytest.approx(free.loglik, abs=1e-7)
    found = again.tidy().set_index("name")["estimate"]
    assert found["sd(subject)"] == pytest.approx(sds["sd(subject, Intercept)"], rel=1e-4)
    assert found["cor(subject)"] == pytest.approx(sds["cor(subject, Intercept, years)"], abs=1e-4)


def test_kinds_whose_rows_share_nothing_are_two_models():
    """With coefficients for each treatment and known precisions the log-likelihood is the sum of two."""
    data = epilepsy()
    both = bg.GLMM("y ~ 0 + trt + trt:lbase + (1 | subject, by=trt)", data, family="poisson").fit("laplace")
    parts = [
        bg.GLMM("y ~ lbase + (1 | subject)", part, family="poisson").fit("laplace")
        for _, part in data.groupby("trt", observed=True)
    ]
    assert both.loglik == pytest.approx(sum(fit.loglik for fit in parts), abs=1e-7)
    found = both.tidy().set_index("name")["estimate"]
    for fit, label in zip(parts, ("placebo", "progabide"), strict=True):
        own = fit.tidy().set_index("name")["estimate"]
        assert found[f"sd(subject, trt[{label}])"] == pytest.approx(own["sd(subject)"], rel=1e-4)
    modes = pd.concat([fit.modes for fit in parts]).set_index("name")["mode"]
    np.testing.assert_allclose(both.modes.set_index("name")["mode"], modes, atol=1e-4)


class TestPedigree:
    """An animal model against generalised least squares with the dense V, written out in numpy."""

    data, A = animal_data()
    Z = np.equal.outer(data["animal"].to_numpy(), A.index.to_numpy()).astype(float)
    X = np.column_stack([np.ones(len(data)), data["x"]])

    def marginal(self, sd: float, own: float, sigma: float) -> np.ndarray:
        K = sd**2 * self.A.to_numpy() + own**2 * np.eye(len(self.A))
        return self.Z @ K @ self.Z.T + sigma**2 * np.eye(len(self.Z))

    def oracle(self, sd: float, own: float, sigma: float, reml: bool) -> float:
        """Return the (restricted) log-likelihood, coefficients profiled out (Patterson & Thompson 1971)."""
        V, X, y = self.marginal(sd, own, sigma), self.X, self.data["y"].to_numpy()
        VX, Vy = np.linalg.solve(V, X), np.linalg.solve(V, y)
        beta = np.linalg.solve(X.T @ VX, X.T @ Vy)
        r = y - X @ beta
        value = -0.5 * (np.linalg.slogdet(V)[1] + r @ np.linalg.solve(V, r))
        value -= 0.5 * (len(y) - (X.shape[1] if reml else 0)) * np.log(2 * np.pi)
        return value - 0.5 * np.linalg.slogdet(X.T @ VX)[1] if reml else value

    def fit(self, terms: str, method: str, response: str = "y", family: str = "gaussian") -> bg.Fit:
        known = {"A": self.A}
        return bg.GLMM(f"{response} ~ x + {terms}", self.data, family=family, known_covariances=known).fit(method)

    @pytest.mark.parametrize("method", ["ml", "reml", "laplace"])
    @pytest.mark.parametrize("beside", [False, True])
    def test_likelihood_and_maximum(self, method, beside):
        fit = self.fit('known(1 | animal, "A")' + (" + (1 | animal)" if beside else ""), method)
        found = fit.tidy().set_index("name")["estimate"]
        at = (found["sd(animal, known)"], found["sd(animal)"]) if beside else (found["sd(animal)"], 0.0)
        point, reml = np.array([*at, found["sigma"]]), method == "reml"
        assert fit.loglik == pytest.approx(self.oracle(*point, reml), abs=1e-9)
        free = [0, 1, 2] if beside else [0, 2]

        def slope(k: int, h: float = 1e-4) -> float:
            e = h * np.eye(3)[k]
            return (self.oracle(*(point + e), reml) - self.oracle(*(point - e), reml)) / (2 * h)

        # A maximum of the oracle: no slope, and lower on all sides.
        assert max(abs(slope(k)) for k in free) < 1e-5
        for e in 0.05 * np.eye(3)[free]:
            assert max(self.oracle(*(point + e), reml), self.oracle(*(point - e), reml)) < fit.loglik

    def test_predictions_are_blups_also_of_animals_without_records(self):
        fit = self.fit('known(1 | animal, "A")', "reml")
        found = fit.tidy().set_index("name")["estimate"]
        V = self.marginal(found["sd(animal)"], 0.0, found["sigma"])
        G, X = found["sd(animal)"] ** 2 * self.A.to_numpy(), self.X
        inverse = np.linalg.inv(V)
        P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
        blups = G @ self.Z.T @ P @ self.data["y"].to_numpy()
        variances = np.diag(G - G @ self.Z.T @ P @ self.Z @ G)
        modes = fit.modes.set_index("name")
        np.testing.assert_allclose(modes["mode"], blups, atol=1e-8)
        np.testing.assert_allclose(modes["std_error"], np.sqrt(variances), rtol=1e-7)
        assert modes.index[0] == "animal[a0]"  # without a record
        assert abs(modes["mode"].iloc[0]) > 0.01

    def test_other_families_and_methods(self):
        laplace = self.fit('known(1 | animal, "A")', "laplace", "count", "poisson")
        pql = self.fit('known(1 | animal, "A")', "pql", "count", "poisson")
        names = ["x", "sd(animal)"]
        a, b = (f.tidy().set_index("name") for f in (laplace, pql))
        np.testing.assert_array_less(np.abs(a["estimate"][names] - b["estimate"][names]), a["std_error"][names])
        # At a standard deviation of 1e-4 the covariance no longer matters: the fit without effects.
        alone = bg.GLMM("count ~ x", self.data, family="poisson").fit("laplace")
        assert laplace.loglik > alone.loglik

    @pytest.mark.parametrize("method", ["agq", "gauss_hermite", "mcml"])
    def test_products_over_levels_are_refused(self, method):
        with pytest.raises(bg.SpecificationError, match="correlated by a known covariance"):
            self.fit('known(1 | animal, "A")', method)

    def test_satterthwaite_and_simulation_know_the_covariance(self):
        fit = self.fit('known(1 | animal, "A")', "reml")
        found = fit.tidy().set_index("name")["estimate"]

        def variance(sd: float, sigma: float) -> float:
            V = self.marginal(sd, 0.0, sigma)
            return float(np.linalg.inv(self.X.T @ np.linalg.solve(V, self.X))[0, 0])

        # Satterthwaite: 2 v^2 / (g' C g), g and C by differences of the oracle in (sd, sigma).
        at = np.array([found["sd(animal)"], found["sigma"]])
        e = 1e-4 * np.eye(2)
        g = np.array([(variance(*(at + d)) - variance(*(at - d))) / 2e-4 for d in e])
        h = 1e-3 * np.eye(2)

        def value(v: np.ndarray) -> float:
            return self.oracle(v[0], 0.0, v[1], True)

        H = [
            [(value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b)) / 4e-6 for b in h]
            for a in h
        ]
        df = 2 * variance(*at) ** 2 / (g @ np.linalg.inv(-np.array(H)) @ g)
        row = fit.contrast("Intercept", ddf="satterthwaite").iloc[0]
        assert row["df"] == pytest.approx(df, rel=1e-3)


def simulated(rho: float, n: int = 60, q: int = 5, sd: float = 1.0, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    place = np.arange(q)
    R = rho ** np.abs(np.subtract.outer(place, place)) if abs(rho) < 1 else np.ones((q, q))
    vectors = rng.normal(size=(n, q)) @ np.linalg.cholesky(R + 1e-12 * np.eye(q)).T
    eta = 1.0 + sd * vectors
    return pd.DataFrame(
        {
            "y": rng.poisson(np.exp(eta)).ravel(),
            "visit": np.tile(place, n),
            "subject": np.repeat(np.arange(n), q),
        }
    )


def test_a_correlation_of_one_is_an_estimate_and_said():
    """Effects that do not change over time: rho is 1 in about every second data set, and the fit that of intercepts."""
    data = simulated(1.0, seed=2)
    serial = bg.GLMM("y ~ ar1(0 + visit | subject)", data, family="poisson").fit("laplace")
    plain = bg.GLMM("y ~ (1 | subject)", data, family="poisson").fit("laplace")
    assert serial.optimum.status.value == "boundary"
    assert serial.loglik == pytest.approx(plain.loglik, abs=1e-7)
    found = serial.tidy().set_index("name")
    assert found["estimate"]["cor(subject)"] == pytest.approx(1.0, abs=1e-9)
    assert np.isnan(found["std_error"]["cor(subject)"])
    own = plain.tidy().set_index("name").loc["sd(subject)"]
    assert found["estimate"]["sd(subject)"] == pytest.approx(own["estimate"], rel=1e-5)
    assert found["std_error"]["sd(subject)"] == pytest.approx(own["std_error"], rel=1e-3)
    assert "cor(subject) is estimated as 1, the highest value that it can have." in serial.notes


def test_quasi_likelihood_says_that_a_correlation_is_at_its_bound():
    """Two effects that are one but for their sign, far from what chance would make of them."""
    rng = np.random.default_rng(4)
    u = rng.normal(size=80)
    data = pd.DataFrame(
        {
            "y": rng.poisson(np.exp(2.0 + np.column_stack([u, -u]))).ravel(),
            "visit": np.tile([0, 1], 80),
            "subject": np.repeat(np.arange(80), 2),
        }
    )
    for method in ("pql", "laplace"):
        fit = bg.GLMM("y ~ ar1(0 + visit | subject)", data, family="poisson").fit(method)
        found = fit.tidy().set_index("name")["estimate"]
        assert found["cor(subject)"] == pytest.approx(-1.0, abs=1e-9)
        assert fit.optimum.status.value == "boundary"
        assert "cor(subject) is estimated as -1, the lowest value that it can have." in fit.notes


def test_a_correlation_at_the_lowest_value_is_said():
    """Effects of a subject that add up to zero: compound symmetry at -1 / (q - 1)."""
    rng = np.random.default_rng(2)
    u = rng.normal(size=(80, 3))
    u -= u.mean(axis=1, keepdims=True)
    data = pd.DataFrame(
        {
            "y": rng.poisson(np.exp(1.5 + 0.8 * u)).ravel(),
            "visit": np.tile(["a", "b", "c"], 80),
            "subject": np.repeat(np.arange(80), 3),
        }
    )
    fit = bg.GLMM("y ~ cs(0 + visit | subject)", data, family="poisson").fit("laplace")
    found = fit.tidy().set_index("name")["estimate"]
    assert found["cor(subject)"] == pytest.approx(-0.5, abs=1e-9)
    assert fit.optimum.status.value == "boundary"
    assert "cor(subject) is estimated as -0.5, the lowest value that it can have." in fit.notes


@pytest.mark.parametrize("method", ["laplace", "pql"])
@pytest.mark.parametrize("term", ["ar1(0 + visit | subject)", "cs(0 + C(visit) | subject)"])
def test_no_spread_is_an_estimate_and_said(term, method):
    """Counts that vary less than chance would have them: the standard deviation is 0, and nothing is said of rho."""
    data = simulated(0.3, sd=0.0)
    data["y"] = np.where(data["y"] > 3, 3, data["y"])
    fit = bg.GLMM(f"y ~ {term}", data, family="poisson").fit(method)
    found = fit.tidy().set_index("name")["estimate"]
    assert found["sd(subject)"] == 0.0
    assert np.isnan(found["cor(subject)"])
    assert "sd(subject) is estimated as 0: nothing is left for it to explain beyond chance." in fit.notes
    assert fit.optimum.status.value == "boundary"


def test_negative_autocorrelation_is_found():
    fit = bg.GLMM("y ~ ar1(0 + visit | subject)", simulated(-0.6, 150), family="poisson").fit("laplace")
    found = fit.tidy().set_index("name")
    assert abs(found["estimate"]["cor(subject)"] + 0.6) < 3 * found["std_error"]["cor(subject)"]


def test_profile_and_bootstrap_hold_a_common_correlation():
    fit = fitted("orthodont_cs", "ml")
    ends = fit.profile(["sd(subject)", "cor(subject)"]).interval(0.9)
    found = fit.tidy().set_index("name")["estimate"]
    for name in ("sd(subject)", "cor(subject)"):
        lower, upper = ends.loc[name]
        assert lower < found[name] < upper
    assert -1.0 < ends.loc["cor(subject)", "lower"] < -0.2
    assert 0.4 < ends.loc["cor(subject)", "upper"] < 1.0
    drawn = fit.bootstrap(draws=3, seed=1, progress=False)
    assert np.isfinite(drawn.draws["sd(subject)"]).all()


@pytest.mark.parametrize("method", ["gee", "fixed"])
def test_methods_without_covariances_of_effects_refuse_structures(method):
    with pytest.raises(bg.SpecificationError, match="does not look at the covariance of group effects"):
        model_of("epilepsy_ar1").fit(method)


@pytest.mark.parametrize("reml", [False, True])
def test_a_maximum_that_another_program_stops_short_of(reml):
    """sleepstudy: glmmTMB 1.1.5 ends at sigma = 0.009 and -869.603 by REML (structures.out); against the dense V."""
    data = bg.load_dataset("sleepstudy")
    fit = bg.GLMM("reaction ~ days + ar1(0 + days | subject)", data).fit("reml" if reml else "ml")
    found = fit.tidy().set_index("name")["estimate"]
    same = np.equal.outer(data["subject"].to_numpy(), data["subject"].to_numpy())
    distance = np.abs(np.subtract.outer(data["days"].to_numpy(), data["days"].to_numpy()))
    X, y = np.column_stack([np.ones(len(data)), data["days"]]), data["reaction"].to_numpy()

    def oracle(sd: float, rho: float, sigma: float) -> float:
        V = sd**2 * same * rho**distance + sigma**2 * np.eye(len(y))
        VX = np.linalg.solve(V, X)
        r = y - X @ np.linalg.solve(X.T @ VX, VX.T @ y)
        value = -0.5 * (np.linalg.slogdet(V)[1] + r @ np.linalg.solve(V, r))
        value -= 0.5 * (len(y) - 2 * reml) * np.log(2 * np.pi)
        return value - 0.5 * reml * np.linalg.slogdet(X.T @ VX)[1]

    at = (found["sd(subject)"], found["cor(subject)"], found["sigma"])
    assert fit.loglik == pytest.approx(oracle(*at), abs=1e-8)
    assert fit.loglik > (-869.603 if reml else oracle(at[0], at[1], 0.01)) + 2.0
    for scale in (0.98, 1.02):
        for k in range(3):
            assert oracle(*(v * scale if k == j else v for j, v in enumerate(at))) < fit.loglik
