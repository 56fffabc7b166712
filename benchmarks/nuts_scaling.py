"""Time of a leapfrog step from 1e4 to 1e6 rows, and two chains on two cores against one.

    python benchmarks/nuts_scaling.py

Crossed Bernoulli data (500 x 200 levels, three columns) are simulated; the density is sampled in its preconditioned
coordinates for a few iterations. Steps are counted from the sampler's record. *Scaling*: twice the time of one chain
over the time of two chains side by side, both of the same seed's work, median of three. Writes nuts_scaling.md.
"""

from __future__ import annotations

import datetime
import os
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import bayesglmm as bg
from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.nuts import sample_target
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.target import Target
from bayesglmm.density import JointDensity

HERE = Path(__file__).parent
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
DRAWS = {10_000: 400, 30_000: 200, 100_000: 60, 300_000: 30, 1_000_000: 10}


def simulated(n: int) -> pd.DataFrame:
    """Return crossed binary data of n rows."""
    rng = np.random.default_rng(n)
    g, h = rng.integers(0, 500, n), rng.integers(0, 200, n)
    x = rng.normal(size=(n, 2))
    eta = 0.3 + x @ [0.5, -0.4] + rng.normal(size=500)[g] + 0.7 * rng.normal(size=200)[h]
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1], "g": g, "h": h})


def seconds_a_step(target: Target, draws: int, chains: int) -> tuple[float, float]:
    """Return seconds of sampling over all steps of the longest chain, and seconds a step."""
    settings = SampleSettings.checked(draws=draws, tune=20, chains=chains, cores=chains, seed=1, progress=False)
    started = time.perf_counter()
    raw = sample_target(target, settings)
    seconds = time.perf_counter() - started
    steps = float(raw.statistics["n_steps"].mean()) * (draws + 20)
    return seconds, seconds / steps


def main() -> None:
    """Time every size and write the table."""
    warnings.simplefilter("ignore")
    lines = [
        "| rows | step of one chain, us | ns a row | step of two chains, us | scaling |",
        "|---:|---:|---:|---:|---:|",
    ]
    found = []
    for n in SIZES:
        model = bg.GLMM("y ~ x1 + x2 + (1 | g) + (1 | h)", simulated(n), family="bernoulli")
        target = choose_target(JointDensity.of(model.design, model.parameters))
        one = statistics.median(seconds_a_step(target, DRAWS[n], 1)[1] for _ in range(3))
        two = statistics.median(seconds_a_step(target, DRAWS[n], 2)[1] for _ in range(3))
        found.append(one)
        cells = [f"{n:,}", f"{one * 1e6:,.0f}", f"{one / n * 1e9:.1f}", f"{two * 1e6:,.0f}", f"{2.0 * one / two:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    slope = float(np.polyfit(np.log(SIZES), np.log(found), 1)[0])
    versions = ", ".join(f"{name} {version(name)}" for name in ("bayesglmm", "nutpie", "numba", "numpy"))
    text = [
        "# A step of NUTS against the number of rows",
        "",
        f"Written by benchmarks/nuts_scaling.py on {datetime.date.today()}; {os.cpu_count()} shared processors;",
        f"{versions}. Crossed Bernoulli data, 500 x 200 levels.",
        "The whole step: linear map, priors, effects, rows, and what the sampler adds.",
        "",
        *lines,
        "",
        f"Time grows as rows^{slope:.2f}.",
        "",
    ]
    (HERE / "nuts_scaling.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
