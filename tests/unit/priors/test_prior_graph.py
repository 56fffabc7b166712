"""Each prior in PyMC: the same log density on the unconstrained line, and source text that says the same."""

from __future__ import annotations

import numpy as np
import pytest

from bayesglmm.priors import DISTRIBUTIONS, Prior, evaluate_scalar, scalar_prior

PRIORS = {
    "flat": Prior("Flat"),
    "half_flat": Prior("HalfFlat"),
    "normal": Prior("Normal", mu=0.3, sigma=2.5),
    "student": Prior("StudentT", nu=3.5, mu=-0.5, sigma=2.5),
    "cauchy": Prior("Cauchy", alpha=0.1, beta=2.5),
    "half_normal": Prior("HalfNormal", sigma=2.5),
    "half_student": Prior("HalfStudentT", nu=4, sigma=1.7),
    "half_cauchy": Prior("HalfCauchy", beta=2.5),
    "exponential": Prior("Exponential", lam=0.7),
    "gamma": Prior("Gamma", alpha=0.001, beta=0.001),
    "inverse_gamma": Prior("InverseGamma", alpha=2.5, beta=0.4),
    "uniform": Prior("Uniform", lower=0.25, upper=10.0),
    "uniform_real": Prior("Uniform", lower=-2.0, upper=1.1),
}
TYPED_CONSTANT = ("HalfStudentT", "HalfCauchy")


@pytest.fixture(scope="module")
def pymc():
    return pytest.importorskip("pymc")


def compiled(pm, model):
    """Return (log densities, gradient) as one function of all value variables, without graph rewriting."""
    import pytensor

    terms = model.logp(sum=False)
    total = sum(terms[1:], terms[0])
    gradients = pytensor.grad(total, model.value_vars, disconnected_inputs="ignore")  # Flat
    return pytensor.function(model.value_vars, [*terms, *gradients], mode="FAST_COMPILE")


def test_every_scalar_distribution_is_compared():
    scalar = {n for n, d in DISTRIBUTIONS.items() if d.support != "correlation"}
    assert {p.dist for p in PRIORS.values()} == scalar


@pytest.fixture(scope="module")
def graph(pymc):
    import pytensor.tensor as pt

    with pymc.Model() as model:
        for name, prior in PRIORS.items():
            prior.distribution.graph(pymc, pt, name, prior.params)
    return compiled(pymc, model)


@pytest.mark.parametrize("seed", range(8))
def test_log_density_and_gradient_equal_pymc(graph, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=1.0 + 0.5 * seed, size=len(PRIORS))
    result = [float(v) for v in graph(*x)]
    densities, gradients = result[: len(x)], result[len(x) :]
    for k, (name, prior) in enumerate(PRIORS.items()):
        _, _, density, derivative = evaluate_scalar(x[k], scalar_prior(prior, "coefficient").row())
        # PyMC writes the constant of these two as pt.log(2): the logarithm of an int8, taken in float32.
        constant = abs(float(np.log(np.float32(2.0))) - np.log(2.0)) if prior.dist in TYPED_CONSTANT else 0.0
        assert density == pytest.approx(densities[k], rel=1e-10, abs=1e-10 + 1.01 * constant), name
        assert derivative == pytest.approx(gradients[k], rel=1e-10, abs=1e-10), name


def test_the_same_through_source_text(pymc, graph):
    import pytensor.tensor as pt

    lines = [prior.distribution.source(name, prior.params) for name, prior in PRIORS.items()]
    with pymc.Model() as model:
        exec("\n".join(lines), {"pm": pymc, "pt": pt})
    x = np.random.default_rng(1).normal(size=len(PRIORS))
    written = compiled(pymc, model)(*x)
    np.testing.assert_array_equal(np.array(written, dtype=float), np.array(graph(*x), dtype=float))


def test_parameters_may_run_along_a_dimension(pymc):
    import pytensor.tensor as pt

    with pymc.Model(coords={"coefficient": ["a", "b"]}) as model:
        normal = DISTRIBUTIONS["Normal"]
        normal.graph(pymc, pt, "beta", {"mu": [0.0, 1.0], "sigma": [1.0, 3.0]}, "coefficient")
    assert model.named_vars_to_dims == {"beta": ("coefficient",)}
    assert DISTRIBUTIONS["Flat"].source("b", {}, "coefficient") == "pm.Flat('b', dims='coefficient')"
