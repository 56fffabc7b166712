"""Saving and loading: equal, whole, without pickle, and clear words for anything else."""

from __future__ import annotations

import os
import pickle

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support.posteriors import made_posterior, quiet_model

import bayesglmm as bg


@pytest.fixture(scope="module")
def small() -> bg.Posterior:
    return made_posterior(quiet_model("normal ~ x0 + (1 | a)"), chains=2, draws=20, notes=("careful",))


def assert_same(loaded: bg.Posterior, saved: bg.Posterior) -> None:
    assert list(loaded.tree.children) == list(saved.tree.children)
    for name, node in saved.tree.children.items():
        found = loaded.tree[name].to_dataset()
        xr.testing.assert_identical(found, node.to_dataset())
        for variable, values in found.variables.items():
            assert values.dtype == node.to_dataset().variables[variable].dtype, variable
    assert loaded.tree.attrs == saved.tree.attrs
    assert {k: type(v) for k, v in loaded.tree.attrs.items()} == {k: type(v) for k, v in saved.tree.attrs.items()}


def test_a_loaded_posterior_is_the_saved_one(salamander_posterior, tmp_path):
    path = salamander_posterior.save(tmp_path / "salamander.nc")
    loaded = bg.load_posterior(path)
    assert_same(loaded, salamander_posterior)
    assert loaded.record == salamander_posterior.record
    pd.testing.assert_frame_equal(loaded.tidy(group=True), salamander_posterior.tidy(group=True))
    assert str(loaded.check()) == str(salamander_posterior.check())


def test_added_groups_are_saved(small, tmp_path):
    rich = small.with_log_likelihood().with_log_prior().with_posterior_predictive(seed=3)
    loaded = bg.load_posterior(rich.save(tmp_path / "rich.nc"))
    assert_same(loaded, rich)
    assert set(loaded.tree.children) > {"log_likelihood", "log_prior", "posterior_predictive"}


@pytest.mark.parametrize("name", ["my group", "a/b", "größe 雪😀"])
def test_any_column_name_is_saved(name, tmp_path):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=24), "x": rng.normal(size=24), name: np.arange(24) % 4})
    posterior = made_posterior(quiet_model(f"y ~ x + (1 + x | `{name}`)", data), chains=2, draws=6)
    assert_same(bg.load_posterior(posterior.save(tmp_path / "odd.nc")), posterior)


def test_many_coefficients_fit_into_the_attributes(tmp_path):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(800, 700)), columns=[f"a_rather_long_name_{k}" for k in range(700)])
    model = quiet_model("y ~ " + " + ".join(data.columns[:200]), data.assign(y=rng.normal(size=800)))
    posterior = made_posterior(model, chains=1, draws=4)
    posterior.tree.attrs["long"] = "x" * 300_000  # HDF5 keeps at most 64 kB beside an object
    assert_same(bg.load_posterior(posterior.save(tmp_path / "wide.nc")), posterior)


