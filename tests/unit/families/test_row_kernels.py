"""The loops over rows: weights, sums, callers, and the cache on disk across processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from bayesglmm.families import FAMILIES, compile_rows

ALL = [(family, link) for family, record in FAMILIES.items() if not record.predictors for link in record.links]


def data(n: int = 60) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    y = (rng.random(n) < 0.5).astype(float)
    return y, np.ones(n), rng.uniform(0.2, 3.0, n), rng.normal(1.0, 2.0, n)


@pytest.mark.parametrize(("family", "link"), ALL)
def test_both_loops_weigh_the_same_rows(family, link):
    y, size, weights, eta = data()
    kernels = compile_rows(FAMILIES[family].links[link].row)
    out, plain, gradient = np.empty((9, 60)), np.empty((7, 60)), np.empty(60)
    out[7:] = -1.0
    kernels.derivatives(y, size, weights, eta, 1.7, out)
    kernels.derivatives(y, size, np.ones(60), eta, 1.7, plain)
    value, slope = kernels.value_gradient(y, size, weights, eta, 1.7, gradient)
    np.testing.assert_allclose(out[:7], weights * plain, rtol=1e-15)
    np.testing.assert_array_equal(out[7:], -1.0)
    np.testing.assert_allclose(value, out[0].sum(), rtol=1e-13)
    np.testing.assert_allclose(slope, out[4].sum(), rtol=1e-13)
    np.testing.assert_array_equal(gradient, out[1])


def test_binomial_of_one_trial_is_bernoulli():
    for link in FAMILIES["bernoulli"].links:
        assert FAMILIES["binomial"].links[link].row is FAMILIES["bernoulli"].links[link].row


def test_kernels_are_shared():
    row = FAMILIES["poisson"].links["log"].row
    assert compile_rows(row) is compile_rows(row)


def test_read_only_arrays_and_integer_phi_need_no_second_compilation():
    arrays = data()
    for array in arrays:
        array.flags.writeable = False
    kernels = compile_rows(FAMILIES["gaussian"].links["identity"].row)
    value, _ = kernels.value_gradient(*arrays, 2, np.empty(60))
    assert np.isfinite(value)
    assert len(kernels.value_gradient.signatures) == 1


def test_compiled_code_can_call_the_kernels():
    value_gradient = compile_rows(FAMILIES["bernoulli"].links["logit"].row).value_gradient

    @njit
    def twice(y, size, weights, eta, out):
        return 2.0 * value_gradient(y, size, weights, eta, 1.0, out)[0]

    arrays, out = data(), np.empty(60)
    assert twice(*arrays, out) == 2.0 * value_gradient(*arrays, 1.0, out)[0]


OWN_ROW = """
from bayesglmm.families.rows import compiled_scalar

@compiled_scalar
def row(y, size, eta, phi):
    return {factor} * eta, {factor}, 0.0, 0.0, 0.0, 0.0, 0.0
"""

DRIVER = """
import json
import numpy as np
import own_row
from bayesglmm.families import FAMILIES, compile_rows

rows = {name: f.links[f.default_link].row for name, f in FAMILIES.items() if not f.predictors}
rows["own"] = own_row.row
one, report = np.ones(1), {}
for name, row in rows.items():
    kernels = compile_rows(row)
    hits = [sum(k.stats.cache_hits.values()) for k in (kernels.value_gradient, kernels.derivatives)]
    report[name] = kernels.value_gradient(one, one, one, 3.0 * one, 2.0, np.empty(1))[0], hits
print(json.dumps(report))
"""


def in_a_new_process(folder: Path, factor: float) -> dict:
    (folder / "own_row.py").write_text(OWN_ROW.format(factor=factor))
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
    }
    result = subprocess.run([sys.executable, "-c", DRIVER], env=environment, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernels")
    first = in_a_new_process(folder, factor=2.0)
    data_files = [path.name for path in (folder / "cache").rglob("*.nbc")]
    return first, in_a_new_process(folder, factor=5.0), data_files


def test_a_second_process_compiles_nothing(two_processes):
    first, second, _ = two_processes
    assert {hits for name in first for hits in first[name][1]} == {0}
    assert {hits for name in second if name != "own" for hits in second[name][1]} == {1}


def test_an_edited_row_does_not_meet_the_code_of_the_old_one(two_processes):
    first, second, _ = two_processes
    assert first["own"][0] == 6.0
    assert second["own"] == [15.0, [0, 0]]


def test_rows_do_not_collide_in_the_cache(two_processes):
    first, second, data_files = two_processes
    for name, (value, _) in first.items():
        if name != "own":
            assert second[name][0] == value
    assert len({value for value, _ in first.values()}) == 8  # bernoulli and binomial share their row
    assert len(data_files) == 3 * 8
    assert all(name.endswith(".1.nbc") for name in data_files)
