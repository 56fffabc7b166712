"""NUTS on the compiled density: repeatable, whatever the cores; readable errors; Ctrl-C keeps what there is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from support.models import make_density
from support.posteriors import quiet_model

import bayesglmm as bg
from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.named import named_values
from bayesglmm.bayes.nuts import sample_target
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.start import start_points
from bayesglmm.bayes.target import Target
from bayesglmm.density.native import native_density


def short(model: bg.GLMM, **settings: object) -> bg.Posterior:
    return model.sample(**{"draws": 30, "tune": 60, "chains": 3, "seed": 1, "progress": False, **settings})


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    return quiet_model("normal ~ x0 + (1 + x1 | a) + (1 | d:e)")


def same_draws(a: bg.Posterior, b: bg.Posterior) -> bool:
    return all(a.tree[g].to_dataset().equals(b.tree[g].to_dataset()) for g in ("posterior", "sample_stats"))


def test_a_seed_repeats_and_another_differs(model):
    first = short(model)
    assert same_draws(first, short(model))
    assert not same_draws(first, short(model, seed=2))


def test_the_number_of_cores_changes_nothing(model):
    assert same_draws(short(model, cores=1), short(model, cores=3))


def test_a_seed_that_nobody_gave_is_recorded(model):
    found = short(model, seed=None)
    assert same_draws(found, short(model, seed=found.tree.attrs["seed"]))


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_the_ends_of_the_range_of_seeds(model, seed):
    assert short(model, seed=seed).tree.attrs["seed"] == seed


def test_chains_start_and_stay_apart(model):
    first = short(model, tune=1, draws=1).tree["posterior"]["beta"].values[:, 0]
    assert len(np.unique(first[:, 0])) == 3


def test_settings_reach_the_sampler(model):
    found = short(model, draws=17, tune=23, chains=2, max_depth=2, target_accept=0.99)
    statistics = found.tree["sample_stats"].to_dataset()
    assert dict(statistics.sizes) == {"chain": 2, "draw": 17}
    assert statistics["tree_depth"].max() == 2
    assert statistics["reached_max_treedepth"].any()
    assert found.tree.attrs["tune"] == 23
    assert found.tree.attrs["sampler"].startswith("nuts and swings on the compiled density (bayesglmm ")


def test_draws_have_the_density_that_the_sampler_says():
    """The recorded lp is the density at the draw: draws and statistics belong together."""
    density = make_density("count ~ x0 + (1 | a)", family="poisson")
    plain = Target(
        native_density(density), start_points(density), lambda x, _seed: named_values(density, x), "", "", 50
    )
    raw = sample_target(plain, SampleSettings.checked(draws=20, chains=2, seed=3, progress=False))
    for chain, draw in [(0, 0), (0, 19), (1, 7)]:
        at = {name: values[chain, draw] for name, values in raw.values.items()}
        x = np.concatenate([_centred(density, at["beta"]), [np.log(at["sd_a"])], at["u_a"] / at["sd_a"]])
        np.testing.assert_allclose(named_values(density, x[None, None])["beta"][0, 0], at["beta"])
        assert raw.statistics["lp"][chain, draw] == pytest.approx(density(x), rel=1e-9)


def _centred(density, beta: np.ndarray) -> np.ndarray:
    coordinates = beta.copy()
    coordinates[0] += density.parameters.center[1:] @ beta[1:]
    return coordinates


def test_a_model_without_groups_and_one_without_coefficients():
    assert set(short(quiet_model("normal ~ x0")).tree["posterior"].to_dataset().data_vars) == {"beta", "sigma"}
    nothing = quiet_model("count ~ 0 + offset(log(exposure)) + (1 | a)", family="poisson")
    assert set(short(nothing).tree["posterior"].to_dataset().data_vars) == {"sd_a", "u_a"}


def test_a_density_that_is_nowhere_finite():
    density = make_density("normal ~ x0 + (1 | a)")
    density.design.rows[0, :] = np.nan  # cannot come from checked data
    with pytest.raises(bg.SamplingError) as caught:
        sample_target(choose_target(density), SampleSettings.checked(draws=10, tune=10, chains=2, progress=False))
    message = str(caught.value)
    assert message.startswith("none of 20 starting points of a chain has a finite log density")
    assert "look at the scale of the columns and at the priors" in message
    assert "\n" not in message


SLOW = """
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    import sys
    import numpy as np, pandas as pd
    import bayesglmm as bg
    rng = np.random.default_rng(0)
    n = 20_000
    data = pd.DataFrame({"s": rng.integers(0, 800, n), "d": rng.integers(0, 300, n)})
    data["y"] = rng.normal(size=800)[data["s"]] + rng.normal(size=300)[data["d"]] + rng.normal(size=n)
    model = bg.GLMM("y ~ 1 + (1 | s) + (1 | d)", data)
    from bayesglmm.bayes import progress
    seen = progress.ChainProgress.report
    def report(self, states):
        seen(self, states)
        print("at", sum(s.finished_draws for s in states), flush=True)
    progress.ChainProgress.report = report
    try:
        posterior = model.sample(draws=100_000, tune=TUNE, chains=2, cores=2, seed=1, progress=False)
    except bg.SamplingError as error:
        print("error", error, flush=True)
        sys.exit(7)
    print("kept", posterior.tree["posterior"].sizes["draw"], flush=True)
    print(posterior.check(), flush=True)
    sys.exit(5)
