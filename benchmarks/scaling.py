"""Seconds per evaluation (value and gradient) against rows: two crossed factors of fixed sizes, 1e4 to 1e7 rows.

    python benchmarks/scaling.py [--most 1e7] [--methods laplace reml] [--repetitions 7] [--output FILE]

Each size runs in a fresh process, so that the peak of its memory is its own. The evaluations alternate between two
parameter points five percent apart, each search for the modes starting where the last one ended, as in a fit. A
continuous covariate makes every row differ from every other. The csv of the figure is written beside it; a size that
would not fit into the memory that is free is left out, in words.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from report import write

HERE = Path(__file__).resolve().parent
LEVELS = (500, 200)
SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278, 10_000_000)
FAMILY = {"laplace": "bernoulli", "reml": "gaussian"}
NAMES = {"laplace": "Laplace, Bernoulli", "reml": "REML, gaussian"}
#: Bytes that a row may take at the peak; a size that needs more than what is free is not tried.
BYTES_A_ROW = 1500
#: The slope is fitted from here on: below, the cost of the factors' own matrices shows.
ASYMPTOTE = 1e5
SEED = 20250101


def simulate(rows: int, family: str) -> pd.DataFrame:
    """Return y, x and two crossed factors, drawn from the model."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal(rows)
    eta = 0.5 * x - 0.3
    frame = {"x": x}
    for name, levels, sd in zip("ab", LEVELS, (0.8, 0.6), strict=True):
        codes = rng.integers(levels, size=rows).astype(np.int32)
        eta += sd * rng.standard_normal(levels)[codes]
        frame[name] = pd.Categorical.from_codes(codes, categories=range(levels))
    y = rng.random(rows) < 1.0 / (1.0 + np.exp(-eta)) if family == "bernoulli" else eta + rng.standard_normal(rows)
    return pd.DataFrame({"y": y.astype(np.float64), **frame})


def evaluator(method: str, frame: pd.DataFrame) -> tuple[Callable[[np.ndarray], Any], list[np.ndarray], float, float]:
    """Return the criterion, two points, and the seconds that design and preparation took."""
    import bayesglmm as bg
    from bayesglmm.frequentist.linear.profiled import ProfiledCriterion
    from bayesglmm.frequentist.registry import make_estimator

    estimator = make_estimator(method, {})
    began = time.perf_counter()
    model = bg.GLMM("y ~ x + (1 | a) + (1 | b)", frame, family=FAMILY[method])
    built = time.perf_counter()
    laid_out: Any = estimator.prepare(model.design)
    prepared = time.perf_counter()
    if method == "reml":
        # A new criterion every time: one remembers its last solutions.
        points = [fraction * ProfiledCriterion(laid_out.model, True).natural() for fraction in (0.3, 0.315)]
        return (
            lambda theta: ProfiledCriterion(laid_out.model, True).evaluate(theta),
            points,
            built - began,
            prepared - built,
        )
    likelihood = laid_out.likelihood
    start = likelihood.working.start()
    points = [likelihood.working.with_spread(start, fraction) for fraction in (0.3, 0.315)]
    return likelihood.evaluator(), points, built - began, prepared - built


