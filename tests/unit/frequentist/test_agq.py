"""Quadrature against lme4 (tests/reference/agq.csv), brute-force integration, Laplace's method and differences."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, roots_hermitenorm
from scipy.stats import binom, norm, poisson

import bayesglmm as bg
from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.quadrature.agq import AGQ
from bayesglmm.frequentist.quadrature.gauss_hermite import GaussHermite
from bayesglmm.frequentist.quadrature.likelihood import QuadratureLikelihood
from bayesglmm.frequentist.quadrature.nesting import nested_levels
from bayesglmm.frequentist.quadrature.rule import Grid
from bayesglmm.frequentist.search.optimum import OptimumStatus

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

REFERENCE = pd.read_csv(Path(__file__).parents[2] / "reference" / "agq.csv")
FITS = sorted(set(zip(REFERENCE["problem"], REFERENCE["points"], strict=True)))

# Log-likelihood of the toenail data: 200 nodes, equal to the trapezoidal rule in all digits printed.
TOENAIL_EXACT = -625.3975157


def reference(problem: str, points: int) -> pd.DataFrame:
    rows = REFERENCE[(REFERENCE["problem"] == problem) & (REFERENCE["points"] == points)]
    return rows.set_index("parameter")


@cache
def model(problem: str) -> bg.GLMM:
    first = REFERENCE[REFERENCE["problem"] == problem].iloc[0]
    return bg.GLMM(first["formula"], bg.load_dataset(first["dataset"]), family=first["family"])


@cache
def fitted(problem: str, points: int) -> bg.Fit:
    return model(problem).fit("agq", points=points)


@pytest.mark.parametrize(("problem", "points"), FITS)
def test_log_likelihood_is_that_of_lme4_or_better(problem: str, points: int) -> None:
    # lme4 stops its search for modes early, and a sum over few nodes depends on them: on toenail by month it is 1.88e-6
    # too low with 10 nodes, where the rule written out in NumPy at lme4's own estimates gives -624.0831041074, as here.
    theirs = reference(problem, points)["loglik"].iloc[0]
    assert fitted(problem, points).loglik >= theirs - 1e-6
    assert fitted(problem, points).loglik == pytest.approx(theirs, abs=3e-6)


@pytest.mark.parametrize(("problem", "points"), FITS)
def test_estimates_and_standard_errors_are_those_of_lme4(problem: str, points: int) -> None:
    fit = fitted(problem, points)
    assert fit.optimum.status is OptimumStatus.CONVERGED
    ours, theirs = fit.tidy().set_index("name"), reference(problem, points)
    assert set(ours.index) == set(theirs.index)
    for name, row in theirs.iterrows():
        assert ours.loc[name, "estimate"] == pytest.approx(row["estimate"], rel=2e-5, abs=5e-6), name
        if np.isfinite(row["std_error"]):
            assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=1e-3), name


def test_toenail_approaches_the_exact_likelihood_but_not_monotonely() -> None:
    error = {k: fitted("toenail", k).loglik - TOENAIL_EXACT for k in (5, 11, 25, 50, 100)}
    assert abs(error[100]) < 1e-7
    assert abs(error[50]) < 2e-4
    assert error[5] < 0.0 < error[11]
    estimates = fitted("toenail", 100).tidy()["estimate"].to_numpy()
    assert estimates == pytest.approx([-1.618285, -0.160771, -0.391002, -0.136790, 4.006585], abs=2e-6)


# ---- small made-up data ----------------------------------------------------------------------------------------------


@cache
def classes() -> pd.DataFrame:
    """160 pupils in 96 pairs (some alone), 32 classes and 8 schools, with responses of every kind; rows in no order."""
    rng = np.random.default_rng(1)
    n = 160
    school = np.repeat(np.arange(8), 20)
    room = np.tile(np.repeat(np.arange(4), 5), 8) + 10 * school
    x, v = rng.normal(size=n), rng.normal(size=n)
    eta = 0.3 + 0.5 * x + rng.normal(size=8)[school] + 0.8 * rng.normal(size=100)[room] + rng.normal(size=8)[school] * x
    columns = {
        "school": school,
        "room": room,
        "pair": 10 * room + np.arange(n) % 5 // 2,
        "x": x,
        "v": v,
        "weight": rng.uniform(0.5, 2.0, n),
        "passed": rng.binomial(1, expit(eta)),
        "right": rng.binomial(5, expit(eta)),
        "tasks": 5,
        "count": rng.poisson(np.exp(0.5 * eta)),
        "score": eta + rng.normal(size=n),
        "height": 3.0 + np.abs(eta + rng.normal(size=n)),
    }
    return pd.DataFrame(columns).sample(frac=1.0, random_state=2).reset_index(drop=True)


MODELS = [
    ("passed ~ x + (1 | school)", "bernoulli", "logit"),
    ("passed ~ x + (1 | room)", "bernoulli", "cauchit"),
    ("passed ~ x + (x | school)", "bernoulli", "logit"),
    ("passed ~ x + (x || school)", "bernoulli", "cloglog"),
    ("passed ~ x + (x || school) + (0 + v | school)", "bernoulli", "logit"),
    ("passed ~ x + (x + v | school)", "bernoulli", "probit"),
    ("count ~ x + (x | school)", "poisson", "log"),
    ("height ~ x + (1 | school)", "gaussian", "log"),
    ("score ~ x + (x | school)", "gaussian", "identity"),
    ("passed ~ x + (1 | school/room)", "bernoulli", "logit"),
    ("right | trials(tasks) ~ x + (1 | school/room)", "binomial", "probit"),
    ("passed ~ x + (x | school) + (1 | school:room)", "bernoulli", "logit"),
    ("height ~ x + (1 | school) + (x || room)", "gaussian", "log"),
    ("count ~ x + (x | school/room)", "poisson", "log"),
    ("passed ~ x + (1 | school/room/pair)", "bernoulli", "logit"),
]
GAUSSIAN = ["score ~ x + (x | school)", "score ~ x + (1 | school/room)", "score ~ (x | school) + (1 | room)"]


def design_of(formula: str, family: str, link: str, data: pd.DataFrame | None = None) -> Design:
    return bg.GLMM(formula, classes() if data is None else data, family=family, link=link, weights="weight").design


def likelihood_of(design: Design, estimator: AGQ | GaussHermite) -> QuadratureLikelihood:
    likelihood = estimator.prepare(design).method.likelihood
    assert isinstance(likelihood, QuadratureLikelihood)
    return likelihood


def point(likelihood: QuadratureLikelihood, seed: int = 3) -> np.ndarray:
    working = likelihood.working
    x = working.with_spread(working.start(), 0.7)
    return x + 0.1 * np.random.default_rng(seed).normal(size=len(x))


@pytest.mark.parametrize(("formula", "family", "link"), MODELS)
def test_one_point_is_laplace(formula: str, family: str, link: str) -> None:
    likelihood = likelihood_of(design_of(formula, family, link), AGQ(points=1))
    x = point(likelihood)
    value, gradient = likelihood.evaluator()(x)
    evaluate = LaplaceLikelihood.of(likelihood.working.design).evaluator()
    evaluate(x)
    laplace, its_gradient = evaluate(x)  # the search for the modes goes on where the first one stopped
    assert value == pytest.approx(laplace, abs=1e-10)
    assert gradient == pytest.approx(its_gradient, abs=1e-8)


@pytest.mark.parametrize("estimator", [AGQ(points=2), AGQ(points=5), GaussHermite(points=4)])
@pytest.mark.parametrize(("formula", "family", "link"), MODELS)
def test_gradient_is_that_of_the_value(formula: str, family: str, link: str, estimator: AGQ | GaussHermite) -> None:
    likelihood = likelihood_of(design_of(formula, family, link), estimator)
    evaluate, x = likelihood.evaluator(), point(likelihood)
    value, gradient = evaluate(x)
    assert np.isfinite(value)

    def difference(e: np.ndarray, h: float) -> float:
        a, b, c = ((evaluate(x + k * h * e)[0] - evaluate(x - k * h * e)[0]) / (2 * k * h) for k in (1, 2, 3))
        return 1.5 * a - 0.6 * b + 0.1 * c

    differences = np.array([difference(e, 5e-4) for e in np.eye(len(x))])
    assert gradient == pytest.approx(differences, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("formula", GAUSSIAN)
@pytest.mark.parametrize("points", [1, 2, 7])
def test_gaussian_responses_are_exact_at_every_number_of_points(formula: str, points: int) -> None:
    likelihood = likelihood_of(design_of(formula, "gaussian", "identity"), AGQ(points=points))
    x = point(likelihood)
    value, gradient = likelihood.evaluator()(x)
    exact, its_gradient = LaplaceLikelihood.of(likelihood.working.design).evaluator()(x)
    assert value == pytest.approx(exact, abs=1e-9)
    assert gradient == pytest.approx(its_gradient, abs=1e-7)


def test_gaussian_fit_is_maximum_likelihood() -> None:
    sleepstudy = bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy"))
    fit = sleepstudy.fit("agq", points=3)
    assert fit.loglik == pytest.approx(-875.9696722, abs=1e-6)  # lme4, ML (tests/reference/laplace.csv)
    assert fit.loglik == pytest.approx(sleepstudy.fit("laplace").loglik, abs=1e-8)


# ---- brute force -----------------------------------------------------------------------------------------------------


@cache
def tiny() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 24
    rows = {"school": np.repeat([0, 1], 12), "room": np.repeat(np.arange(4), 6), "pair": np.repeat(np.arange(8), 3)}
    rows |= {"x": rng.normal(size=n), "v": rng.normal(size=n), "passed": rng.integers(0, 2, n)}
    return pd.DataFrame(rows | {"count": rng.poisson(2.0, n), "right": rng.binomial(4, 0.6, n), "tasks": 4})


def value_at(design: Design, estimator: AGQ | GaussHermite, x: np.ndarray) -> float:
    return likelihood_of(design, estimator).evaluator()(x)[0]


def test_one_effect_against_quad() -> None:
    data = tiny()
    design = bg.GLMM("right | trials(tasks) ~ x + (1 | room)", data, family="binomial").design
    total = 0.0
    for _, rows in data.groupby("room"):

        def integrand(u: float, rows: pd.DataFrame = rows) -> float:
            p = expit(0.2 - 0.4 * rows["x"] + 1.3 * u)
            return float(np.prod(binom.pmf(rows["right"], 4, p)) * norm.pdf(u))

        total += np.log(quad(integrand, -12, 12, epsabs=0, epsrel=1e-12, limit=400)[0])
    x = np.array([0.2, -0.4, 1.3])
    assert value_at(design, AGQ(points=40), x) == pytest.approx(total, abs=1e-9)
    # Without adaptation a hundred nodes are still eight digits from it.
    assert value_at(design, GaussHermite(points=100), x) == pytest.approx(total, abs=1e-6)


def test_few_points_are_the_textbook_rule() -> None:
    """The adapted rule, written out for one effect: mode by root finding, curvature p (1 - p), physicists' nodes."""
    data = tiny()
    design = bg.GLMM("passed ~ x + (1 | room)", data, family="bernoulli").design
    nodes, weights = np.polynomial.hermite.hermgauss(3)
    total, sd = 0.0, 1.3
    for _, rows in data.groupby("room"):
        y, fixed = rows["passed"].to_numpy(), 0.2 - 0.4 * rows["x"].to_numpy()
        mode = brentq(lambda z, y=y, f=fixed: sd * (y - expit(f + sd * z)).sum() - z, -9, 9, xtol=1e-14)
        p = expit(fixed + sd * mode)
        scale = 1.0 / np.sqrt(1.0 + sd**2 * (p * (1 - p)).sum())
        z = mode + np.sqrt(2.0) * scale * nodes
        p = expit(fixed[:, None] + sd * z)
        heights = np.prod(np.where(y[:, None] == 1, p, 1 - p), axis=0) * norm.pdf(z)
        total += np.log(np.sqrt(2.0) * scale * (weights * np.exp(nodes**2) * heights).sum())
    assert value_at(design, AGQ(points=3), np.array([0.2, -0.4, sd])) == pytest.approx(total, abs=1e-11)


