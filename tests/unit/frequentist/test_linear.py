"""`ml` and `reml` against dense algebra, each other and the Laplace fit of the same model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.engine.linear import LinearMixed
from bayesglmm.frequentist.linear.profiled import ProfiledCriterion
from bayesglmm.frequentist.search.optimum import OptimumStatus

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FORMULAS = (
    "y ~ x + (1 | g)",
    "y ~ x + (1 + x | g) + (1 | h)",
    "y ~ 0 + x + offset(o) + (1 + x || g) + (0 + w | h)",
    "y ~ x + w + (1 | g / h)",
    "y | weights(k) ~ x + (1 | g)",
    "y | se(s) ~ x + (1 | g) + (1 | h)",
    "y ~ x",
)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 80
    data = pd.DataFrame({"g": rng.integers(0, 9, n).astype(str), "h": rng.integers(0, 5, n).astype(str)})
    for name in ("x", "w", "o"):
        data[name] = rng.normal(size=n)
    data["s"] = rng.uniform(0.5, 1.5, n)
    data["k"] = rng.integers(1, 4, n).astype(float)
    effects = rng.normal(size=9)[data["g"].astype(int)] + 0.6 * rng.normal(size=5)[data["h"].astype(int)]
    data["y"] = 2.0 + 0.5 * data["x"] + effects + data["s"] * rng.normal(size=n)
    return data


def covariance(fit: bg.Fit) -> np.ndarray:
    """Return V by dense algebra from the estimates."""
    design, x = fit.design, fit.optimum.x
    at = len(design.coefficients)
    sigma = np.exp(x[-1]) if design.dispersion else 1.0
    V = np.diag(sigma**2 * design.size**2 / design.weights)
    for group in design.groups:
        size = group.structure.theta.size(group.n_effects)
        Lambda = group.origin @ group.structure.theta.factor(x[at : at + size], group.n_effects)
        at += size
        columns = group.columns()
        same = group.codes[:, None] == group.codes[None, :]
        V += same * (columns.T @ Lambda @ Lambda.T @ columns)
    return V


# A weight multiplies a log-likelihood and is no precision: a test of its own holds that.
@pytest.mark.parametrize("formula", [f for f in FORMULAS if "weights" not in f])
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_estimates_and_criterion_against_dense_algebra(formula: str, method: str) -> None:
    fit = bg.GLMM(formula, frame()).fit(method)
    design, V = fit.design, covariance(fit)
    X, y = design.X, design.y - design.offset
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    residual = y - X @ beta
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(beta, rel=1e-8)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-8)
    n, p = X.shape
    value = np.linalg.slogdet(V)[1] + residual @ inverse @ residual
    value += (
        (n - p) * np.log(2 * np.pi) + np.linalg.slogdet(information)[1] if method == "reml" else n * np.log(2 * np.pi)
    )
    assert fit.loglik == pytest.approx(-0.5 * value, abs=1e-8)


@pytest.mark.parametrize("formula", FORMULAS)
def test_ml_is_the_laplace_fit(formula: str) -> None:
    model = bg.GLMM(formula, frame())
    profiled, laplace = model.fit("ml"), model.fit("laplace")
    assert profiled.loglik == pytest.approx(laplace.loglik, abs=1e-8)
    ours, theirs = profiled.tidy().set_index("name"), laplace.tidy().set_index("name")
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], atol=2e-5)
    spread = ours["term"] != "fixed"  # coefficients: generalised least squares here, observed information there
    np.testing.assert_allclose(ours.loc[spread, "std_error"], theirs.loc[spread, "std_error"], rtol=2e-4)
    np.testing.assert_allclose(profiled.modes["mode"], laplace.modes["mode"], atol=2e-5)
    np.testing.assert_allclose(profiled.modes["std_error"], laplace.modes["std_error"], rtol=1e-4)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("reml", [False, True])
def test_gradient_of_the_profiled_criterion_is_exact(formula: str, reml: bool) -> None:
    criterion = ProfiledCriterion(LinearMixed.of(bg.GLMM(formula, frame()).design), reml)
    theta = np.where(criterion.model.layout.diagonal, 0.7, 0.2)
    _, gradient = criterion.evaluate(theta)
    for k in range(len(theta)):
        e = np.zeros(len(theta))
        e[k] = 1e-4
        numeric = (criterion.evaluate(theta + e)[0] - criterion.evaluate(theta - e)[0]) / 2e-4
        assert gradient[k] == pytest.approx(numeric, rel=1e-6, abs=1e-7)


def test_reml_of_a_balanced_one_way_layout_is_analysis_of_variance() -> None:
    fit = bg.GLMM("yield ~ 1 + (1 | batch)", bg.load_dataset("dyestuff")).fit("reml")
    data = bg.load_dataset("dyestuff")
    means = data.groupby("batch", observed=True)["yield"].mean()
    within = ((data["yield"] - data.groupby("batch", observed=True)["yield"].transform("mean")) ** 2).sum() / 24
    between = 5 * ((means - means.mean()) ** 2).sum() / 5
    components = fit.variance_components["estimate"]
    assert components["sigma"] ** 2 == pytest.approx(within, rel=1e-9)
    assert components["sd(batch)"] ** 2 == pytest.approx((between - within) / 5, rel=1e-7)
    # Searle, Casella & McCulloch (1992), section 4.5: large-sample variances of the two estimators.
    assert components["sigma"] == pytest.approx(49.5101, abs=1e-4)
    assert components["sd(batch)"] == pytest.approx(42.0006, abs=1e-4)
    expected = within * np.sqrt(2 / 24) / (2 * np.sqrt(within))
    assert fit.variance_components.loc["sigma", "std_error"] == pytest.approx(expected, rel=1e-6)


def test_no_variance_between_groups_is_pinned_and_said() -> None:
    data = frame()
    data["y"] -= data.groupby("g")["y"].transform("mean") - data["y"].mean()
    fit = bg.GLMM("y ~ x + (1 | g)", data).fit("reml")
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert fit.variance_components.loc["sd(g)", "estimate"] == 0.0
    assert "sd(g) is estimated as 0" in "\n".join(fit.notes)
    residual = data["y"] - np.polyval(np.polyfit(data["x"], data["y"], 1), data["x"])
    assert fit.variance_components.loc["sigma", "estimate"] == pytest.approx(np.sqrt((residual**2).sum() / 78))


def test_neither_scale_nor_origin_costs_digits() -> None:
    data = frame()
    plain = bg.GLMM("y ~ x + (1 | g)", data).fit("reml")
    moved = data.assign(y=1e9 + 1e3 * data["y"], x=5e3 + 1e-2 * data["x"])
    fit = bg.GLMM("y ~ x + (1 | g)", moved).fit("reml")
    # y times a thousand and x by a hundredth: n - p densities of y and the determinant of X'X change by constants.
    shift = (80 - 2) * np.log(1e3) + np.log(1e-2)
    assert fit.loglik == pytest.approx(plain.loglik - shift, abs=1e-5)
    assert fit.coefficients.loc["x", "estimate"] == pytest.approx(
        1e5 * plain.coefficients.loc["x", "estimate"], rel=1e-6
    )


def test_weights_are_copies_and_refit_is_fit() -> None:
    data = frame()
    model = bg.GLMM("y ~ x + (1 | g)", data)
    doubled = bg.GLMM("y ~ x + (1 | g)", pd.concat([data, data], ignore_index=True)).fit("ml")
    weighted = bg.GLMM("y ~ x + (1 | g)", data.assign(two=2.0), weights="two").fit("ml")
    assert weighted.loglik == pytest.approx(doubled.loglik, abs=1e-8)
    other = data["y"].to_numpy()[::-1] + data["x"].to_numpy()
    for method in ("ml", "reml"):
        again = model.fit(method).refit(other)
        fresh = bg.GLMM("y ~ x + (1 | g)", data.assign(y=other)).fit(method)
        assert again.loglik == pytest.approx(fresh.loglik, abs=1e-9)
        np.testing.assert_allclose(again.coefficients, fresh.coefficients, rtol=1e-5)


def test_what_the_methods_are_not_for_is_said() -> None:
    model = bg.GLMM("mated ~ 0 + cross + (1 | female)", bg.load_dataset("salamander"), family="bernoulli")
    with pytest.raises(
        bg.SpecificationError, match=r"'reml' is for gaussian responses with the identity link.*bernoulli"
    ):
        model.fit("reml")
    exact = frame().assign(y=lambda d: 1.0 + 2.0 * d["x"])
    with pytest.raises(bg.FitError, match="sigma goes to 0"):
        bg.GLMM("y ~ x + (1 | g)", exact).fit("ml")
