"""Simulated maximum likelihood: against exact integrals and other programs, its gradient, and its own error."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.search.optimum import OptimumStatus
from bayesglmm.frequentist.simulation.importance import SimulatedLikelihood
from bayesglmm.frequentist.simulation.partition import Partition
from bayesglmm.frequentist.simulation.placement import AroundModes, FromPrior
from bayesglmm.frequentist.simulation.points import standard_draws
from bayesglmm.frequentist.simulation.weights import effective_sizes, pareto_shape

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FOLDER = Path(__file__).parents[2] / "reference"
IMPORTANCE = pd.read_csv(FOLDER / "importance_sampling.csv")
EXPERIMENTS = pd.read_csv(FOLDER / "mcml.csv")
QUADRATURE = pd.read_csv(FOLDER / "agq.csv")

SALAMANDER = "mated ~ 0 + cross + (1 | female) + (1 | male)"
CBPP = "incidence | trials(size) ~ period + (1 | herd)"


def salamander(experiment: int | None = None) -> bg.GLMM:
    data = bg.load_dataset("salamander")
    if experiment is not None:
        data = data[data["experiment"].astype(str) == str(experiment)]
    return bg.GLMM(SALAMANDER, data, family="bernoulli")


@cache
def salamander_fit(seed: int) -> bg.Fit:
    return salamander().fit("mcml", seed=seed)


def estimates(fit: bg.Fit) -> pd.DataFrame:
    """Return estimate, std_error and Monte Carlo error by name."""
    table = fit.tidy().set_index("name")[["estimate", "std_error"]]
    assert fit.simulation is not None
    return table.assign(mc=pd.Series(fit.simulation.mc_std_errors))


def simulated(model: bg.GLMM, prior: bool, df: float, mirrored: tuple[int, ...] = ()) -> SimulatedLikelihood:
    laplace = LaplaceLikelihood.of(model.design)
    partition = Partition.of(laplace.marginal.rows.effects)
    draws = standard_draws(partition, df, 16, 32, seed=5)
    if mirrored:
        draws = draws.mirrored(np.isin(partition.effects, mirrored))
    rule = FromPrior if prior else AroundModes
    return SimulatedLikelihood(laplace, partition, rule(laplace.marginal, partition), draws)


def poisson_model() -> bg.GLMM:
    rng = np.random.default_rng(11)
    g, x = np.repeat(np.arange(15), 6), rng.normal(size=90)
    u = rng.multivariate_normal([0, 0], [[0.5, 0.2], [0.2, 0.3]], 15)
    y = rng.poisson(np.exp(0.5 + u[g, 0] + (0.3 + u[g, 1]) * x))
    return bg.GLMM("y ~ x + (1 + x | g)", pd.DataFrame({"y": y, "x": x, "g": g.astype(str)}), family="poisson")


def gaussian_model(link: str = "identity") -> bg.GLMM:
    data = bg.load_dataset("sleepstudy")
    return bg.GLMM("reaction ~ days + (1 + days | subject)", data, link=link)


# The simulated log-likelihood ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [salamander, poisson_model, gaussian_model], ids=["crossed", "poisson", "gaussian"])
@pytest.mark.parametrize(("prior", "df"), [(False, 8.0), (False, math.inf), (True, math.inf)])
def test_gradient_is_that_of_the_simulated_value(model, prior: bool, df: float) -> None:
    likelihood = simulated(model(), prior, df)
    x = 1.05 * model().fit("laplace").optimum.x + 0.01
    evaluate = likelihood.evaluator()
    value, gradient = evaluate(x)
    assert np.isfinite(value)
    for k in range(len(x)):
        h = 1e-4 * max(1.0, abs(x[k]))
        e = np.zeros(len(x))
        e[k] = h
        near = 8.0 * (evaluate(x + e)[0] - evaluate(x - e)[0])
        slope = (near - (evaluate(x + 2 * e)[0] - evaluate(x - 2 * e)[0])) / (12.0 * h)
        assert gradient[k] == pytest.approx(slope, rel=1e-7, abs=1e-6), k


def test_gradient_of_a_density_that_is_not_concave() -> None:
    model = gaussian_model("log")
    x = model.fit("laplace").optimum.x
    evaluate = simulated(model, False, 8.0).evaluator()
    _, gradient = evaluate(x)
    e = np.zeros(len(x))
    e[-1] = 1e-4
    assert gradient[-1] == pytest.approx((evaluate(x + e)[0] - evaluate(x - e)[0]) / 2e-4, rel=1e-5, abs=1e-4)


def test_normal_draws_are_exact_for_gaussian_responses_at_any_parameters() -> None:
    model = gaussian_model()
    likelihood = simulated(model, False, math.inf)
    for scale in (1.0, 0.6, 1.7):
        x = scale * model.fit("laplace").optimum.x
        value, gradient = likelihood.evaluator()(x)
        exact, slope = likelihood.laplace.evaluator()(x)
        assert value == pytest.approx(exact, abs=1e-9)
        assert gradient == pytest.approx(slope, rel=1e-8, abs=1e-8)


def test_value_is_the_integral() -> None:
    """One binomial group, by the trapezoidal rule."""
    data = pd.DataFrame({"y": [3, 9], "n": [10, 10], "g": ["a", "b"]})
    model = bg.GLMM("y | trials(n) ~ 1 + (1 | g)", data, family="binomial")
    z = np.linspace(-12.0, 12.0, 20001)
    exact = 0.0
    for y, n in zip(data["y"], data["n"], strict=True):
        density = stats.binom.pmf(y, n, 1.0 / (1.0 + np.exp(-(0.2 + 1.3 * z)))) * stats.norm.pdf(z)
        exact += math.log(np.trapezoid(density, z))
    likelihood = simulated(model, False, 8.0)
    x = np.array([0.2, 1.3])
    spread = likelihood.replicates(x).loglik
    se = math.sqrt((spread**2).sum() / (16 * 15))
    assert se < 0.01
    assert abs(likelihood.evaluator()(x)[0] - exact) < 4 * se


def test_mirrored_draws_make_the_log_likelihood_even() -> None:
    model = salamander(1)
    females = tuple(range(model.design.groups[0].n_levels))
    x = np.array([1.3, 0.9, -1.6, 1.2, 0.3, 0.5])
    reflected = x * np.array([1, 1, 1, 1, -1, 1])
    even = simulated(model, False, 8.0, females).evaluator()
    assert even(x)[0] == pytest.approx(even(reflected)[0], abs=1e-9)
    x[4] = 0.0
    assert even(x)[1][4] == pytest.approx(0.0, abs=1e-9)
    plain = simulated(model, False, 8.0).evaluator()
    assert abs(plain(x)[1][4]) > 1e-3  # so that the test above says something


# Blocks, draws, weights ---------------------------------------------------------------------------------------------


def test_blocks_are_what_the_data_connect() -> None:
    model = salamander()
    partition = Partition.of(LaplaceLikelihood.of(model.design).marginal.rows.effects)
    assert partition.sizes.tolist() == [20] * 6
    blocks = bg.load_dataset("salamander")["block"].to_numpy()
    assert pd.crosstab(blocks[partition.rows], partition.row_blocks).gt(0).sum(axis=1).tolist() == [1] * 6
    nested = pd.DataFrame({"y": np.arange(24.0) % 5, "a": np.repeat(list("uvw"), 8), "b": np.tile(list("pqrs"), 6)})
    for formula, sizes in (
        ("y ~ 1 + (1 | a / b)", [5, 5, 5]),
        ("y ~ 1 + (1 | a) + (1 | b)", [7]),
        ("y ~ 1 + (1 | b)", [1] * 4),
    ):
        effects = LaplaceLikelihood.of(bg.GLMM(formula, nested).design).marginal.rows.effects
        assert sorted(Partition.of(effects).sizes.tolist()) == sizes, formula


@pytest.mark.parametrize("df", [3.0, 8.0, math.inf])
def test_draws_have_the_density_they_say(df: float) -> None:
    partition = Partition.of(LaplaceLikelihood.of(salamander(1).design).marginal.rows.effects)
    draws = standard_draws(partition, df, 4, 64, seed=2)
    t = draws.t[:20]
    law = stats.multivariate_normal(np.zeros(20)) if math.isinf(df) else stats.multivariate_t(np.zeros(20), df=df)
    assert draws.base[0] == pytest.approx(-10.0 * math.log(2 * math.pi) - law.logpdf(t.T), abs=1e-9)
    # Each coordinate follows the t: Kolmogorov-Smirnov over all draws of a net that fills the line evenly.
    one = stats.norm if math.isinf(df) else stats.t(df)
    assert max(stats.kstest(row, one.cdf).statistic for row in t) < 0.1
    # Different blocks and different scramblings are different draws.
    assert len(np.unique(draws.t.round(12))) == draws.t.size


def test_weights_that_tell_of_trouble() -> None:
    assert effective_sizes(np.zeros((2, 50))) == pytest.approx([50.0, 50.0])
    assert effective_sizes(np.array([[0.0, -800.0, -900.0]])) == pytest.approx([1.0])
    assert pareto_shape(np.full(1000, -3.0)) == -np.inf
    for k in (0.2, 0.9):
        weights = stats.genpareto(k).ppf((np.arange(20000) + 0.5) / 20000)
        assert pareto_shape(np.log(weights)) == pytest.approx(k, abs=0.08)
    assert pareto_shape(np.arange(1000.0) * 10.0) > 0.7


# Fits ---------------------------------------------------------------------------------------------------------------


def test_salamander_is_the_exact_maximum() -> None:
    """Reference: importance_sampling.csv, whose two seeds agree to 0.0005."""
    theirs = IMPORTANCE[IMPORTANCE["problem"] == "salamander"].groupby("parameter")[["estimate", "std_error", "loglik"]]
    theirs = theirs.mean()
    fit = salamander_fit(1)
    ours = estimates(fit)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    assert ours["mc"].max() < 0.0025
    for name, row in theirs.iterrows():
        allowed = 4 * math.hypot(ours.loc[name, "mc"], 5e-4)
        assert abs(ours.loc[name, "estimate"] - row["estimate"]) < allowed, name
        assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=0.01), name
    variances = ours.loc[["sd(female)", "sd(male)"], "estimate"].to_numpy() ** 2
    assert variances == pytest.approx([1.386, 1.239], abs=0.005)
    assert fit.simulation.loglik_mc_se <= 0.01
    assert abs(fit.loglik - theirs["loglik"].iloc[0]) < 4 * math.hypot(fit.simulation.loglik_mc_se, 0.002)


def test_two_seeds_agree_within_their_own_errors() -> None:
    a, b = estimates(salamander_fit(1)), estimates(salamander_fit(2))
    z = (a["estimate"] - b["estimate"]) / np.hypot(a["mc"], b["mc"])
    assert z.abs().max() < 4.0
    assert z.abs().max() > 0.0
    first, second = salamander_fit(1), salamander_fit(2)
    joint = math.hypot(first.simulation.loglik_mc_se, second.simulation.loglik_mc_se)
    assert abs(first.loglik - second.loglik) < 4 * joint


def test_the_same_seed_gives_the_same_fit_and_a_fresh_one_is_recorded() -> None:
    model = bg.GLMM(CBPP, bg.load_dataset("cbpp"), family="binomial")
    fresh = model.fit("mcml")
    again = model.fit("mcml", seed=fresh.simulation.seed)
    assert np.array_equal(fresh.optimum.x, again.optimum.x)
    assert fresh.loglik == again.loglik
    assert f"seed {fresh.simulation.seed}" in "\n".join(fresh.notes)


@pytest.mark.parametrize(("problem", "points"), [("cbpp", 25), ("bacteria", 25), ("toenail", 100)])
def test_single_factors_are_what_quadrature_gives(problem: str, points: int) -> None:
    rows = QUADRATURE[(QUADRATURE["problem"] == problem) & (QUADRATURE["points"] == points)].set_index("parameter")
    first = rows.iloc[0]
    fit = bg.GLMM(first["formula"], bg.load_dataset(first["dataset"]), family=first["family"]).fit("mcml", seed=4)
    ours = estimates(fit)
    assert fit.converged
    assert (ours["mc"] <= 0.005 * ours["std_error"]).all()
    for name, row in rows.iterrows():
        # lme4's own search ends within about 1e-5 of the maximum.
        assert abs(ours.loc[name, "estimate"] - row["estimate"]) < 4 * ours.loc[name, "mc"] + 2e-5, name
        if np.isfinite(row["std_error"]):
            assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=5e-3), name
    assert abs(fit.loglik - first["loglik"]) < 4 * fit.simulation.loglik_mc_se


@pytest.mark.parametrize("problem", sorted(EXPERIMENTS["problem"].unique()))
def test_salamander_by_experiment(problem: str) -> None:
    theirs = EXPERIMENTS[EXPERIMENTS["problem"] == problem].set_index("parameter")
    fit = salamander(int(theirs["experiment"].iloc[0])).fit("mcml", seed=1)
    ours = estimates(fit)
    assert fit.converged
    for name, row in theirs.iterrows():
        at = ours.loc[name.replace("var(", "sd(")]
        if name.startswith("var("):
            sd, error = at["estimate"], 2 * at["estimate"] * at["mc"]
            assert abs(sd**2 - row["estimate"]) < 4 * error + 0.006, name
            assert 2 * sd * at["std_error"] == pytest.approx(row["std_error"], rel=0.02), name
        else:
            assert abs(at["estimate"] - row["estimate"]) < 4 * at["mc"] + 0.002, name
            assert at["std_error"] == pytest.approx(row["std_error"], rel=0.01), name
    assert fit.loglik == pytest.approx(theirs["loglik"].iloc[0], abs=4 * 0.01)


@pytest.mark.parametrize("df", [8.0, math.inf])
def test_gaussian_responses_give_maximum_likelihood(df: float) -> None:
    exact = gaussian_model().fit("laplace")
    fit = gaussian_model().fit("mcml", seed=1, df=df)
    table = estimates(fit)
    assert table["estimate"].to_numpy() == pytest.approx(exact.tidy()["estimate"].to_numpy(), rel=1e-6)
    assert table["std_error"].to_numpy() == pytest.approx(exact.tidy()["std_error"].to_numpy(), rel=1e-4)
    # Weights of all draws move together with the parameters: no Monte Carlo error is left in the estimates.
    assert (table["mc"] < 1e-6 * table["std_error"]).all()
    assert abs(fit.loglik - exact.loglik) < 4 * fit.simulation.loglik_mc_se + 1e-9
    assert (fit.simulation.loglik_mc_se < 1e-9) == math.isinf(df)


def test_modes_are_the_conditional_modes_at_the_estimates() -> None:
    fit = salamander_fit(1)
    assert len(fit.modes) == 120
    laplace = LaplaceLikelihood.of(salamander().design)
    assert fit.modes["mode"].to_numpy() == pytest.approx(laplace.modes(fit.optimum.x)["mode"].to_numpy(), abs=1e-8)
    assert fit.method == "mcml"
    assert fit.heading == "MCML (se)"
    assert fit.estimand == "conditional"


def test_a_variance_of_zero_is_pinned_and_said() -> None:
    data = pd.DataFrame({"y": np.tile([0, 1, 0, 1, 1, 0], 12), "g": np.repeat(np.arange(12), 6).astype(str)})
    data["x"] = np.random.default_rng(1).normal(size=72)
    model = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli")
    fit = model.fit("mcml", seed=3)
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert fit.variance_components.loc["sd(g)", "estimate"] == 0.0
    assert any("sd(g) is estimated as 0" in note for note in fit.notes)
    laplace = model.fit("laplace")  # without group effects both are the logistic regression
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(
        laplace.coefficients["estimate"].to_numpy(), abs=1e-6
    )
    assert abs(fit.loglik - laplace.loglik) < 4 * fit.simulation.loglik_mc_se


def test_refit_of_the_same_response_is_the_same_fit() -> None:
    fit = salamander_fit(1)
    again = fit.refit(fit.design.y)
    assert again.optimum.x == pytest.approx(fit.optimum.x, abs=1e-5)
    flipped = fit.refit(1.0 - fit.design.y)
    a, b = estimates(fit), estimates(flipped)
    signs = np.array([-1, -1, -1, -1, 1, 1])
    assert (b["estimate"] * signs - a["estimate"]).abs().max() < 0.01


def test_no_group_effects_leave_nothing_to_simulate() -> None:
    model = bg.GLMM("mated ~ 0 + cross", bg.load_dataset("salamander"), family="bernoulli")
    fit = model.fit("mcml")
    assert fit.loglik == pytest.approx(model.fit("laplace").loglik, abs=1e-9)
    assert fit.method == "mcml"
    assert fit.simulation is None


# What is said of a simulation that is too coarse --------------------------------------------------------------------


def test_draws_from_the_prior_fail_and_say_so() -> None:
    fit = salamander().fit("mcml", proposal="prior", seed=1, max_draws=2048)
    simulation, words = fit.simulation, "\n".join(fit.notes)
    assert simulation.worst_effective_size < 20
    assert simulation.worst_shape > 0.7
    assert fit.optimum.status is OptimumStatus.UNCERTAIN
    assert not fit.converged
    assert "drawn from the prior" in words
    assert "Few draws carry the weight" in words
    around = salamander_fit(1).simulation
    assert simulation.ratio > 20 * around.ratio
    assert around.worst_effective_size > 0.2 * around.loglik_draws


def test_draws_from_the_prior_suffice_where_the_data_say_little() -> None:
    model = bg.GLMM(CBPP, bg.load_dataset("cbpp"), family="binomial")
    fit, exact = model.fit("mcml", proposal="prior", seed=1), QUADRATURE.query("problem == 'cbpp' and points == 25")
    ours = estimates(fit)
    assert fit.converged
    for name, estimate in zip(exact["parameter"], exact["estimate"], strict=True):
        assert abs(ours.loc[name, "estimate"] - estimate) < 4 * ours.loc[name, "mc"], name
    assert fit.simulation.worst_effective_size < 0.5 * fit.simulation.loglik_draws


def test_too_few_draws_are_said_with_the_error_they_leave() -> None:
    fit = salamander().fit("mcml", seed=1, draws=300, max_draws=600, tolerance=0.001)
    assert fit.simulation.draws == 512  # a power of 2 that is not above max_draws
    assert fit.optimum.status is OptimumStatus.UNCERTAIN
    words = "\n".join(fit.notes)
    assert "max_draws is 600" in words
    assert "0.1% was asked for" in words
    assert fit.simulation.ratio > 0.001


def test_a_block_too_wide_is_refused() -> None:
    rng = np.random.default_rng(1)
    codes = rng.permuted(np.tile(np.arange(300), (2, 4)), axis=1)
    data = pd.DataFrame({"y": rng.integers(0, 2, 1200), "a": codes[0].astype(str), "b": codes[1].astype(str)})
    model = bg.GLMM("y ~ 1 + (1 | a) + (1 | b)", data, family="bernoulli")
    with pytest.raises(FitError, match=r"connect 600 group effects in one block, more than the 500.*laplace"):
        model.fit("mcml")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 100}, "draws is 100; give a whole number of 256 or more"),
        ({"draws": 1000.5}, "draws is 1000.5"),
        ({"draws": True}, "draws is True"),
        ({"draws": 4096, "max_draws": 1024}, "max_draws is 1024, below draws"),
        ({"tolerance": 0.0}, "tolerance is 0.0; give a fraction of a standard error between 0 and 1"),
        ({"tolerance": math.nan}, "tolerance is nan"),
        ({"seed": -1}, "seed is -1; give a whole number of 0 or more"),
        ({"df": 0.5}, "df is 0.5; give degrees of freedom of 1 or more"),
        ({"proposal": "modes"}, "Did you mean 'mode'"),
        ({"proposal": "importance"}, "Choose 'mode' or 'prior'"),
        ({"df": "8", "seed": "1"}, "df is '8'.*seed is '1'"),
    ],
)
def test_options_out_of_range(options: dict[str, object], words: str) -> None:
    with pytest.raises(SpecificationError, match=words):
        salamander().fit("mcml", **options)


@pytest.mark.slow
def test_the_monte_carlo_error_that_is_reported_is_the_one_there_is() -> None:
    """Spread over 30 seeds with few draws, against the mean reported error."""
    model = salamander()
    fits = [model.fit("mcml", seed=seed, draws=1024, max_draws=1024, tolerance=0.5) for seed in range(30)]
    spread = np.std([fit.tidy()["estimate"] for fit in fits], axis=0, ddof=1)
    reported = np.sqrt(np.mean([np.square(list(fit.simulation.mc_std_errors.values())) for fit in fits], axis=0))
    ratio = spread / reported
    assert (ratio < 2.0).all(), ratio
    assert (ratio > 0.5).all(), ratio
    loglik = np.std([fit.loglik for fit in fits], ddof=1) / np.mean([fit.simulation.loglik_mc_se for fit in fits])
    assert 0.5 < loglik < 2.0
