"""The tables of nuts.md, written from nuts.csv.

python benchmarks/nuts_report.py [nuts.csv]
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nuts_problems import PROBLEMS, Sampling
from nuts_rows import HERE, LABELS, NUMBERS, Row, read_rows
from report import write

__all__ = ["write_report"]

PYTHON_PACKAGES = ("bayesglmm", "bambi", "pymc", "pytensor", "nutpie", "numpyro", "jax", "numba", "numpy", "arviz")
#: Means that part by more Monte Carlo standard errors than this are marked.
MANY_ERRORS = 4.0
HEADS = (
    "package",
    "sampling, s",
    "from call, s",
    "process, s",
    "peak MB (beside)",
    "ESS (whose)",
    "ESS, tail",
    "ESS, group effects",
    "R-hat",
    "divergences",
    "ESS/s",
    "mean apart from ours, sd (MC errors)",
)
NOTES = """\
2 chains on 2 cores, draws kept as the tables say, warm-up by each package's default (1000 iterations; ours 200,
PyMC's call of nutpie on a graph 400). *Sampling*: without compilation or loading of compiled code; for Bambi and the
PyMC graph what PyMC reports (with numpyro less what JAX reports of compiling; with nutpie its labelled tree is in
it), for rstanarm Stan's own time of the slower chain, for us all of `sample()`, from the penalised fit to the
labelled tree, the second call of a process. *From call*: data frame to posterior in a fresh process, caches on disk
warm, imports done. *Process*: the same from the start of the process. *Peak MB*: resident memory beyond the imports;
in parentheses the peak of the largest process beside it (PyMC and Stan run chains in processes of their own), as a
whole. *ESS*: smallest bulk effective size over coefficients and standard deviations (sigma included); then of their
tails, and in bulk over group effects. *R-hat*: largest of all parameters. *ESS/s*: per second of sampling, warm-up
included. *Mean apart*: largest difference of a posterior mean from ours over coefficients, standard deviations and
correlations, in posterior standard deviations, and in Monte Carlo standard errors of the difference (above 4 marked
!), of the first round.

Bambi's and our log densities are the same function (`nuts.py --check`). rstanarm's prior of standard deviations is
not HalfNormal: decov(shape = 1) makes each exponential, here with HalfNormal's mean, in gaussian models in units of
sigma; with several effects of one factor it splits their total variance. Its means therefore part from ours where
data say little about a standard deviation. It tunes to an acceptance of 0.95, the others to 0.8. Chains differ by
seed, and a busy machine slows all: see the load in the csv.

Rounds have seeds 1, 2, ..., and packages take turns in
those that are run together (times above): figures are medians over the rounds that came to their
end, R-hat and divergences the worst of one; a ratio is that of the medians, in brackets the smallest and largest of
one round. *Tails*: our tail sizes per second over the best of theirs, whoever that is. The machine changes its speed
by a factor of up to 2 by itself, for minutes at a time. Bambi has no correlated slopes: there our own `pm.Model` is
sampled by PyMC's samplers, as it is (*PyMC graph*).

