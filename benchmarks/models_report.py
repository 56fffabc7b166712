"""The table of models.md, written from models.csv.

python benchmarks/models_report.py [models.csv]
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuts_report import versions
from report import write

__all__ = ["ROOT", "TABLE", "read_table", "write_report", "write_table"]

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).resolve().parent / "models.csv"
COLUMNS = (
    "model",
    "rows",
    "parameters",
    "effects",
    "sampling_s",
    "whole_s",
    "r_hat",
    "ess",
    "ess_effects",
    "divergences",
    "verdict",
    "status",
    "posterior_apart",
    "classical_apart",
    "load",
    "date",
)
HEADS = (
    "model",
    "rows",
    "parameters + effects",
    "sampling, s",
    "whole, s",
    "worst R-hat",
    "smallest ESS (effects)",
    "divergences",
    "verdict",
    "posterior from published, sd",
    "classical from published, se",
)
NOTES = """\
`bayesglmm fit` on every file of models/, each in a process of its own with the settings of the file: 4 chains of
1000 draws, everything else by default. *Sampling*: warm-up and draws, their labelled result included; *whole*: the
process from its start to its end, imports, classical fits and the written posterior included; compiled code is
loaded from disk (a first run compiles it). *R-hat*: the worst of all parameters and group effects; *ESS*: smallest
bulk effective size of the parameters, in parentheses of the group effects. *Posterior from published*: the largest
difference of a posterior mean from a published figure, in posterior standard deviations, with column and parameter:
a mean beside a mode or an approximation, so that standard deviations lie apart where the data say little about them.
*Classical from published*: the same for the method that the publication used, in our standard errors: 0.00 to the
printed digits, unless the other search stopped early."""

Row = Mapping[str, Any]


def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of the csv by model; none if there is no file."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["model"]: dict(row) for row in csv.DictReader(stream)}


def write_table(path: Path, rows: Mapping[str, Row]) -> None:
    """Replace the csv as a whole, models in alphabetical order."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    for name in sorted(rows):
        row = rows[name]
        table.writerow({n: f"{v:.6g}" if isinstance(v := row.get(n, ""), float) else v for n in COLUMNS})
    write(path, stream.getvalue())


def line(row: Row) -> str:
    """Return one line of the table."""
    if not row["verdict"]:
        said = row["status"].replace("|", "\\|")
        return f"| {row['model']} | {said} |{' |' * (len(HEADS) - 2)}"
    effects = f" ({float(row['ess_effects']):.0f})" if row["ess_effects"] not in ("", "nan") else ""
    cells = [
        row["model"],
        row["rows"],
        f"{row['parameters']} + {row['effects']}",
        f"{float(row['sampling_s']):.2f}",
        f"{float(row['whole_s']):.1f}",
        f"{float(row['r_hat']):.3f}",
        f"{float(row['ess']):.0f}{effects}",
        row["divergences"],
        row["status"],
        row["posterior_apart"],
        row["classical_apart"],
    ]
    return f"| {' | '.join(cells)} |"


def write_report(path: Path) -> None:
    """Write the table beside the csv."""
    rows = read_table(path)
    fitted = [row for row in rows.values() if row["verdict"]]
    converged = sum(row["verdict"] == "converged" for row in fitted)
    dates = sorted(row["date"] for row in rows.values())
    loads = sorted(float(row["load"]) for row in rows.values() if row["load"] != "unknown")
    total = sum(float(row["whole_s"]) for row in rows.values())
    conditions = f", load {loads[0]:.1f} to {loads[-1]:.1f}" if loads else ""
    lines = [
        "# Every model file with default settings",
        "",
        f"Written by `benchmarks/models.py`; runs of {dates[0][:10]} to {dates[-1][:10]}{conditions}." if dates else "",
        f"{converged} of {len(fitted)} models converged, {len(rows) - len(fitted)} were not fitted; {total:.0f} s.",
        "",
        *versions()[:2],
        "",
        NOTES,
        "",
        f"| {' | '.join(HEADS)} |",
        "|---" * len(HEADS) + "|",
        *(line(row) for row in rows.values()),
        "",
    ]
    target = path.with_suffix(".md")
    write(target, "\n".join(lines))
    print(f"written to {target}")


def main() -> None:
    """Write the table of the csv that is named."""
    write_report(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE)


if __name__ == "__main__":
    main()
