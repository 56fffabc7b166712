"""The command line: ``bayesglmm check | fit | code FILE.toml``.

Exit status: 0 done and converged, 2 the specification or the data is wrong, 3 done but not converged, 1 anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bayesglmm.errors import BayesGLMMError, DataError, FormulaError, NotAvailableError, SpecificationError

__all__ = ["app", "main"]

DONE, OTHER, WRONG_INPUT, NOT_CONVERGED = 0, 1, 2, 3

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
    from bayesglmm.run import check_file

    raise typer.Exit(check_file(file, set_ or [], as_json=json))


@app.command()
def fit(
    file: SpecFile,
    set_: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write posterior.nc, comparison.csv and run.json there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Sample the posterior, fit the classical methods named in the file, and print them in one table."""
    from bayesglmm.run import fit_file

    raise typer.Exit(fit_file(file, set_ or [], out=out, as_json=json, progress=not (quiet or json)))


@app.command()
def code(file: SpecFile, set_: Settings = None) -> None:
    """Print Python source that builds the same PyMC model by itself."""
    from bayesglmm.run import print_code

    raise typer.Exit(print_code(file, set_ or []))


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; every error of ours is one message on standard error and an exit status."""
    try:
        return app(args=arguments, prog_name="bayesglmm")
    except (FormulaError, SpecificationError, DataError, NotAvailableError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(WRONG_INPUT)
    except BayesGLMMError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(OTHER)
    except KeyboardInterrupt:
        print("interrupted: nothing was written.", file=sys.stderr)
        sys.exit(OTHER)
    except BrokenPipeError:
        # The reader (head, less) has gone; that is its right.
        sys.stderr.close()
        sys.exit(OTHER)
