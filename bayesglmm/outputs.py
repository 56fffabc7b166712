"""Writing a run to a folder: each file under a temporary name first, so that a broken run leaves no half file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bayesglmm.errors import BayesGLMMError

if TYPE_CHECKING:
    from bayesglmm.run import Run

__all__ = ["prepare_folder", "write_run", "write_text"]


def prepare_folder(folder: Path) -> None:
    """Make ``folder`` if needed and see that files can be written there.

    Raises
    ------
    BayesGLMMError
        The folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise BayesGLMMError(
            f"--out {folder}: nothing can be written there ({error.strerror}); name another folder."
        ) from error


def write_run(run: Run, folder: Path) -> None:
    """Write ``posterior.nc``, ``comparison.csv`` and ``run.json``; files of an earlier run are replaced whole."""
    from bayesglmm.run import run_record

    run.posterior.save(folder / "posterior.nc")
    write_text(folder / "comparison.csv", run.comparison.frame.to_csv(index=False))
    write_text(folder / "run.json", json.dumps(run_record(run), indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` by way of a temporary file beside it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
