"""The labelled tree: groups, names, dimensions, types and attributes, whatever the columns are called."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support.posteriors import made_posterior, quiet_model, scattered_values

from bayesglmm.bayes.raw import STATISTICS

SCHEMA = ("posterior", "sample_stats", "observed_data", "constant_data")


def assert_no_objects(tree: xr.DataTree) -> None:
    for node in tree.subtree:
        for name, variable in node.variables.items():
            assert variable.dtype.kind in "biufU", f"{node.path}/{name}: {variable.dtype}"


def test_groups_and_names_are_arvizs(salamander_posterior):
    tree = salamander_posterior.tree
    assert tuple(tree.children) == SCHEMA
    draws = tree["posterior"].to_dataset()
    assert set(draws.data_vars) == {"beta", "sd_female", "u_female", "sd_male", "u_male"}
    assert draws["beta"].dims == ("chain", "draw", "coefficient")
    assert list(draws["coefficient"].values) == ["cross[RR]", "cross[RW]", "cross[WR]", "cross[WW]"]
    assert draws["u_female"].dims == ("chain", "draw", "female")
    assert draws["u_female"].shape == (4, 500, 60)
    assert_no_objects(tree)


def test_statistics_have_arvizs_names_and_types(salamander_posterior):
    statistics = salamander_posterior.tree["sample_stats"].to_dataset()
    assert (
        set(statistics.data_vars)
        == set(STATISTICS)
        == {
            *("tree_depth", "reached_max_treedepth", "diverging", "energy"),
            *("lp", "n_steps", "step_size", "acceptance_rate"),
        }
    )
    for name, (kind, _) in STATISTICS.items():
        assert statistics[name].dims == ("chain", "draw")
        assert statistics[name].dtype == kind
    assert statistics["tree_depth"].min() >= 1
    assert 0.6 < float(statistics["acceptance_rate"].mean()) < 1.0
    assert np.isfinite(statistics["lp"]).all()


def test_several_effects_have_a_dimension_and_correlations_are_named_pairs(sleepstudy_posterior):
    draws = sleepstudy_posterior.tree["posterior"].to_dataset()
    assert draws["sd_subject"].dims == ("chain", "draw", "subject_effect")
    assert draws["u_subject"].dims == ("chain", "draw", "subject", "subject_effect")
    assert draws["cor_subject"].dims == ("chain", "draw", "subject_pair")
    assert list(draws["subject_effect"].values) == ["Intercept", "days"]
    assert list(draws["subject_pair"].values) == ["Intercept, days"]
    assert draws["sigma"].dims == ("chain", "draw")


def test_pairs_are_the_strict_lower_triangle_row_by_row():
    model = quiet_model("normal ~ 1 + (1 + x0 + x1 | a)")
    values = scattered_values(model, 2, 5)
    stored = made_posterior(model, values, chains=2, draws=5).tree["posterior"]["cor_a"]
    expected = {"Intercept, x0": (1, 0), "Intercept, x1": (2, 0), "x0, x1": (2, 1)}
    assert list(stored["a_pair"].values) == list(expected)
    for pair, (i, k) in expected.items():
        np.testing.assert_array_equal(stored.sel(a_pair=pair), values["cor_a"][:, :, i, k])


def test_constant_data_hold_what_the_linear_predictor_needs():
    formula = "count ~ x0 + offset(log(exposure)) + (1 | a) + (0 + x1 | b) + (1 + x2 || c)"
    model = quiet_model(formula, family="poisson", weights="positive")
    data = made_posterior(model, chains=1, draws=4).tree["constant_data"].to_dataset()
    design = model.design
    np.testing.assert_array_equal(data["X"].transpose("row", "coefficient"), design.X)
    np.testing.assert_array_equal(data["offset"], design.offset)
    np.testing.assert_array_equal(data["weights"], design.weights)
    assert "Z_a" not in data
    assert data["Z_b"].dims == ("row",)
    assert data["Z_c"].dims == ("row", "c_effect")
    np.testing.assert_array_equal(data["Z_c"].sel(c_effect="Intercept"), 1.0)
    np.testing.assert_array_equal(data["c_index"], design.groups[2].codes)


def test_row_labels_are_those_of_the_data_frame():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=6), "g": list("aabbcc")}, index=[f"r{k}" for k in range(6)])
    data.loc["r2", "y"] = np.nan
    model = quiet_model("y ~ 1 + (1 | g)", data, missing="drop")
    labels = made_posterior(model, chains=1, draws=4).tree["constant_data"]["row_label"]
    assert list(labels.values) == ["r0", "r1", "r3", "r4", "r5"]


def test_attributes_make_the_run_repeatable(salamander_posterior, salamander_model):
    attributes = salamander_posterior.tree.attrs
    assert attributes["seed"] == 1986
    assert (attributes["chains"], attributes["draws"], attributes["tune"]) == (4, 500, 500)
    assert attributes["data_fingerprint"] == salamander_model.design.fingerprint
    assert json.loads(attributes["specification"]) == json.loads(json.dumps(salamander_model.spec.to_dict()))
    versions = json.loads(attributes["versions"])
    assert {"python", "bayesglmm", "numpy", "numba", "nutpie", "pymc", "arviz"} <= set(versions)
    assert attributes["sampling_seconds"] > 0
    assert attributes["created_at"].endswith("+00:00")
    assert attributes["interrupted"] == 0
    assert all(isinstance(value, (str, int, float)) for value in attributes.values())


ODD = {
    "reserved words": ("sigma ~ beta + (1 + beta | row)", ["sigma", "beta", "row"]),
    "dimensions": ("draw ~ coefficient + (1 | chain) + (1 | coefficient_level)", ["draw", "coefficient", "chain"]),
    "slashes": ("`a/b` ~ 1 + (1 + `c/d` | `e/f`)", ["a/b", "c/d", "e/f"]),
    "spaces": ("`my y` ~ `my x` + (1 | `my group`)", ["my y", "my x", "my group"]),
    "unicode": ("`größe` ~ `Länge` + (1 + `Länge` | `雪😀`)", ["größe", "Länge", "雪😀"]),
    "clashing pair": ("y ~ 1 + (1 + x | g) + (1 | g_pair)", ["y", "x", "g"]),
    "Python": ("y ~ `class` + (1 | `2nd`)", ["y", "class", "2nd"]),
}


def odd_frame(columns: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({name: rng.normal(size=36) for name in columns})
    frame[columns[-1]] = [f"L{k % 6}" for k in range(36)]
    return frame.assign(coefficient_level=np.arange(36) % 5, g_pair=np.arange(36) % 4)


@pytest.mark.parametrize("case", ODD)
def test_any_column_name_works(case):
    formula, columns = ODD[case]
    model = quiet_model(formula, odd_frame(columns))
    posterior = made_posterior(model, chains=2, draws=8)
    tree = posterior.tree
    assert_no_objects(tree)
    for node in tree.subtree:
        variables = node.to_dataset()
        assert not set(variables.data_vars) & set(variables.dims), "a variable shares the name of a dimension"
        assert not any("/" in str(name) for name in variables.variables)
    assert len(posterior.tidy(group=True)) == sum(
        v[0, 0].size for v in tree["posterior"].to_dataset().data_vars.values()
    )
    assert np.isfinite(posterior.with_log_likelihood().tree["log_likelihood"].to_dataset().to_array()).all()
