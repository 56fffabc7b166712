"""Partial centring: a change of coordinates that leaves the density of the parameters as it is."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm import GLMM
from bayesglmm.bayes.preconditioner.conditional import centring_at, partially_centred
from bayesglmm.density import Centring, JointDensity
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.penalised import PenalisedMarginal

RNG = np.random.default_rng(5)
N = 60
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(size=N),
        "v": RNG.normal(size=N),
        "g": np.repeat(list("abcdef"), 10),
        "h": np.tile(list("pqrst"), 12),
        "k": np.tile(np.repeat(list("ab"), 5), 6),
        "m": np.tile(list("uuvvv"), 12),
    }
)
FORMULAS = [
    "y ~ x + (1 | g)",
    "y ~ x + (x || g) + (1 | h)",
    "y ~ x + (x | g)",
    "y ~ x + (x + v | g) + (0 + v | h)",
    "y ~ x + (1 | g/k)",
    "y ~ x + (1 | g/k/m) + (1 | h)",
    "y ~ x + (0 + v | g) + (1 | g:k)",
]


def some_centring(density: JointDensity) -> Centring:
    """Return what random weights and scores of the rows would give."""
    design = density.design
    pattern = Pattern.of(design, EffectColumns.of(design))
    u = tuple(RNG.normal(size=(g.n_levels, g.n_effects)) for g in design.groups)
    return centring_at(design, pattern, RNG.uniform(0.2, 3.0, N), RNG.normal(size=N), u)


def spherical(density: JointDensity, x: np.ndarray) -> np.ndarray:
    """Return x with z in the place of w, by dense algebra from the natural values."""
    natural = density.natural(x)
    out = x.copy()
    for t, group in enumerate(density.design.groups):
        Lambda = np.diag(natural.sd[t]) @ np.linalg.cholesky(natural.cor[t])
        out[density.layout.z(t)] = np.linalg.solve(Lambda, natural.u[t].T).T.ravel()
        assert group.n_effects == len(Lambda)
    return out


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_density_is_the_non_centred_one_times_the_jacobian(formula):
    model = GLMM(formula, DATA)
    plain = JointDensity.of(model.design, model.parameters)
    density = plain.centered(some_centring(plain))
    x = RNG.normal(size=density.size) * 0.7
    step = 1e-6
    z = np.concatenate(
        [np.arange(plain.layout.z(t).start, plain.layout.z(t).stop) for t in range(len(plain.design.groups))]
    )
    jacobian = np.array(
        [
            (spherical(density, x + step * e) - spherical(density, x - step * e))[z] / (2 * step)
            for e in np.eye(density.size)[z]
        ]
    )
    log_jacobian = np.linalg.slogdet(jacobian)[1]
    assert density(x) == pytest.approx(plain(spherical(density, x)) + log_jacobian, abs=1e-6)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_gradient_is_the_derivative(formula):
    model = GLMM(formula, DATA)
    plain = JointDensity.of(model.design, model.parameters)
    density = plain.centered(some_centring(plain))
    x = RNG.normal(size=density.size) * 0.7
    gradient = density.gradient(x).copy()
    step = 1e-5
    numeric = np.array([(density(x + step * e) - density(x - step * e)) / (2 * step) for e in np.eye(density.size)])
    np.testing.assert_allclose(gradient, numeric, rtol=2e-7, atol=2e-7 * np.abs(gradient).max())


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_inverse_leads_back(formula):
    model = GLMM(formula, DATA)
    plain = JointDensity.of(model.design, model.parameters)
    density = plain.centered(some_centring(plain))
    x = RNG.normal(size=density.size) * 0.7
    penalised = PenalisedMarginal.of(model.design, model.parameters)
    head = penalised.head(x[: penalised.size])
    w = partially_centred(model.design, head, density.centring, spherical(density, x)[penalised.size :])
    np.testing.assert_allclose(w, x[penalised.size :], atol=1e-9)


@pytest.mark.parametrize("formula", FORMULAS)
def test_without_data_the_coordinates_are_the_spherical_effects(formula):
    model = GLMM(formula, DATA)
    density = JointDensity.of(model.design, model.parameters)
    x = RNG.normal(size=density.size)
    np.testing.assert_allclose(spherical(density, x), x, atol=1e-10)


def test_a_standard_deviation_of_nearly_zero_is_a_point_like_any_other():
    model = GLMM("y ~ x + (x | g)", DATA)
    plain = JointDensity.of(model.design, model.parameters)
    density = plain.centered(some_centring(plain))
    x = RNG.normal(size=density.size)
    x[density.layout.sds(0)] = -300.0
    assert np.isfinite(density(x))
    assert np.isfinite(density.gradient(x)).all()
