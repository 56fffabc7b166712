"""Names of variables and dimensions: those promised, and none of them twice whatever columns are called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.models import make_design, make_frame

from bayesglmm.naming import Names
from bayesglmm.parameters import build_parameters
from bayesglmm.priors import Prior
from bayesglmm.pymc_model import build_pymc_model
from bayesglmm.pymc_source import pymc_source

ON_VARIANCE = Prior("InverseGamma", alpha=2, beta=1, on="variance")


def frame_of(*factors: str) -> pd.DataFrame:
    """Return a response y, a covariate x and factors of these names."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": rng.normal(size=40), "x": rng.normal(size=40)})
    return data.assign(**{name: rng.permutation(np.arange(40) % (4 + k)) for k, name in enumerate(factors)})


def design_of(formula: str, *factors: str, **options):
    return make_design(formula, frame_of(*factors), **options)


def test_names_of_an_ordinary_model():
    design = make_design("normal ~ x0 + (1 + x0 | a) + (1 | b:c)", make_frame())
    names = Names.of(design)
    first, second = names.groups
    assert (first.label, first.level_dim, first.effect_dim, first.effect_dim_bis) == (
        ("a", "a", "a_effect", "a_effect_bis")
    )
    assert (first.sd, first.cor, first.u, first.z) == ("sd_a", "cor_a", "u_a", "z_a")
    assert (second.label, second.level_dim, second.u) == ("b:c", "b:c", "u_b:c")
    assert names.response == "normal"


def test_variables_of_the_graph():
    model = build(design_of("y ~ x + (1 + x | g) + (1 | h)", "g", "h"))
    expected = {"Intercept_centered", "slopes", "beta", "sigma", "X", "response", "y"}
    expected |= {"sd_g", "z_g", "u_g", "cor_g", "cor_g_cholesky", "g_index", "Z_g", "sd_h", "z_h", "u_h", "h_index"}
    assert set(model.named_vars) == expected
    assert model.named_vars_to_dims["u_g"] == ("g", "g_effect")
    assert model.named_vars_to_dims["cor_g"] == ("g_effect", "g_effect_bis")
    assert model.named_vars_to_dims["beta"] == ("coefficient",)
    assert model.coords["g_effect"] == ("Intercept", "x")
    assert model.coords["h"] == ("0", "1", "2", "3", "4")


def build(design):
    return build_pymc_model(design, build_parameters(design))


@pytest.mark.parametrize(
    ("formula", "factors", "priors"),
    [
        ("y ~ 1 + (1 | sigma)", ["sigma"], {"sd": ON_VARIANCE, "sigma": ON_VARIANCE}),
        ("y ~ 1 + (1 | sigma_variance)", ["sigma_variance"], {"sigma": ON_VARIANCE}),
        ("y ~ x + (1 | row) + (1 | coefficient) + (1 | slope)", ["row", "coefficient", "slope"], {}),
        ("y ~ x + (1 | chain) + (1 | draw) + (1 | __sample__)", ["chain", "draw", "__sample__"], {}),
        ("y ~ x + (1 | beta) + (1 | X) + (1 | response) + (1 | eta)", ["beta", "X", "response", "eta"], {}),
        ("y ~ x + (1 | Intercept_centered) + (1 | slopes)", ["Intercept_centered", "slopes"], {}),
        ("y ~ 1 + (1 + x | g) + (1 | g_effect) + (1 | g_effect_bis)", ["g", "g_effect", "g_effect_bis"], {}),
        ("y ~ 1 + (1 + x | g) + (1 | g_0)", ["g", "g_0"], {"sd(g, x)": ON_VARIANCE}),
        ("y ~ 1 + (1 | g_1) + (1 + x | g)", ["g_1", "g"], {"sd(g, x)": ON_VARIANCE}),
        ("y ~ 1 + (1 | sd_g) + (1 | g_index) + (1 | g)", ["sd_g", "g_index", "g"], {}),
        ("y ~ 1 + (1 + x | g) + (1 + x | g_cholesky)", ["g", "g_cholesky"], {}),
        ("y ~ 1 + (1 | `a/b`) + (1 | a_b) + (1 | `a//b`)", ["a/b", "a_b", "a//b"], {}),
        ("y ~ 1 + (1 | g__) + (1 | g_) + (1 | __)", ["g__", "g_", "__"], {}),
        ("y ~ 1 + (1 + x | _) + (1 | unnamed_)", ["_", "unnamed_"], {}),
        ("y ~ 1 + (1 | g_log__) + (1 | g)", ["g_log__", "g"], {}),
        ("y ~ 1 + (1 | a:b) + (1 | `a.b`)", ["a", "b", "a.b"], {}),
        ("y ~ 1 + (1 | g) + (0 + x | g) + (1 | g_x)", ["g", "g_x"], {}),
        ("y ~ 1 + (1 | u) + (1 | z) + (1 | u_z)", ["u", "z", "u_z"], {}),
    ],
)
def test_no_name_is_there_twice(formula, factors, priors):
    design = design_of(formula, *factors, priors=priors)
    model = build(design)
    names = Names.of(design)
    dims = [d for g in names.groups for d in (g.level_dim, g.effect_dim, g.effect_dim_bis)]
    assert len(set(dims)) == len(dims)
    assert len({g.label for g in names.groups}) == len(names.groups)
    assert not {*model.coords, *dims} & {*model.named_vars}
    assert not [name for name in [*model.named_vars, *dims] if "/" in name or name.endswith("__")]
    # Values of free variables have names of their own beside the variables'.
    assert len({v.name for v in model.value_vars}) == len(model.value_vars)
    assert {"sigma", "beta", names.response} <= set(model.named_vars)
    found: dict[str, object] = {}
    exec(pymc_source(design, build_parameters(design)), found)
    assert set(found["model"].named_vars) == set(model.named_vars)


RESPONSES = "beta beta_1 sigma sigma_precision eta x g sd_g u_g g_index row a/b slopes y__ _"


@pytest.mark.parametrize("response", RESPONSES.split())
def test_response_has_a_name_of_its_own(response):
    data = frame_of("g").rename(columns={"y": response} if response not in ("x", "g") else {})
    left = f"`{response}`" if response not in ("x", "g") else "log(y + 100)"
    priors = {"Intercept": Prior("Cauchy", alpha=0, beta=1), "x": Prior("Normal", sigma=1), "sigma": ON_VARIANCE}
    design = make_design(f"{left} ~ x + (1 | g)", data, priors=priors)
    model = build(design)
    assert [v.name for v in model.observed_RVs] == [Names.of(design).response]
    assert len(model.named_vars) == len(set(model.named_vars))


def test_response_keeps_its_name_where_it_can():
    assert Names.of(make_design("log(positive) ~ 1")).response == "log(positive)"
    data = frame_of("g").rename(columns={"y": "reaction time"})
    assert Names.of(make_design("`reaction time` ~ 1", data)).response == "reaction time"
    assert Names.of(make_design("successes | trials(trials) ~ 1", family="binomial")).response == "successes"


def test_ordinary_names_give_way_to_none():
    """Factors called like parameters keep their labels; their dimensions step aside."""
    names = Names.of(design_of("y ~ 1 + (1 | sigma) + (1 | beta)", "sigma", "beta"))
    assert [g.label for g in names.groups] == ["sigma", "beta"]
    assert [g.level_dim for g in names.groups] == ["sigma_level", "beta_level"]
    assert [g.sd for g in names.groups] == ["sd_sigma", "sd_beta"]
