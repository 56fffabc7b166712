"""The PyMC graph through the linear map: its vector's order, its C function, graphs of the user's own, fallbacks."""

from __future__ import annotations

from types import SimpleNamespace

import numba as nb
import numpy as np
import pymc as pm
import pytest
from support.posteriors import quiet_model, scattered_values

import bayesglmm as bg
from bayesglmm.bayes import graph as graph_sampling
from bayesglmm.bayes import sample as sampling
from bayesglmm.bayes.given_graph import check_given_graph, other_coordinates
from bayesglmm.bayes.preconditioner.affine import affine_draws
from bayesglmm.bayes.preconditioner.fit import Preconditioner, precondition
from bayesglmm.bayes.preconditioner.graph import graph_order, graph_positions, in_layout_order
from bayesglmm.bayes.raw import RawDraws
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.density import JointDensity
from bayesglmm.density.native import LOG_DENSITY
from bayesglmm.pymc_model import build_pymc_model

FORMULA = "normal ~ x0 + (1 + x1 + x2 | a) + (1 | b)"
SETTINGS = SampleSettings.checked(draws=20, chains=2, seed=3, sampler="nutpie", progress=False)


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    return quiet_model(FORMULA)


def density_of(model: bg.GLMM) -> JointDensity:
    return JointDensity.of(model.design, model.parameters)


def fresh(model: bg.GLMM) -> pm.Model:
    return build_pymc_model(model.design, model.parameters)


def test_the_order_is_that_of_the_graphs_free_variables(model):
    density, graph = density_of(model), model.pymc
    order = graph_order(graph, density)
    assert sorted(order) == list(range(density.size))
    assert (order != np.arange(density.size)).any()  # sigma stands last in the graph, before the effects in x
    positions = graph_positions(graph, density)
    at = 0
    for rv in graph.free_RVs:
        own = positions[graph.rvs_to_values[rv].name]
        np.testing.assert_array_equal(order[at : at + own.size], own.ravel())
        at += own.size


@nb.cfunc(LOG_DENSITY)
def weighted_squares(n, x_, gradient_, value_, data_):
    """Return -sum (k + 1) x_k^2 / 2; what the data says is the status."""
    x, gradient = nb.carray(x_, (n,)), nb.carray(gradient_, (n,))
    status = nb.carray(data_, (1,), np.int64)[0]
    if status != 0 and status != 3:
        return status
    total = 0.0
    for k in range(n):
        gradient[k] = -(k + 1.0) * x[k]
        total -= 0.5 * (k + 1.0) * x[k] ** 2
    nb.carray(value_, (1,))[0] = total
    return status


def compiled_graph(status: int) -> SimpleNamespace:
    return SimpleNamespace(compiled_logp_func=weighted_squares, user_data=np.array([status]), shared_data={})


def test_the_graphs_function_is_called_in_the_order_of_the_layout():
    order = np.array([2, 0, 3, 1])
    evaluate = in_layout_order(compiled_graph(0), order).evaluator()
    x = np.array([0.5, -1.0, 2.0, 3.0])
    value, gradient = evaluate(x)
    weights = np.empty(4)
    weights[order] = [1.0, 2.0, 3.0, 4.0]
    assert value == pytest.approx(-0.5 * weights @ x**2)
    np.testing.assert_allclose(gradient, -weights * x)


@pytest.mark.parametrize("status", [1, 4])
def test_a_graph_that_stopped_halfway_has_no_density(status):
    # 1: an exception in the graph, which then has written no value.
    native = in_layout_order(compiled_graph(status), np.arange(4))
    assert native.evaluator()(np.ones(4))[0] == -np.inf


def clone(model: bg.GLMM, how: str) -> object:
    """Return the model's graph with another set of free variables, or without a variable that is stored."""
    if how == "no model":
        return model.to_pymc_code()
    if how == "another model":
        return quiet_model("normal ~ x0 + (1 + x1 | a) + (1 | c)").pymc
    graph = fresh(model)
    with graph:
        if how == "new":
            pm.Normal("nu")
        if how == "no beta":
            graph.named_vars = {name: v for name, v in graph.named_vars.items() if name != "beta"}
    return graph


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("new", ["the free variable nu is new"]),
        (
            "another model",
            [
                "the free variable sd_b of the model is missing",
                "z_c is new",
                r"sd_a has shape \(2,\), in the model \(3,\)",
            ],
        ),
        ("no beta", ["beta is not in the graph"]),
        ("no model", [r"a pm\.Model is needed"]),
    ],
)
def test_other_free_variables_are_said(model, how, words):
    for sampler in ("nutpie", "pymc"):
        with pytest.raises(bg.SpecificationError) as raised:
            model.sample(graph=clone(model, how), sampler=sampler, progress=False)
        for phrase in words:
            assert raised.match(phrase)
    assert all(problem.where == "graph" for problem in raised.value.problems)


def test_the_models_own_graph_and_its_source_pass(model):
    executed: dict[str, object] = {}
    exec(model.to_pymc_code(), executed)
    for graph in (fresh(model), executed["model"]):
        check_given_graph(graph, fresh(model), graph_sampling.stored_variables(model.design))
        assert other_coordinates(graph, fresh(model)) == ""


