"""One tree of exceptions and warnings.

Every message is a sentence that a stranger can act on: what is wrong, where (column, rows, file and line), what is
allowed, what to do. Problems that can be known together are raised together: `Problem` is one of them, and
`SpecificationError` and `DataError` carry all that were found.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "BayesGLMMError",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "FitError",
    "FormulaError",
    "NotAvailableError",
    "Problem",
    "SamplingError",
    "SpecificationError",
    "nearest",
]


class BayesGLMMError(Exception):
    """Base class of everything that this package raises on purpose."""


class FormulaError(BayesGLMMError, ValueError):
    """A formula that cannot be read.

    Attributes
    ----------
    problem : str
        What is wrong, one sentence.
    text : str
        The formula as it was given (shortened around the position if it is long).
    position : int
        Offset in ``text`` of the offending token, counted in characters.
    """

    def __init__(self, problem: str, text: str = "", position: int = 0) -> None:
        self.problem = problem
        start = max(0, position - 60)
        stop = min(len(text), position + 60)
        # One line, whatever was given: a caret under a line break or a tab would point nowhere.
        shown = "".join(c if c.isprintable() else "?" for c in text[start:stop])
        head, tail = ("..." if start else ""), ("..." if stop < len(text) else "")
        self.text = head + shown + tail
        self.position = position - start + len(head)
        gap = " " * sum(map(_width, self.text[: self.position]))
        super().__init__(f"{problem}\n    {self.text}\n    {gap}^" if text else problem)


def _width(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or doubtful) in a specification or in data.

    Attributes
    ----------
    where : str
        Column, or file, line and key.
    message : str
        What is wrong, what is allowed and what to do, in one or two sentences.
    kind : str
        A stable word for programs: ``"missing"``, ``"support"``, ``"rank"`` and so on.
    """

    where: str
    message: str
    kind: str = "problem"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def _listing(problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return str(problems[0])
    return f"{len(problems)} problems:\n" + "\n".join(f"  {k}. {p}" for k, p in enumerate(problems, 1))


class _ProblemsError(BayesGLMMError, ValueError):
    """An error that carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__(_listing(self.problems))


class SpecificationError(_ProblemsError):
    """A model specification (in Python or in a file) that is not valid; ``problems`` holds all that were found."""


class DataError(_ProblemsError):
    """Data that the specified model cannot take; ``problems`` holds all that were found."""


class NotAvailableError(BayesGLMMError, NotImplementedError):
    """Something that the specification can say and this version cannot do; the message names what it can."""


class FitError(BayesGLMMError, RuntimeError):
    """A classical fit that has no answer (the message says where it stopped and why)."""


class SamplingError(BayesGLMMError, RuntimeError):
    """A sampler that could not start or was interrupted before anything could be kept."""


class DataWarning(UserWarning):
    """Data that the model takes but that deserve a look; see DESIGN section 7."""


class ConvergenceWarning(UserWarning):
    """A result that should not be used without reading its verdict."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the allowed word nearest to ``word``, or an empty string.

    Parameters
    ----------
    word : str
        What was given.
    allowed : iterable of str
        What would have been valid.
    """
    by_lower = {a.lower(): a for a in allowed}
    match = difflib.get_close_matches(str(word).lower(), list(by_lower), n=1, cutoff=0.5)
    return f" Did you mean {by_lower[match[0]]!r}?" if match else ""
