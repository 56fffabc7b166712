"""Preconditioned coordinates: the map and its adjoint, how nearly normal they are, and what is left without them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from support.models import make_density
from support.posteriors import quiet_model

from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.preconditioner import fit, tails
from bayesglmm.bayes.preconditioner.affine import affine_density, affine_draws
from bayesglmm.bayes.preconditioner.arrow import pull_back
from bayesglmm.bayes.preconditioner.fit import precondition
from bayesglmm.bayes.verdict import VerdictStatus
from bayesglmm.density import JointDensity
from bayesglmm.density.native import native_density
from bayesglmm.engine.penalised import PenalisedMarginal
from bayesglmm.priors.transforms import SHORT_LOG, to_value

MODELS = {
    "one factor": ("hits ~ x0 + (1 | a)", "bernoulli"),
    "slopes": ("count ~ x0 + (1 + x0 | a)", "poisson"),
    "independent slopes": ("count ~ x0 + (1 + x0 || a)", "poisson"),
    "crossed": ("count ~ x0 + (1 + x1 | a) + (1 | c)", "poisson"),
    "nested": ("count ~ x0 + (1 | a/b)", "poisson"),
    "nested and crossed": ("normal ~ x0 + (1 | a/b) + (1 + x0 | c)", "gaussian"),
    "nested slopes": ("count ~ x0 + (1 + x1 | a/b)", "poisson"),
    "no groups": ("count ~ x0 + cell", "poisson"),
    "no coefficients": ("count ~ 0 + (1 | a)", "poisson"),
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def density(request) -> JointDensity:
    formula, family = request.param
    return make_density(formula.replace("hits", "success"), family=family)


def linear_part(arrow, size: int) -> np.ndarray:
    moved = affine_draws(arrow, np.vstack([np.zeros(size), np.eye(size)]))
    np.testing.assert_allclose(moved[0], arrow.center, atol=1e-12)
    return (moved[1:] - moved[0]).T


def test_the_gradient_goes_through_the_transposed_map(density):
    found = precondition(density)
    assert found.arrow is not None
    A = linear_part(found.arrow, density.size)
    v = np.random.default_rng(1).normal(size=density.size)
    value, gradient = affine_density(found.arrow, native_density(found.density)).evaluator()(v)
    x = found.arrow.center + A @ v
    assert value == pytest.approx(found.density(x), abs=1e-8)
    np.testing.assert_allclose(gradient, A.T @ found.density.gradient(x), rtol=1e-8, atol=1e-8)


def test_the_effects_are_standard_normal_to_second_order(density):
    found = precondition(density)
    head = len(found.arrow.root)
    A = linear_part(found.arrow, density.size)
    H = np.empty((density.size, density.size))
    for k, e in enumerate(np.eye(density.size) * 1e-4):
        low = found.density.gradient(found.arrow.center - e).copy()
        H[:, k] = (low - found.density.gradient(found.arrow.center + e)) / 2e-4
    of_effects = (A.T @ H @ A)[head:, head:]
    np.testing.assert_allclose(of_effects, np.eye(len(of_effects)), atol=1e-5)


def test_couplings_with_neighbours_are_those_with_any():
    """Every person answers every item, and some levels a part of them: couplings in a row, with gaps, and few."""
    rng = np.random.default_rng(4)
    person, item = np.repeat(np.arange(30), 11), np.tile(np.arange(11), 30)
    kept = ~((person % 3 == 1) & (item % 4 == 2)) & ~((person % 3 == 2) & (item > 4))
    data = pd.DataFrame({"y": rng.integers(0, 2, 330), "person": person, "item": item})[kept]
    found = precondition(make_density("y ~ 1 + (1 | person) + (1 | item)", data, family="bernoulli"))
    arrow = found.arrow
    lengths = np.diff(arrow.starts)
    spans = arrow.meets[arrow.starts[1:] - 1] - arrow.meets[arrow.starts[:-1]] + 1
    assert {(n >= 8, n == span) for n, span in zip(lengths, spans, strict=True)} >= {(True, True), (True, False)}
    d, R = len(arrow.root), len(arrow.tail)
    Y = np.zeros((len(arrow.chain), R))
    for i, (first, last) in enumerate(pairwise(arrow.starts)):
        Y[i, arrow.meets[first:last]] = arrow.couplings[first:last]
    z = rng.normal(size=R)
    v = np.zeros(found.density.size)
    v[d + arrow.tail] = np.linalg.solve(arrow.tail_inverse.T.astype(float), z)
    moved = affine_draws(arrow, v[None])[0] - arrow.center
    np.testing.assert_allclose(moved[d + arrow.chain], -Y @ z, rtol=1e-10, atol=1e-12)
    g = rng.normal(size=found.density.size)
    A = linear_part(arrow, found.density.size)
    out = np.empty(found.density.size)
    pull_back(g.copy(), arrow.arrays, out, np.empty(R))  # register_jitable leaves the function plain Python
    np.testing.assert_allclose(out, A.T @ g, rtol=1e-10, atol=1e-10)
    slope = found.density.gradient(affine_draws(arrow, v[None])[0])
    compiled = affine_density(arrow, native_density(found.density)).evaluator()(v)[1]
    np.testing.assert_allclose(compiled, A.T @ slope, rtol=1e-9, atol=1e-9)


def test_short_tails_tell_how_much_narrower_a_coordinate_is():
    value, slope, *_ = to_value(SHORT_LOG, tails._WHERE_H_IS_LOG_2, 1.0, 1.0)
    assert value == pytest.approx(2.0, rel=1e-14)
    assert slope / value == pytest.approx(1.0 / tails._SHRUNK, rel=1e-14)


def test_the_penalised_fit_is_a_maximum(density):
    penalised = PenalisedMarginal.of(density.design, density.parameters)
    s = np.random.default_rng(2).normal(size=penalised.size) * 0.2
    point = penalised(s)
    numeric = [(penalised(s + e).value - penalised(s - e).value) / 2e-5 for e in np.eye(len(s)) * 1e-5]
    np.testing.assert_allclose(point.gradient, numeric, rtol=2e-5, atol=2e-5)


def test_an_affine_map_leaves_the_density_alone():
    density = make_density("count ~ x0 + (1 | a/b)", family="poisson")
    found = precondition(density, affine=True)
    assert found.density.centring.score.any() == 0.0
    x = found.arrow.center
    assert found.density(x) == density(x)


def test_a_tail_too_wide_is_said(monkeypatch):
    monkeypatch.setattr(fit, "MAX_TAIL", 1)
    model = quiet_model("count ~ x0 + (1 | a) + (1 | c)", family="poisson")
    posterior = model.sample(draws=150, chains=2, seed=1, progress=False)
    attributes = posterior.tree["sample_stats"].attrs
    assert attributes["sampler_coordinates"] == "partial centring, diagonal metric"
    assert (
        "group effects beside the largest nested factor, more than the 1 mapped at once"
        in attributes["sampler_fallback"]
    )
    (remark,) = [f for f in posterior.check().findings if f.check == "coordinates"]
    assert remark.status is VerdictStatus.CONVERGED
    assert remark.message.startswith("sampled in simpler coordinates: ")
    assert posterior.tree.attrs["tune"] == 1000


def test_a_fit_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(fit, "ascend", lambda *_arguments: None)
    target = choose_target(make_density("count ~ x0 + (1 | a)", family="poisson"))
    assert target.coordinates == "partial centring, diagonal metric"
    assert target.reason == "the penalised fit did not converge"


def test_gaussian_models_lose_their_effects_where_that_is_cheaper():
    target = choose_target(make_density("normal ~ x0 + (1 + x0 | a)"))
    assert target.coordinates.startswith("coefficients and group effects integrated out")
    assert target.native.size == 4  # two standard deviations, their correlation, sigma
    assert target.tune == 200


def test_starts_are_wider_than_the_posterior_and_repeat():
    target = choose_target(make_density("count ~ x0 + (1 | a)", family="poisson"))
    starts = np.array([target.start(seed) for seed in range(200)])
    head = 3
    assert starts[:, :head].std() == pytest.approx(2.0, rel=0.15)
    assert starts[:, head:].std() == pytest.approx(1.0, rel=0.1)
    np.testing.assert_array_equal(starts[7], target.start(7))
