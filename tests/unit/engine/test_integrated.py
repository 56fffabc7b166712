"""Linear mixed models with coefficients and group effects integrated out: the integral, its gradient, what is drawn."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats
from support.models import make_design, make_frame

from bayesglmm.density import JointDensity
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.engine.integrated.classes import Classes
from bayesglmm.engine.integrated.leaves import Leaves
from bayesglmm.errors import NotAvailableError
from bayesglmm.parameters import build_parameters
from bayesglmm.priors import Prior

FLAT = {"beta": Prior("Flat")}
ODD = {
    "sd(a, x0)": Prior("Gamma", alpha=2, beta=3, on="precision"),
    "sd(a, Intercept)": Prior("Uniform", lower=0, upper=2),
    "sigma": Prior("InverseGamma", alpha=3, beta=2, on="variance"),
    "cor": Prior("LKJ", eta=2),
}
HEAVY = {"x0": Prior("StudentT", nu=4, sigma=2), "x1": Prior("Normal", mu=1, sigma=2)}
MODELS = {
    "one term": ("normal ~ x0 + (1 | a)", {}),
    "flat coefficients": ("normal ~ x0 + x1 + (1 | a)", {"priors": FLAT}),
    "raw coefficients": ("normal ~ x0 + (1 | a)", {"priors": {"Intercept": Prior("Normal", mu=3, sigma=0.5)}}),
    "independent slopes": ("normal ~ x0 + (1 + x0 + x1 || a)", {}),
    "correlated slopes": ("normal ~ x0 + (1 + x0 | a)", {"priors": ODD}),
    "three effects, no intercept": ("normal ~ x0 + (0 + x0 + x1 + x2 | a)", {}),
    "two terms of one factor": ("normal ~ x0 + (1 + x0 | a) + (0 + x1 | a)", {}),
    "nested": ("normal ~ x0 + (1 + x0 | a/b)", {}),
    "nested, leaves of one effect": ("normal ~ x0 + (1 + x0 | a) + (1 | a:b)", {}),
    "three levels, leaves of one effect": ("normal ~ x0 + (1 + x0 | a) + (1 + x1 || a:b) + (1 | a:b:c)", {}),
    "crossed": ("normal ~ x0 + (1 | a) + (1 + x0 | b) + (1 + x1 + x2 || c)", {}),
    "everything at once": (
        "normal ~ 0 + cell + x0 + (1 + x0 | a/b) + (1 + x1 + x2 || c) + (1 | d) + (0 + x3 | d) + offset(x4)",
        {"weights": "positive"},
    ),
    "known errors": ("normal | se(positive) ~ x0 + (1 | a)", {}),
    "known errors and weights": ("normal | se(positive) ~ x0 + (1 + x0 | a)", {"weights": "exposure"}),
    "held coefficients": ("normal ~ x0 + x1 + (1 + x0 | a)", {"priors": HEAVY}),
    "held positive coefficient, crossed": (
        "normal ~ x0 + (1 | a) + (1 + x0 | b)",
        {"priors": {"x0": Prior("HalfNormal", sigma=2)}},
    ),
    "no coefficients": ("normal ~ 0 + (1 + x0 | a)", {}),
    "no groups": ("normal ~ x0 + cell", {}),
    "intercept alone": ("normal ~ 1", {"priors": FLAT}),
}
WIDE = ("normal ~ x0 + (1 | wide) + (1 + x0 | other)", {})


def build(formula: str, data=None, **options) -> tuple[JointDensity, GaussianMarginal]:
    design = make_design(formula, data, **options)
    parameters = build_parameters(design)
    return JointDensity.of(design, parameters), GaussianMarginal.of(design, parameters)


def wide_frame():
    """Return data whose tail has more than 48 effects, so that LAPACK factors it."""
    rng = np.random.default_rng(3)
    return make_frame(300).assign(wide=rng.permutation(np.arange(300) % 60), other=rng.permutation(np.arange(300) % 28))


def random_theta(marginal: GaussianMarginal, seed: int = 0) -> np.ndarray:
    return 0.5 * np.random.default_rng(seed).normal(size=marginal.size)


def conditional(joint: JointDensity, marginal: GaussianMarginal, x: np.ndarray):
    """Return positions of what is integrated out, its mean and precision given x, and the joint density's point there.

    Given the rest, the joint log density is a parabola: differences of its gradient are exact.
    """
    held = joint.layout.n_coefficients if marginal.holds_coefficients else 0
    point = np.zeros(joint.size)
    first = joint.layout.n_coefficients - held
    point[first : first + marginal.size] = x
    free = np.r_[0:first, joint.size - joint.layout.n_effects : joint.size].astype(int)
    at_zero = joint.gradient(point)[free]
    precision = np.empty((len(free), len(free)))
    for row, k in zip(precision, free, strict=True):
        moved = point.copy()
        moved[k] = 1.0
        row[:] = at_zero - joint.gradient(moved)[free]
    mean = np.linalg.solve(precision, at_zero)
    point[free] = mean
    return free, mean, 0.5 * (precision + precision.T), point


@pytest.mark.parametrize("name", MODELS)
def test_value_is_the_integral_of_the_joint_density(name):
    formula, options = MODELS[name]
    joint, marginal = build(formula, **options)
    assert_integral(joint, marginal)


def test_value_where_the_tail_is_wide():
    assert_integral(*build(WIDE[0], wide_frame()))


def assert_integral(joint: JointDensity, marginal: GaussianMarginal) -> None:
    evaluate = marginal.evaluator()
    for seed in range(3):
        x = random_theta(marginal, seed)
        free, _, precision, point = conditional(joint, marginal, x)
        expected = joint(point) + 0.5 * len(free) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(precision)[1]
        np.testing.assert_allclose(evaluate(x)[0], expected, rtol=1e-11, atol=1e-10)


def two_kinds_of_levels():
    """Return data of 48 levels, 32 seen at three times and 16 at four, so that Z' W Z takes two values."""
    lengths = [3] * 32 + [4] * 16
    level = np.repeat(np.arange(48), lengths)
    time = np.concatenate([np.arange(n) for n in lengths]).astype(float)
    return make_frame(len(level)).assign(level=level, time=time)


