"""Every specification file: the preconditioned sampler against PyMC's NUTS on the graph, means and standard deviations.

PyMC's figures are kept in tests/reference/pymc_models (its sampler takes an hour for all files), with the script that
made them. Both are wrong by chance only, so that a difference has a standard error: that of a mean is its MCSE, that of
a standard deviation s is the MCSE of (x - mean)^2 over 2 s. Seeds are fixed; some 300 parameters at 4 standard errors
raise a false alarm once in twenty changes of a sampler. Of the 9,000 group effects one or two are expected beyond 4 by
chance, so that 5 is their bound, and their number beyond 4 that of chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.model_files import fingerprint

import bayesglmm as bg
from bayesglmm.bayes.mixing import ess_mean

ROOT = Path(__file__).parents[3]
REFERENCES = ROOT / "tests" / "reference" / "pymc_models"
FILES = sorted((ROOT / "models").glob("*.toml"))

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def figures(posterior: bg.Posterior) -> pd.DataFrame:
    """Return mean and standard deviation of every parameter and group effect, each with its MCSE."""
    items, rows = posterior._labelled, []
    for start in range(0, len(items), 64):
        part = items[start : start + 64]
        draws = np.stack([item.draws for item in part])
        mean, sd = draws.mean(axis=(1, 2)), draws.std(axis=(1, 2))
        squares = (draws - mean[:, None, None]) ** 2
        mean_error = sd / np.sqrt(ess_mean(draws))
        sd_error = squares.std(axis=(1, 2)) / np.sqrt(ess_mean(squares)) / (2.0 * sd)
        names = [item.name.replace('"', "'") for item in part]
        rows.append(pd.DataFrame({"name": names, "effect": [item.term == "group" for item in part]}))
        rows[-1] = rows[-1].assign(mean=mean, sd=sd, mean_error=mean_error, sd_error=sd_error)
    return pd.concat(rows, ignore_index=True)


def reference(name: str) -> tuple[str, pd.DataFrame]:
    """Return the fingerprint of the model that PyMC sampled, and its figures."""
    path = REFERENCES / f"{name}.csv"
    said = next(line for line in path.read_text().splitlines() if line.startswith("# fingerprint"))
    return said.split()[-1], pd.read_csv(path, comment="#")


def test_every_file_has_a_reference():
    assert {p.stem for p in REFERENCES.glob("*.csv")} == {p.stem for p in FILES}


@pytest.mark.mcmc
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_same_posterior_as_by_pymc(path):
    model = bg.read_model(path)
    sampled, by_pymc = reference(path.stem)
    assert sampled == fingerprint(model), "the model has changed: run tests/reference/pymc_models.py --only its name"
    ours = model.sample(draws=1000, chains=4, seed=1, progress=False)
    assert ours.check().converged, ours.check()
    found = figures(ours)
    assert list(found["name"]) == list(by_pymc["name"])
    for figure in ("mean", "sd"):
        error = np.hypot(found[f"{figure}_error"], by_pymc[f"{figure}_error"])
        z = pd.Series(((found[figure] - by_pymc[figure]) / error).to_numpy(), index=found["name"]).abs()
        effects = z[found["effect"].to_numpy()]
        parameters = z[~found["effect"].to_numpy()]
        assert (parameters < 4.0).all(), (figure, parameters[parameters >= 4.0].round(2).to_dict())
        assert (effects < 5.0).all(), (figure, effects[effects >= 5.0].round(2).to_dict())
        assert (effects >= 4.0).sum() <= 1 + len(effects) // 2000, (figure, effects[effects >= 4.0].round(2).to_dict())
