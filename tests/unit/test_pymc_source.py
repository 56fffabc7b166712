"""The exported source builds the same PyMC model, by itself, whatever columns and levels are called."""

from __future__ import annotations

import ast
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from support.graph_point import graph_point, graph_value
from support.models import KEPT, RESPONSES, make_density, make_frame

from bayesglmm.families import FAMILIES
from bayesglmm.priors import Prior
from bayesglmm.pymc_model import build_pymc_model
from bayesglmm.pymc_source import pymc_source
from bayesglmm.source_text import WIDTH, array_text, number_text, wrapped

NORMAL = Prior("Normal", mu=0.5, sigma=2.5)
TWO_LEVELS = Prior("InverseGamma", alpha=2.5, beta=0.5, on="variance")
MODELS = {
    "intercept alone": ("normal ~ 1", {}),
    "nothing but an offset": ("count ~ 0 + offset(log(exposure))", {"family": "poisson"}),
    "centred intercept": ("normal ~ x0 + cell", {}),
    "raw intercept with one kind of prior": ("normal ~ x0", {"priors": {"beta": NORMAL}}),
    "raw intercept with a prior of its own": (
        "normal ~ x0 + x1",
        {"priors": {"Intercept": Prior("Cauchy", alpha=1, beta=2.5), "beta": NORMAL}},
    ),
    "mixed slopes, centred": (
        "normal ~ x0 + x1 + x2",
        {"priors": {"x0": Prior("Flat"), "x1": Prior("Uniform", lower=-2, upper=2.5)}},
    ),
    "mixed slopes, cell means": (
        "normal ~ 0 + cell + x0",
        {"priors": {"x0": Prior("StudentT", nu=4, sigma=2)}},
    ),
    "slopes of one kind with different numbers": (
        "normal ~ x0 + x1",
        {"priors": {"x0": Prior("Normal", sigma=1.5), "x1": Prior("Normal", mu=1, sigma=2.5)}},
    ),
    "sd on variance": ("normal ~ 1 + (1 | a)", {"priors": {"sd(a)": TWO_LEVELS}}),
    "sd and sigma on precision": (
        "normal ~ 1 + (1 | a)",
        {"priors": {k: Prior("Gamma", alpha=2.5, beta=0.5, on="precision") for k in ("sd", "sigma")}},
    ),
    "flat sds": (
        "normal ~ 1 + (1 + x0 | b)",
        {"priors": {"sd(b)": Prior("Flat"), "sigma": Prior("HalfFlat")}},
    ),
    "several slopes": (
        "normal ~ x0 + x1 + (1 + x0 + x1 + x2 | a)",
        {"priors": {"cor": Prior("LKJ", eta=2.5)}},
    ),
    "slopes with mixed priors": (
        "normal ~ x0 + (1 + x0 + x1 | a)",
        {"priors": {"sd(a, x0)": TWO_LEVELS, "sd(a, x1)": Prior("Exponential", lam=0.5)}},
    ),
    "slopes on the variance, together": ("normal ~ x0 + (1 + x0 || a)", {"priors": {"sd": TWO_LEVELS}}),
    "independent slopes": ("normal ~ x0 + (1 + x0 + x1 || a)", {}),
    "intercept and single slope apart": ("normal ~ x0 + (1 | a) + (0 + x0 | a)", {}),
    "nested and crossed": ("normal ~ x0 + (1 | a/b) + (1 | c)", {}),
    "weights": ("count ~ x0 + (1 | a)", {"family": "poisson", "weights": "positive"}),
    "known standard errors": ("normal | se(positive) ~ x0 + (1 | a)", {}),
    "offset": ("count ~ x0 + (1 | a) + offset(log(exposure))", {"family": "poisson"}),
    "trials": ("successes | trials(trials) ~ x0 + (1 | a)", {"family": "binomial"}),
    "one trial each": ("success | trials(1) ~ x0", {"family": "binomial"}),
    **{
        f"{family}, {link}": (
            f"{RESPONSES[family]} ~ x0 + (1 | a){KEPT.get(link, '')}",
            {"family": family, "link": link},
        )
        for family, record in FAMILIES.items()
        for link in record.links
    },
}


def executed(source: str):
    """Return the model of the source, executed in a namespace of its own."""
    names: dict[str, object] = {}
    exec(compile(source, "<source>", "exec"), names)
    return names["model"]


def small_x(density, seed: int = 3) -> np.ndarray:
    # Near 0, since a graph that is not rewritten is not made for the tails of a link.
    return 0.2 * np.random.default_rng(seed).normal(size=density.size)


