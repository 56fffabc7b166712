"""What the command line does with a specification file: check it, fit it, print or write what came out."""

from __future__ import annotations

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
from bayesglmm.errors import DataWarning, FitError, NotAvailableError, SpecificationError
from bayesglmm.frequentist.registry import option_names
from bayesglmm.model import GLMM
from bayesglmm.outputs import document, json_text, prepare_folder, run_record, write_run
from bayesglmm.published import Published, misnamed
from bayesglmm.specfile import ModelFile, load_data, load_known_covariances, override, read_specification

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.bayes.verify import Agreement
    from bayesglmm.frequentist.fit import Fit

__all__ = ["NoFit", "Run", "check_file", "fit_file", "print_code"]

DONE, DIFFERENT, NOT_CONVERGED = 0, 1, 3


@dataclass(frozen=True)
class NoFit:
    """A classical fit that has no answer.

    Attributes
    ----------
    method : str
        Name of the method.
    message : str
        Why.
    """

    method: str
    message: str


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
    failures : tuple of NoFit
        Those of them that have no answer.
    comparison : Comparison
        All of them and the published columns side by side.
    seconds : dict of str to float
        Wall time of each stage.
    agreement : Agreement or None
        What the comparison of compiled density and PyMC graph found, if it was asked for.
    """

    file: ModelFile
    model: GLMM
    posterior: Posterior
    fits: tuple[Fit, ...]
    failures: tuple[NoFit, ...]
    comparison: Comparison
    seconds: dict[str, float]
    agreement: Agreement | None = None

    @property
    def status(self) -> str:
        """Converged, doubtful or failed: the posterior's, lowered to doubtful by a fit that is none or no maximum.

        Failed as well if the compiled density is not the PyMC graph's.
        """
        if self.agreement is not None and not self.agreement.agrees:
            return "failed"
        verdict = self.posterior.check()
        sound = not self.failures and all(f.converged for f in self.fits)
        return "doubtful" if verdict.converged and not sound else verdict.status.value


def _model(path: Path, settings: Sequence[str]) -> tuple[ModelFile, GLMM, list[str]]:
    """Read file and data; return them with the data's warnings."""
    file = override(read_specification(path), settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        model = GLMM.from_spec(file.spec, load_data(file), known_covariances=load_known_covariances(file))
    return file, model, [str(w.message) for w in caught if issubclass(w.category, DataWarning)]


def _options(method: str, file: ModelFile) -> dict[str, Any]:
    """Return the options that a file gives to a method: those that simulate take its seed."""
    seed = file.sample.seed
    return {"seed": seed} if seed is not None and "seed" in option_names(method) else {}


def _published(file: ModelFile) -> list[Published]:
    return [Published(p.method, p.reference, p.estimates) for p in file.published]


def check_file(path: Path, settings: Sequence[str], as_json: bool) -> int:
    """Say what was understood."""
    file, model, cautions = _model(path, settings)
    cautions += [*misnamed(_published(file), model.design)]
    _warn(cautions)
    if as_json:
        words = describe(model.design, model.parameters)
        print(json_text({"file": str(path), "title": file.title, "model": words, "warnings": cautions}))
        return DONE
    _print_head(file, model)
    print("\nno errors; nothing was fitted (bayesglmm fit does that).")
    return DONE


def print_code(path: Path, settings: Sequence[str]) -> int:
    """Print PyMC source."""
    _, model, cautions = _model(path, settings)
    _warn(cautions)
    source = model.to_pymc_code() + "\n"
    # Python source is UTF-8, whatever the terminal's encoding is.
    sys.stdout.flush()
    sys.stdout.buffer.write(source.encode("utf-8", errors="backslashreplace"))
    return DONE


def _warn(cautions: Sequence[str]) -> None:
    for caution in cautions:
        print(f"warning: {caution}", file=sys.stderr)


def fit_file(
    path: Path, settings: Sequence[str], *, out: Path | None, as_json: bool, progress: bool, verify: bool = False
) -> int:
    """Fit, print the verdict and the table, write files; with ``verify`` compare the density with the PyMC graph."""
    started = time.perf_counter()
    file, model, cautions = _model(path, settings)
    published = _published(file)
    cautions += [*misnamed(published, model.design)]
    if out is not None:
        prepare_folder(out)  # before minutes of sampling, not after
    if not as_json:
        _print_head(file, model)
    _warn(cautions)
    seconds = {"read": time.perf_counter() - started}
    fits, failures = _classical(file, model, seconds, progress)
    began = time.perf_counter()
    posterior = model.sample(**file.sample.arguments(), progress=progress)
    seconds["sample"] = time.perf_counter() - began
    comparison = compare(posterior, *fits, *published)
    posterior.check()
    agreement = _agreement(posterior, model, seconds, progress) if verify else None
    seconds["total"] = time.perf_counter() - started
    run = Run(file, model, posterior, fits, failures, comparison, seconds, agreement)
    if out is not None:
        write_run(posterior, comparison, run_record(run) | _verified(run), out)
    if as_json:
        print(json_text(document(run, cautions) | _verified(run)))
    else:
        _print_results(run)
        if out is not None:
            print(f"\nwritten to {out}: posterior.nc, comparison.csv, run.json")
    if agreement is not None and not agreement.agrees:
        print(f"error: {agreement}", file=sys.stderr)
        return DIFFERENT
    return DONE if run.status == "converged" else NOT_CONVERGED


def _classical(
    file: ModelFile, model: GLMM, seconds: dict[str, float], progress: bool
) -> tuple[tuple[Fit, ...], tuple[NoFit, ...]]:
    """Fit the methods named in the file, each once; note how long each took."""
    fits, failures = [], []
    for method in dict.fromkeys(file.compare.methods):
        began = time.perf_counter()
        try:
            with _busy(f"fitting by {method}", progress):
                fits.append(model.fit(method, **_options(method, file)))
        except (FitError, NotAvailableError, SpecificationError) as error:
            failures.append(NoFit(method, str(error)))
        seconds[method] = time.perf_counter() - began
    return tuple(fits), tuple(failures)


def _agreement(posterior: Posterior, model: GLMM, seconds: dict[str, float], progress: bool) -> Agreement:
    from bayesglmm.bayes.verify import verify_draws

    began = time.perf_counter()
    with _busy("comparing with the PyMC graph", progress):
        agreement = verify_draws(posterior, model.design, model.parameters, lambda: model.pymc)
    seconds["verify"] = time.perf_counter() - began
    return agreement


def _verified(run: Run) -> dict[str, Any]:
    """Return what a comparison adds to the JSON document and to run.json."""
    return {} if run.agreement is None else {"verify": run.agreement.document()}


@contextmanager
def _busy(words: str, visible: bool) -> Iterator[None]:
    """Show on standard error that something is under way, where somebody watches."""
    if not (visible and sys.stderr.isatty()):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words):
        yield


def _print_head(file: ModelFile, model: GLMM) -> None:
    if file.title:
        print(file.title)
    if file.reference:
        print(file.reference)
    if file.title or file.reference:
        print()
    print(describe(model.design, model.parameters))
    sys.stdout.flush()


def _print_results(run: Run) -> None:
    print(f"\n{run.posterior.check()}")
    if run.agreement is not None and run.agreement.agrees:
        print(run.agreement)
    for fit in run.fits:
        reached = f"log-likelihood {fit.loglik:.4f}, " if math.isfinite(fit.loglik) else ""
        print(f"{fit.method}: {reached}{fit.optimum.status.value}")
        for note in fit.notes:
            print(f"  - {note}")
    for failure in run.failures:
        print(f"{failure.method}: no fit: {failure.message}")
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
