"""What a run leaves behind: one JSON document, and files, each under a temporary name first so that none is half."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesglmm.errors import BayesGLMMError, DataError, FormulaError, Problem, SpecificationError

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.comparison import Comparison
    from bayesglmm.run import Run

__all__ = ["document", "error_document", "json_text", "prepare_folder", "run_record", "write_run", "write_text"]


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
    write_text(folder / "run.json", json_text(record) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` by way of a temporary file beside it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def document(run: Run, cautions: Sequence[str] = ()) -> dict[str, Any]:
    """Return a run as one JSON-ready document: model, verdict, comparison rows, fits, run record."""
    verdict, spec = run.posterior.check(), run.model.spec
    return {
        "schema": 1,
        "title": run.file.title,
        "formula": str(spec.formula),
        **{name: str(text) for name in ("residual", "dispersion", "zero") if (text := getattr(spec, name)) is not None},
        "family": spec.family,
        "link": spec.link,
        "status": run.status,
        "verdict": {
            "status": verdict.status.value,
            "headline": verdict.headline,
            "findings": [{"check": f.check, "status": f.status.value, "message": f.message} for f in verdict.findings],
        },
        "comparison": run.comparison.frame.to_dict(orient="records"),
        "notes": list(run.comparison.notes),
        "fits": [
            *(
                {"method": f.method, "loglik": f.loglik, "status": f.optimum.status.value, "notes": list(f.notes)}
                for f in run.fits
            ),
            *(
                {"method": f.method, "loglik": None, "status": "failed", "notes": [], "message": f.message}
                for f in run.failures
            ),
        ],
        "warnings": list(cautions),
        "run": run_record(run),
    }


def run_record(run: Run) -> dict[str, Any]:
    """Return versions, seed, times and status: what run.json holds."""
    attributes = run.posterior.tree.attrs
    kept = run.posterior.tree["sample_stats"].sizes
    return {
        "status": run.status,
        "fits": {f.method: f.optimum.status.value for f in run.fits} | {f.method: "failed" for f in run.failures},
        "seed": attributes["seed"],
        "sampler": attributes["sampler"],
        "chains": kept["chain"],
        "draws": kept["draw"],
        "interrupted": bool(attributes["interrupted"]),
        "chains_asked": attributes["chains"],
        "draws_asked": attributes["draws"],
        "tune": attributes["tune"],
        "created_at": attributes["created_at"],
        "data_fingerprint": attributes["data_fingerprint"],
        "rows": run.model.design.n_rows,
        "rows_left_out": [str(label) for label in run.model.design.dropped],
        "specification": json.loads(attributes["specification"]),
        "versions": json.loads(attributes["versions"]),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
    }


def error_document(error: BayesGLMMError) -> dict[str, Any]:
    """Return what is wrong as one JSON-ready document."""
    if isinstance(error, SpecificationError | DataError):
        problems = error.problems
    else:
        kind = type(error).__name__.removesuffix("Error").lower()
        problems = (Problem("formula" if isinstance(error, FormulaError) else "", str(error), kind),)
    listed = [{"where": p.where, "message": p.message, "kind": p.kind} for p in problems]
    return {"status": "error", "problems": listed}


def json_text(value: Any) -> str:
    """Return ``value`` as JSON text, numbers that JSON does not have (nan, infinity) as null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
