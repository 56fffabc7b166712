"""The compiled density and its gradient against the PyMC graph: every family, link, structure and prior.

There is one model for each family and link. It has all structures, every prior of a coefficient and every
prior of a scale; which structure a scale's prior falls to, whether it is on the sd, the variance or the
precision, and the number of correlated effects rotate from model to model, so that all of these meet.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support.graph_point import graph_density, spiral
from support.models import KEPT, RESPONSES, make_density, make_frame, make_relationship

from bayesglmm.covariance import STRUCTURES
from bayesglmm.families import FAMILIES
from bayesglmm.priors import DISTRIBUTIONS, Prior, refusal
from bayesglmm.pymc_model import build_pymc_model
from bayesglmm.pymc_source import pymc_source

ALL = [(family, link) for family, record in FAMILIES.items() for link in record.links]
# 2.5 and 0.5 are exact in single precision, and PyTensor would take their logarithms in it too.
VALUES = {"mu": 0.25, "sigma": 2.5, "nu": 3.5, "alpha": 2.5, "beta": 0.5, "lam": 1.5}
VALUES |= {"lower": 0.0, "upper": 3.0}
ON = ("sd", "variance", "precision")
#: Numbers of scalar terms and of correlated effects; four effects are independent.
SHAPES = ((1, 4), (2, 3), (3, 2))


def prior_of(name: str, on: str = "sd", **changes: float) -> Prior:
    return Prior(name, {p: {**VALUES, **changes}[p] for p in DISTRIBUTIONS[name].parameters}, on=on)


def allowed(role: str, *on: str) -> list[Prior]:
    names = [name for name in DISTRIBUTIONS if name != "LKJ"]
    return [p for p in itertools.starmap(prior_of, itertools.product(names, on)) if refusal(role, p) is None]


COEFFICIENTS = [p.dist for p in allowed("coefficient", "sd")]
SCALES = [p.dist for p in allowed("sd", "sd")]


def scales_of(turn: int) -> list[Prior]:
    """Return every prior of a scale once, rotated; a third of them on each of the three quantities."""
    order = [SCALES[(turn + k) % len(SCALES)] for k in range(len(SCALES))]
    choices = {name: [p for p in allowed("sd", *ON) if p.dist == name] for name in SCALES}
    return [choices[name][(turn + SCALES.index(name)) % len(choices[name])] for name in order]


def group_terms(turn: int) -> tuple[list[str], dict[str, Prior]]:
    """Return the group terms of a model and the priors of their scales."""
    n_scalars, n_correlated = SHAPES[turn % len(SHAPES)]
    terms, names = [], []
    for k, factor in enumerate("abc"[:n_scalars]):
        terms.append(f"(0 + x1 | {factor})" if k == 1 else f"(1 | {factor})")
        names.append(f"sd({factor}, x1)" if k == 1 else f"sd({factor})")
    correlated = ["Intercept", "x2", "x3", "x4"][:n_correlated]
    terms.append(f"({' + '.join(['1', *correlated[1:]])} | d:e)")
    names += [f"sd(d:e, {effect})" for effect in correlated]
    independent = [f"x{k}" for k in range(5, 14 - n_scalars - n_correlated)]
    terms.append(f"(0 + {' + '.join(independent)} || f)")
    names += [f"sd(f, {effect})" for effect in independent]
    priors = dict(zip(names, scales_of(turn), strict=True))
    # Structures with one standard deviation each have a turn of their own.
    terms += ["cs(0 + cell | g)", "ar1(0 + h | i)", 'known(1 | j, "A")']
    for k, name in enumerate(("sd(g)", "sd(i)", "sd(j)")):
        priors[name] = scales_of(turn)[3 * k]
    return terms, priors


def model_of(family: str, link: str):
    """Return the density of the model of one family and link; odd ones have a raw intercept and weights."""
    turn = ALL.index((family, link))
    odd = turn % 2 == 1
    terms, priors = group_terms(turn)
    columns = [f"x{k}" for k in range(len(COEFFICIENTS))]
    priors |= {c: prior_of(name, lower=-4.0) for c, name in zip(columns, COEFFICIENTS, strict=True)}
    priors["cor"] = Prior("LKJ", eta=[2.5, 0.5, 1.0][turn % 3])
    if odd and not any(p.form == "cutpoints" for p in FAMILIES[family].predictors):
        priors["Intercept"] = Prior("Cauchy", alpha=0.25, beta=2.5)
    if FAMILIES[family].dispersion:
        priors[FAMILIES[family].dispersion] = prior_of("Gamma", on="precision" if odd else "variance")
    data = make_frame()
    data[columns] *= 0.15
    formula = f"{RESPONSES[family]} ~ {' + '.join([*columns, *terms])} + offset(log(exposure)){KEPT.get(link, '')}"
    options = {"weights": "positive"} if odd else {}
    # A level more than the data have.
    options["known"] = {"A": make_relationship(int(data["j"].nunique()) + 1)}
    return make_density(formula, data, family=family, link=link, priors=priors, **options)


def test_everything_in_the_registries_meets():
    structures, quantities, sizes = set(), set(), set()
    for family, link in ALL:
        density = model_of(family, link)
        assert {g.structure.name for g in density.design.groups} == set(STRUCTURES)
        assert {p.dist for p in density.parameters.coefficients} == set(COEFFICIENTS)
        assert {p.dist for term in density.parameters.sds for p in term} == set(SCALES)
        for group, sds in zip(density.design.groups, density.parameters.sds, strict=True):
            structures |= {(group.structure.name, p.dist) for p in sds}
            quantities |= {(p.dist, p.on) for p in sds}
            sizes |= {(group.structure.name, group.n_effects)}
    assert structures == set(itertools.product(STRUCTURES, SCALES))
    assert quantities == {(p.dist, p.on) for p in allowed("sd", *ON)}
    assert sizes >= {("unstructured", 2), ("unstructured", 3), ("unstructured", 4)}
    assert {*SCALES, *COEFFICIENTS, "LKJ"} == set(DISTRIBUTIONS)


@pytest.mark.parametrize(("family", "link"), ALL)
def test_same_density_and_gradient(family, link):
    density = model_of(family, link)
    graph = graph_density(build_pymc_model(density.design, density.parameters), density)
    compiled = density.evaluator()
    rng = np.random.default_rng(ALL.index((family, link)))
    for spread in (0.3, 0.6, 0.9):
        x = spread * rng.normal(size=density.size)
        # Many effects add up in eta, and a graph that is not rewritten is not made for the tails of a link.
        x[density.layout.n_scalars + density.layout.n_correlations :] *= 0.2
        value, gradient = compiled(x)
        expected, expected_gradient = graph(x)
        # PyMC's HalfStudentT and HalfCauchy hold log(2) in single precision and are off by 2e-9 each.
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        # A component may be a small difference of large terms, whose rounding is that of the largest.
        tolerance = 1e-12 * np.abs(expected_gradient).max()
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-10, atol=tolerance)


#: Forms that the registry does not tell apart: gaps, kinds of levels, several terms of one factor.
FORMS = [
    "count ~ x1 + ar1(0 + gappy | a) + (1 | a)",
    "count ~ x1 + cs(1 + x2 + x3 | b) + (1 | b)",
    "count ~ x1 + (1 + x2 | a, by=sort) + (1 | b)",
    "count ~ ar1(0 + cell | a, by=sort) + cs(0 + cell | b) + ar1(0 + cell | b)",
    'count ~ known(1 | b, "A") + (1 | b) + known(1 | c, "B")',
    "count ~ diag(1 + x2 | a, by=sort) + (0 + x3 | a, by=sort)",
]


@pytest.mark.parametrize("formula", FORMS)
def test_same_density_and_gradient_of_every_form_and_of_its_source(formula):
    data = make_frame()
    data["sort"] = np.where(data["a"] < 2, "low", "high")
    data["gappy"] = data["d"] ** 2 - 3
    matrices = {"A": make_relationship(5), "B": make_relationship(8)}
    known = {key: matrix for key, matrix in matrices.items() if f'"{key}"' in formula}
    has_correlations = any(word in formula for word in ("ar1", "cs", "(1 + x2 |"))
    priors = {"cor": Prior("LKJ", eta=1.5)} if has_correlations and "diag" not in formula else {}
    density = make_density(formula, data, family="poisson", known=known, priors=priors)
    graph = graph_density(build_pymc_model(density.design, density.parameters), density)
    names: dict[str, object] = {}
    exec(pymc_source(density.design, density.parameters), names)
    source = graph_density(names["model"], density)
    for seed in range(2):
        x = 0.6 * np.random.default_rng(seed).normal(size=density.size)
        value, gradient = density.evaluator()(x)
        for other in (graph, source):
            expected, expected_gradient = other(x)
            np.testing.assert_allclose(value, expected, rtol=1e-10)
            tolerance = 1e-12 * np.abs(expected_gradient).max()
            np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=tolerance)


@pytest.mark.parametrize("q", [2, 3, 4, 5])
def test_spiral_is_the_order_of_pymc(q):
    from pymc.distributions.transforms import CholeskyCorrTransform

    rows = np.arange(1.0, q * (q - 1) // 2 + 1)
    filled = CholeskyCorrTransform(q)._fill_triangular_spiral(rows[spiral(q)]).eval()
    np.testing.assert_array_equal(filled[np.tril_indices(q - 1)], rows)
