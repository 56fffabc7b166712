"""Sampling the PyMC graph, PyMC's answers made by hand: settings handed on, draws taken over, ways to stop."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from support.posteriors import good_statistics, quiet_model, scattered_values

import bayesglmm as bg
from bayesglmm.bayes.graph import sample_graph
from bayesglmm.bayes.settings import SAMPLERS, SampleSettings


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    return quiet_model("normal ~ x0 + (1 + x1 | a)")


def answer(model: bg.GLMM, lengths: list[int], chains: int, draws: int) -> xr.DataTree:
    """Return what pm.sample gives for chains of these lengths: filled up with nan to the longest, helpers included."""
    groups = {}
    for name, values in [
        ("posterior", {**scattered_values(model, chains, draws), "z_a": np.zeros((chains, draws, 4, 2))}),
        ("sample_stats", {**good_statistics(chains, draws), "divergence_message": np.full((chains, draws), "", "O")}),
    ]:
        variables = {}
        for variable, v in values.items():
            v = v.copy()
            if v.dtype.kind == "f":
                for chain, length in enumerate(lengths):
                    v[chain, length:] = np.nan
            variables[variable] = (("chain", "draw", *(f"{variable}_dim_{k}" for k in range(v.ndim - 2))), v)
        groups[name] = xr.Dataset(variables)
    return xr.DataTree.from_dict(groups)


def run(model: bg.GLMM, monkeypatch, result: object, sampler: str = "nutpie", **settings: object):
    """Sample with a pm.sample that gives or raises ``result``; return the draws and what pm.sample was told."""
    told: dict[str, object] = {}

    def sample(**arguments: object) -> object:
        told.update(arguments)
        assert pm.modelcontext(None) is model.pymc
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(pm, "sample", sample)
    checked = SampleSettings.checked(
        **{"draws": 20, "chains": 3, "cores": 2, "progress": False, "sampler": sampler, **settings}
    )
    return sample_graph(model.pymc, model.design, checked), told


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s != "auto"])
def test_settings_are_handed_on(model, monkeypatch, sampler):
    if sampler in ("numpyro", "blackjax"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    raw, told = run(
        model, monkeypatch, answer(model, [20] * 3, 3, 20), sampler, seed=9, tune=5, target_accept=0.9, max_depth=7
    )
    depth = {
        "pymc": "max_treedepth",
        "nutpie": "max_treedepth",
        "numpyro": "max_tree_depth",
        "blackjax": "max_num_doublings",
    }[sampler]
    assert told["nuts"] == {"target_accept": 0.9, depth: 7}
    assert (told["draws"], told["tune"], told["chains"], told["random_seed"]) == (20, 5, 3, 9)
    assert told["cores"] == (1 if sampler == "pymc" else 2)
    assert told["nuts_sampler"] == sampler
    assert told["progressbar"] is False
    assert told["quiet"] is True
    assert raw.sampler.startswith(f"{sampler} on the PyMC graph (pymc ")
    assert not raw.interrupted


def test_draws_are_taken_over_without_helpers(model, monkeypatch):
    tree = answer(model, [20] * 3, 3, 20)
    raw, _ = run(model, monkeypatch, tree)
    assert set(raw.values) == {"beta", "sd_a", "cor_a", "u_a", "sigma"}
    for name, values in raw.values.items():
        np.testing.assert_array_equal(values, tree["posterior"][name])
    assert set(raw.statistics) == set(good_statistics(1, 1))


@pytest.mark.parametrize(
    ("lengths", "chains", "kept"), [([20, 20, 11], [0, 1], 20), ([20, 19, 18], [0, 1, 2], 18), ([0, 0, 7], [2], 7)]
)
def test_an_interrupted_run_keeps_what_is_there(model, monkeypatch, lengths, chains, kept):
    tree = answer(model, lengths, 3, 20)
    raw, _ = run(model, monkeypatch, tree)
    assert raw.interrupted
    for name, values in raw.values.items():
        np.testing.assert_array_equal(values, tree["posterior"][name].values[chains, :kept])
        assert np.isfinite(values).all()
    assert raw.statistics["energy"].shape == (len(chains), kept)


@pytest.mark.parametrize(
    "result",
    [KeyboardInterrupt(), ValueError("Not enough samples to build a trace."), "nothing"],
    ids=["interrupt", "value error", "no draws"],
)
def test_an_interruption_before_the_first_draw(model, monkeypatch, result):
    result = answer(model, [0, 0, 0], 3, 20) if result == "nothing" else result
    with pytest.raises(bg.SamplingError, match=r"interrupted before the first draw: nothing was kept\. Start again"):
        run(model, monkeypatch, result)


def test_ctrl_c_does_not_only_end_a_chain_of_pymcs(model, monkeypatch):
    _, told = run(model, monkeypatch, answer(model, [20] * 3, 3, 20), "pymc", tune=5)
    chains = [25, 10, 25]  # iterations; the second chain is stopped
    begun = []
    for chain, iterations in enumerate(chains):
        for k in range(iterations):
            draw = SimpleNamespace(chain=chain, draw_idx=k)
            if chain < 2:
                told["callback"](trace=None, draw=draw)
                continue
            with pytest.raises(KeyboardInterrupt):
                told["callback"](trace=None, draw=draw)
            begun.append(k)
            break
    assert begun == [0]
    with pytest.raises(KeyboardInterrupt):
        told["callback"](trace=None, draw=SimpleNamespace(chain=3, draw_idx=0))
    assert "callback" not in run(model, monkeypatch, answer(model, [20] * 3, 3, 20), "nutpie")[1]


def test_a_model_that_pymc_cannot_start(model, monkeypatch):
    with pytest.raises(bg.SamplingError, match=r"PyMC could not start: bad start\. Look at the scale"):
        run(model, monkeypatch, pm.exceptions.SamplingError("bad start"))


def test_other_errors_are_not_hidden(model, monkeypatch):
    with pytest.raises(ValueError, match="something else"):
        run(model, monkeypatch, ValueError("something else"))


@pytest.mark.parametrize("sampler", ["numpyro", "blackjax"])
def test_an_extra_that_is_not_installed(model, monkeypatch, sampler):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(bg.NotAvailableError, match=rf'needs {sampler}.* pip install "bayesglmm\[{sampler}\]"'):
        run(model, monkeypatch, None, sampler)