def test_nodes_that_are_not_adapted_are_the_textbook_rule() -> None:
    data = tiny()
    design = bg.GLMM("passed ~ x + (1 | room)", data, family="bernoulli").design
    for points in (4, 100):
        nodes, weights = np.polynomial.hermite.hermgauss(points)
        total = 0.0
        for _, rows in data.groupby("room"):
            p = expit((0.2 - 0.4 * rows["x"].to_numpy())[:, None] + 1.3 * np.sqrt(2.0) * nodes)
            y = rows["passed"].to_numpy()[:, None]
            total += np.log(weights @ np.prod(np.where(y == 1, p, 1 - p), axis=0) / np.sqrt(np.pi))
        x = np.array([0.2, -0.4, 1.3])
        assert value_at(design, GaussHermite(points=points), x) == pytest.approx(total, abs=1e-11)


def trapezium() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for N(0, 1) that are not Gauss's: equal steps, exact to rounding for analytic functions."""
    t = np.linspace(-9.0, 9.0, 91)
    return t, norm.pdf(t) * (t[1] - t[0])


def test_two_correlated_effects_against_the_trapezoidal_rule() -> None:
    data = tiny()
    design = bg.GLMM("count ~ x + (x | school)", data, family="poisson").design
    Lambda = np.array([[0.8, 0.0], [-0.3, 0.5]])
    t, w = trapezium()
    u = np.einsum("ab,bij->aij", Lambda, np.stack(np.meshgrid(t, t, indexing="ij")))
    centred = (data["x"] - data["x"].mean()).to_numpy()
    total = 0.0
    for at in data.groupby("school").indices.values():
        y, fixed, x = (
            v[at][:, None, None] for v in (data["count"].to_numpy(), 0.5 + 0.2 * data["x"].to_numpy(), centred)
        )
        heights = np.prod(poisson.pmf(y, np.exp(fixed + u[0] + u[1] * x)), axis=0)
        total += np.log(w @ heights @ w)
    x = np.array([0.5, 0.2, Lambda[0, 0], Lambda[1, 0], Lambda[1, 1]])
    assert value_at(design, AGQ(points=25), x) == pytest.approx(total, abs=1e-9)


