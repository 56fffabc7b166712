"""Serial effects in O(visits): against the dense recursion, gradients against differences, and their centring."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from support.models import make_density, make_frame

from bayesglmm.bayes.preconditioner.conditional import level_factors, partially_centred
from bayesglmm.covariance import AUTOREGRESSIVE
from bayesglmm.covariance.correlation import factor_of
from bayesglmm.density import JointDensity
from bayesglmm.density.centring import Centring
from bayesglmm.engine.penalised import Head, PenalisedMarginal

ALONE = "count ~ x1 + (1 | b) + ar1(0 + d | a)"
BESIDE = "count ~ x1 + ar1(0 + d | a) + (1 | a) + (1 | b)"
GAPS = "count ~ x1 + (1 | a) + ar1(0 + gappy | a)"


def centred(formula: str, seed: int = 0) -> JointDensity:
    """Return a density with random information and scores; serial effects with their intercepts where there are any."""
    data = make_frame(60)
    data["gappy"] = np.array([0, 1, 5, 12, 14])[data["d"] % 5]
    density = make_density(formula, data, family="poisson")
    none, rng = Centring.none(density.layout), np.random.default_rng(seed)
    groups = density.design.groups
    beside = none.beside.copy()
    for t, group in enumerate(groups):
        same = [p for p, g in enumerate(groups) if g.n_effects == 1 and g.name == group.name]
        if group.structure.keyword == AUTOREGRESSIVE.keyword and same:
            beside[t] = same[0]
    return density.centered(
        replace(
            none,
            information=rng.gamma(0.8, 2.0, len(none.information)),
            score=rng.normal(size=len(none.score)),
            beside=beside,
        )
    )


def head_and_effects(density: JointDensity, x: np.ndarray) -> tuple[Head, np.ndarray]:
    """Return natural values at x and the spherical effects z that the density makes of it."""
    marginal = PenalisedMarginal.of(density.design, density.parameters)
    head, natural = marginal.head(x[: marginal.size]), density.natural(x)
    z = [np.linalg.solve(Lambda, u.T).T.ravel() for Lambda, u in zip(head.Lambda, natural.u, strict=True)]
    return head, np.concatenate(z)


@pytest.mark.parametrize("formula", [ALONE, BESIDE, GAPS])
def test_effects_are_those_of_the_dense_factor(formula):
    """Without centring: u_j = sd L(rho) z_j, L from the structure's own dense form."""
    density = make_density(formula, make_frame(60).assign(gappy=lambda d: 3 * d["d"] ** 2), family="poisson")
    x = np.random.default_rng(1).normal(size=density.size)
    natural = density.natural(x)
    t = next(t for t, g in enumerate(density.design.groups) if g.structure.keyword == "ar1")
    group, layout = density.design.groups[t], density.layout
    L = factor_of(group.structure, x[layout.correlations(t)], group.n_effects)
    z = x[layout.z(t)].reshape(group.n_levels, group.n_effects)
    np.testing.assert_allclose(natural.u[t], natural.sd[t] * z @ L.T, rtol=1e-12, atol=1e-13)
    assert natural.cor[t] == pytest.approx(2 / (1 + np.exp(-x[layout.correlations(t)][0])) - 1)


@pytest.mark.parametrize("formula", [ALONE, BESIDE, GAPS])
def test_gradient_against_differences(formula):
    density = centred(formula)
    x = 0.5 * np.random.default_rng(2).normal(size=density.size)
    gradient = density.gradient(x).copy()
    # Differences of fourth order: their error of h^4 and rounding of 1e-13 / h are both near 1e-9 of the density.
    h = 1e-3
    for k in range(density.size):
        e = np.eye(density.size)[k] * h
        near, far = density(x + e) - density(x - e), density(x + 2 * e) - density(x - 2 * e)
        assert gradient[k] == pytest.approx((8 * near - far) / (12 * h), rel=1e-6, abs=1e-6), k