"""


def interrupted(tune: int, after: int) -> tuple[int, str, float]:
    """Press Ctrl-C after so many iterations of the slow model; return exit code, output, seconds until it was gone."""
    script = textwrap.dedent(SLOW).replace("TUNE", str(tune))
    # A session of its own: whatever the process leaves behind can be found by it.
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("at") and int(line.split()[1]) >= after:
                break
        assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        started = time.perf_counter()
        output, errors = process.communicate(timeout=60)
        seconds = time.perf_counter() - started
    finally:
        process.kill()
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # no child is left of it
    return process.returncode, "".join(lines) + output, seconds


def test_ctrl_c_while_sampling_keeps_the_draws_there_are():
    code, output, seconds = interrupted(tune=20, after=60)
    assert code == 5
    assert seconds < 20
    kept = int(re.search(r"^kept (\d+)$", output, re.MULTILINE)[1])
    assert kept >= 1
    assert re.search(rf"the run was interrupted: kept [12] of 2 chains, {kept} of 100000 draws of each\.", output)


def test_ctrl_c_during_warm_up_says_that_nothing_was_kept():
    code, output, seconds = interrupted(tune=100_000, after=10)
    assert code == 7
    assert seconds < 20
    assert re.search(r"error interrupted during warm-up \(\d+ of 100000 iterations in the furthest chain\)", output)
    assert "no draw was kept" in output


SECOND_PROCESS = """
import json, sys
sys.path.insert(0, {tests!r})
from support.posteriors import quiet_model
from bayesglmm.bayes.hamiltonian.chain import compile_chain
from bayesglmm.bayes.preconditioner import affine
from bayesglmm.density import native
from bayesglmm.density.row_call import compile_row_pass
from bayesglmm.engine.integrated import kernel
poisson, gaussian = quiet_model("count ~ x0 + (1 | a)", family="poisson"), quiet_model("normal ~ x0 + (1 | a)")
for model in (poisson, gaussian):
    model.sample(draws=5, tune=5, chains=1, seed=1, progress=False)
density, draws = affine._compile()
pointers = [density, native._compile_log_density(), native.compile_expand(), kernel.compile_marginal()]
pointers.append(compile_row_pass(poisson.design.family_link.row))
loaded = [sum(f.stats.cache_hits.values()) for f in (draws, compile_chain())]
print(json.dumps([p.cache_hits for p in pointers] + loaded))
"""


@pytest.mark.mcmc
def test_a_second_process_loads_what_the_first_compiled():
    source = SECOND_PROCESS.format(tests=str(Path(__file__).parents[2]))
    for _ in range(2):  # the first may have to compile
        ran = subprocess.run([sys.executable, "-W", "ignore", "-c", source], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [1, 1, 1, 1, 1, 1, 1]