def test_a_graph_that_was_changed_in_place_is_not_compared_with_itself(model):
    own = quiet_model(FORMULA)
    with own.pymc:
        pm.Normal("nu")
    with pytest.raises(bg.SpecificationError, match="nu is new"):
        own.sample(graph=own.pymc, sampler="nutpie", progress=False)


def test_a_given_graph_needs_one_of_pymcs_samplers(model):
    with pytest.raises(bg.SpecificationError, match='write sampler="nutpie"'):
        model.sample(graph=fresh(model), progress=False)


def plain(model: bg.GLMM, told: list[object]):
    """Return a `sample_graph` that samples nothing and notes which graph it was given."""

    def sample_graph(graph: object, design: object, settings: SampleSettings) -> RawDraws:
        told.append(graph)
        values = scattered_values(model, settings.chains, settings.draws)
        statistics = {"energy": np.zeros((settings.chains, settings.draws))}
        return RawDraws(values, statistics, "nutpie on the PyMC graph (pymc 0)", 1.0, 5)

    return sample_graph


def test_without_a_penalised_fit_the_graph_is_sampled_as_it_is(model, monkeypatch):
    told: list[object] = []
    density = density_of(model)
    monkeypatch.setattr(graph_sampling, "sample_graph", plain(model, told))
    monkeypatch.setattr(
        graph_sampling, "precondition", lambda d, affine: Preconditioner(d, None, "none", "no fit" if affine else "")
    )
    raw = graph_sampling.sample_mapped_graph(model.pymc, density, SETTINGS)
    assert told == [model.pymc]
    assert raw.fallback == "no fit"
    assert raw.coordinates == "those of the PyMC graph"


def test_other_transforms_are_sampled_as_they_are(model, monkeypatch):
    told: list[object] = []
    monkeypatch.setattr(sampling, "sample_graph", plain(model, told))
    other = quiet_model(FORMULA, priors={"sd(b)": ("Uniform", {"lower": 0.0, "upper": 5.0})}).pymc
    posterior = model.sample(draws=20, chains=2, sampler="nutpie", graph=other, progress=False)
    assert told == [other]
    attributes = posterior.tree["sample_stats"].attrs
    assert "the graph that was given transforms sd_b otherwise" in str(attributes)
    assert posterior.tree.attrs["graph"] == "given"
    assert posterior.tree.attrs["sampler"].startswith("nutpie on a PyMC graph that was given")


@pytest.mark.mcmc
def test_the_mapped_graph_is_the_density_and_its_variables_are_the_models(model):
    density = density_of(model)
    found = precondition(density, affine=True)
    assert found.arrow is not None
    target = graph_sampling._mapped_target(model.pymc, density, found.arrow, found.reason)
    evaluate, compiled = target.native.evaluator(), density.evaluator()
    rng = np.random.default_rng(4)
    v = rng.normal(size=(1, 5, density.size))
    x = affine_draws(found.arrow, v)
    # A' by its columns: the map is linear.
    center = affine_draws(found.arrow, np.zeros((1, density.size)))
    A = (affine_draws(found.arrow, np.eye(density.size)) - center).T
    for k in range(5):
        value, gradient = evaluate(v[0, k])
        expected, slope = compiled(np.ascontiguousarray(x[0, k]))
        assert value == pytest.approx(expected, rel=1e-10)
        # The columns of A are differences, good to the last digits of x^.
        np.testing.assert_allclose(gradient, A.T @ slope, rtol=1e-8, atol=1e-9 * np.abs(slope).max())
    values = target.finish(v, 0)
    natural = density.natural(x)
    np.testing.assert_allclose(values["beta"], natural.beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values["sd_a"], natural.sd[0], rtol=1e-9)
    np.testing.assert_allclose(values["cor_a"], natural.cor[0], atol=1e-12)
    np.testing.assert_allclose(values["u_a"], natural.u[0], atol=1e-10)
    np.testing.assert_allclose(values["u_b"], natural.u[1][..., 0], atol=1e-10)
    np.testing.assert_allclose(values["sigma"], natural.family[..., 0], rtol=1e-9)


@pytest.mark.mcmc
def test_a_given_graph_with_another_prior_has_the_posterior_of_that_prior():
    narrow = {"sd(g)": ("HalfNormal", {"sigma": 0.2}), "x": ("Normal", {"mu": 3.0, "sigma": 0.1})}
    rng = np.random.default_rng(2)
    import pandas as pd

    g = np.repeat(np.arange(12), 10)
    x = rng.normal(size=120)
    y = 1.0 + 0.5 * x + rng.normal(size=12)[g] + rng.normal(size=120)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model, other = quiet_model("y ~ x + (1 | g)", data), quiet_model("y ~ x + (1 | g)", data, priors=narrow)
    given = model.sample(seed=1, sampler="nutpie", graph=other.pymc, progress=False)
    attributes = str(given.tree["sample_stats"].attrs)
    assert "through the linear map" in attributes
    wanted = other.sample(seed=2, progress=False)
    a, b = given.tidy(group=True), wanted.tidy(group=True)
    # Sixteen means at once: 5 standard errors of the difference.
    assert ((a["estimate"] - b["estimate"]).abs() < 5 * np.hypot(a["mcse_mean"], b["mcse_mean"])).all()
    own = model.sample(seed=3, progress=False).tidy(group=True)
    assert (own["estimate"] - b["estimate"]).abs().max() > 0.3