BALANCED = ["(1 | level)", "(1 + time | level)", "(1 + time || level)", "(1 + time + I(time**2) | level)"]


@pytest.mark.parametrize("term", BALANCED)
def test_equal_levels_are_factored_once(term, monkeypatch):
    joint, marginal = build(f"normal ~ x0 + time + {term}", two_kinds_of_levels())
    assert sorted(marginal._classes.counts) == [16, 32]
    assert_integral(joint, marginal)
    x = random_theta(marginal, 4)
    value, gradient = marginal.evaluator()(x)
    monkeypatch.setattr(GaussianMarginal, "_classes", Classes.none())
    _, one_by_one = build(f"normal ~ x0 + time + {term}", two_kinds_of_levels())
    expected, slopes = one_by_one.evaluator()(x)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("term", ["(0 + x0 | many)", "(1 + x0 | many)", "(1 + x0 + x1 || many)"])
def test_more_levels_than_a_chunk_has(term, monkeypatch):
    """600 levels are two chunks and a part of one; the same sums node by node."""
    data = make_frame(1500)
    data = data.assign(many=np.r_[np.arange(600), np.random.default_rng(5).integers(0, 600, 900)])
    _, marginal = build(f"normal ~ x0 + x1 + {term}", data)
    assert not len(marginal._classes.counts)
    x = random_theta(marginal, 2)
    value, gradient = marginal.evaluator()(x)
    completed = marginal.complete(np.stack([x, 0.5 * x]), 3)
    monkeypatch.setattr(GaussianMarginal, "_alone", False)
    _, by_node = build(f"normal ~ x0 + x1 + {term}", data)
    expected, slopes = by_node.evaluator()(x)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(completed, by_node.complete(np.stack([x, 0.5 * x]), 3), rtol=1e-10, atol=1e-12)


def test_levels_that_differ_are_taken_one_by_one():
    _, marginal = build("normal ~ x0 + (1 + x0 | a)")
    assert not len(marginal._classes.counts)


