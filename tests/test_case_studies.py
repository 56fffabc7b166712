"""Case studies run as they stand, and every number of their prose is one that the script asserts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CASE_STUDIES = sorted((ROOT / "case_studies").glob("*.py"))
#: Not findings: code, mathematics, years, the level of intervals.
NO_FINDING = re.compile(r"`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\b(?:1[89]|20)\d\d\b|\b95%|^\d+\. ", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?%?")
#: Numbers reach `says`, `below` and `above` as they are printed: as quoted text.
ASSERTED = re.compile(r"\"(-?\d+(?:\.\d+)?%?)\"")
#: Fewer numbers than this, and a case study has lost its checks rather than its numbers.
FEWEST_NUMBERS = 50

pytestmark = pytest.mark.parametrize("path", CASE_STUDIES, ids=lambda path: path.stem)


def cells(path: Path) -> list[tuple[str, str]]:
    """Return (kind, text) of every cell of a percent script, comment marks of the prose taken away."""
    parts = re.split(r"^# %%(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        prose = "[markdown]" in heading
        found.append(("prose" if prose else "code", re.sub(r"^# ?", "", text, flags=re.MULTILINE) if prose else text))
    return found


def unasserted(path: Path) -> list[str]:
    """Return the numbers of the prose that no code asserts before the next prose, each with its beginning."""
    missing = []
    pending: list[tuple[str, str]] = []
    asserted: set[str] = set()
    for kind, text in [*cells(path), ("prose", "")]:
        if kind == "code":
            asserted |= set(ASSERTED.findall(text))
            continue
        missing += [f"{number} in {start!r}" for number, start in pending if number not in asserted]
        pending = [(number, text.strip()[:40]) for number in NUMBER.findall(NO_FINDING.sub(" ", text))]
        asserted = set()
    return missing


def test_every_number_of_the_prose_is_asserted_beside_it(path):
    numbers = [n for kind, text in cells(path) if kind == "prose" for n in NUMBER.findall(NO_FINDING.sub(" ", text))]
    assert len(numbers) >= FEWEST_NUMBERS
    assert unasserted(path) == []


def test_a_number_without_its_check_is_found(path, tmp_path):
    changed = tmp_path / path.name
    changed.write_text(
        path.read_text(encoding="utf-8") + "\n# %% [markdown]\n# The answer is 42.1.\n", encoding="utf-8"
    )
    assert unasserted(changed) == ["42.1 in 'The answer is 42.1.'"]


@pytest.mark.mcmc
@pytest.mark.parametrize("folder", [ROOT, ROOT / "case_studies"], ids=["from the root", "from its folder"])
def test_runs_without_a_warning_and_leaves_nothing_behind(path, folder):
    before = set((ROOT / "case_studies").iterdir())
    environment = {k: v for k, v in os.environ.items() if k != "SAVE_FIGURES"} | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path.relative_to(folder))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Warning" not in done.stderr
    checked = re.search(r"(\d+) numbers of the text were checked", done.stdout)
    assert checked is not None
    assert int(checked[1]) >= FEWEST_NUMBERS
    assert {p for p in (ROOT / "case_studies").iterdir() if p.name != "__pycache__"} <= before


def test_is_a_notebook(path):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown" if kind == "prose" else "code" for kind, _ in cells(path)]
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            compile(cell.source, str(path), "exec")  # no magic, no half statements
    assert jupytext.reads(jupytext.writes(notebook, "ipynb"), "ipynb").cells == notebook.cells