def test_three_effects_against_a_dense_grid() -> None:
    data = tiny()
    design = bg.GLMM("passed ~ x + (x + v || school)", data, family="bernoulli", link="probit").design
    t, w = roots_hermitenorm(60)
    z = np.stack(np.meshgrid(t, t, t, indexing="ij")).reshape(3, -1) * np.array([[0.9], [0.4], [0.6]])
    weights = (w[:, None, None] * w[:, None] * w).ravel() / (2 * np.pi) ** 1.5
    total = 0.0
    for _, rows in data.groupby("school"):
        columns = np.column_stack([np.ones(len(rows)), rows["x"], rows["v"]])
        p = norm.cdf((0.1 + 0.3 * rows["x"].to_numpy())[:, None] + columns @ z)
        total += np.log(weights @ np.prod(np.where(rows["passed"].to_numpy()[:, None] == 1, p, 1 - p), axis=0))
    assert value_at(design, AGQ(points=20), np.array([0.1, 0.3, 0.9, 0.4, 0.6])) == pytest.approx(total, abs=1e-8)


def nested_by_trapezium(sds: tuple[float, float, float]) -> float:
    """Return log L of passed ~ x + (1 | school/room/pair), every integral of every group on one grid."""
    t, w = trapezium()
    u = sds[0] * t[:, None, None] + sds[1] * t[:, None] + sds[2] * t
    total = 0.0
    for _, school in tiny().groupby("school"):
        outer = np.ones(len(t))
        for _, room in school.groupby("room"):
            middle = np.ones((len(t), len(t)))
            for _, pair in room.groupby("pair"):
                inner = np.ones_like(u)
                for x, y in zip(pair["x"], pair["passed"], strict=True):
                    inner *= expit((2 * y - 1) * (0.1 + 0.3 * x + u))
                middle *= inner @ w
            outer *= middle @ w
        total += np.log(outer @ w)
    return total


