"""NUTS itself: its integrator is reversible and keeps volume, and its draws have the density they should have."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from bayesglmm.bayes.hamiltonian import run_chains
from bayesglmm.bayes.hamiltonian.adaptation import averaged_step, learn_point, learn_step, rescale, step_memory
from bayesglmm.bayes.hamiltonian.leap import END_G, END_P, END_Q, leap
from bayesglmm.bayes.hamiltonian.swing import _steps, swing
from bayesglmm.bayes.hamiltonian.trajectory import GRADIENT, LOG_DENSITY, POSITION, work_of
from bayesglmm.bayes.preconditioner.affine import call_density
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.density.native import LOG_DENSITY as SIGNATURE
from bayesglmm.density.native import NativeDensity, compile_expand


@nb.cfunc(SIGNATURE, nopython=True)
def skewed(n, q_, gradient_, value_, data_):
    """Return log of Gamma(2) variables; the first two coordinates are a funnel, N(0, 1) and N(0, exp(x0 / 2))."""
    q, gradient, value = nb.carray(q_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
    precision = math.exp(-0.5 * q[0])
    value[0] = -0.5 * q[0] * q[0] - 0.5 * precision * q[1] * q[1] - 0.25 * q[0]
    gradient[0] = -q[0] + 0.25 * precision * q[1] * q[1] - 0.25
    gradient[1] = -precision * q[1]
    for k in range(2, n):
        e = math.exp(q[k])
        value[0] += 2.0 * q[k] - e
        gradient[k] = 2.0 - e
    return 0


def native(size: int) -> NativeDensity:
    return NativeDensity(skewed, compile_expand(), np.zeros((1, 3), dtype=np.int64), (), size)


@nb.njit
def leaps(address, place, move, end, count):
    value = np.empty(1)
    total = 0.0
    for _ in range(count):
        log_density, kinetic = leap((address, np.uint64(0)), place, move, end, value)
        total = kinetic - log_density
    return total


def at(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    end = np.zeros((3, len(q)))
    end[END_Q], end[END_P] = q, p
    end[END_G] = native(len(q)).evaluator()(q)[1]
    return end


PLACE = np.array([[0.1, -0.3, 0.4, 0.2], [1.1, 0.8, 0.6, 0.7]])
Q, P = np.array([0.3, -0.2, 0.9, -0.5]), np.array([0.5, 1.1, -0.7, 0.2])


BOTH_WAYS = pytest.mark.parametrize("way", [pytest.param(1.0, id="round"), pytest.param(0.0, id="straight")])


@BOTH_WAYS
def test_a_trajectory_comes_back_the_way_it_went(way):
    end = at(Q, P)
    leaps(skewed.address, PLACE, (0.3, way), end, 50)
    assert np.abs(end[END_Q] - Q).max() > 0.1
    leaps(skewed.address, PLACE, (-0.3, way), end, 50)
    np.testing.assert_allclose(end[END_Q], Q, atol=1e-11)
    np.testing.assert_allclose(end[END_P], P, atol=1e-11)


@BOTH_WAYS
def test_a_step_keeps_volume(way):
    """The Jacobian of (y, p), y = (q - center) / scale, has determinant 1."""
    h, columns = 1e-5, []
    for k in range(8):
        moved = []
        for sign in (1.0, -1.0):
            shift = np.zeros(8)
            shift[k] = sign * h
            end = at(Q + shift[:4] * PLACE[1], P + shift[4:])
            leaps(skewed.address, PLACE, (0.4, way), end, 1)
            moved.append(np.concatenate([end[END_Q] / PLACE[1], end[END_P]]))
        columns.append((moved[0] - moved[1]) / (2.0 * h))
    assert np.linalg.det(np.array(columns)) == pytest.approx(1.0, abs=1e-8)


@BOTH_WAYS
def test_the_error_of_the_energy_falls_with_the_square_of_the_step(way):
    start = 0.5 * P @ P - native(4).evaluator()(Q)[0]
    errors = []
    for step in (0.1, 0.05):
        errors.append(leaps(skewed.address, PLACE, (step, way), at(Q, P), round(1.0 / step)) - start)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


@nb.cfunc(SIGNATURE, nopython=True)
def normal(n, q_, gradient_, value_, data_):
    """Standard deviations 1, 2, 3, ... about 1, 2, 3, ..."""
    q, gradient, value = nb.carray(q_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
    value[0] = 0.0
    for k in range(n):
        z = (q[k] - (k + 1.0)) / (k + 1.0)
        value[0] -= 0.5 * z * z
        gradient[k] = -z / (k + 1.0)
    return 0


def test_of_a_normal_density_no_energy_is_lost_at_any_round_step():
    place = np.tile(np.arange(1.0, 5.0), (2, 1))
    end = at(Q, P)
    end[END_G] = -(Q - place[0]) / place[1] ** 2
    start = 0.5 * P @ P + 0.5 * np.sum(((Q - place[0]) / place[1]) ** 2)
    assert leaps(normal.address, place, (1.1, 1.0), end, 7) == pytest.approx(start, rel=1e-13)


def draws_of(density: NativeDensity, start, **settings) -> tuple[np.ndarray, list]:
    chosen = SampleSettings.checked(
        **{"draws": 4000, "chains": 4, "seed": 5, "target_accept": 0.8, "progress": False, **settings}
    )
    runs = run_chains(density, start, 500, chosen)
    return np.stack(runs.draws), list(runs.numbers)


@nb.njit
def swings(address, place, step, way, far, rng, draws, accepted):
    """Fill draws (count, n) with swings alone."""
    n = place.shape[1]
    work, tally = work_of(n, 10), np.empty(2)
    whole = work[5]
    whole[POSITION, :] = draws[0]
    call_density(address, n, draws[0].ctypes.data, whole[GRADIENT].ctypes.data, work[4].ctypes.data, np.uint64(0))
    work[6][LOG_DENSITY] = work[4][0]
    for i in range(draws.shape[0]):
        swing((address, np.uint64(0)), place, step, way, far, 10, work, rng, tally)
        draws[i] = whole[POSITION]
        accepted[i] = tally[0] / tally[1]


@BOTH_WAYS
def test_swings_alone_leave_the_density_as_it_is(way):
    """A funnel and Gamma coordinates, places and steps that do not suit them: one swing in six or seven is refused."""
    draws, accepted = np.zeros((60_000, 4)), np.empty(60_000)
    place = np.array([[0.0, 0.0, 0.2, 0.5], [1.0, 1.0, 0.9, 0.6]])
    swings(skewed.address, place, 0.9, way, 0.5, np.random.default_rng(4), draws, accepted)
    assert 0.7 < accepted.mean() < 0.9
    assert_distributed(draws[:, 0].reshape(4, -1), stats.norm.cdf)
    assert_distributed((draws[:, 1] * np.exp(-0.25 * draws[:, 0])).reshape(4, -1), stats.norm.cdf)
    for k in (2, 3):
        assert_distributed(np.exp(draws[:, k]).reshape(4, -1), stats.gamma(2.0).cdf)


@pytest.mark.parametrize(("far", "expected"), [(0.0, (-0.484, 0.294)), (1.0, (-0.276, 0.247))])
def test_swings_of_a_normal_density_are_never_refused_and_alternate(far, expected):
    draws, accepted = np.zeros((20_000, 4)), np.empty(20_000)
    place = np.tile(np.arange(1.0, 5.0), (2, 1))
    swings(normal.address, place, 0.6, 1.0, far, np.random.default_rng(4), draws, accepted)
    assert accepted.min() > 1.0 - 1e-12
    y = (draws[1:] - place[0]) / place[1]
    # Correlations after one swing: means of cos t and cos^2 t over the angles.
    np.testing.assert_allclose([np.corrcoef(c[1:], c[:-1])[0, 1] for c in y.T], expected[0], atol=0.03)
    np.testing.assert_allclose([np.corrcoef(c[1:] ** 2, c[:-1] ** 2)[0, 1] for c in y.T], expected[1], atol=0.05)


@pytest.mark.parametrize(
    ("step", "expected"), [(1.0, (2, 2)), (0.5, (4, 3)), (0.003, (667, 9)), (1e-9, (1023, 10)), (5.0, (1, 1))]
)
def test_a_swing_has_as_many_steps_as_its_angle_takes(step, expected):
    assert _steps(2.0, step, 10) == expected


def overdispersed(size: int):
    return lambda seed: np.random.default_rng(seed).normal(size=size)


def assert_distributed(draws: np.ndarray, cdf) -> None:
    """Of each quantile, the share of draws below it within 4 Monte Carlo standard errors of what it should be."""
    for probability in (0.01, 0.1, 0.5, 0.9, 0.99):
        below = (cdf(draws) <= probability).astype(float)
        size = float(array_stats.ess(below, chain_axis=0, draw_axis=1, method="mean"))
        error = math.sqrt(probability * (1.0 - probability) / size)
        assert abs(below.mean() - probability) < 4.0 * error


@pytest.mark.mcmc
def test_draws_are_those_of_the_density():
    draws, _ = draws_of(native(5), overdispersed(5))
    assert_distributed(draws[:, :, 0], stats.norm.cdf)
    standard = draws[:, :, 1] * np.exp(-0.25 * draws[:, :, 0])
    assert_distributed(standard, stats.norm.cdf)
    for k in (2, 3, 4):
        assert_distributed(np.exp(draws[:, :, k]), stats.gamma(2.0).cdf)


@pytest.mark.mcmc
@pytest.mark.parametrize("max_depth", [1, 2, 10])
def test_short_trajectories_are_as_exact(max_depth):
    draws, _ = draws_of(native(3), overdispersed(3), max_depth=max_depth)
    assert_distributed(np.exp(draws[:, :, 2]), stats.gamma(2.0).cdf)


def test_energy_and_density_are_those_of_the_draw():
    draws, numbers = draws_of(native(4), overdispersed(4), draws=50)
    evaluate = native(4).evaluator()
    for chain in range(4):
        found = [evaluate(np.ascontiguousarray(q))[0] for q in draws[chain]]
        np.testing.assert_allclose(numbers[chain]["lp"], found, rtol=1e-12)
        assert (numbers[chain]["energy"] + numbers[chain]["lp"] > 0.0).all()  # what is left is kinetic


def test_dual_averaging_finds_the_step_that_is_accepted_as_wanted():
    memory = step_memory(0.01)
    step = 0.01
    for _ in range(400):
        step = learn_step(memory, math.exp(-step), 0.8, 0.6)
    assert averaged_step(memory) == pytest.approx(-math.log(0.8), rel=0.05)


def test_center_and_scale_of_a_normal_density_are_exact_after_two_points():
    window, place = np.zeros((5, 2)), np.array([[0.0, 0.0], [1.0, 1.0]])
    mean, sd = np.array([3.0, -40.0]), np.array([0.2, 7.0])
    for q in (np.array([3.5, -20.0]), np.array([3.1, -11.0])):
        learn_point(window, q, -(q - mean) / sd**2)
    rescale(window, place)
    np.testing.assert_allclose(place, [mean, sd], rtol=1e-12)
