"""Does sampling with default settings end well, whatever the seed? Every problem of nuts_problems.py.

    python benchmarks/nuts_seeds.py [--seeds 5] [--problems salamander insteval]

Four chains of 1000 draws and the default warm-up. R-hat (rank-normalised, split) of coefficients, standard deviations,
correlations and sigma, and of all group effects; bulk ESS likewise; divergences. Adds to nuts_seeds.csv and writes
nuts_seeds.md from it.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import warnings
from importlib.metadata import version
from pathlib import Path

import arviz as az
import numpy as np
from nuts_problems import PROBLEMS, Sampling
from report import load, write

HERE = Path(__file__).parent
CSV, PAGE = HERE / "nuts_seeds.csv", HERE / "nuts_seeds.md"
COLUMNS = (
    *("problem", "seed", "r_hat", "r_hat_group", "ess", "ess_group"),
    *("divergences", "seconds", "load", "bayesglmm", "date"),
)
Row = dict[str, str]


def sampled(problem: Sampling, seed: int) -> Row:
    """Sample once and return the figures."""
    posterior = problem.model(problem.frame()).sample(seed=seed, progress=False)
    draws = posterior.tree["posterior"].to_dataset()
    group = [str(name) for name in draws.data_vars if str(name).startswith("u_")]
    others = draws.drop_vars(group)
    r_hat, ess = az.rhat(draws), az.ess(draws)
    row = {
        "problem": problem.key,
        "seed": seed,
        "r_hat": max(float(np.nanmax(r_hat[name])) for name in others.data_vars),
        "r_hat_group": max((float(np.nanmax(r_hat[name])) for name in group), default=np.nan),
        "ess": min(float(np.nanmin(ess[name])) for name in others.data_vars),
        "ess_group": min((float(np.nanmin(ess[name])) for name in group), default=np.nan),
        "divergences": int(posterior.tree["sample_stats"]["diverging"].sum()),
        "seconds": float(posterior.tree.attrs["sampling_seconds"]),
        "load": load(),
        "bayesglmm": version("bayesglmm"),
        "date": datetime.date.today(),
    }
    return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in row.items()}


def read() -> dict[tuple[str, int], Row]:
    """Return the rows of the csv by problem and seed."""
    if not CSV.exists():
        return {}
    with CSV.open(newline="") as file:
        return {(row["problem"], int(row["seed"])): row for row in csv.DictReader(file)}


def table(rows: list[Row]) -> list[str]:
    """Return a line of markdown for each problem: the worst of its seeds."""
    lines = [
        "| problem | seeds | worst R-hat | R-hat, group effects | divergences | smallest ESS | ESS, group effects |"
        " sampling, s (min to max) |",
        "|---" * 8 + "|",
    ]
    for key in (p.key for p in PROBLEMS):
        own = [row for row in rows if row["problem"] == key]
        if not own:
            continue
        column = {name: [float(row[name]) for row in own] for name in COLUMNS[2:8]}
        cells = [key, str(len(own)), f"{max(column['r_hat']):.4f}", f"{max(column['r_hat_group']):.4f}"]
        cells += [f"{sum(column['divergences']):.0f}", f"{min(column['ess']):.0f}", f"{min(column['ess_group']):.0f}"]
        lines.append(f"| {' | '.join(cells)} | {min(column['seconds']):.2f} to {max(column['seconds']):.2f} |")
    return lines


def write_page(rows: list[Row]) -> None:
    """Write csv and page."""
    with CSV.with_suffix(".part").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    CSV.with_suffix(".part").replace(CSV)
    dates = sorted(row["date"] for row in rows)
    text = [
        "# Default settings, several seeds",
        "",
        f"Written by `benchmarks/nuts_seeds.py`; runs of {dates[0]} to {dates[-1]}. Four chains of 1000 draws after",
        "the default warm-up, two shared cores; the worst of all seeds. R-hat is rank-normalised and split; of",
        "thousands of group effects the largest is the largest of thousands of noisy numbers.",
        "",
        *table(rows),
        "",
    ]
    write(PAGE, "\n".join(text))


def main() -> None:
    """Sample what is asked for; keep every result as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--problems", nargs="*", default=[p.key for p in PROBLEMS], choices=[p.key for p in PROBLEMS])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = read()
    for problem in (p for p in PROBLEMS if p.key in arguments.problems):
        problem.model(problem.frame()).sample(
            20, tune=20, chains=2, seed=1, progress=False
        )  # compiled code into memory
        rows = {key: row for key, row in rows.items() if key[0] != problem.key}
        for seed in range(1, arguments.seeds + 1):
            rows[problem.key, seed] = sampled(problem, seed)
            print(rows[problem.key, seed], flush=True)
            write_page(list(rows.values()))


if __name__ == "__main__":
    main()
