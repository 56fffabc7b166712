"""Nanoseconds a row: our pass over the rows beside loops in C that do nothing but exp, log1p and the sums.

    python benchmarks/kernel.py [--rounds 60] [--output FILE]

Bernoulli-logit rows, three common columns, two crossed factors. All run in one process and in turn, round after round:
on a busy machine times move by half, the ratios of one round much less. The C loop (kernel.c) is built with the
compiler that is found; it is given the predictor, while the pass works it out and collects the scores. A second one,
written by hand for this one family and these two factors, does that too.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from report import load, write

from bayesglmm.density.row_pass import pass_rows
from bayesglmm.families import FAMILIES, compile_rows

HERE = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native", "-ffast-math")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEVELS, COLUMNS, SEED = (500, 200), 3, 20250101
ROW = FAMILIES["bernoulli"].links["logit"].row
#: Rows that are worked through between two looks at the clock.
STRETCH = 500_000

ABOUT = f"""\
Nanoseconds a row, the fastest round; in brackets the median over rounds of the ratio to the C loop of the same round.
Bernoulli-logit rows. *C*: exp, log1p and the sums of l and of dl/deta, the predictor given. *Rows alone*: our row
function with weights and sizes, the predictor given, all scores stored. *Offset*: the pass without X and groups.
*X*: with {COLUMNS} common columns. *X and groups*: with crossed factors of {LEVELS[0]} and {LEVELS[1]} levels as well,
which is all that the gradient of a mixed model needs of its rows. *C, gradient*: a loop in C with the same sums
(X'score, Z'score), for this family, without weights, sizes and slopes; *pass to it*: the ratio of our pass to it.
"""
LIMITS = """\
What limits: *rows alone* are bound by arithmetic, some 60 vector instructions for eight rows, two of them divisions.
Each common column is read twice. Each factor costs a load from a scattered place and an addition there, both done row
by row. From some 1e5 rows on the data (64 bytes a row here) no longer stay in the second cache."""

Call = Callable[[], Any]


@numba.njit(nogil=True, error_model="numpy")
def whole_pass(rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu):
    return pass_rows(ROW, rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu)


@numba.njit(nogil=True, error_model="numpy")
def repeated_pass(times, rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu):
    """Many passes without the interpreter in between, for threads."""
    total = 0.0
    for _ in range(times):
        total += pass_rows(ROW, rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu)[0]
    return total


def compiler() -> str:
    """Return the C compiler; end with a sentence if there is none."""
    found = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    return found or sys.exit("no C compiler was found.")


def build(folder: Path) -> Any:
    """Compile kernel.c and return its two loops."""
    library = folder / "kernel.so"
    subprocess.run(
        [compiler(), *FLAGS, "-shared", "-fPIC", str(HERE / "kernel.c"), "-o", str(library), "-lm"], check=True
    )
    found = ctypes.CDLL(str(library))
    loop, gradient = found.logit_rows, found.logit_gradient
    loop.argtypes, loop.restype = [ctypes.c_int64] + [ctypes.c_void_p] * 3, None
    gradient.argtypes, gradient.restype = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 7, ctypes.c_double
    return loop, gradient


def by_hand(gradient: Any, arguments: tuple[Any, ...]) -> tuple[Call, np.ndarray, np.ndarray]:
    """Return a call of the gradient written in C, and where it leaves X'score and Z'score."""
    rows, Xt, _, codes, _, beta, u, *_ = arguments
    g_beta, gu = np.zeros(len(beta)), np.zeros(len(u))
    addresses = [a.ctypes.data for a in (rows, Xt, codes, beta, u, g_beta, gu)]
    n = rows.shape[1]

    def call() -> float:
        g_beta[:] = 0.0
        gu[:] = 0.0
        return float(gradient(n, len(beta), LEVELS[0], *addresses))

    return call, g_beta, gu


def problem(n: int, levels: tuple[int, ...] = LEVELS, columns: int = COLUMNS) -> tuple[Any, ...]:
    """Return the arguments of a pass, rows sorted by the first factor."""
    rng = np.random.default_rng(SEED)
    codes = np.array([rng.integers(J, size=n) for J in levels], dtype=np.int32).reshape(len(levels), n)
    if levels:
        codes = np.ascontiguousarray(codes[:, np.argsort(codes[0], kind="stable")])
    Xt = rng.standard_normal((columns, n))
    Xt[:1] = 1.0
    terms = np.zeros((len(levels), 8), dtype=np.int64)
    for term, J in zip(terms, levels, strict=True):
        term[1:4] = 1, J, 1
    y = (rng.random(n) < 0.5) * 1.0
    rows = np.array([y, np.ones(n), np.ones(n), np.zeros(n)])
    beta, u = 0.3 * rng.standard_normal(columns), 0.5 * rng.standard_normal(sum(levels))
    return rows, Xt, np.empty((0, n)), codes, terms, beta, u, 1.0, np.empty(columns), np.empty(sum(levels))


def predictor(arguments: tuple[Any, ...]) -> np.ndarray:
    rows, Xt, _, codes, terms, beta, u, *_ = arguments
    eta, at = rows[3] + beta @ Xt, 0
    for code, J in zip(codes, terms[:, 2], strict=True):
        eta += u[at + code]
        at += J
    return np.ascontiguousarray(eta)


def in_turn(calls: dict[str, Call], n: int, rounds: int) -> dict[str, np.ndarray]:
    """Return nanoseconds a row of each call, one number a round."""
    times = max(1, STRETCH // n)
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(times):
                call()
            if turn:  # the first round warms up
                spent[name].append((time.perf_counter() - began) / times / n * 1e9)
    return {name: np.array(seconds) for name, seconds in spent.items()}


def calls(loops: Any, n: int) -> dict[str, Call]:
    """Return what is compared at n rows, after a check that all find the same sums."""
    loop, gradient = loops
    arguments, bare, plain = problem(n), problem(n, (), COLUMNS), problem(n, (), 0)
    rows, eta, sums, score = arguments[0], predictor(arguments), np.empty(2), np.empty(n)
    value_gradient = compile_rows(ROW).value_gradient
    given = (n, rows[0].ctypes.data, eta.ctypes.data, sums.ctypes.data)
    loop(*given)
    np.testing.assert_allclose(sums[0], whole_pass(*arguments)[0], rtol=1e-10)
    np.testing.assert_allclose(sums[1], arguments[-1][: LEVELS[0]].sum(), rtol=1e-8, atol=1e-9 * n)
    hand, g_beta, gu = by_hand(gradient, arguments)
    np.testing.assert_allclose(hand(), whole_pass(*arguments)[0], rtol=1e-10)
    np.testing.assert_allclose(g_beta, arguments[-2], rtol=1e-8, atol=1e-9 * n)
    np.testing.assert_allclose(gu, arguments[-1], rtol=1e-8, atol=1e-9 * n)
    return {
        "hand": hand,
        "C": lambda: loop(*given),
        "rows": lambda: value_gradient(rows[0], rows[1], rows[2], eta, 1.0, score),
        "offset": lambda: whole_pass(*plain),
        "X": lambda: whole_pass(*bare),
        "pass": lambda: whole_pass(*arguments),
    }


def scaling(n: int, rounds: int) -> tuple[float, float]:
    """Return how many times the passes of one thread two threads get done: 2 at best.

    By the clock, and by the threads' own processor time, which shows whether they hold each other up in caches and
    memory where other processes take the processors.
    """
    times = max(1, 10_000_000 // n)
    each = [problem(n), problem(n)]

    def elapsed(threads: int) -> tuple[float, float]:
        used = []

        def work(k: int) -> None:
            began = time.thread_time()
            repeated_pass(times, *each[k])
            used.append(time.thread_time() - began)

        workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - began, sum(used) / threads

    repeated_pass(1, *each[0])
    found = np.array([(elapsed(1), elapsed(2)) for _ in range(rounds)])
    clock, processor = 2.0 * found[:, 0].min(axis=0) / found[:, 1].min(axis=0)
    return float(clock), float(processor)


def report(table: dict[int, dict[str, np.ndarray]], threads: dict[int, tuple[float, float]], before: str) -> str:
    """Return the page."""
    said = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    lines = [
        "# A pass over the rows beside a loop in C",
        "",
        f"Written by `benchmarks/kernel.py` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}.",
        "",
        f"- {platform.system()} {platform.machine()}, {numba.core.config.NUMBA_DEFAULT_NUM_THREADS} cores, "
        f"Python {platform.python_version()}",
        "- " + ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("bayesglmm", "numba", "llvmlite", "numpy")),
        f"- {said}; {' '.join(FLAGS)}",
        f"- load average over a minute: {before} before, {load()} after (the benchmark's own process included)",
        "",
        ABOUT,
        "| rows | C | rows alone | pass, offset | pass, X | pass, X and groups | C, gradient | pass to it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n, spent in table.items():
        cells = [
            f"{spent[k].min():.2f} ({np.median(spent[k] / spent['C']):.2f})" for k in ("rows", "offset", "X", "pass")
        ]
        cells += [f"{spent['hand'].min():.2f}", f"{np.median(spent['pass'] / spent['hand']):.2f}"]
        lines.append(f"| {n:,} | {spent['C'].min():.2f} | {' | '.join(cells)} |")
    few, most = 10_000, max(table)
    ratio = {n: float(np.median(table[n]["pass"] / table[n]["C"])) for n in (few, most)}
    growth = 1.0 + np.log(ratio[most] / ratio[few]) / np.log(most / few)
    scaled = ", ".join(f"{a:.2f} ({b:.2f}) at {n:,} rows" for n, (a, b) in threads.items())
    lines += [
        "",
        f"From {few:,} to {most:,} rows the whole pass grows as rows to the power of {growth:.3f} (from its ratios to",
        "the C loop, which is linear). Two threads get as much done as one, by the clock (by their processor time),",
        f"times {scaled}. By the clock it can be 2 only on two idle processors.",
        "",
        LIMITS,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--output", type=Path, default=HERE / "kernel.md")
    arguments = parser.parse_args()
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        loops = build(Path(folder))
        table = {n: in_turn(calls(loops, n), n, arguments.rounds) for n in SIZES}
    threads = {n: scaling(n, 7) for n in (10_000, 1_000_000)}
    text = report(table, threads, before)
    print(text)
    write(arguments.output, text)


if __name__ == "__main__":
    main()
