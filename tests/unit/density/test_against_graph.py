"""The compiled density and its gradient against the PyMC graph: every family, link, structure and prior.

One model for each family and link holds every structure with every prior of a scale, each of them on the sd, the variance
and the precision somewhere, and every prior of a coefficient.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support.graph_point import graph_density, spiral
from support.models import RESPONSES, make_density

from bayesglmm.covariance import STRUCTURES
from bayesglmm.families import FAMILIES
from bayesglmm.priors import DISTRIBUTIONS, Prior, refusal
from bayesglmm.pymc_model import build_pymc_model

ALL = [(family, link) for family, record in FAMILIES.items() for link in record.links]
# 2.5 and 0.5 are exact in single precision, where PyTensor would keep their logarithms if they were not typed.
VALUES = {"mu": 0.25, "sigma": 2.5, "nu": 3.5, "alpha": 2.5, "beta": 0.5, "lam": 1.5, "lower": 0.0, "upper": 3.0}
ON = ("sd", "variance", "precision")


def prior_of(name: str, on: str = "sd", **changes: float) -> Prior:
    return Prior(name, {p: {**VALUES, **changes}[p] for p in DISTRIBUTIONS[name].parameters}, on=on)


COEFFICIENTS = [n for n in DISTRIBUTIONS if n != "LKJ" and refusal("coefficient", prior_of(n)) is None]
SCALES = [n for n in DISTRIBUTIONS if n != "LKJ" and refusal("sd", prior_of(n)) is None]


def scale_prior(k: int, turn: int) -> Prior:
    """Return the k-th prior of a scale, on one of the three quantities in turn."""
    name = SCALES[k]
    candidates = [prior_of(name, on) for on in ON if refusal("sd", prior_of(name, on)) is None]
    return candidates[turn % len(candidates)]


def every_structure() -> tuple[list[str], dict[str, Prior]]:
    """Return group terms and priors: each structure has every prior of a scale."""
    terms, priors = [], {}
    scalars = iter("abcdefghi")
    for k, factor in enumerate(scalars):
        effect = "x0" if k % 2 else "1"
        terms.append(f"({'0 + ' if k % 2 else ''}{effect} | {factor})")
        priors[f"sd({factor}, x0)" if k % 2 else f"sd({factor})"] = scale_prior(k, 0)
    count = itertools.count()
    for factor, effects, bar in [("a:j", "1 + x1 + x2 + x3", "|"), ("j", "0 + x1 + x2 + x3", "|"), ("k", "1 + x4", "|")]:
        terms.append(f"({effects} {bar} {factor})")
        priors |= {f"sd({factor}, {e})": scale_prior(next(count), 1) for e in names_of(effects)}
    count = itertools.count()
    for factor, effects in [("l", "1 + x1 + x2 + x3 + x4"), ("b:c", "0 + x5 + x6 + x7 + x8")]:
        terms.append(f"({effects} || {factor})")
        priors |= {f"sd({factor}, {e})": scale_prior(next(count), 2) for e in names_of(effects)}
    priors |= {"cor(a:j)": Prior("LKJ", eta=2.5), "cor(j)": Prior("LKJ", eta=0.5)}
    return terms, priors


def names_of(effects: str) -> list[str]:
    return [{"1": "Intercept"}.get(e, e) for e in effects.split(" + ") if e != "0"]


def model_of(family: str, link: str):
    """Return the density of the model of one family and link; odd ones have a raw intercept and weights."""
    odd = ALL.index((family, link)) % 2
    terms, priors = every_structure()
    columns = [f"x{k}" for k in range(len(COEFFICIENTS))]
    priors |= {c: prior_of(n, lower=-4.0, upper=2.5) for c, n in zip(columns, COEFFICIENTS, strict=True)}
    if odd:
        priors["Intercept"] = Prior("Cauchy", alpha=0.25, beta=2.5)
    if FAMILIES[family].dispersion:
        priors[FAMILIES[family].dispersion] = prior_of("Gamma", on="precision" if odd else "variance")
    formula = f"{RESPONSES[family]} ~ {' + '.join([*columns, *terms])} + offset(log(exposure))"
    options = {"weights": "positive"} if odd else {}
    return make_density(formula, family=family, link=link, priors=priors, **options)


def test_the_model_has_every_structure_and_prior():
    density = model_of(*ALL[0])
    parameters = density.parameters
    used = {name: set() for name in STRUCTURES}
    for group, sds in zip(density.design.groups, parameters.sds, strict=True):
        used[group.structure.name] |= {p.dist for p in sds}
    assert all(kinds == set(SCALES) for kinds in used.values())
    combined = {(p.dist, p.on) for term in parameters.sds for p in term}
    allowed = {(n, on) for n in SCALES for on in ON if refusal("sd", prior_of(n, on)) is None}
    assert combined == allowed
    assert {p.dist for p in parameters.coefficients} == set(COEFFICIENTS)
    assert {*SCALES, *COEFFICIENTS, "LKJ"} == set(DISTRIBUTIONS)
    assert {g.n_effects for g in density.design.groups if g.structure.correlated} == {2, 3, 4}


@pytest.mark.parametrize(("family", "link"), ALL)
def test_same_density_and_gradient(family, link):
    density = model_of(family, link)
    graph = graph_density(build_pymc_model(density.design, density.parameters), density)
    compiled = density.evaluator()
    rng = np.random.default_rng(len(family + link))
    for spread in (0.3, 0.6, 0.9):
        x = spread * rng.normal(size=density.size)
        # Some thirty terms add up in eta; a graph that was not rewritten is not made for the tails of a link.
        x[density.layout.n_scalars + density.layout.n_correlations :] *= 0.25
        value, gradient = compiled(x)
        expected, expected_gradient = graph(x)
        assert np.isfinite(expected)
        print(family,link,value/expected-1, np.max(np.abs(gradient/expected_gradient-1)), np.max(np.abs(gradient-expected_gradient))/np.abs(expected_gradient).max())
        np.testing.assert_allclose(value, expected, rtol=1e-9)
        # A component may be a small difference of large terms, whose rounding is that of the largest.
        tolerance = 1e-12 * np.abs(expected_gradient).max()
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=tolerance)


@pytest.mark.parametrize("q", [2, 3, 4, 5])
def test_spiral_is_the_order_of_pymc(q):
    from pymc.distributions.transforms import CholeskyCorrTransform

    rows = np.arange(1.0, q * (q - 1) // 2 + 1)
    filled = CholeskyCorrTransform(q)._fill_triangular_spiral(rows[spiral(q)]).eval()
    np.testing.assert_array_equal(filled[np.tril_indices(q - 1)], rows)
