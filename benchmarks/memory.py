"""Resident memory of a fit of InstEval beyond the imports, each case in a fresh process (Linux).

    python benchmarks/memory.py [--cases insteval-reml insteval-bernoulli] [--without-glmm]

Each line is one stage: resident MB after it, and the peak during it, beyond what the process held when bayesglmm, its
modules and numba were loaded and no data were. The figure that counts is the peak over all stages. Each case runs once
before it is measured, so that compiled code comes from the cache on disk; with --cold that first run is the one shown.
The second table is the rival package glmm, beyond its own import and with the same data frame.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from problems import PROBLEMS, Problem, problem

#: MB beyond the imports.
GOAL = 400
#: Parts of bayesglmm that a classical fit uses.
HOUSES = ("families", "engine", "frequentist", "covariance", "formula", "validate", "priors")
STATUS = Path("/proc/self/status")


def resident(what: str) -> float:
    """Return VmRSS or VmHWM of this process, MB."""
    lines = STATUS.read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def forget_peak() -> None:
    """Let VmHWM start again from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


class Stages:
    """Resident memory stage by stage, MB beyond the memory when it was made."""

    def __init__(self) -> None:
        self.base = resident("VmRSS")
        self.rows: list[tuple[str, float, float]] = []

    def run[T](self, name: str, step: Callable[[], T]) -> T:
        """Run one stage."""
        forget_peak()
        result = step()
        self.rows.append((name, resident("VmRSS") - self.base, resident("VmHWM") - self.base))
        return result


def import_ours() -> None:
    """Import bayesglmm with every module of a classical fit, and so numba."""
    for house in HOUSES:
        package = importlib.import_module(f"bayesglmm.{house}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("bayesglmm.model")
    importlib.import_module("numba")
    importlib.import_module("scipy.optimize")


def ours(case: Problem) -> Stages:
    """Fit by bayesglmm."""
    import_ours()
    stages = Stages()
    frame = stages.run("data", case.frame)
    model = stages.run("design", lambda: case.model(frame))
    stages.run("fit", lambda: model.fit(case.method, **case.options))
    return stages


def rivals(case: Problem) -> Stages:
    """Fit by the package glmm."""
    glmm = importlib.import_module("glmm")
    importlib.import_module("bayesglmm.datasets")
    importlib.import_module("pandas")
    importlib.import_module("pyarrow")
    stages = Stages()
    frame = stages.run("data", case.frame)
    options: dict[str, Any] = {"satterthwaite": False}
    stages.run("design and fit", lambda: glmm.fit(frame, case.lme4_formula, case.their_family, **options))
    return stages


WAYS = {"bayesglmm": ours, "glmm": rivals}


def child(way: str, key: str) -> None:
    """Run one case in this process, print its stages as JSON."""
    warnings.simplefilter("ignore")
    stages = WAYS[way](problem(key))
    print(json.dumps({"base": stages.base, "rows": stages.rows}))


def fresh(way: str, key: str) -> dict[str, Any] | str:
    """Run one case in a fresh process; return what it measured, or its last words."""
    command = [sys.executable, __file__, "--child", way, key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else f"ended with {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1])


def show(way: str, case: Problem, found: dict[str, Any] | str) -> str:
    """Return the table of one case."""
    head = f"{way}, {case.title}"
    if isinstance(found, str):
        return f"{head}: not available ({found})\n"
    peak = max(row[2] for row in found["rows"])
    verdict = f", goal under {GOAL}: {'met' if peak < GOAL else 'NOT met'}" if way == "bayesglmm" else ""
    lines = [f"{head}: {peak:.0f} MB beyond the imports ({found['base']:.0f} MB){verdict}"]
    lines += [
        f"    {name:15s} {after:7.0f} MB after, {most:7.0f} MB at its peak" for name, after, most in found["rows"]
    ]
    return "\n".join([*lines, ""])


def measure(cases: Sequence[str], ways: Sequence[str], cold: bool) -> None:
    """Run and print every case."""
    for way in ways:
        for key in cases:
            if not cold:
                fresh(way, key)
            print(show(way, problem(key), fresh(way, key)), flush=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [p.key for p in PROBLEMS]
    parser.add_argument("--cases", nargs="+", choices=keys, default=["insteval-reml", "insteval-bernoulli"])
    parser.add_argument("--without-glmm", action="store_true", help="leave out the rival")
    parser.add_argument("--cold", action="store_true", help="show the first run, whatever it must compile")
    parser.add_argument("--child", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not STATUS.exists():
        sys.exit("memory.py reads /proc/self/status, which this system does not have; run it on Linux.")
    if arguments.child:
        child(*arguments.child)
        return
    measure(arguments.cases, ("bayesglmm",) if arguments.without_glmm else tuple(WAYS), arguments.cold)


if __name__ == "__main__":
    main()
