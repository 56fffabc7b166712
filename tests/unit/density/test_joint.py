"""The compiled joint density: gradient, natural scale, threads, weights, models that lack a part."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.models import KEPT, RESPONSES, make_density, make_frame

from bayesglmm.density.native import native_density
from bayesglmm.families import FAMILIES
from bayesglmm.priors import Prior

MIXED = {"sd(a, x0)": Prior("Gamma", alpha=2, beta=3, on="precision"), "sd(a, x1)": Prior("Uniform", lower=0, upper=2)}
FLAT_TAILS = {"cor": Prior("LKJ", eta=0.5)}
MODELS = {
    "scalar": ("normal ~ x0 + x1 + (1 | a)", {}),
    "slope without intercept": ("normal ~ x0 + (0 + x0 | a)", {}),
    "independent": ("normal ~ x0 + (1 + x0 + x1 || a)", {"priors": MIXED}),
    "correlated, 2": ("normal ~ x0 + (1 + x0 | a)", {}),
    "correlated, 3": ("normal ~ x0 + (1 + x0 + x1 | a)", {"priors": MIXED | {"cor": Prior("LKJ", eta=2)}}),
    "correlated, 4, no intercept": ("normal ~ x0 + (0 + x0 + x1 + x2 + x3 | a)", {"priors": FLAT_TAILS}),
    "everything at once": (
        "normal ~ 0 + cell + x0 + (1 + x0 | a/b) + (1 + x1 + x2 || c) + (1 | d) + (0 + x3 | d) + offset(x4)",
        {"weights": "positive"},
    ),
    "known errors": ("normal | se(positive) ~ x0 + (1 | a)", {}),
    "no common part": ("normal ~ 0 + (1 + x0 | a)", {}),
    "no groups": ("normal ~ x0 + cell", {}),
    "intercept alone": ("normal ~ 1", {}),
    **{
        f"{family}, {link}": (
            f"{RESPONSES[family]} ~ x0 + (1 + x0 | a){KEPT.get(link, '')}",
            {"family": family, "link": link},
        )
        for family, record in FAMILIES.items()
        for link in record.links
    },
}


def random_x(density, seed: int = 0, spread: float = 0.5) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=density.size)


def richardson(f, x: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Return the gradient by central differences with one step of extrapolation, error O(h^4)."""

    def central(step: float) -> np.ndarray:
        moves = step * np.eye(len(x))
        return np.array([(f(x + move) - f(x - move)) / (2 * step) for move in moves])

    return (4 * central(h / 2) - central(h)) / 3


@pytest.mark.parametrize("name", MODELS)
def test_gradient_against_differences(name):
    formula, options = MODELS[name]
    density = make_density(formula, **options)
    evaluate = density.evaluator()
    x = random_x(density)
    gradient = evaluate(x)[1].copy()
    numeric = richardson(lambda at: evaluate(at)[0], x)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7 * np.abs(gradient).max())


def test_value_against_scipy():
    priors = {
        "Intercept": Prior("StudentT", nu=4, mu=1, sigma=2.5),
        "x0": Prior("Normal", sigma=0.5),
        "sd(a, Intercept)": Prior("HalfNormal", sigma=2),
        "sd(a, x0)": Prior("InverseGamma", alpha=3, beta=2, on="variance"),
        "cor": Prior("LKJ", eta=2),
        "sigma": Prior("Exponential", lam=2),
    }
    data = make_frame()
    density = make_density("normal ~ x0 + (1 + x0 | a)", data, priors=priors)
    x = random_x(density)
    beta, sd0, variance1, sigma, c, z = x[:2], np.exp(x[2]), np.exp(x[3]), np.exp(x[4]), x[5], x[6:].reshape(4, 2)
    r = c / np.sqrt(1 + c * c)
    u = np.column_stack([sd0 * z[:, 0], np.sqrt(variance1) * (r * z[:, 0] + np.sqrt(1 - r * r) * z[:, 1])])[data["a"]]
    eta = beta[0] + u[:, 0] + (beta[1] + u[:, 1]) * data["x0"]
    expected = (
        stats.norm.logpdf(data["normal"], eta, sigma).sum()
        + stats.t.logpdf(beta[0], 4, 1, 2.5)
        + stats.norm.logpdf(beta[1], 0, 0.5)
        + (stats.halfnorm.logpdf(sd0, scale=2) + x[2])
        + (stats.invgamma.logpdf(variance1, 3, scale=2) + x[3])
        + (stats.expon.logpdf(sigma, scale=1 / 2) + x[4])
        # For two effects LKJ(eta) is 2 Beta(eta, eta) - 1; dr/dc = (1 + c^2)^(-3/2).
        + (stats.beta.logpdf((r + 1) / 2, 2, 2) - np.log(2) - 1.5 * np.log1p(c * c))
        + stats.norm.logpdf(z).sum()
    )
    np.testing.assert_allclose(density(x), expected, rtol=1e-12)