In bulk our draws may be worth more than independent ones, where one alternates with the next; their tails are not."""


def done(row: Row | None) -> bool:
    """Whether a run came to its end."""
    return row is not None and row["status"] == "done"


def speed(row: Row) -> float:
    """Return the smallest effective size per second of sampling."""
    return float(row.get("speed") or _per_second(row, "ess", "sampling_s"))


def whole_speed(row: Row) -> float:
    """Return the smallest effective size per second of the whole call, compilation included."""
    return float(row.get("whole_speed") or _per_second(row, "ess", "call_s"))


def tail_speed(row: Row) -> float:
    """Return the smallest effective size of a tail per second of sampling."""
    return float(row.get("tail_speed") or _per_second(row, "ess_tail", "sampling_s"))


def _per_second(row: Row, size: str, seconds: str) -> float:
    return float(row[size]) / max(float(row[seconds]), 1e-9)


def together(rows: Sequence[Row]) -> Row:
    """Return medians over the rounds of one package, with the worst R-hat and most divergences."""
    good = [row for row in rows if done(row)]
    if not good:
        return rows[0]
    medians = {
        n: statistics.median(float(r[n]) for r in good)
        for n in NUMBERS
        if all(r.get(n) not in (None, "") for r in good)
    }
    speeds = {f.__name__: statistics.median(map(f, good)) for f in (speed, whole_speed, tail_speed)}
    worst = {"r_hat": max(float(r["r_hat"]) for r in good), "divergences": max(float(r["divergences"]) for r in good)}
    usual = min(good, key=lambda r: abs(float(r["ess"]) - medians["ess"]))
    return {**good[0], **medians, **speeds, **worst, "ess_of": usual["ess_of"], "rounds": len(good), "of": len(rows)}


def apart(row: Row, ours: Row | None) -> str:
    """Return by how much the means part from ours."""
    if not done(ours) or row is ours:
        return "-"
    mine, theirs = json.loads(ours["parameters"]), json.loads(row["parameters"])
    shared = [name for name in mine if name in theirs]
    if not shared:
        return "no names shared"
    sds = {n: abs(theirs[n][0] - mine[n][0]) / mine[n][1] for n in shared}
    errors = {n: sds[n] / math.sqrt(1.0 / mine[n][2] + 1.0 / theirs[n][2]) for n in shared}
    worst = max(errors, key=errors.__getitem__)
    mark = " !" if errors[worst] > MANY_ERRORS else ""
    text = f"{max(sds.values()):.2f} ({errors[worst]:.1f}{mark}, {worst})"
    lost = len(mine) - len(shared)
    return f"{text}, {lost} names not matched" if lost else text


def line(row: Row, ours: Row | None) -> str:
    """Return one line of a problem's table."""
    label = LABELS[row["package"]]
    if not done(row):
        return f"| {label} | {row['status']} |{' |' * (len(HEADS) - 2)}"
    beside = float(row["beside_mb"] or 0.0)
    cells = [
        label
        + ("" if float(row["draws"]) == 1000 else f" ({float(row['draws']):g} draws)")
        + (f" ({row['rounds']} of {row['of']} rounds)" if row["of"] > 1 else ""),
        f"{float(row['sampling_s']):.2f}",
        f"{float(row['call_s']):.2f}",
        f"{float(row['whole_s']):.1f}",
        f"{float(row['memory_mb']):.0f}" + (f" ({beside:.0f})" if beside > 1.0 else ""),
        f"{float(row['ess']):.0f} ({row['ess_of']})",
        f"{float(row['ess_tail']):.0f}",
        f"{float(row['ess_group']):.0f}",
        f"{float(row['r_hat']):.3f}",
        f"{float(row['divergences']):.0f}",
        f"{speed(row):.4g}",
        apart(row, ours),
    ]
    return f"| {' | '.join(cells)} |"