def test_nothing_is_unpickled(small, tmp_path, monkeypatch):
    path = small.save(tmp_path / "p.nc")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was called")

    for name in ("load", "loads", "Unpickler", "dump", "dumps", "Pickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert_same(bg.load_posterior(path), small)
    small.save(tmp_path / "again.nc")


def test_arviz_opens_the_file(small, tmp_path):
    tree = az.from_netcdf(small.save(tmp_path / "p.nc"))
    np.testing.assert_array_equal(tree["posterior"]["beta"], small.tree["posterior"]["beta"])


def test_a_suffix_is_added_only_where_there_is_none(small, tmp_path):
    assert small.save(tmp_path / "p").name == "p.nc"
    assert small.save(str(tmp_path / "p.netcdf4")).name == "p.netcdf4"


def test_a_file_is_replaced_whole_while_it_is_in_use(small, tmp_path):
    path = small.save(tmp_path / "p.nc")
    loaded = bg.load_posterior(path)
    other = made_posterior(quiet_model("normal ~ 1"), chains=1, draws=5)
    other.save(path)
    assert_same(bg.load_posterior(path), other)
    assert_same(loaded, small)
    assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(small, tmp_path, monkeypatch, error):
    path = small.save(tmp_path / "p.nc")
    before = path.read_bytes()

    def stop_half_way(_tree: xr.DataTree, target: os.PathLike, **_: object) -> None:
        with open(target, "wb") as file:  # noqa: PTH123
            file.write(b"half")
        raise error

    monkeypatch.setattr(xr.DataTree, "to_netcdf", stop_half_way)
    with pytest.raises((bg.BayesGLMMError, KeyboardInterrupt)) as caught:
        small.save(path)
    if isinstance(error, OSError):
        assert "p.nc cannot be written (disk full)" in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


def test_where_nothing_can_be_saved(small, tmp_path):
    with pytest.raises(bg.BayesGLMMError, match=r"nowhere is not a folder; make it first"):
        small.save(tmp_path / "nowhere" / "p.nc")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(bg.BayesGLMMError, match=r"folder.nc is a folder; name a file in it"):
        small.save(tmp_path / "folder.nc")


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(bg.BayesGLMMError, match=r"absent.nc is not a file; give the path that Posterior.save"):
        bg.load_posterior(tmp_path / "absent.nc")


@pytest.mark.parametrize("content", [b"", b"term,name\n", pickle.dumps({"a": 1}), b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_what_is_not_netcdf(tmp_path, content):
    path = tmp_path / "other.nc"
    path.write_bytes(content)
    with pytest.raises(
        bg.BayesGLMMError, match=r"other.nc cannot be read as netCDF .* it is damaged or something else"
    ):
        bg.load_posterior(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_file(small, tmp_path, part):
    path = small.save(tmp_path / "p.nc")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(bg.BayesGLMMError, match=r"p.nc (cannot be read|holds no posterior|is incomplete)"):
        bg.load_posterior(path)


# What h5netcdf could not open it cannot close either, and says so when the object is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damage_anywhere_is_an_error_of_ours_or_harmless(small, tmp_path):
    path = small.save(tmp_path / "p.nc")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(whole)
        for at in rng.integers(0, 6000, 8):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            loaded = bg.load_posterior(path)
        except bg.BayesGLMMError:
            continue
        assert "beta" in loaded.tree["posterior"]


def test_a_posterior_of_something_else(tmp_path):
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 4)))})})
    tree.to_netcdf(tmp_path / "foreign.nc", engine="h5netcdf")
    with pytest.raises(bg.BayesGLMMError, match=r"foreign.nc holds no posterior of this package .*arviz.from_netcdf"):
        bg.load_posterior(tmp_path / "foreign.nc")


def changed(small: bg.Posterior, path: os.PathLike, groups: dict | None = None, drop: str = "", **attributes: str):
    kept = {n: node.to_dataset() for n, node in small.tree.children.items() if n != drop}
    tree = xr.DataTree.from_dict({**kept, **(groups or {})})
    tree.attrs = {**small.tree.attrs, **attributes}
    tree.to_netcdf(path, engine="h5netcdf")
    return path


def test_a_record_that_cannot_be_read(small, tmp_path):
    path = changed(small, tmp_path / "p.nc", model='{"formula": "y ~ 1", "__reduce__": "os.system"}')
    with pytest.raises(bg.BayesGLMMError, match=r"the model record of this posterior cannot be read"):
        bg.load_posterior(path)
    with pytest.raises(bg.BayesGLMMError, match=r"the model record of this posterior cannot be read"):
        bg.load_posterior(changed(small, path, model="\x01 no JSON"))


def test_a_posterior_with_a_part_missing(small, tmp_path):
    path = tmp_path / "p.nc"
    with pytest.raises(bg.BayesGLMMError, match=r"p.nc is incomplete: there is no group 'sample_stats'"):
        bg.load_posterior(changed(small, path, drop="sample_stats"))
    draws = small.tree["posterior"].to_dataset()
    with pytest.raises(bg.BayesGLMMError, match=r"incomplete: there are no draws of 'sd_a'"):
        bg.load_posterior(changed(small, path, {"posterior": draws.drop_vars("sd_a")}))
    short = draws.isel(coefficient=[0])
    with pytest.raises(bg.BayesGLMMError, match=r"incomplete: the draws of 'beta' have shape \(2, 20, 1\)"):
        bg.load_posterior(changed(small, path, {"posterior": short}))
    turned = draws.transpose("draw", "chain", ...)
    with pytest.raises(bg.BayesGLMMError, match=r"incomplete: the draws of 'beta' have dimensions \('draw', 'chain'"):
        bg.load_posterior(changed(small, path, {"posterior": turned}))
