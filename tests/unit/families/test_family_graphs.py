"""The PyMC form and its source text against the compiled rows, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from bayesglmm.families import FAMILIES, compile_rows

pm = pytest.importorskip("pymc")
pytensor = pytest.importorskip("pytensor")
pt = pytensor.tensor

ALL = [(family, link) for family, record in FAMILIES.items() if not record.predictors for link in record.links]
OUTCOMES = {
    "gaussian": [(-1.5, 1.0), (0.0, 0.3), (54.6, 1.0)],
    "bernoulli": [(0.0, 1.0), (1.0, 1.0)],
    "binomial": [(0.0, 5.0), (3.0, 5.0), (5.0, 5.0), (1.0, 400.0)],
    "poisson": [(0.0, 1.0), (1.0, 1.0), (170.0, 1.0)],
    "negative_binomial": [(0.0, 1.0), (1.0, 1.0), (170.0, 1.0)],
    "gamma": [(0.003, 1.0), (1.0, 1.0), (54.6, 1.0)],
    "beta": [(0.003, 1.0), (0.5, 1.0), (0.97, 1.0)],
    "beta_binomial": [(0.0, 5.0), (3.0, 5.0), (5.0, 5.0), (1.0, 400.0)],
}
_POSITIVE = np.array([1e-8, 0.3, 1.0, 2.5, 4.0, 8.0, 15.0, 29.9, 30.0])
PHI = 0.7
#: PyMC adds up logarithms of gamma functions of as much as size + phi; their sum may be next to 0.
ROUNDING = {"beta_binomial": 1e-13}
# Elementwise operations called from Python: compiling them would take longer than they run.
MODE = pytensor.compile.mode.Mode(linker="py", optimizer="fast_run")


def rows_of(family: str, link: str, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every outcome at every eta: y, size, eta, shape (n,) each."""
    both = {"sqrt": [-middle, middle], "inverse": [middle]}
    eta = np.concatenate(both.get(link, [-middle, [0.0], middle]))
    if (family, link) == ("beta", "cloglog"):
        eta = eta[eta < 5.0]  # from 6.6 on 1 - mu is 0 in double precision, and Beta(phi, 0) is no distribution
    grid = [(y, size, x) for y, size in OUTCOMES[family] for x in eta]
    y, size, eta = np.array(grid).T
    return np.ascontiguousarray(y), np.ascontiguousarray(size), np.ascontiguousarray(eta)


def from_rows(family, link, y, size, eta):
    out = np.empty((7, y.size))
    compile_rows(FAMILIES[family].links[link].row).derivatives(y, size, np.ones(y.size), eta, PHI, out)
    return out[0] + FAMILIES[family].log_constant(y, size), out[1]


def graph_of(family, link, y, size):
    """Return the model's own statement as a function eta -> (log density of each row, its gradient)."""
    record = FAMILIES[family].links[link]
    with pm.Model(coords={"row": np.arange(y.size)}) as model:
        eta = pm.Flat("eta", dims="row")
        observed = pm.Data("observed", y, dims="row")
        sizes = pm.Data("size", size, dims="row")
        response = record.graph(pm, pt, "response", eta, sizes, PHI, observed, "row")
    assert response.name == "response"
    assert model.named_vars_to_dims["response"] == ("row",)
    return compiled_density(model, response)


def compiled_density(model, response):
    eta = model.rvs_to_values[model["eta"]]
    density = model.logp(vars=[response], sum=False)[0]
    return pytensor.function([eta], [density, pytensor.grad(density.sum(), eta)], mode=MODE)


def code_of(family, link, y, size):
    """Return the same function for the source text, executed in a bare namespace."""
    with pm.Model() as model:
        eta = pm.Flat("eta", shape=y.size)
        names = {"pm": pm, "pt": pt, "eta": eta, "size": size, "phi": PHI, "observed": y}
        exec(FAMILIES[family].links[link].code, names)
    return compiled_density(model, model["y"])


@pytest.mark.parametrize(("family", "link"), ALL)
@pytest.mark.parametrize("build", [graph_of, code_of])
def test_same_density_and_gradient(build, family, link):
    y, size, eta = rows_of(family, link, _POSITIVE)
    density, gradient = build(family, link, y, size)(eta)
    expected, d1 = from_rows(family, link, y, size, eta)
    np.testing.assert_allclose(density, expected, rtol=1e-10, atol=ROUNDING.get(family, 0.0))
    # A gradient such as y - mu is a difference: near y its error is that of the terms, of order y, size or 1.
    np.testing.assert_allclose(gradient, d1, rtol=1e-10, atol=1e-13 * max(1.0, y.max(), size.max()))


@pytest.mark.parametrize("link", list(FAMILIES["bernoulli"].links))
def test_forty_against_y(link):
    y, size, eta = np.array([0.0, 1.0]), np.ones(2), np.array([40.0, -40.0])
    density, gradient = graph_of("bernoulli", link, y, size)(eta)
    expected, d1 = from_rows("bernoulli", link, y, size, eta)
    np.testing.assert_allclose(density, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, d1, rtol=1e-12)


@pytest.mark.parametrize(("family", "link"), ALL)
def test_code_ends_in_one_statement_that_names_y_and_takes_observed_last(family, link):
    last = FAMILIES[family].links[link].code.rstrip("\n").splitlines()[-1]
    assert last.startswith("pm.")
    assert last.count('"y"') == 1
    assert last.endswith(", observed=observed)")
