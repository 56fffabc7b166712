"""How statements, numbers and arrays are written as Python source: exact and wrapped."""

from __future__ import annotations

import io
import itertools
import math
import tokenize
from collections.abc import Iterable

import numpy as np

__all__ = ["WIDTH", "array_text", "columns_text", "filled", "number_text", "wrapped"]

WIDTH = 110
_INDENT = "    "
#: Whole numbers from here on are not all float64, and their digits would mislead.
_EXACT = 2.0**53
_CLOSING = ")]}"


def number_text(value: float) -> str:
    """Return a literal of exactly this number: an integer if it is whole, else Python's shortest decimal."""
    value = float(value)
    if not math.isfinite(value):
        return f'float("{value}")'
    if value.is_integer() and abs(value) < _EXACT and (value or math.copysign(1.0, value) > 0.0):
        return str(int(value))
    return repr(value)


def filled(items: Iterable[str], indent: str) -> str:
    """Return items joined by commas, in lines of at most `WIDTH` characters that begin with ``indent``."""
    lines: list[str] = []
    line = indent
    for item in items:
        if len(line) + len(item) + 1 > WIDTH and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{item}, "
    return "\n".join([*lines, line.rstrip()])


def array_text(name: str, values: np.ndarray, dtype: str = "float64", indent: str = "") -> str:
    """Return a statement that defines the vector ``name``."""
    return f"{indent}{name} = {_vector(values, dtype, indent)}"


def columns_text(name: str, matrix: np.ndarray) -> str:
    """Return a statement that defines the float64 matrix ``name`` (n, k), column by column."""
    inner = 2 * _INDENT
    columns = "".join(f"{inner}{_vector(column, 'float64', inner)},\n" for column in matrix.T)
    return f"{name} = np.column_stack(\n{_INDENT}[\n{columns}{_INDENT}]\n)"


def _vector(values: np.ndarray, dtype: str, indent: str) -> str:
    """Return an expression of the vector whose further lines stand behind ``indent``."""
    if len(values) == 0 or (values == values[0]).all():
        return f"np.full({len(values)}, {number_text(values[0]) if len(values) else 0}, dtype={dtype!r})"
    inner = indent + _INDENT
    numbers = filled(map(number_text, values.tolist()), inner + _INDENT)
    return f"np.array(\n{inner}[\n{numbers}\n{inner}],\n{inner}dtype={dtype!r},\n{indent})"


def wrapped(statement: str, indent: str) -> str:
    """Return a statement behind ``indent``; if it is too long, the items of its last bracket get own lines.

    A line that is part of a larger statement (it is indented) is left as it is.
    """
    too_long = len(indent) + len(statement) > WIDTH
    if not too_long or statement.startswith((" ", "#")) or statement[-1] not in _CLOSING:
        return indent + statement
    opened, commas = _last_bracket(statement)
    inner = indent + _INDENT
    cuts = [opened - 1, *commas, len(statement) - 1]
    items = [statement[start + 1 : stop].strip() for start, stop in itertools.pairwise(cuts)]
    lines: list[str] = []
    for item in filter(None, items):
        if lines and len(lines[-1]) + len(item) + 2 <= WIDTH and "\n" not in lines[-1]:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{wrapped(item, inner)},")
    return "\n".join([indent + statement[:opened], *lines, indent + statement[-1]])


def _last_bracket(statement: str) -> tuple[int, list[int]]:
    """Return where the content of the bracket that closes at the end begins, and where its commas are."""
    opened: list[tuple[int, list[int]]] = []
    last: tuple[int, list[int]] = (0, [])
    # Tokens, not characters: a comma or a bracket inside a string separates nothing.
    for token in tokenize.generate_tokens(io.StringIO(statement).readline):
        if token.type != tokenize.OP:
            continue
        if token.string in "([{":
            opened.append((token.end[1], []))
        elif token.string in _CLOSING:
            last = opened.pop()
        elif token.string == "," and opened:
            opened[-1][1].append(token.start[1])
    return last