@pytest.mark.parametrize("formula", [ALONE, BESIDE, GAPS])
def test_centring_changes_coordinates_and_not_the_density(formula):
    """p(w) = p(z(w)) |dz/dw|, with the Jacobian by differences of the inverse map that the preconditioner uses."""
    density = centred(formula, 3)
    x = 0.5 * np.random.default_rng(4).normal(size=density.size)
    head, z = head_and_effects(density, x)
    d = density.size - len(z)

    def back(at):
        return partially_centred(density.design, head, density.centring, at)

    np.testing.assert_allclose(back(z), x[d:], rtol=1e-10, atol=1e-11)
    J = np.column_stack([(back(z + e) - back(z - e)) / 2e-3 for e in 1e-3 * np.eye(len(z))])
    plain = density.centered(Centring.none(density.layout))
    assert density(x) == pytest.approx(plain(np.concatenate([x[:d], z])) - np.linalg.slogdet(J)[1], abs=1e-7)
    # The map is affine, and its matrix for serial effects alone is the upper root of P.
    if formula == ALONE:
        K = level_factors(density.design, head, density.centring)[1]
        place = slice(density.layout.z(1).start - d, density.layout.z(1).stop - d)
        own, q = J[place, place], K.shape[1]
        for j, root in enumerate(K):
            np.testing.assert_allclose(own[j * q : (j + 1) * q, j * q : (j + 1) * q], root.T, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(K, np.triu(K))


def test_centring_makes_a_normal_likelihood_spherical():
    """With rows N(eta, 1 / weight): given sd and rho, w of serial effects and intercepts are independent N(0, 1).

    The log density in w is then exactly -w'w / 2 plus a constant, for any sd and rho, the information being the rows'.
    """
    data = make_frame(80)
    density = make_density("normal ~ 0 + (1 | a) + ar1(0 + d | a)", data, priors=None)
    design, layout = density.design, density.layout
    intercepts, serial = design.groups
    sigma = 1.3
    none = Centring.none(layout)
    counts = np.array([np.bincount(serial.codes, column, serial.n_levels) for column in serial.slopes]).T
    sums = np.array([np.bincount(serial.codes, column * design.y, serial.n_levels) for column in serial.slopes]).T
    information = np.concatenate([np.zeros(intercepts.size), counts.ravel() / sigma**2])
    score = np.concatenate([np.zeros(intercepts.size), sums.ravel() / sigma**2])
    exact = density.centered(Centring(information, score, none.nesting, np.array([-1, 0])))
    rng = np.random.default_rng(5)
    d = layout.size - layout.n_effects
    for _ in range(3):
        x = rng.normal(size=layout.size)
        x[2] = np.log(sigma)  # the coordinate of sigma
        differences = []
        for _ in range(3):
            x[d:] = rng.normal(size=layout.n_effects)
            differences.append(exact(x) + 0.5 * x[d:] @ x[d:])
        assert np.ptp(differences) < 1e-9
        moved = exact.gradient(x)[d:]
        np.testing.assert_allclose(moved, -x[d:], atol=1e-9)


@pytest.mark.parametrize("x_rho", [-34.0, 34.0])
def test_at_the_bounds_of_rho_and_at_no_spread_the_density_is_finite(x_rho):
    density = centred(BESIDE)
    x = np.zeros(density.size)
    x[density.layout.correlations(0)] = x_rho
    x[density.layout.sds(0)] = -700.0
    value, gradient = density.evaluator()(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_cost_is_proportional_to_the_number_of_visits():
    """Eight times the visits of a group take some eight times as long; q x q blocks would take 64 to 512 times."""

    def seconds(visits: int) -> float:
        rows = 40 * visits
        data = make_frame(rows).assign(subject=np.arange(rows) % 40, visit=np.arange(rows) // 40)
        density = make_density("normal ~ x1 + ar1(0 + visit | subject)", data)
        evaluate, x = density.evaluator(), np.zeros(density.size)
        times = []
        for _ in range(30):
            started = time.perf_counter()
            evaluate(x)
            times.append(time.perf_counter() - started)
        return min(times)

    # Twice the proportion leaves room for a busy machine.
    assert seconds(160) < 16 * seconds(20)
