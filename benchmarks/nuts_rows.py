"""The rows of nuts.csv: one a run, read and replaced as a whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuts_problems import PROBLEMS
from report import write

__all__ = ["COLUMNS", "HERE", "LABELS", "NUMBERS", "Row", "read_rows", "write_rows"]

HERE = Path(__file__).resolve().parent
NUMBERS = (
    "draws",
    "tune",
    "sampling_s",
    "compile_s",
    "call_s",
    "whole_s",
    "memory_mb",
    "beside_mb",
    "ess",
    "ess_tail",
    "ess_group",
    "r_hat",
    "divergences",
)
COLUMNS = ("problem", "package", "seed", "status", *NUMBERS, "ess_of", "remark", "load", "date", "parameters")
LABELS = {
    "ours": "bayesglmm",
    "bambi-pymc": "Bambi, PyMC",
    "bambi-nutpie": "Bambi, nutpie",
    "bambi-numpyro": "Bambi, numpyro",
    "graph-pymc": "PyMC graph, PyMC",
    "graph-nutpie": "PyMC graph, nutpie",
    "graph-numpyro": "PyMC graph, numpyro",
    "rstanarm": "rstanarm",
}
Row = Mapping[str, Any]


def read_rows(path: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the rows of the csv by problem, package and seed; none if there is no file."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        found = [dict(row) for row in csv.DictReader(stream)]
    for row in found:
        row["seed"] = int(row["seed"])
        row |= {name: float(row[name]) for name in NUMBERS if row.get(name)}
    return {(row["problem"], row["package"], row["seed"]): row for row in found}


def write_rows(path: Path, rows: Mapping[tuple[str, str, int], Row]) -> None:
    """Replace the csv as a whole; problems in our order, packages in theirs."""
    order = {p.key: k for k, p in enumerate(PROBLEMS)}
    places = {name: k for k, name in enumerate(LABELS)}
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    for key in sorted(rows, key=lambda k: (order[k[0]], places[k[1]], k[2])):
        row = rows[key]
        table.writerow({n: f"{v:.6g}" if isinstance(v := row.get(n, ""), float) else v for n in COLUMNS})
    write(path, stream.getvalue())