def test_nested_effects_against_integrals_within_integrals() -> None:
    design = bg.GLMM("passed ~ x + (1 | school/room)", tiny(), family="bernoulli").design
    exact = nested_by_trapezium((1.1, 0.7, 0.0))
    x = np.array([0.1, 0.3, 1.1, 0.7])
    assert value_at(design, AGQ(points=25), x) == pytest.approx(exact, abs=1e-9)
    assert value_at(design, GaussHermite(points=60), x) == pytest.approx(exact, abs=1e-8)
    # One node is off, and nine are not: the test can tell.
    assert abs(value_at(design, AGQ(points=1), x) - exact) > 1e-2
    assert value_at(design, AGQ(points=9), x) == pytest.approx(exact, abs=1e-5)


def test_three_nested_levels_against_integrals_within_integrals() -> None:
    design = bg.GLMM("passed ~ x + (1 | school/room/pair)", tiny(), family="bernoulli").design
    sds = 0.9, 0.6, 0.8
    x = np.array([0.1, 0.3, *sds])
    assert value_at(design, AGQ(points=15), x) == pytest.approx(nested_by_trapezium(sds), abs=1e-8)


# ---- structure -------------------------------------------------------------------------------------------------------


def test_order_of_rows_and_of_terms_changes_nothing() -> None:
    one = design_of("passed ~ x + (x | school) + (1 | room)", "bernoulli", "logit")
    other = design_of("passed ~ x + (1 | room) + (x | school)", "bernoulli", "logit", classes().iloc[::-1])
    x = np.array([0.1, 0.4, 0.8, 0.2, 0.5, 0.7])  # beta, Lambda of school, Lambda of room
    turned = x[[0, 1, 5, 2, 3, 4]]
    # The centre of x is summed in another order.
    assert value_at(one, AGQ(points=4), x) == pytest.approx(value_at(other, AGQ(points=4), turned), abs=1e-9)


