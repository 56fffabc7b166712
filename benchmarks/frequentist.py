"""Classical fits side by side: bayesglmm, glmm (Rust), lme4 and glmmTMB, all processes warm.

    python benchmarks/frequentist.py [--problems verbagg salamander] [--repetitions 5] [--quick] [--without-r]

bayesglmm and glmm fit in this process, lme4 and glmmTMB in one R process beside it, which times each call itself. Each
package fits a problem once to warm up, then all take turns (A B C A B C ...), so that whatever else the machine does
meets all alike. Besides times, the tables give the log-likelihood that each reached: who stops early is seen there.
A method or package that is not installed is said to be not available, and the rest goes on.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from entries import Entry
from problems import PROBLEMS, Problem
from python_fits import python_entries
from r_fits import R, r_entries
from report import load, write
from tables import NOTES, summary, table

HERE = Path(__file__).resolve().parent
PACKAGES = ("bayesglmm", "glmm", "numpy", "scipy", "numba", "pandas")


def measure(problem: Problem, r: R | None, repetitions: int, budget: float) -> list[Entry]:
    """Fit one problem by everything, in turn."""
    frame = problem.frame()
    entries = python_entries(problem, frame) + r_entries(problem, frame, r)
    for entry in entries:
        entry.warm_up()
    for _ in range(repetitions):
        for entry in entries:
            entry.repeat(budget)
    return entries


def installed(name: str) -> str:
    """Return name and version of a Python package."""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} not installed"


def report(results: dict[str, list[Entry]], tables: Sequence[str], r_versions: str, before: str) -> str:
    """Return the Markdown file."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Classical fits side by side",
        "",
        f"Written by `benchmarks/frequentist.py` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}.",
        "",
        f"- {machine}",
        f"- {', '.join(installed(name) for name in PACKAGES)}",
        f"- {r_versions}",
        f"- load average over a minute: {before} before, {load()} after (the benchmark's own processes included)",
        "",
        "Times of the others over ours:",
        "",
        summary(results),
        "",
        NOTES,
        "",
        "\n\n".join(tables),
        "",
    ]
    return "\n".join(lines)


def run(chosen: Sequence[Problem], r: R | None, repetitions: int, budget: float) -> str:
    """Measure the problems, print each table as it comes, return the report."""
    before = load()
    results, tables = {}, []
    for problem in chosen:
        results[problem.key] = measure(problem, r, repetitions, budget)
        tables.append(table(problem, results[problem.key]))
        print(f"{tables[-1]}\n", flush=True)
    return report(results, tables, "R not used" if r is None else r.ask("versions")[0], before)


def parse() -> argparse.Namespace:
    """Read the command line."""
    keys = [problem.key for problem in PROBLEMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=keys, default=keys, help="which to fit")
    parser.add_argument("--repetitions", type=int, default=5, help="measured fits of each package")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds after which a package is not repeated")
    parser.add_argument("--without-r", action="store_true", help="leave out lme4 and glmmTMB")
    parser.add_argument("--quick", action="store_true", help="one fit after the first, no file is written")
    parser.add_argument("--output", type=Path, default=HERE / "frequentist.md", help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Read the arguments, measure, write the tables."""
    arguments = parse()
    warnings.simplefilter("ignore")
    chosen = [problem for problem in PROBLEMS if problem.key in arguments.problems]
    repetitions = 1 if arguments.quick else max(1, arguments.repetitions)
    if arguments.without_r:
        text = run(chosen, None, repetitions, arguments.budget)
    else:
        with tempfile.TemporaryDirectory() as folder, R(Path(folder)) as r:
            text = run(chosen, r, repetitions, arguments.budget)
    print(text.split("## ", 1)[0])
    if not arguments.quick:
        write(arguments.output, text)
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