def problem_table(problem: Sampling, rows: Mapping[str, Row]) -> str:
    """Return the table of one problem."""
    prior = f"beta Normal(0, {problem.width:g}), sd HalfNormal({problem.sd_width:g})"
    prior += f", sigma HalfNormal({problem.residual_width:g})" if problem.residual_width else ""
    head = [f"## {problem.title}", "", f"`{problem.formula}`, {problem.family}, `{problem.key}`; {prior}", ""]
    head += [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    return "\n".join([*head, *(line(rows[name], rows.get("ours")) for name in LABELS if name in rows)])


def best(rows: Iterable[Row | None]) -> Row | None:
    """Return the run with most effective draws per second."""
    return max((row for row in rows if done(row)), key=speed, default=None)


def summary(by_problem: Mapping[str, Mapping[str, Row]], rounds: Mapping[str, Mapping[str, Sequence[Row]]]) -> str:
    """Return the table of ratios: ours over the best backend of Bambi (or of the PyMC graph), and over rstanarm."""
    heads = (
        "problem",
        "ours, ESS/s",
        "best of Bambi or PyMC graph",
        "its ESS/s",
        "ours over it",
        "tails, ours over the best",
        "ESS/s of the whole call, ours over the best",
        "shortest call of theirs over ours",
        "rstanarm, ESS/s",
        "ours over it",
        "its call over ours",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for key, rows in by_problem.items():
        ours, theirs = rows.get("ours"), [row for name, row in rows.items() if "-" in name]
        fastest, stan = best(theirs), rows.get("rstanarm")
        cells = [key, *["-"] * 10]
        if done(ours):
            cells[1] = f"{speed(ours):.4g}"
            if fastest is not None:
                shortest = min(float(row["call_s"]) for row in theirs if done(row))
                whole = max(whole_speed(row) for row in theirs if done(row))
                tails = max(tail_speed(row) for row in theirs if done(row))
                cells[2:4] = LABELS[fastest["package"]], f"{speed(fastest):.4g}"
                cells[4] = f"{speed(ours) / speed(fastest):.3g}{_range(rounds[key])}"
                cells[5:7] = f"{tail_speed(ours) / tails:.3g}", f"{whole_speed(ours) / whole:.3g}"
                cells[7] = f"{shortest / float(ours['call_s']):.3g}"
            if done(stan):
                cells[8:10] = f"{speed(stan):.4g}", f"{speed(ours) / speed(stan):.3g}"
                cells[10] = f"{float(stan['call_s']) / float(ours['call_s']):.3g}"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _range(rounds: Mapping[str, Sequence[Row]]) -> str:
    """Return smallest and largest ratio of ours to the best of one round, if there were several."""
    found = []
    for row in rounds["ours"]:
        others = [r for name, rows in rounds.items() if "-" in name for r in rows if r["seed"] == row["seed"]]
        fastest = best(others)
        if done(row) and fastest is not None:
            found.append(speed(row) / speed(fastest))
    return f" ({min(found):.3g} to {max(found):.3g})" if len(found) > 1 else ""


def versions() -> list[str]:
    """Return the machine and the versions in words."""
    python = ", ".join(f"{name} {_version(name)}" for name in PYTHON_PACKAGES)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return [f"- {machine}", f"- {python}", f"- {_r_versions()}"]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _r_versions() -> str:
    program = shutil.which("Rscript")
    if program is None:
        return "R not available"
    words = "cat(R.version.string); for (p in c('rstanarm', 'rstan')) cat(',', p, packageDescription(p)$Version)"
    found = subprocess.run([program, "--vanilla", "-e", words], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "R without rstanarm"


def when(rows: Iterable[Row]) -> str:
    """Return when each package was run: what was run apart from the others was run on another mood of the machine."""
    dates: dict[str, list[str]] = {}
    for row in rows:
        dates.setdefault(row["package"], []).append(row["date"])
    spans = [f"{LABELS[name]} {min(dates[name])} to {max(dates[name])}" for name in LABELS if name in dates]
    return f"Runs (UTC; the time at which each ended is in the csv): {'; '.join(spans)}." if spans else "No runs."


def write_report(path: Path) -> None:
    """Write the tables beside the csv."""
    rows = read_rows(path)
    rounds: dict[str, dict[str, list[Row]]] = {}
    for (key, name, _), row in rows.items():  # written in order
        rounds.setdefault(key, {}).setdefault(name, []).append(row)
    by_problem = {key: {name: together(found) for name, found in packages.items()} for key, packages in rounds.items()}
    lines = [
        "# Sampling side by side",
        "",
        f"Written by `benchmarks/nuts.py`. {when(rows.values())}",
        "",
        *versions(),
        "",
        "Effective draws per second, and whole times:",
        "",
        summary(by_problem, rounds),
        "",
        NOTES,
        "",
        *(f"{problem_table(p, by_problem[p.key])}\n" for p in PROBLEMS if p.key in by_problem),
    ]
    target = path.with_suffix(".md")
    write(target, "\n".join(lines))
    print(f"written to {target}")


def main() -> None:
    """Write the tables of the csv that is named."""
    write_report(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "nuts.csv")


if __name__ == "__main__":
    main()