def summary(model) -> dict[str, object]:
    """Return everything of a model that has a name."""
    return {
        "variables": set(model.named_vars),
        "free": [v.name for v in model.free_RVs],
        "dims": {name: tuple(dims) for name, dims in model.named_vars_to_dims.items()},
        "coords": {name: tuple(map(str, values)) for name, values in model.coords.items()},
        "data": {v.name: (v.type.dtype, v.get_value().tolist()) for v in model.data_vars},
    }


@pytest.mark.parametrize("name", MODELS)
def test_same_model(name):
    formula, options = MODELS[name]
    density = make_density(formula, **options)
    built = build_pymc_model(density.design, density.parameters)
    source = pymc_source(density.design, density.parameters)
    found = executed(source)
    assert summary(found) == summary(built)
    x = small_x(density)
    values = [graph_value(model, density, x) for model in (built, found)]
    np.testing.assert_allclose(values, density(x), rtol=1e-9)
    assert max(map(len, source.splitlines())) <= WIDTH
    assert source.rstrip().splitlines()[-1].startswith("# ")
    assert "pm.sample(" in source.rstrip().splitlines()[-1]


HOSTILE = [
    "plain",
    "with space",
    "it's",
    'double " quote',
    "back\\slash",
    "end\\",
    "line\nbreak",
    "back`tick",
    "'''\nimport os  # coding: utf-7",
    '"""',
    "{curly} {0} %s",
    "ünï ☃ \u2028 \u202e",
    "sigma",
    "beta_1",
    "a, b",
    "model",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_and_level_is_text(name):
    rng = np.random.default_rng(5)
    levels = np.array([f"{name} {k}" for k in range(5)], dtype=object)
    data = pd.DataFrame(
        {f"y{name}": rng.normal(size=30), name: rng.normal(size=30), f"g{name}": levels[np.arange(30) % 5]}
    )
    quoted = {c: "`" + c.replace("`", "``") + "`" for c in data.columns}
    y, x, g = (quoted[c] for c in data.columns)
    density = make_density(f"{y} ~ {x} + (1 + {x} | {g})", data)
    source = pymc_source(density.design, density.parameters)
    found = executed(source)
    assert summary(found) == summary(build_pymc_model(density.design, density.parameters))
    tree = ast.parse(source)
    identifiers = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    allowed = "np pm pt range model build_model coords formula family link eta beta intercept slopes column_means"
    allowed += " phi size observed response y X index_g0 sd_g0 z_g0 L_g0 u_g0 columns_g0 g0_levels g0_columns"
    assert identifiers <= set(allowed.split())
    point = graph_point(found, density, small_x(density))
    assert set(point) == {v.name for v in found.value_vars}


def test_runs_alone():
    density = make_density(
        "successes | trials(trials) ~ x0 + cell + (1 + x0 | a) + (1 | b)",
        make_frame(24),
        family="binomial",
        link="probit",
        weights="positive",
    )
    x = small_x(density)
    source = pymc_source(density.design, density.parameters)
    built = build_pymc_model(density.design, density.parameters)
    point = {name: value.tolist() for name, value in graph_point(built, density, x).items()}
    script = f"""{source}
import sys
from pytensor.compile.mode import Mode
point = {{name: np.array(value) for name, value in {point!r}.items()}}
print(repr(float(model.compile_logp(mode=Mode(linker="py", optimizer="fast_run"))(point))))
assert not [name for name in sys.modules if name.split(".")[0] == "bayesglmm"]
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    np.testing.assert_allclose(float(run.stdout), density(x), rtol=1e-9)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (-2.0, "-2"),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (1 / 3, "0.3333333333333333"),
    ],
)
def test_numbers_are_exact(value, text):
    assert number_text(value) == text
    assert np.array_equal(np.array([value]).view(np.int64), np.array([float(eval(text))]).view(np.int64))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 2.0**53, 2.0**60 + 2.0**10])
def test_numbers_beyond_literals(value):
    np.testing.assert_array_equal(eval(number_text(value)), value)


@pytest.mark.parametrize("values", [np.linspace(-1, 1, 70) / 3, np.arange(200.0), np.full(9, 0.1), np.array([])])
def test_arrays_come_back(values):
    names = {"np": np}
    exec(array_text("v", values), names)
    np.testing.assert_array_equal(names["v"], values)
    assert names["v"].dtype == np.float64


def test_long_statements_are_broken_outside_strings_only():
    text = "a, b(c" * 30
    statement = f"v = dict(a=[{', '.join(map(str, range(60)))}], b=({text!r}, 2), c=max(3, 4))"
    broken = wrapped(statement, "")
    names: dict[str, object] = {}
    exec(broken, names)
    assert names["v"] == {"a": list(range(60)), "b": (text, 2), "c": 4}
    assert all(len(line) <= WIDTH for line in broken.splitlines() if text not in line)
    assert wrapped("short(1, 2)", "    ") == "    short(1, 2)"
