"""Writing a run to a folder: each file under a temporary name first, so that a broken run leaves no half file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesglmm.errors import BayesGLMMError

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.comparison import Comparison

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


def write_run(posterior: Posterior, comparison: Comparison, record: Mapping[str, Any], folder: Path) -> None:
    """Write ``posterior.nc``, ``comparison.csv`` and ``run.json``; files of an earlier run are replaced whole."""
    posterior.save(folder / "posterior.nc")
    write_text(folder / "comparison.csv", comparison.frame.to_csv(index=False))
    write_text(folder / "run.json", json.dumps(record, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` by way of a temporary file beside it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
