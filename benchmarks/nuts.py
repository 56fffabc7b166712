"""Sampling side by side: bayesglmm, Bambi (PyMC, nutpie, numpyro) and rstanarm; same data, model, priors and cores.

Models that Bambi cannot have (correlated slopes) are compared with our own `pm.Model` through PyMC's samplers.

    python benchmarks/nuts.py [--problems cbpp sleepstudy] [--packages ours bambi-nutpie] [--limit 900] [--skip-done]
    python benchmarks/nuts.py --only insteval/rstanarm cbpp/ours
    python benchmarks/nuts.py --problems salamander cbpp --rounds 3     # packages take turns; the tables show medians
    python benchmarks/nuts.py --check                       # compares the log densities, samples nothing

Every run is a process of its own with a time limit (nuts_ours.py, nuts_bambi.py, nuts_rstanarm.R say what is timed);
2 chains on 2 cores, one BLAS thread. Each package with compiled code on disk first makes a short run that fills its
caches (--no-warm leaves it out). After every run nuts.csv is replaced as a whole, so that an interrupted benchmark goes
on with --skip-done; the tables of nuts.md are written from it at the end (alone: nuts_report.py).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nuts_figures import canonical, figures
from nuts_problems import PROBLEMS, Sampling, sampling
from nuts_report import write_report
from nuts_rows import COLUMNS, HERE, read_rows, write_rows
from report import load

BACKENDS = ("pymc", "nutpie", "numpyro")
PACKAGES = ("ours", *(f"{kind}-{backend}" for kind in ("bambi", "graph") for backend in BACKENDS), "rstanarm")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
PROC = Path("/proc")
POLL_SECONDS = 0.5


class Beside:
    """Peak resident memory of the processes that a run starts beside its own (chains of PyMC and Stan), MB."""

    def __init__(self, session: int) -> None:
        self.session = session
        self.peaks: dict[int, float] = {}

    def look(self) -> None:
        """Note the peaks so far; a process that is gone keeps its last."""
        for folder in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
                # The command, in parentheses, may hold blanks; the session is the fourth field after it.
                session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
                if session == self.session and int(folder.name) != session:
                    lines = (folder / "status").read_text().splitlines()
                    self.peaks[int(folder.name)] = (
                        next(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 1024
                    )

    @property
    def largest(self) -> float:
        """The largest peak of a single process."""
        return max(self.peaks.values(), default=0.0)


def start(command: Sequence[str], limit: float) -> tuple[dict[str, Any], float]:
    """Run a command to its end or its limit; return its last line's JSON (or ``status``), and the memory beside it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True
        )
        beside, ends = Beside(process.pid), time.monotonic() + limit
        try:
            while process.poll() is None and time.monotonic() < ends:
                beside.look()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
        finally:
            late = process.poll() is None
            if late:  # the whole session: chains are processes of their own
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if late:
            return {"status": f"stopped after {limit:g} s"}, beside.largest
        out.seek(0)
        err.seek(0)
        lines, words = (
            out.read().decode().strip().splitlines(),
            err.read().decode(errors="replace").strip().splitlines(),
        )
        if process.returncode or not lines:
            said = next((w.strip() for w in reversed(words) if w.strip()), f"exit code {process.returncode}")
            return {"status": f"failed: {said[:200]}"}, beside.largest
        return json.loads(lines[-1]), beside.largest


def python_command(problem: Sampling, package: str, seed: int, draws: int, *flags: str) -> list[str]:
    """Return the command of a run in Python, without the time of its start."""
    kind, _, backend = package.partition("-")
    command = [sys.executable, str(HERE / f"nuts_{kind}.py"), problem.key, "--seed", str(seed), "--draws", str(draws)]
    if backend:
        command += ["--backend", backend]
    if kind == "bambi":
        mu, sigma = problem.intercept()
        command += [f"--mu={mu}", f"--sigma={sigma}"]
    return [*command, *flags]


def run_python(problem: Sampling, package: str, seed: int, draws: int, limit: float, warm: bool) -> dict[str, Any]:
    """Run ours, Bambi or the PyMC graph, the first time with a short run before it that fills the caches."""
    if warm and seed == 1:
        found, _ = start(python_command(problem, package, seed, 20, "--warm"), limit)
        if "status" in found:
            return found | {"status": f"short run: {found['status']}"}
    command = python_command(problem, package, seed, draws)
    found, beside = start([*command, "--began", str(time.time())], limit)
    return found | {"beside_mb": beside}


def run_r(problem: Sampling, seed: int, draws: int, limit: float) -> dict[str, Any]:
    """Run rstanarm; its draws come back in a file and are judged here, as everybody's are."""
    program = shutil.which("Rscript")
    if program is None:
        return {"status": "not available: Rscript"}
    frame, (mu, sigma) = problem.frame(), problem.intercept()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_csv(folder / "data.csv", index=False)
        factors = [c for c in frame if isinstance(frame[c].dtype, pd.CategoricalDtype)]
        pairs = [(c, level) for c in factors for level in frame[c].cat.categories]
        pd.DataFrame(pairs, columns=["column", "level"]).to_csv(folder / "levels.csv", index=False)
        settings: dict[str, Any] = {
            "data": str(folder / "data.csv"),
            "levels": str(folder / "levels.csv"),
            "output": str(folder / "draws"),
            "formula": problem.r_formula,
            **{k: getattr(problem, k) for k in ("family", "width", "residual_width", "decov_scale")},
            "draws": draws,
            "seed": seed,
            "began": time.time(),
        }
        if not math.isnan(mu):
            settings |= {"mu": mu, "sigma": sigma}
        (folder / "settings.json").write_text(json.dumps(settings))
        command = [program, "--vanilla", str(HERE / "nuts_rstanarm.R"), str(folder / "settings.json")]
        found, beside = start(command, limit)
        if "status" in found:
            return found
        iterations, chains, k = found.pop("shape")
        values = np.fromfile(folder / "draws").reshape(k, chains, iterations)
        scalars, group = r_draws(dict(zip(found.pop("names"), values, strict=True)))
    return found | figures(scalars, group, np.array(found["divergences"])) | {"beside_mb": beside}


