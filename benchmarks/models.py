"""Every file of models/ as `bayesglmm fit` does it: does it converge, how fast is it, how near to others?

    python benchmarks/models.py                        # all of them (make models)
    python benchmarks/models.py salamander cbpp        # some; the other rows of models.csv stay

One model at a time, each in a process of its own with a time limit. models.csv is replaced after every model, models.md
is written from it (models_report.py says how).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from models_report import ROOT, TABLE, read_table, write_report, write_table
from report import load

import bayesglmm as bg

LIMIT_SECONDS = 900.0
REFUSED = 2
#: Our method for what a publication calls it; text in brackets after the method is left out unless named here.
COUNTERPARTS = {
    "ML": ("ml", "laplace"),
    "REML": ("reml",),
    "Laplace": ("laplace",),
    "Laplace, default settings": ("laplace",),
    "ML (quadrature)": ("agq",),
    "ML (25-node quadrature)": ("agq",),
    "ML (100-node quadrature)": ("agq",),
    "ML (importance sampling)": ("mcml",),
    "PQL (REML)": ("pql",),
    "MQL (REML)": ("mql",),
}


def fit(path: Path, folder: Path, limit: float) -> tuple[dict[str, Any] | None, str, float]:
    """Run the command line on a file; return its JSON document, or what it said in place of one, and the wall time."""
    command = [sys.executable, "-m", "bayesglmm", "fit", str(path), "--json", "--out", str(folder)]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=os.environ)
    except subprocess.TimeoutExpired:
        return None, f"stopped after {limit:g} s", limit
    seconds = time.perf_counter() - began
    try:
        document = json.loads(done.stdout)
    except json.JSONDecodeError:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return None, f"failed: {lines[-1]}", seconds
    if done.returncode == REFUSED:
        message = document["problems"][0]["message"]
        return None, "not yet: " + re.split(r"[;.] ", message.rpartition("key model.")[2])[0], seconds
    return document, "", seconds


def farthest(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[float, str]:
    """Return the largest difference of two columns, in standard errors (posterior sds) of the first, and where."""
    both = ours.merge(theirs, on=["term", "name"], suffixes=("", "_published"))
    apart = ((both["estimate"] - both["estimate_published"]).abs() / both["std_error"]).dropna()
    return (float(apart.max()), str(both.loc[apart.idxmax(), "name"])) if len(apart) else (float("nan"), "")


def differences(document: dict[str, Any]) -> dict[str, str]:
    """Return in words where the posterior, and where a classical column, is farthest from what is published."""
    frame = pd.DataFrame(document["comparison"])
    numbers = frame.columns.intersection(["estimate", "std_error"])
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    columns = {str(name): part for name, part in frame.groupby("column", sort=False)}
    posterior = next(part for part in columns.values() if part["r_hat"].notna().any())
    classical = {str(part["method"].iloc[0]): part for part in columns.values() if part is not posterior}
    published = {method: part for method, part in classical.items() if part["column"].iloc[0].startswith("[")}
    from_posterior, from_classical = [], []
    for method, part in published.items():
        from_posterior.append((*farthest(posterior, part), method))
        ours = [name for name in COUNTERPARTS.get(method, ()) if name in classical]
        from_classical += [(*farthest(classical[name], part), f"{name} to {method}") for name in ours]
    return {"posterior_apart": worst(from_posterior), "classical_apart": worst(from_classical)}


def worst(found: list[tuple[float, str, str]]) -> str:
    """Return the largest of several differences in words."""
    known = [one for one in found if one[0] == one[0]]
    if not known:
        return ""
    apart, name, where = max(known)
    return f"{apart:.2f} ({where}, {name})"


def row_of(path: Path, document: dict[str, Any], posterior: bg.Posterior, seconds: float) -> dict[str, Any]:
    """Return the figures of one fit."""
    table = posterior.tidy(group=True)
    effects = table["term"] == "group"
    run = document["run"]
    fitted = [f"{name} {status}" for name, status in run["fits"].items() if status != "converged"]
    return {
        "model": path.stem,
        "rows": run["rows"],
        "parameters": int((~effects).sum()),
        "effects": int(effects.sum()),
        "sampling_s": run["seconds"]["sample"],
        "whole_s": seconds,
        "r_hat": float(table["r_hat"].max()),
        "ess": float(table.loc[~effects, "ess_bulk"].min()),
        "ess_effects": float(table.loc[effects, "ess_bulk"].min()) if effects.any() else float("nan"),
        "divergences": int(posterior.tree["sample_stats"]["diverging"].sum()),
        "verdict": document["verdict"]["status"],
        "status": "; ".join([document["status"], *fitted]),
        **differences(document),
    }


def measure(path: Path, limit: float) -> dict[str, Any]:
    """Fit one file and return its row."""
    conditions = {"load": load(), "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    with tempfile.TemporaryDirectory() as folder:
        document, said, seconds = fit(path, Path(folder), limit)
        if document is None:
            return {"model": path.stem, "status": said, "whole_s": seconds, **conditions}
        posterior = bg.load_posterior(Path(folder) / "posterior.nc")
        return row_of(path, document, posterior, seconds) | conditions


def main() -> None:
    """Fit the files that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names of files in models/ without .toml; all if none is given")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds that a model may take")
    given = parser.parse_args()
    paths = {path.stem: path for path in sorted((ROOT / "models").glob("*.toml"))}
    unknown = [name for name in given.models if name not in paths]
    if unknown:
        parser.error(f"no file in models/ is called {', '.join(unknown)}; there are {', '.join(paths)}")
    table = {name: row for name, row in read_table(TABLE).items() if name in paths}
    for name in given.models or paths:
        table[name] = measure(paths[name], given.limit)
        row = table[name]
        print(f"{name:<24} {row['status']:<40} {row['whole_s']:.1f} s", flush=True)
        write_table(TABLE, table)
    write_report(TABLE)


if __name__ == "__main__":
    main()