def test_two_names_of_one_grouping_are_one_level() -> None:
    data = classes().assign(again=lambda d: -d["school"])  # the same groups, numbered the other way round
    twice = design_of("passed ~ x + (1 | school) + (0 + x | again)", "bernoulli", "logit", data)
    once = design_of("passed ~ x + (x || school)", "bernoulli", "logit")
    assert [level.n_effects for level in nested_levels(twice, "agq")] == [2]
    x = np.array([0.1, 0.4, 0.8, 0.5])
    assert value_at(twice, AGQ(points=4), x) == pytest.approx(value_at(once, AGQ(points=4), x), abs=1e-10)
    # And as the outer level, where the engine finds the modes term by term.
    twice = design_of("passed ~ x + (1 | school) + (0 + x | again) + (1 | room)", "bernoulli", "logit", data)
    once = design_of("passed ~ x + (x || school) + (1 | room)", "bernoulli", "logit")
    x = np.append(x, 0.6)
    assert value_at(twice, AGQ(points=3), x) == pytest.approx(value_at(once, AGQ(points=3), x), abs=1e-10)


def test_levels_are_ordered_from_the_outside_in() -> None:
    design = design_of("passed ~ x + (1 | pair) + (1 | room) + (x | school)", "bernoulli", "logit")
    levels = nested_levels(design, "agq")
    assert [level.terms for level in levels] == [(2,), (1,), (0,)]
    assert [level.n_groups for level in levels] == [8, 32, 96]
    parents = levels[0].groups_within(levels[1])
    assert (parents[levels[1].codes] == levels[0].codes).all()


