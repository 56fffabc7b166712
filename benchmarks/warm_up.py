"""How many warm-up iterations do preconditioned coordinates need? Every model in models/, several seeds.

    python benchmarks/warm_up.py [--seeds 3]

For each length of warm-up: the worst R-hat and the smallest bulk ESS of any scalar (group effects included) over all
seeds, divergences in all, and smallest ESS per second of sampling (median over seeds). 4 chains of 1000 draws, 2 cores.
Writes warm_up.md.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from report import write

import bayesglmm as bg

HERE = Path(__file__).parent
LENGTHS = (50, 100, 200, 400)


def line(model: bg.GLMM, tune: int, seeds: int) -> tuple[float, float, int, float]:
    """Return worst R-hat, smallest ESS, divergences and the median of smallest ESS per second."""
    worst, smallest, divergences, rates = 1.0, np.inf, 0, []
    for seed in range(1, seeds + 1):
        posterior = model.sample(1000, chains=4, cores=2, tune=tune, seed=seed, progress=False)
        found = posterior.diagnostics
        worst = max(worst, float(np.nanmax(found.r_hat)))
        smallest = min(smallest, float(np.nanmin(found.ess_bulk)))
        divergences += int(posterior.tree["sample_stats"]["diverging"].sum())
        rates.append(float(np.nanmin(found.ess_bulk)) / float(posterior.tree.attrs["sampling_seconds"]))
    return worst, smallest, divergences, statistics.median(rates)


def write_page(seeds: int, rows: list[str]) -> None:
    """Write the table so far."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("bayesglmm", "numba", "numpy"))
    text = [
        "# Length of the warm-up",
        "",
        f"Written by benchmarks/warm_up.py on {datetime.date.today()}: seeds 1 to {seeds}, 4 chains x 1000 draws, two",
        f"shared cores; {versions}. Each cell: worst R-hat, smallest bulk ESS (of 4000 draws; group effects included),",
        "divergences of all seeds, and the median of smallest ESS per second, preparation included. Rates are to be",
        "compared within a row: other work may have run beside some of them.",
        "",
        "| model | " + " | ".join(str(n) for n in LENGTHS) + " |",
        "|---" * (len(LENGTHS) + 1) + "|",
        *rows,
        "",
        "Longer warm-ups buy nothing in these coordinates: a step size has to be found, and scales that are off by a",
        "third at most. 200 is the default since the diagonal is settled by then with room to spare.",
        "",
    ]
    write(HERE / "warm_up.md", "\n".join(text))


def main() -> None:
    """Sample every model at every length and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    rows: list[str] = []
    for path in sorted((HERE.parent / "models").glob("*.toml")):
        model = bg.read_model(path)
        model.sample(20, tune=20, chains=2, seed=1, progress=False)  # compiled code into memory
        cells = []
        for tune in LENGTHS:
            worst, smallest, divergences, rate = line(model, tune, seeds)
            cells.append(f"{worst:.3f}, {smallest:.0f}, {divergences}, {rate:,.0f}/s")
            print(path.stem, tune, cells[-1], flush=True)
        rows.append(f"| {path.stem} | " + " | ".join(cells) + " |")
        write_page(seeds, rows)


if __name__ == "__main__":
    main()
