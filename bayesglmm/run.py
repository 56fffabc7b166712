"""What the command line does with a specification file: check it, fit it, print or write what came out."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesglmm.comparison import Comparison, compare
from bayesglmm.describe import describe
from bayesglmm.errors import DataWarning
from bayesglmm.model import GLMM
from bayesglmm.published import Published
from bayesglmm.specfile import ModelFile, load_data, override, read_specification

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Run", "check_file", "fit_file", "print_code"]

DONE, NOT_CONVERGED = 0, 3


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that one ``fit`` produced.

    Attributes
    ----------
    file : ModelFile
        The specification, overrides applied.
    model : GLMM
        The model.
    posterior : Posterior
        Draws.
    fits : tuple of Fit
        Classical fits named under ``[compare]``.
    comparison : Comparison
        All of them and the published columns side by side.
    seconds : dict of str to float
        Wall time of each stage.
    """

    file: ModelFile
    model: GLMM
    posterior: Posterior
    fits: tuple[Fit, ...]
    comparison: Comparison
    seconds: dict[str, float]

    @property
    def status(self) -> str:
        """Converged, doubtful or failed: the posterior's, lowered to doubtful by a fit that is no maximum."""
        verdict = self.posterior.check()
        return "doubtful" if verdict.converged and not all(f.converged for f in self.fits) else verdict.status.value


def _model(path: Path, settings: Sequence[str]) -> tuple[ModelFile, GLMM, list[str]]:
    """Read file and data; return them with the data's warnings."""
    file = override(read_specification(path), settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        model = GLMM.from_spec(file.spec, load_data(file))
    return file, model, [str(w.message) for w in caught if issubclass(w.category, DataWarning)]


def check_file(path: Path, settings: Sequence[str], as_json: bool) -> int:
    """Say what was understood."""
    file, model, cautions = _model(path, settings)
    if as_json:
        _print_json(
            {
                "file": str(path),
                "title": file.title,
                "model": describe(model.design, model.parameters),
                "warnings": cautions,
            }
        )
        return DONE
    _print_head(file, model, cautions)
    print("\nno errors; nothing was fitted (bayesglmm fit does that).")
    return DONE


def print_code(path: Path, settings: Sequence[str]) -> int:
    """Print PyMC source."""
    _, model, cautions = _model(path, settings)
    for caution in cautions:
        print(f"warning: {caution}", file=sys.stderr)
    print(model.to_pymc_code())
    return DONE


def fit_file(path: Path, settings: Sequence[str], *, out: Path | None, as_json: bool, progress: bool) -> int:
    """Fit, print the verdict and the table, write files."""
    started = time.perf_counter()
    file, model, cautions = _model(path, settings)
    if out is not None:
        from bayesglmm.outputs import prepare_folder

        prepare_folder(out)  # before minutes of sampling, not after
    if not as_json:
        _print_head(file, model, cautions)
    seconds = {"read": time.perf_counter() - started}
    fits = []
    for method in file.compare.methods:
        began = time.perf_counter()
        with _busy(f"fitting by {method}", progress):
            fits.append(model.fit(method))
        seconds[method] = time.perf_counter() - began
    began = time.perf_counter()
    posterior = model.sample(**file.sample.arguments(), progress=progress)
    seconds["sample"] = time.perf_counter() - began
    published = [Published(p.method, p.reference, p.estimates) for p in file.published]
    comparison = compare(posterior, *fits, *published)
    posterior.check()
    seconds["total"] = time.perf_counter() - started
    run = Run(file, model, posterior, tuple(fits), comparison, seconds)
    if out is not None:
        from bayesglmm.outputs import write_run

        write_run(posterior, comparison, run_record(run), out)
    if as_json:
        _print_json(document(run, cautions))
    else:
        _print_results(run)
        if out is not None:
            print(f"\nwritten to {out}: posterior.nc, comparison.csv, run.json")
    return DONE if run.status == "converged" else NOT_CONVERGED


@contextmanager
def _busy(words: str, visible: bool) -> Iterator[None]:
    """Show on standard error that something is under way, where somebody watches."""
    if not (visible and sys.stderr.isatty()):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words):
        yield


def document(run: Run, cautions: Sequence[str] = ()) -> dict[str, Any]:
    """Return a run as one JSON-ready document: model, verdict, comparison rows, fits, run record."""
    verdict = run.posterior.check()
    return {
        "schema": 1,
        "title": run.file.title,
        "formula": str(run.model.spec.formula),
        "family": run.model.spec.family,
        "link": run.model.spec.link,
        "status": run.status,
        "verdict": {
            "status": verdict.status.value,
            "headline": verdict.headline,
            "findings": [{"check": f.check, "status": f.status.value, "message": f.message} for f in verdict.findings],
        },
        "comparison": run.comparison.frame.to_dict(orient="records"),
        "notes": list(run.comparison.notes),
        "fits": [
            {"method": f.method, "loglik": f.loglik, "status": f.optimum.status.value, "notes": list(f.notes)}
            for f in run.fits
        ],
        "warnings": list(cautions),
        "run": run_record(run),
    }


def run_record(run: Run) -> dict[str, Any]:
    """Return versions, seed, times and status: what run.json holds."""
    attributes = run.posterior.tree.attrs
    return {
        "status": run.status,
        "seed": attributes["seed"],
        "sampler": attributes["sampler"],
        "chains": attributes["chains"],
        "draws": attributes["draws"],
        "tune": attributes["tune"],
        "created_at": attributes["created_at"],
        "data_fingerprint": attributes["data_fingerprint"],
        "specification": json.loads(attributes["specification"]),
        "versions": json.loads(attributes["versions"]),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
    }


def _print_head(file: ModelFile, model: GLMM, cautions: Sequence[str]) -> None:
    if file.title:
        print(file.title)
    if file.reference:
        print(file.reference)
    if file.title or file.reference:
        print()
    print(describe(model.design, model.parameters))
    sys.stdout.flush()
    for caution in cautions:
        print(f"warning: {caution}", file=sys.stderr)


def _print_results(run: Run) -> None:
    print(f"\n{run.posterior.check()}")
    for fit in run.fits:
        print(f"{fit.method}: log-likelihood {fit.loglik:.4f}, {fit.optimum.status.value}")
        for note in fit.notes:
            print(f"  - {note}")
    print()
    _print_table(run.comparison)
    for note in run.comparison.notes:
        print(note)
    print(
        f"\n{run.seconds['total']:.1f} s in all, {run.seconds['sample']:.1f} s sampling; "
        f"seed {run.posterior.tree.attrs['seed']}"
    )


def _print_table(comparison: Comparison) -> None:
    """Print one line a parameter, and below it what the numbered columns are."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("parameter", no_wrap=True)
    wide = comparison.table()
    for column in wide.columns:
        table.add_column(escape(column), justify="right", no_wrap=column in wide.columns[:2])
    for name, cells in wide.iterrows():
        table.add_row(escape(str(name)), *(escape(str(cell)) for cell in cells))
    console.print(table)
    for reference in comparison.references:
        print(reference)


def _print_json(value: Any) -> None:
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """Return ``value`` with numbers that JSON does not have (nan, infinity) as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