def test_grid_integrates_polynomials_exactly() -> None:
    for points in (1, 2, 9, 100):
        grid = Grid.of(points, 1)
        moments = [np.exp(grid.log_weights) @ grid.nodes[:, 0] ** k for k in range(min(2 * points, 9))]
        assert moments == pytest.approx([1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0, 0.0, 105.0][: len(moments)], abs=1e-11)
    grid = Grid.of(3, 3)
    assert grid.nodes.shape == (27, 3)
    assert np.exp(grid.log_weights) @ (grid.nodes[:, 0] ** 4 * grid.nodes[:, 2] ** 2) == pytest.approx(3.0)


@pytest.mark.parametrize("method", ["agq", "gauss_hermite"])
@pytest.mark.parametrize("points", [0, 101, 2.5, "9", True, None])
def test_points_out_of_range_are_refused_in_words(method: str, points: object) -> None:
    with pytest.raises(SpecificationError, match=r"whole number from \d to 100"):
        model("cbpp").fit(method, points=points)


def test_one_node_that_leaves_the_effects_out_is_refused() -> None:
    with pytest.raises(SpecificationError, match="from 2 to 100"):
        GaussHermite(points=1)


@pytest.mark.parametrize("method", ["agq", "gauss_hermite"])
def test_crossed_factors_are_refused_by_name(method: str) -> None:
    crossed = bg.GLMM("mated ~ cross + (1 | female) + (1 | male)", bg.load_dataset("salamander"), family="bernoulli")
    with pytest.raises(SpecificationError, match=r"female and male cross.*does not factor.*laplace.*mcml.*sample"):
        crossed.fit(method)


def test_too_many_effects_are_refused_by_name() -> None:
    many = bg.GLMM("passed ~ (x + v + weight || school)", classes(), family="bernoulli")
    with pytest.raises(SpecificationError, match=r"school has 4 effects.*Intercept, x, v, weight.*at most 3"):
        many.fit("agq")


def test_too_many_nodes_are_refused_with_a_number_that_is_not() -> None:
    nested = bg.GLMM("passed ~ (x + v || school/room)", classes(), family="bernoulli")
    with pytest.raises(SpecificationError, match=r"25 \*\* 6 nodes.*points=10 or fewer"):
        nested.fit("agq", points=25)
    assert AGQ(points=10).prepare(nested.design).design is nested.design


# ---- fits ------------------------------------------------------------------------------------------------------------


def test_fit_says_what_it_is() -> None:
    fit = fitted("cbpp", 9)
    assert fit.method == "agq"
    assert fit.label == "AGQ 9"
    assert "9 nodes" in fit.description
    assert fit.caveat == ""
    assert "1 node " in model("cbpp").fit("agq", points=1).description
    assert model("cbpp").fit("agq", points=1).caveat == model("cbpp").design.family.laplace_caveat
    assert len(fit.modes) == 15
    assert (fit.modes["std_error"] > 0.0).all()


def test_default_is_nine_points() -> None:
    assert AGQ() == AGQ(points=9)
    assert model("multicenter").fit("agq").label == "AGQ 9"


