"""Arithmetic inside functions: which expressions have a number for every row."""

from __future__ import annotations

import math
import operator
from typing import Final

from bayesglmm.errors import FormulaError
from bayesglmm.formula.functions import FUNCTIONS
from bayesglmm.formula.limits import MAX_SUMMANDS
from bayesglmm.formula.tree import Binary, Call, Name, Node, Number, Sum, Unary

__all__ = ["check_arithmetic"]

_OPERATORS: Final = {"-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow}


def check_arithmetic(node: Node, function: str, text: str = "") -> None:
    """Check what a function is applied to.

    Parameters
    ----------
    node : Node
        The argument.
    function : str
        The function, for the message.
    text : str
        The formula, for the message.

    Raises
    ------
    FormulaError
        For ``:``, for nested functions that give several columns, for constants that are no finite real
        number (``10 ** 10 ** 10``, ``1 / 0``), and for an argument without any column.
    """
    constant = _walk(node, text)
    if constant is not None:
        raise FormulaError(f"{function}() needs a column; this is the same number for every row.", text, node.position)


def _walk(node: Node, text: str) -> float | None:
    """Return the value of a constant expression, None for one that holds a column."""
    match node:
        case Name():
            return None
        case Number(value=value):
            return float(value)
        case Call(function=function):
            if FUNCTIONS[function].value != "number":
                raise FormulaError(
                    f"{function}() cannot stand inside another function: it is not one number a row.",
                    text,
                    node.position,
                )
            return None
        case Unary(operand=operand):
            inner = _walk(operand, text)
            return None if inner is None else -inner
        case Sum(terms=terms):
            if len(terms) > MAX_SUMMANDS:
                raise FormulaError(f"A sum inside a function has at most {MAX_SUMMANDS} terms.", text, node.position)
            values = [_walk(term, text) for term in terms]
            known = [v for v in values if v is not None]
            return sum(known) if len(known) == len(values) else None
        case Binary(op=":"):
            raise FormulaError("Inside a function ':' has no meaning; write * for a product.", text, node.position)
        case Binary(op=op, left=left, right=right):
            return _constant(op, _walk(left, text), _walk(right, text), text, node.position)


def _constant(op: str, left: float | None, right: float | None, text: str, position: int) -> float | None:
    if left is None or right is None:
        if op == "/" and right == 0:
            raise FormulaError("This divides by zero.", text, position)
        return None
    try:
        value = _OPERATORS[op](left, right)
    except (ArithmeticError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        raise FormulaError("This constant is no finite real number.", text, position)
    return float(value)