def r_draws(values: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return scalars by canonical name and all group effects of rstanarm's draws, each (chains, draws)."""
    scalars: dict[str, np.ndarray] = {}
    sds, covariances, effects = {}, [], []
    for name, draws in values.items():
        if name.startswith("b["):
            effects += [] if "_NEW_" in name else [draws]
        elif name.startswith("Sigma["):
            factor, first, second = name[6:-1].replace(":", ",", 1).split(",")
            # A second term of one factor is called g.1 in R.
            factor = factor.rpartition(".")[0] if factor.rpartition(".")[2].isdigit() else factor
            pair = canonical(first), canonical(second)
            if first == second:
                sds[f"sd({factor}, {pair[0]})"] = np.sqrt(draws)
            else:
                covariances.append((factor, *pair, draws))
        else:
            scalars[canonical(name)] = draws
    correlations: dict[str, np.ndarray] = {}
    for factor, first, second, covariance in covariances:
        scale = sds[f"sd({factor}, {first})"] * sds[f"sd({factor}, {second})"]
        correlations[f"cor({factor}, {sum(n.startswith(f'cor({factor},') for n in correlations)})"] = covariance / scale
    return scalars | sds | correlations, np.stack(effects, axis=-1)


def run(problem: Sampling, package: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one package on one problem; return its row of the csv."""
    before = load()
    if package == "rstanarm":
        found = run_r(problem, seed, arguments.draws, arguments.limit)
    else:
        found = run_python(problem, package, seed, arguments.draws, arguments.limit, not arguments.no_warm)
    row = {"problem": problem.key, "package": package, "seed": seed, "status": "done", "load": before} | found
    row["parameters"] = json.dumps(found.get("parameters", {}))
    row["date"] = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M}"
    return {name: row.get(name, "") for name in COLUMNS}


def told(row: dict[str, Any]) -> str:
    """Return one line about a run."""
    head = f"{row['problem']}/{row['package']}, seed {row['seed']}"
    if row["status"] != "done":
        return f"{head}: {row['status']}"
    times = f"sampling {row['sampling_s']:.2f} s, call {row['call_s']:.2f} s"
    draws = f"ESS {row['ess']:.0f} ({row['ess_of']}), R-hat {row['r_hat']:.3f}, {row['divergences']} divergences"
    return f"{head}: {times}, {draws}"


def check(problems: Sequence[Sampling]) -> None:
    """Compare Bambi's log density with ours for every problem that Bambi can have."""
    for problem in problems:
        if problem.absent:
            print(f"{problem.key}: {problem.absent}")
            continue
        found, _ = start(python_command(problem, "bambi-nutpie", 1, 1, "--check"), 600.0)
        print(f"{problem.key}: {json.dumps(found)}", flush=True)


def chosen(arguments: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Return problem, package and seed of every run that is asked for; packages take turns in every round."""
    pairs = [(k, p) for k in arguments.problems for p in arguments.packages]
    if arguments.only:
        pairs = [(k, p) for k, _, p in (text.partition("/") for text in arguments.only)]
    # The PyMC graph stands in where Bambi cannot have the model, and nowhere else.
    pairs = [(k, p) for k, p in pairs if bool(sampling(k).absent) == p.startswith("graph") or "-" not in p]
    if not pairs:
        sys.exit("nothing to run: graph-* is for models that Bambi cannot have, bambi-* for the others")
    return [(k, p, s) for key in dict(pairs) for s in range(1, arguments.rounds + 1) for k, p in pairs if k == key]


def parse() -> argparse.Namespace:
    """Read the command line."""
    keys = [problem.key for problem in PROBLEMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=keys, default=keys)
    parser.add_argument("--packages", nargs="+", choices=PACKAGES, default=list(PACKAGES))
    parser.add_argument(
        "--only", nargs="+", metavar="PROBLEM/PACKAGE", choices=[f"{k}/{p}" for k in keys for p in PACKAGES]
    )
    parser.add_argument(
        "--draws", type=int, default=1000, help="draws kept of each chain; the tables say where it is not 1000"
    )
    parser.add_argument("--rounds", type=int, default=1, help="runs of each package, with seeds 1, 2, ...")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a run is stopped")
    parser.add_argument("--skip-done", action="store_true", help="leave out what the csv has, failures excepted")
    parser.add_argument("--no-warm", action="store_true", help="no short run before")
    parser.add_argument("--check", action="store_true", help="compare log densities instead of sampling")
    parser.add_argument(
        "--output", type=Path, default=HERE / "nuts.csv", help="csv to write, its tables beside it (.md)"
    )
    return parser.parse_args()


def main() -> None:
    """Read the arguments, run, write the csv after every run and the tables at the end."""
    arguments = parse()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of the exception that ends the run under way
    if arguments.check:
        check([sampling(key) for key in arguments.problems])
        return
    rows = read_rows(arguments.output)
    for key, package, seed in chosen(arguments):
        if arguments.skip_done and rows.get((key, package, seed), {}).get("status") == "done":
            continue
        row = run(sampling(key), package, seed, arguments)
        rows[key, package, seed] = row
        write_rows(arguments.output, rows)
        print(told(row), flush=True)
    write_report(arguments.output)


if __name__ == "__main__":
    main()