def test_nodes_that_are_not_adapted_need_many_more() -> None:
    toenail = model("toenail")
    few = toenail.fit("gauss_hermite", points=9)
    assert "not adapted" in few.description
    assert "agq" in few.caveat
    assert abs(few.loglik - TOENAIL_EXACT) > 1.0
    cbpp = model("cbpp")
    exact = fitted("cbpp", 25).loglik
    assert abs(cbpp.fit("gauss_hermite", points=9).loglik - exact) > 1e-3
    assert cbpp.fit("gauss_hermite", points=100).loglik == pytest.approx(exact, abs=1e-8)


def test_nested_fit_is_a_maximum_and_settles_as_points_are_added() -> None:
    nested = bg.GLMM("ticks ~ year + (1 | location/brood)", bg.load_dataset("grouseticks"), family="poisson")
    few, more, many = (nested.fit("agq", points=k) for k in (7, 15, 25))
    assert many.optimum.status is OptimumStatus.CONVERGED
    assert many.optimum.gradient_norm < 1e-5
    assert abs(nested.fit("laplace").loglik - many.loglik) > 0.1
    assert few.loglik == pytest.approx(many.loglik, abs=2e-3)
    assert more.loglik == pytest.approx(many.loglik, abs=1e-6)
    assert more.optimum.x == pytest.approx(many.optimum.x, abs=1e-6)


def test_variance_of_zero_is_found() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"y": np.tile([0, 1, 1, 0], 15), "x": rng.normal(size=60), "g": np.repeat(np.arange(15), 4)})
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit("agq")
    assert fit.optimum.status is OptimumStatus.BOUNDARY
    assert fit.variance_components["estimate"].tolist() == [0.0]


def test_without_group_terms_it_is_the_exact_likelihood() -> None:
    plain = bg.GLMM("passed ~ x", classes(), family="bernoulli")
    assert plain.fit("agq").loglik == pytest.approx(plain.fit("laplace").loglik, abs=1e-10)


@pytest.mark.parametrize("formula", ["passed ~ x + (1 | school)", "passed ~ x + (1 | school/room)"])
def test_refit_is_a_fit_to_the_other_response(formula: str) -> None:
    data = classes()
    other = data.assign(passed=1 - data["passed"])
    y = other["passed"].to_numpy(dtype=float)
    there = bg.GLMM(formula, data, family="bernoulli").fit("agq", points=5).refit(y)
    afresh = bg.GLMM(formula, other, family="bernoulli").fit("agq", points=5)
    assert there.loglik == pytest.approx(afresh.loglik, abs=1e-8)
    assert there.optimum.x == pytest.approx(afresh.optimum.x, abs=1e-4)
    whole = AGQ(points=5).prepare(bg.GLMM(formula, data, family="bernoulli").design).with_response(y)
    assert whole.fit().loglik == pytest.approx(afresh.loglik, abs=1e-8)


@pytest.mark.parametrize("formula", ["passed ~ x + (1 | school)", "passed ~ x + (1 | school/room)"])
def test_nodes_where_the_rows_are_impossible_have_no_share(formula: str) -> None:
    """Beyond eta = 709 a failure on the complementary log-log scale has probability 0; the gradient stays finite."""
    likelihood = likelihood_of(design_of(formula, "bernoulli", "cloglog"), GaussHermite(points=9))
    x = np.concatenate([[0.1, 0.2], np.full(likelihood.working.layout.size, 300.0)])
    value, gradient = likelihood.evaluator()(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_point_where_nothing_can_be_computed_is_minus_infinity() -> None:
    likelihood = likelihood_of(design_of("count ~ x + (1 | school)", "poisson", "log"), AGQ(points=3))
    value, gradient = likelihood.evaluator()(np.array([1e5, 0.0, 1.0]))
    assert value == -np.inf
    assert gradient.shape == (3,)
    nested = likelihood_of(design_of("count ~ x + (1 | school/room)", "poisson", "log"), AGQ(points=3))
    assert nested.evaluator()(np.array([1e5, 0.0, 1.0, 1.0]))[0] == -np.inf
