"""Whole processes side by side: bayesglmm and Bambi with nutpie fit the salamanders, process start to printed table.

    python benchmarks/salamander_whole.py [--pairs 5] [--output benchmarks/salamander_whole.md]

Both sides run once to warm their caches on disk, then in turn (A B A B ...), so that whatever else the machine does
meets both alike. Wall time is ours; CPU time and peak memory are what the operating system says of each process
(wait4). The table says how busy the machine was before and after: on a busy machine wall times are upper bounds.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: The console script of the running interpreter's environment.
COMMAND = str(Path(sys.executable).with_name("bayesglmm"))
OURS = ("bayesglmm fit models/salamander.toml", (COMMAND, "fit", "models/salamander.toml"))
THEIRS = ("Bambi + nutpie, same model and priors", (sys.executable, str(HERE / "salamander_bambi.py")))
#: Label, command, and the goal in seconds.
SHORT = (
    ("`python -c pass` (the floor)", (sys.executable, "-c", "pass"), None),
    ("`import bayesglmm`", (sys.executable, "-c", "import bayesglmm"), 0.5),
    ("`bayesglmm --help`", (COMMAND, "--help"), 0.7),
)
GOAL_OF_FIT = 6.0
PACKAGES = ("bayesglmm", "bambi", "nutpie", "pymc", "pytensor", "numba", "numpy", "arviz")


@dataclass(frozen=True)
class Usage:
    """What one process took: seconds of wall time, seconds of CPU time (user and system), peak resident MB."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[str]) -> tuple[Usage, str]:
    """Run a command to its end; return what it took and what it printed. Stop if it failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        if process.returncode:
            err.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{err.read().decode()[-2000:]}")
        unit = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is in bytes there, in kB elsewhere
        return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit), out.read().decode()


def three(values: Sequence[float], digits: int) -> str:
    """Return the median with minimum and maximum."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def row(label: str, usages: Sequence[Usage]) -> str:
    """Return one line of the table: wall, CPU, memory."""
    wall, cpu, memory = ([getattr(u, what) for u in usages] for what in ("wall", "cpu", "memory"))
    return f"| {label} | {three(wall, 2)} | {three(cpu, 2)} | {three(memory, 0)} |"


def ratios(ours: Sequence[Usage], theirs: Sequence[Usage]) -> str:
    """Return the line of ratios of medians, Bambi's over ours."""
    cells = [
        f"{median(getattr(u, what) for u in theirs) / median(getattr(u, what) for u in ours):.1f}"
        for what in ("wall", "cpu", "memory")
    ]
    return f"| ratio of medians, Bambi over bayesglmm | {' | '.join(cells)} |"


def verdict(label: str, seconds: Sequence[float], goal: float) -> str:
    """Return in words whether a goal is met by the median."""
    met = "met" if median(seconds) < goal else "NOT met"
    return f"- {label}: median {median(seconds):.2f} s, goal below {goal:g} s: {met}."


def load() -> str:
    """Return the load average over one minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def write(path: Path, text: str) -> None:
    """Replace a file as a whole, so that no reader meets half a table."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
        stream.write(text)
    Path(stream.name).chmod(0o644)
    Path(stream.name).replace(path)


def measure(pairs: int, repeats: int) -> str:
    """Run everything; return the report."""
    before = load()
    for _, command in (OURS, THEIRS):
        run(command)
    fits: dict[str, list[Usage]] = {OURS[0]: [], THEIRS[0]: []}
    printed = {}
    for _ in range(pairs):
        for label, command in (OURS, THEIRS):
            usage, printed[label] = run(command)
            fits[label].append(usage)
            print(f"{label}: {usage.wall:.2f} s wall, {usage.cpu:.2f} s CPU, {usage.memory:.0f} MB", flush=True)
    for _, command, _ in SHORT:
        run(command)
    short = {label: [run(command)[0] for _ in range(repeats)] for label, command, _ in SHORT}
    goals = [(OURS[0], GOAL_OF_FIT), *((label, goal) for label, _, goal in SHORT if goal)]
    walls = {label: [u.wall for u in usages] for label, usages in (fits | short).items()}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# The salamanders, whole processes side by side",
        "",
        f"Written by `benchmarks/salamander_whole.py` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}.",
        f"{pairs} pairs in turn, caches on disk warm; 4 chains of 1000 draws after 1000 of warm-up on both sides.",
        "Median (minimum to maximum) of whole processes, start to exit.",
        "",
        f"- {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        f"- {versions}",
        f"- load average over a minute: {before} before, {load()} after (the benchmark's own processes included)",
        "",
        "| process | wall s | CPU s | peak MB |",
        "|---|---|---|---|",
        *(row(label, usages) for label, usages in fits.items()),
        ratios(*fits.values()),
        *(row(label, usages) for label, usages in short.items()),
        "",
        *(verdict(label, walls[label], goal) for label, goal in goals),
        "",
        "What each printed, for the same posterior:",
        "",
        *(f"```text\n{text.strip(chr(10))}\n```\n" for text in printed.values()),
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="measured runs of each side")
    parser.add_argument("--repeats", type=int, default=11, help="measured runs of each short command")
    parser.add_argument("--output", type=Path, default=HERE / "salamander_whole.md", help="Markdown file to write")
    arguments = parser.parse_args()
    report = measure(max(1, arguments.pairs), max(1, arguments.repeats))
    write(arguments.output, report)
    print(f"\n{report}\nwritten to {arguments.output}")


if __name__ == "__main__":
    main()