LEAVES = {
    "two levels": ("(1 + x0 | a) + (1 | a:b)", {}),
    "two levels, weights": ("(1 + x0 || a) + (1 | a:b)", {"weights": "positive"}),
    "three levels": ("(1 + x0 | a) + (1 + x1 || a:b) + (1 | a:b:c)", {}),
    "one factor": ("(1 | a) + (0 + x0 | a)", {}),
    "held coefficients": ("(1 + x0 | a) + (1 | a:b)", {"priors": {"x0": Prior("StudentT", nu=4, sigma=2)}}),
}


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_are_summed_under_their_parents(name, monkeypatch):
    terms, options = LEAVES[name]
    _, marginal = build(f"normal ~ x0 + {terms}", **options)
    assert marginal._leaves.counts.sum() == marginal.cross.pattern.depths[1, 1]
    x = random_theta(marginal, 4)
    value, gradient = marginal.evaluator()(x)
    completed = marginal.complete(x[None], 3)
    monkeypatch.setattr(GaussianMarginal, "_leaves", Leaves.none())
    _, one_by_one = build(f"normal ~ x0 + {terms}", **options)
    expected, slopes = one_by_one.evaluator()(x)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(completed, one_by_one.complete(x[None], 3), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("term", ["(1 | a:b) + (1 | c)", "(1 + x0 | a/b)", "(1 | a)"])
def test_leaves_that_are_wide_or_meet_others_are_not_summed(term):
    _, marginal = build(f"normal ~ x0 + {term}")
    assert not len(marginal._leaves.starts)


@pytest.mark.parametrize("weighted", [False, True])
def test_value_against_scipy(weighted):
    """Dense normal density of the response; a row of weight 2 is two rows."""
    priors = {
        "Intercept": Prior("Normal", mu=1, sigma=2.5),
        "x0": Prior("Normal", sigma=0.5),
        "sd(a, Intercept)": Prior("HalfNormal", sigma=2),
        "sd(a, x0)": Prior("InverseGamma", alpha=3, beta=2, on="variance"),
        "sd(b)": Prior("Exponential", lam=0.5),
        "cor": Prior("LKJ", eta=2),
        "sigma": Prior("Exponential", lam=2),
    }
    data = make_frame()
    data["times"] = 1 + np.arange(len(data)) % 3 if weighted else 1
    options = {"weights": "times"} if weighted else {}
    _, marginal = build("normal ~ x0 + (1 + x0 | a) + (1 | b)", data, priors=priors, **options)
    x = random_theta(marginal)
    sd0, variance1, sdb, sigma, c = *np.exp(x[:4]), x[4]
    r = c / np.sqrt(1 + c * c)
    rows = data.loc[data.index.repeat(data["times"])]
    X = np.column_stack([np.ones(len(rows)), rows["x0"]])
    cross = r * sd0 * np.sqrt(variance1)
    same_a = rows["a"].to_numpy()[:, None] == rows["a"].to_numpy()
    same_b = rows["b"].to_numpy()[:, None] == rows["b"].to_numpy()
    V = same_a * (X @ np.array([[sd0**2, cross], [cross, variance1]]) @ X.T) + same_b * sdb**2
    V = V + sigma**2 * np.eye(len(rows)) + X @ np.diag([2.5**2, 0.5**2]) @ X.T
    expected = (
        stats.multivariate_normal.logpdf(rows["normal"], X @ [1.0, 0.0], V)
        + (stats.halfnorm.logpdf(sd0, scale=2) + x[0])
        + (stats.invgamma.logpdf(variance1, 3, scale=2) + x[1])
        + (stats.expon.logpdf(sdb, scale=2) + x[2])
        + (stats.expon.logpdf(sigma, scale=1 / 2) + x[3])
        + (stats.beta.logpdf((r + 1) / 2, 2, 2) - np.log(2) - 1.5 * np.log1p(c * c))
    )
    np.testing.assert_allclose(marginal.evaluator()(x)[0], expected, rtol=1e-11)


def test_known_errors_against_scipy():
    data = make_frame()
    priors = {"beta": Prior("Normal", sigma=3), "sd": Prior("HalfNormal", sigma=2)}
    _, marginal = build("normal | se(positive) ~ 1 + (1 | a) + offset(x4)", data, priors=priors)
    x = np.array([-0.3])
    same = data["a"].to_numpy()[:, None] == data["a"].to_numpy()
    V = 9.0 + np.exp(2 * x[0]) * same + np.diag(data["positive"] ** 2)
    expected = stats.multivariate_normal.logpdf(data["normal"], data["x4"], V)
    expected += stats.halfnorm.logpdf(np.exp(x[0]), scale=2) + x[0]
    np.testing.assert_allclose(marginal.evaluator()(x)[0], expected, rtol=1e-12)


def richardson(f, x: np.ndarray, h: float = 2e-3) -> np.ndarray:
    """Return the gradient by central differences with one step of extrapolation, error O(h^4)."""

    def central(step: float) -> np.ndarray:
        moves = step * np.eye(len(x))
        return np.array([(f(x + move) - f(x - move)) / (2 * step) for move in moves])

    return (4 * central(h / 2) - central(h)) / 3


@pytest.mark.parametrize("name", [*MODELS, "wide tail"])
def test_gradient_against_differences(name):
    formula, options = MODELS.get(name, WIDE)
    _, marginal = build(formula, wide_frame() if name == "wide tail" else None, **options)
    evaluate = marginal.evaluator()
    x = random_theta(marginal)
    gradient = evaluate(x)[1].copy()
    numeric = richardson(lambda at: evaluate(at)[0], x)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8 * np.abs(gradient).max(initial=1.0))


