"""Residual structures: ``ar1(week | patient)`` -> `ResidualTerm`, by the formula's own tokens, never evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bayesglmm.errors import FormulaError, nearest
from bayesglmm.formula.cursor import Cursor
from bayesglmm.formula.printer import name_text
from bayesglmm.formula.tokens import shown, tokenize
from bayesglmm.formula.tree import Factor

__all__ = ["INDEPENDENT", "RESIDUAL_STRUCTURES", "ResidualTerm", "parse_residual", "read_residual"]

#: Structures by name, each with what stands before its bar.
RESIDUAL_STRUCTURES: Final = {
    "ar1": "a column of whole numbers or ordered categories, or 1 for the order of the rows",
    "car1": "a column of real times",
    "cs": "the visit, or 1",
    "us": "the visit",
}
#: The word for no structure.
INDEPENDENT: Final = "iid"
_ONE: Final = ("ar1", "cs")
_EXAMPLES: Final = "ar1(week | patient), car1(time | patient), cs(1 | patient), us(visit | patient) or iid"


@dataclass(frozen=True)
class ResidualTerm:
    """How the residuals of one level of a grouping factor correlate.

    Attributes
    ----------
    structure : str
        ``"ar1"``, ``"car1"``, ``"cs"`` or ``"us"``.
    time : str or None
        Column of times or visits; None for ``1``, the order of the rows.
    factor : Factor
        Residuals of different levels are independent.
    """

    structure: str
    time: str | None
    factor: Factor

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it uses."""
        return (*(() if self.time is None else (self.time,)), *self.factor.columns)

    def __str__(self) -> str:
        time = "1" if self.time is None else name_text(self.time)
        return f"{self.structure}({time} | {':'.join(map(name_text, self.factor.columns))})"


def parse_residual(text: str) -> ResidualTerm | None:
    """Read a residual structure; None for ``"iid"``.

    Parameters
    ----------
    text : str
        ``"ar1(week | patient)"``: a structure, a time or visit, and a grouping factor (``a:b`` for combinations).

    Raises
    ------
    FormulaError
        For every text that is none; the message points at the place.
    """
    cursor = Cursor(text, tokenize(text))
    token = cursor.token
    if token.kind == "name" and token.value == INDEPENDENT and cursor.following == "end":
        return None
    if not cursor.calls():
        raise cursor.error(f"A residual structure is written {_EXAMPLES}.")
    name = str(cursor.take().value)
    if name not in RESIDUAL_STRUCTURES:
        hint = nearest(name, RESIDUAL_STRUCTURES)
        raise cursor.error(f"There is no residual structure {shown(name)}.{hint} Write {_EXAMPLES}.", token)
    opened = cursor.take()
    time = _time(cursor, name)
    if not cursor.skip("|"):
        raise cursor.error(f"{name}(...) needs one bar and a grouping factor: {name}(week | patient).")
    factor = _factor(cursor, name)
    cursor.close(opened)
    if cursor.token.kind != "end":
        raise cursor.error("A model has one residual structure, and nothing is added to it.")
    if time in factor.columns:
        raise cursor.error("The time is the grouping factor as well: every group would have one row.", opened)
    return ResidualTerm(name, time, factor)


def _time(cursor: Cursor, name: str) -> str | None:
    token = cursor.token
    if token.kind == "name" and not cursor.calls():
        return str(cursor.take().value)
    if token.kind == "number" and token.value == 1 and name in _ONE:
        cursor.take()
        return None
    raise cursor.error(f"Before the bar of {name}(...) stands {RESIDUAL_STRUCTURES[name]}; compute others in the data.")


def _factor(cursor: Cursor, name: str) -> Factor:
    columns: list[str] = []
    while True:
        if cursor.token.kind != "name" or cursor.calls():
            raise cursor.error(
                f"After the bar of {name}(...) stands a grouping factor: a column, or a:b for combinations."
            )
        if cursor.token.value in columns:
            raise cursor.error("The grouping factor names a column twice.")
        columns.append(str(cursor.take().value))
        if not cursor.skip(":"):
            break
    if cursor.token.kind in ("/", "+", "*", "|", "||", ","):
        raise cursor.error("One grouping factor: a column, or a:b for combinations.")
    return Factor(tuple(columns))


def read_residual(given: object) -> ResidualTerm | None:
    """Return a residual term from its text (or as it is); FormulaError for anything else."""
    if given is None or isinstance(given, ResidualTerm):
        return given
    if not isinstance(given, str):
        raise FormulaError(f"A residual structure is text such as {_EXAMPLES}, not {type(given).__name__}.")
    return parse_residual(given)
