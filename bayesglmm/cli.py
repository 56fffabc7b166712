"""The command line: ``bayesglmm check | fit | code FILE.toml``.

Exit status: 0 done and converged, 2 the specification or the data is wrong, 3 done but not converged, 1 anything else
(with ``fit --verify`` also: the two densities differ).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

try:
    import typer
except KeyboardInterrupt:  # the longest moment before main() can answer
    sys.exit("interrupted: stopped before the end.")

from bayesglmm.errors import BayesGLMMError, DataError, FormulaError, NotAvailableError, SpecificationError

__all__ = ["app", "main"]

DONE, OTHER, WRONG_INPUT, NOT_CONVERGED = 0, 1, 2, 3

_INTERRUPTED = 130

app = typer.Typer(
    name="bayesglmm",
    help="One specification of a generalized linear mixed model; every way to fit it; one table of what they say.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecFile = Annotated[Path, typer.Argument(metavar="FILE.toml", help="Specification file.", show_default=False)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace a value of the file: --set sample.draws=2000. May be repeated.",
    ),
]


def _version(asked: bool) -> None:
    if asked:
        from bayesglmm import __version__

        typer.echo(f"bayesglmm {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """One specification of a generalized linear mixed model; every way to fit it; one table of what they say."""


@app.command()
def check(
    file: SpecFile,
    set_: Settings = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Read a specification and its data, say what was understood and everything that is wrong; fit nothing."""
    with _errors_said(as_json=json):
        from bayesglmm.run import check_file

        status = check_file(file, set_ or [], as_json=json)
    raise typer.Exit(status)


@app.command()
def fit(
    file: SpecFile,
    set_: Settings = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Write posterior.nc, comparison.csv and run.json there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare the compiled density with the PyMC graph at draws of the posterior."),
    ] = False,
) -> None:
    """Sample the posterior, fit the classical methods named in the file, and print them in one table."""
    with _errors_said(as_json=json):
        # Path("") is the current folder, which an empty variable in a script does not mean.
        if out is not None and not out.strip():
            raise SpecificationError("--out: an empty name is given; write --out DIR (--out . is the current folder).")
        from bayesglmm.run import fit_file

        folder = None if out is None else Path(out)
        status = fit_file(file, set_ or [], out=folder, as_json=json, progress=not (quiet or json), verify=verify)
    raise typer.Exit(status)


@app.command()
def code(file: SpecFile, set_: Settings = None) -> None:
    """Print Python source that builds the same PyMC model by itself."""
    with _errors_said(as_json=False):
        from bayesglmm.run import print_code

        status = print_code(file, set_ or [])
    raise typer.Exit(status)


@contextlib.contextmanager
def _errors_said(*, as_json: bool) -> Iterator[None]:
    """Turn every error of ours into one message on standard error (and a JSON document, if asked for) and a status."""
    try:
        yield
    except BayesGLMMError as error:
        if as_json:
            from bayesglmm.outputs import error_document, json_text

            print(json_text(error_document(error)))
        print(f"error: {error}", file=sys.stderr)
        wrong = isinstance(error, FormulaError | SpecificationError | DataError | NotAvailableError)
        raise typer.Exit(WRONG_INPUT if wrong else OTHER) from error
    except KeyboardInterrupt:
        _stop("interrupted: stopped before the end.")
    except OSError as error:
        if error.filename is not None:
            raise
        _stop_unwritten(error)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; whatever happens ends in an exit status, and every error of ours in one message."""
    if sys.stderr is None:  # closed by the caller; print() would write to standard output in its place
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (open to the end)
    if sys.stdout is None:
        _stop("error: standard output is closed; there is nowhere to print to.")
    _accept_any_text(sys.stdout)
    _accept_any_text(sys.stderr)
    status: int | str | None = OTHER
    try:
        try:
            app(args=arguments, prog_name="bayesglmm")
        except SystemExit as stopped:
            status = stopped.code
        # Here and not when the interpreter ends, where a full disk would be a traceback.
        sys.stdout.flush()
    except KeyboardInterrupt:
        _stop("interrupted: stopped before the end.")
    except OSError as error:
        if error.filename is not None:
            raise
        _stop_unwritten(error)
    if status == _INTERRUPTED:  # before a command began
        _stop("interrupted: stopped before the end.")
    sys.exit(status)


def _accept_any_text(stream: TextIO) -> None:
    """Write characters that the stream's encoding lacks as escapes: no label of a level may stop a run."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _stop(words: str) -> NoReturn:
    """Say why in one line and end; a further Ctrl-C does not disturb the end."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError):
        print(words, file=sys.stderr, flush=True)
    sys.exit(OTHER)


def _stop_unwritten(error: OSError) -> NoReturn:
    # What is still in the buffer goes nowhere, or the interpreter would try again when it ends, and fail.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    _stop(f"error: nothing more can be printed ({error.strerror or error}).")