@pytest.mark.parametrize("formula", ["normal ~ x0 + (1 + x0 | a)", "normal ~ x0 + (1 + x0 | a) + (1 | b)"])
def test_no_digits_are_lost_near_an_sd_of_zero(formula):
    """Where an sd vanishes, the gradient in its logarithm is that of the prior's Jacobian: 1."""
    _, marginal = build(formula)
    x = random_theta(marginal)
    x[:2] = -25.0
    gradient = marginal.evaluator()(x)[1]
    np.testing.assert_allclose(gradient[:2], 1.0, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_what_was_integrated_out_is_drawn_from_its_conditional(name):
    formula, options = MODELS[name]
    joint, marginal = build(formula, **options)
    x = random_theta(marginal)
    free, mean, precision, _ = conditional(joint, marginal, x)
    n = 4000
    draws = marginal.complete(np.tile(x, (n, 1)), seed=1)
    assert draws.shape == (n, joint.size)
    kept = np.setdiff1d(np.arange(joint.size), free)
    np.testing.assert_array_equal(draws[:, kept], np.tile(x, (n, 1)))
    white = (draws[:, free] - mean) @ np.linalg.cholesky(precision)
    # Means of n standard normal numbers, of which one swings back a third of the other, and of their products: standard
    # errors 1 / sqrt(2 n), and for squares sqrt(2.5 / n).
    assert np.abs(white.mean(axis=0)).max(initial=0.0) < 5 / np.sqrt(n)
    excess = white.T @ white / n - np.eye(len(free))
    assert np.abs(excess).max(initial=0.0) < 5 * np.sqrt(2 / n)


def test_draws_depend_on_the_seed_and_on_their_own_row():
    _, marginal = build("normal ~ x0 + (1 + x0 | a)")
    x = np.array([random_theta(marginal, seed) for seed in range(5)])
    before = x.copy()
    draws = marginal.complete(x, seed=7)
    np.testing.assert_array_equal(draws, marginal.complete(x, seed=7))
    np.testing.assert_array_equal(draws[:2], marginal.complete(x[:2], seed=7))
    assert not np.isclose(draws, marginal.complete(x, seed=8)).all()
    np.testing.assert_array_equal(x, before)


SERIES = {
    "one term": ("normal ~ x0 + (1 + x0 | a)", {}),
    "crossed": ("normal ~ x0 + (1 | a) + (1 | c)", {}),
    "leaves": ("normal ~ x0 + (1 + x0 | a) + (1 | a:b)", {}),
    "held coefficients": ("normal ~ x0 + (1 + x0 | a)", {"priors": {"x0": Prior("StudentT", nu=4, sigma=2)}}),
}


@pytest.mark.parametrize("name", SERIES)
def test_one_draw_swings_back_a_third_of_the_other(name):
    """Standard normal numbers behind the draws: an autoregressive series that is stationary from its first on."""
    formula, options = SERIES[name]
    joint, marginal = build(formula, **options)
    x = random_theta(marginal)
    free, mean, precision, _ = conditional(joint, marginal, x)
    root, n = np.linalg.cholesky(precision), 30
    series = np.array([marginal.complete(np.tile(x, (n, 1)), seed=s)[:, free] - mean for s in range(400)]) @ root
    pairs = 400 * len(free)
    for lag, expected in ((0, 1.0), (1, -1 / 3), (2, 1 / 9), (3, -1 / 27)):
        products = (series[:, lag:] * series[:, : n - lag]).mean(axis=(0, 2))
        # Of products of two standard normal numbers with correlation r: variance 1 + r^2, a mean over `pairs` of them.
        assert np.abs(products - expected).max() < 5 * np.sqrt((1 + expected**2) / pairs)
        # All positions together, which correlate by a little: half the draws are worth a whole one.
        assert abs(products.mean() - expected) < 5 * np.sqrt(2 * (1 + expected**2) / (pairs * len(products)))
    assert np.abs(series.mean(axis=(0, 2))).max() < 5 / np.sqrt(pairs)


def test_scales_and_origins_of_columns_cost_no_digits():
    """Years and millimetres: the density moves by what the scale of a flat coefficient says and by nothing else."""
    data = make_frame()
    priors = FLAT | {"sd": Prior("HalfNormal", sigma=1), "sigma": Prior("HalfNormal", sigma=1)}
    _, plain = build("normal ~ x0 + (1 | a)", data, priors=priors)
    far = data.assign(x0=1e6 * (data["x0"] + 2000.0), normal=data["normal"] + 1e6)
    _, moved = build("normal ~ x0 + (1 | a)", far, priors=priors)
    x = random_theta(plain)
    value, gradient = plain.evaluator()(x)
    other, slope = moved.evaluator()(x)
    np.testing.assert_allclose(other, value - np.log(1e6), rtol=1e-8)
    np.testing.assert_allclose(slope, gradient, rtol=1e-7)


def test_evaluators_in_threads_do_not_meet():
    _, marginal = build("normal ~ x0 + (1 + x0 | a) + (1 | b)", make_frame(400))
    points = [random_theta(marginal, seed) for seed in range(20)]
    alone = marginal.evaluator()
    expected = [(value, gradient.copy()) for value, gradient in map(alone, points)]
    barrier = threading.Barrier(2)

    def run(order: list[int]) -> list[tuple[int, float, np.ndarray]]:
        evaluate = marginal.evaluator()
        barrier.wait()
        return [(k, value, gradient.copy()) for k in order * 50 for value, gradient in [evaluate(points[k])]]

    with ThreadPoolExecutor(2) as pool:
        orders = [list(range(20)), list(reversed(range(20)))]
        results = [future.result() for future in [pool.submit(run, order) for order in orders]]
    for found in results:
        assert len(found) == 1000
        for k, value, gradient in found:
            assert value == expected[k][0]
            np.testing.assert_array_equal(gradient, expected[k][1])


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("name", ["correlated slopes", "everything at once", "held coefficients", "no groups"])
def test_far_away_is_minus_infinity_or_finite_never_nan(name, sign):
    formula, options = MODELS[name]
    _, marginal = build(formula, **options)
    for size in (30.0, 300.0, 1e4):
        value, gradient = marginal.evaluator()(np.full(marginal.size, sign * size))
        assert np.isfinite(gradient).all()
        assert np.isfinite(value) or (value == -np.inf and not gradient.any())


def test_models_that_are_not_linear_are_refused():
    with pytest.raises(NotAvailableError, match="poisson"):
        build("count ~ x0 + (1 | a)", family="poisson")
