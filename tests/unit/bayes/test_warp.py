"""Curves that make slices of a density normal: the density through them, and what becomes of known shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from support.models import make_design

from bayesglmm.bayes.preconditioner.affine import affine_density
from bayesglmm.bayes.preconditioner.dense import precondition_dense
from bayesglmm.bayes.preconditioner.warp import fit_curves, warped_density, warped_draws
from bayesglmm.density import JointDensity
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.parameters import build_parameters

SHAPES = {
    "normal": stats.norm(),
    "logarithm of a scale": stats.loggamma(1.5),
    "tails of t with 2 degrees of freedom": stats.t(2),
}


def slice_of(log_density):
    """Return x -> (log density, gradient) of one coordinate."""

    def evaluate(x: np.ndarray):
        h = 1e-5
        return float(log_density(x[0])), np.array([(log_density(x[0] + h) - log_density(x[0] - h)) / (2 * h)])

    return evaluate


def two_tops(x: float) -> float:
    return float(np.logaddexp(stats.norm(-2, 1).logpdf(x), stats.norm(2, 0.7).logpdf(x))) - math.log(2.0)


@pytest.fixture(scope="module")
def marginal():
    design = make_design("normal ~ x0 + (1 + x0 | a)")
    parameters = build_parameters(design)
    found = precondition_dense(JointDensity.of(design, parameters), GaussianMarginal.of(design, parameters))
    assert found is not None
    gaussian, arrow = found
    return affine_density(arrow, gaussian.native())


@pytest.mark.parametrize("name", SHAPES)
def test_slices_become_standard_normal(name):
    log_density = SHAPES[name].logpdf
    curves = fit_curves(slice_of(log_density), 1)
    z = np.linspace(-4.5, 4.5, 181)
    h = 1e-6
    x, up, down = (warped_draws(curves, v[:, None])[:, 0] for v in (z, z + h, z - h))
    through = np.array([log_density(v) for v in x]) + np.log((up - down) / (2 * h))
    # A cubic between the points of a slice is not quite the slice; the target is what it is, whatever the curve.
    assert np.abs(through - stats.norm.logpdf(z)).max() < 0.005


@pytest.mark.parametrize("log_density", [SHAPES["logarithm of a scale"].logpdf, two_tops], ids=["skew", "two tops"])
def test_a_density_through_curves_has_the_same_mass(log_density):
    curves = fit_curves(slice_of(log_density), 1)
    h = 1e-6

    def through(v: float) -> float:
        x, up, down = (float(warped_draws(curves, np.array([[t]]))[0, 0]) for t in (v, v + h, v - h))
        return math.exp(log_density(x)) * (up - down) / (2 * h)

    mass = sum(integrate.quad(through, a, a + 1.0, epsabs=1e-10)[0] for a in range(-8, 8))
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_gradient_is_that_of_the_value(marginal):
    curves = fit_curves(marginal.evaluator(), marginal.size)
    evaluate = warped_density(curves, marginal).evaluator()
    rng = np.random.default_rng(1)
    for v in (rng.normal(size=marginal.size), 2.5 * rng.normal(size=marginal.size), np.full(marginal.size, -6.3)):
        gradient, h = evaluate(v)[1].copy(), 1e-5
        for k, axis in enumerate(np.eye(marginal.size)):
            slope = (evaluate(v + h * axis)[0] - evaluate(v - h * axis)[0]) / (2 * h)
            assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_value_is_the_inner_density_times_the_slopes(marginal):
    curves = fit_curves(marginal.evaluator(), marginal.size)
    warped, inner = warped_density(curves, marginal).evaluator(), marginal.evaluator()
    v, h = np.array([0.3, -1.7, 0.8, 2.1])[: marginal.size], 1e-6
    slopes = (warped_draws(curves, v + h) - warped_draws(curves, v - h)) / (2 * h)
    expected = inner(warped_draws(curves, v))[0] + np.log(slopes).sum()
    assert warped(v)[0] == pytest.approx(expected, abs=1e-7)


def test_slices_of_a_posterior_are_normal_afterwards(marginal):
    d = marginal.size
    curves = fit_curves(marginal.evaluator(), d)
    evaluate = warped_density(curves, marginal).evaluator()
    grid = np.linspace(-1.0, 1.0, 4001)
    through = warped_draws(curves, np.repeat(grid[:, None], d, axis=1))
    middle = np.array([np.interp(0.0, through[:, k], grid) for k in range(d)])  # slices were taken through x = 0
    for k in range(d):
        found = [evaluate(np.where(np.arange(d) == k, z, middle))[0] for z in (0.0, -3.0, -1.0, 1.0, 3.0)]
        np.testing.assert_allclose(np.subtract(found[1:], found[0]), [-4.5, -0.5, -0.5, -4.5], atol=0.005)


def test_coordinates_without_a_curve_are_left_as_they_are():
    flat = fit_curves(lambda x: (-math.inf if abs(x[0]) > 0.1 else 0.0, np.zeros(1)), 1)
    v = np.linspace(-9.0, 9.0, 41)[:, None]
    np.testing.assert_allclose(warped_draws(flat, v), v, atol=1e-12)