def test_natural_against_numpy():
    priors = MIXED | {"sigma": Prior("Gamma", alpha=2, beta=3, on="variance"), "x1": Prior("Exponential", lam=1)}
    data = make_frame()
    density = make_density("normal ~ x0 + x1 + (1 + x0 + x1 | a) + (0 + x2 | b) + (1 | c:d)", data, priors=priors)
    layout = density.layout
    x = random_x(density, 1).reshape(1, -1) + 0.1 * np.random.default_rng(2).normal(size=(2, 3, density.size))
    natural = density.natural(x)
    centred, slopes = x[..., 0], np.stack([x[..., 1], np.exp(x[..., 2])], axis=-1)
    intercept = centred - slopes @ data[["x0", "x1"]].mean().to_numpy()
    np.testing.assert_allclose(natural.beta, np.concatenate([intercept[..., None], slopes], axis=-1), rtol=1e-13)
    sd = np.stack([np.exp(x[..., 3]), np.exp(-0.5 * x[..., 4]), 2 / (1 + np.exp(-x[..., 5]))], axis=-1)
    np.testing.assert_allclose(natural.sd[0], sd, rtol=1e-13)
    np.testing.assert_allclose(natural.sd[1][..., 0], np.exp(x[..., 6]), rtol=1e-13)
    np.testing.assert_allclose(natural.family[..., 0], np.exp(0.5 * x[..., 8]), rtol=1e-13)
    L = np.zeros((2, 3, 3, 3))
    L[..., 0, 0] = L[..., 1, 1] = L[..., 2, 2] = 1.0
    L[..., 1, 0], L[..., 2, :2] = x[..., 9], x[..., 10:12]
    L /= np.linalg.norm(L, axis=-1, keepdims=True)
    np.testing.assert_allclose(natural.cor[0], L @ np.swapaxes(L, -1, -2), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(natural.cor[1], np.ones((2, 3, 1, 1)))
    z = x[..., layout.z(0)].reshape(2, 3, 4, 3)
    np.testing.assert_allclose(natural.u[0], sd[..., None, :] * (z @ np.swapaxes(L, -1, -2)), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(natural.u[1], natural.sd[1][..., None, :] * x[..., layout.z(1)][..., None], rtol=1e-13)
    assert natural.u[2].shape == (2, 3, len(density.design.groups[2].factor.levels), 1)


def test_natural_and_density_agree():
    """Rows rebuilt from natural() have the likelihood that the density holds."""
    density = make_density("normal ~ x0 + cell + (1 + x0 | a) + (0 + x1 | b) + offset(x2)")
    design = density.design
    x, y = random_x(density, 1), random_x(density, 2)
    first_z = density.layout.n_scalars + density.layout.n_correlations
    y[:first_z] = x[:first_z]

    def log_likelihood(at: np.ndarray) -> float:
        natural = density.natural(at)
        eta = design.offset + design.X @ natural.beta
        for group, u in zip(design.groups, natural.u, strict=True):
            eta += (u[group.codes] * group.columns().T).sum(axis=1)
        return stats.norm.logpdf(design.y, eta, natural.family[..., 0]).sum()

    prior = -0.5 * (x[first_z:] @ x[first_z:] - y[first_z:] @ y[first_z:])
    difference = log_likelihood(x) - log_likelihood(y) + prior
    np.testing.assert_allclose(density(x) - density(y), difference, rtol=1e-10)


def test_evaluators_in_threads_do_not_meet():
    density = make_density("normal ~ x0 + (1 + x0 | a) + (1 | b)", make_frame(400))
    points = [random_x(density, seed) for seed in range(20)]
    alone = density.evaluator()
    expected = [(value, gradient.copy()) for value, gradient in map(alone, points)]
    barrier = threading.Barrier(2)

    def run(order: list[int]) -> list[tuple[int, float, np.ndarray]]:
        evaluate = density.evaluator()
        barrier.wait()
        found = []
        for _ in range(50):
            for k in order:
                value, gradient = evaluate(points[k])
                found.append((k, value, gradient.copy()))
        return found

    with ThreadPoolExecutor(2) as pool:
        orders = [list(range(20)), list(reversed(range(20)))]
        results = [future.result() for future in [pool.submit(run, order) for order in orders]]
    for found in results:
        assert len(found) == 1000
        for k, value, gradient in found:
            assert value == expected[k][0]
            np.testing.assert_array_equal(gradient, expected[k][1])


def test_kernel_releases_the_interpreter_lock():
    native = native_density(make_density("normal ~ x0 + (1 | a)"))
    holds_the_lock = 4  # FUNCFLAG_PYTHONAPI of ctypes
    assert not type(native.log_density.ctypes)._flags_ & holds_the_lock


def test_point_is_not_changed_and_gradient_is_the_callers():
    density = make_density("normal ~ x0 + (1 | a)")
    x = random_x(density)
    before = x.copy()
    first = density.gradient(x)
    density.gradient(x + 1)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first, density.gradient(x))
    assert density(x.tolist()) == density(x)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_repeated_rows(family):
    data = make_frame()
    data["times"] = 1 + np.arange(len(data)) % 3
    repeated = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    formula = f"{RESPONSES[family]} ~ 0 + x0 + cell + (1 + x0 | a)"
    priors = {"beta": Prior("Normal", sigma=2), "sd": Prior("HalfNormal", sigma=1)}
    dispersion = FAMILIES[family].dispersion
    priors |= {dispersion: Prior("HalfNormal", sigma=1)} if dispersion else {}
    weighted = make_density(formula, data, family=family, priors=priors, weights="times")
    longer = make_density(formula, repeated, family=family, priors=priors)
    x = random_x(weighted)
    np.testing.assert_allclose(weighted(x), longer(x), rtol=1e-12)
    np.testing.assert_allclose(weighted.gradient(x), longer.gradient(x), rtol=1e-10, atol=1e-11)


def test_unused_categories_have_no_effects():
    data = make_frame()
    used = pd.Categorical(data["a"].astype(str), categories=["9", *"3210", "8"])
    density = make_density("normal ~ 1 + (1 | a)", data.assign(a=used))
    assert density.design.groups[0].factor.levels == ("3", "2", "1", "0")
    assert density.layout.n_effects == 4
    plain = make_density("normal ~ 1 + (1 | a)", data)
    x = random_x(plain)
    reordered = x.copy()
    reordered[3:] = x[3:][::-1]
    np.testing.assert_allclose(density(reordered), plain(x), rtol=1e-14)


def test_levels_without_rows_keep_their_prior():
    data = make_frame().assign(x0=lambda d: d["x0"].where(d["a"] != 2, 0.0))
    density = make_density("normal ~ 1 + (0 + x0 | a)", data)
    x = random_x(density)
    at = density.layout.z(0).start + 2
    np.testing.assert_allclose(density.gradient(x)[at], -x[at], rtol=1e-14)


def test_no_parameters_at_all():
    data = make_frame()
    density = make_density("count ~ 0 + offset(log(exposure))", data, family="poisson")
    assert density.size == 0
    expected = stats.poisson.logpmf(data["count"], data["exposure"]).sum()
    np.testing.assert_allclose(density(np.empty(0)), expected, rtol=1e-12)
    assert density.gradient(np.empty(0)).shape == (0,)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("name", ["everything at once", "binomial, cloglog", "poisson, log", "gaussian, log"])
def test_far_away_is_minus_infinity_or_finite_never_nan(name, sign):
    formula, options = MODELS[name]
    density = make_density(formula, **options)
    for size in (30.0, 300.0, 1e4):
        x = np.full(density.size, sign * size)
        value, gradient = density.evaluator()(x)
        assert np.isfinite(value) or value == -np.inf
        assert np.isfinite(value) or not gradient.any()


def test_layout_covers_every_coordinate_once():
    density = make_density("normal ~ x0 + (1 + x0 + x1 | a) + (1 | b) + (1 + x1 | c)")
    layout = density.layout
    parts = [slice(layout.n_coefficients), slice(layout.n_scalars - 1, layout.n_scalars)]
    for t in range(3):
        parts += [layout.sds(t), layout.correlations(t), layout.z(t)]
    covered = np.concatenate([np.arange(layout.size)[part] for part in parts])
    assert sorted(covered) == list(range(layout.size))
    assert [len(range(*layout.correlations(t).indices(layout.size))) for t in range(3)] == [3, 0, 1]