def peak() -> float:
    """Return the peak of this process's resident memory, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def child(method: str, rows: int, repetitions: int) -> None:
    """Measure one size in this process; print the line of the table as JSON."""
    from bayesglmm.engine.threads import blas_threads

    warnings.simplefilter("ignore")
    frame = simulate(rows, FAMILY[method])
    evaluate, points, design, preparation = evaluator(method, frame)
    del frame
    before, seconds, cpu = peak(), [], []
    with blas_threads(sum(LEVELS)):
        for turn in range(repetitions + 2):  # two to warm up: one loads the code, one brings the modes near
            began, used = time.perf_counter(), time.process_time()
            value, gradient = evaluate(points[turn % 2])
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - used)
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                sys.exit(f"the criterion at {rows} rows is not finite")
    found = {
        "method": method,
        "rows": rows,
        "evaluation_s": median(seconds[2:]),
        "fastest_s": min(seconds[2:]),
        "cpu_s": median(cpu[2:]),
        "design_s": design,
        "preparation_s": preparation,
        "peak_before_evaluation_mb": before,
        "peak_mb": peak(),
    }
    print(json.dumps(found))


def available() -> float:
    """Return the bytes that are free, infinity where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return float("inf")
    lines = meminfo.read_text().splitlines()
    return next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def fresh(method: str, rows: int, repetitions: int) -> dict[str, Any] | None:
    """Measure one size in a fresh process; None, and a sentence printed, where it cannot be."""
    if rows * BYTES_A_ROW > available():
        print(f"{method}, {rows} rows: left out, may take {rows * BYTES_A_ROW / 1e9:.0f} GB", flush=True)
        return None
    command = [sys.executable, __file__, "--child", method, str(rows), str(repetitions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        print(f"{method}, {rows} rows: not available ({said[-1][:200] if said else done.returncode})", flush=True)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    ms, cpu = (1e3 * found[what] for what in ("evaluation_s", "cpu_s"))
    rest = f"design {found['design_s']:.2f} s, peak {found['peak_mb']:.0f} MB"
    print(f"{method}, {rows} rows: {ms:.3g} ms an evaluation (CPU {cpu:.3g}), {rest}", flush=True)
    return found


def slope(rows: np.ndarray, seconds: np.ndarray) -> float:
    """Return the exponent of seconds in rows, fitted where rows dominate."""
    far = rows >= ASYMPTOTE
    return float(np.polyfit(np.log(rows[far]), np.log(seconds[far]), 1)[0]) if far.sum() > 1 else float("nan")


def draw(table: pd.DataFrame, output: Path) -> None:
    """Draw seconds per evaluation against rows, both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "scaling"  # the same figure is the same file
    figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    for (method, part), marker in zip(table.groupby("method", sort=False), "os", strict=False):
        rows, seconds = part["rows"].to_numpy(), part["evaluation_s"].to_numpy()
        label = f"{NAMES[str(method)]}: slope {slope(rows, seconds):.2f} from {ASYMPTOTE:.0e} rows"
        axes.loglog(rows, seconds, marker=marker, markersize=4, label=label)
    axes.set_xlabel("rows")
    axes.set_ylabel("seconds per evaluation with gradient")
    axes.set_title(f"{LEVELS[0]} x {LEVELS[1]} crossed random intercepts", fontsize=10)
    axes.grid(True, which="major", linewidth=0.4, alpha=0.6)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)
    plt.close(figure)


def header() -> str:
    """Return the comment on top of the csv: date, machine, versions."""
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("bayesglmm", "numpy", "scipy", "numba"))
    where = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"# benchmarks/scaling.py, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {where}; {versions}\n"


def measure(methods: Sequence[str], sizes: Sequence[int], repetitions: int) -> pd.DataFrame:
    """Measure every size; return the table."""
    found = [fresh(method, rows, repetitions) for method in methods for rows in sizes]
    return pd.DataFrame([line for line in found if line is not None])


def main() -> None:
    """Read the arguments, measure, write the csv and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=1e7, help="largest number of rows")
    parser.add_argument("--methods", nargs="+", choices=list(FAMILY), default=list(FAMILY))
    parser.add_argument("--repetitions", type=int, default=7, help="measured evaluations of each size")
    parser.add_argument("--output", type=Path, default=HERE / "scaling.svg", help="figure; its csv goes beside it")
    parser.add_argument("--child", nargs=3, metavar=("METHOD", "ROWS", "REPETITIONS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        method, rows, repetitions = arguments.child
        child(method, int(rows), int(repetitions))
        return
    sizes = [rows for rows in SIZES if rows <= arguments.most]
    table = measure(arguments.methods, sizes, max(1, arguments.repetitions))
    if table.empty:
        sys.exit("nothing could be measured.")
    for method, part in table.groupby("method", sort=False):
        print(f"{method}: slope {slope(part['rows'].to_numpy(), part['evaluation_s'].to_numpy()):.3f}")
    text = table.to_csv(index=False, float_format="%.6g")
    write(arguments.output.with_suffix(".csv"), header() + text)
    draw(table, arguments.output)
    print(f"written to {arguments.output} and {arguments.output.with_suffix('.csv')}")


if __name__ == "__main__":
    main()
