"""The left side: the response, its trials, known standard errors and weights."""

from __future__ import annotations

from bayesglmm.errors import nearest
from bayesglmm.formula.cursor import Cursor
from bayesglmm.formula.expressions import OPERATORS, Expressions
from bayesglmm.formula.functions import FUNCTIONS, RESPONSE_FUNCTIONS
from bayesglmm.formula.tokens import Token
from bayesglmm.formula.tree import Binary, Call, Name, Node, Number, Response

__all__ = ["read_response"]


def read_response(expressions: Expressions) -> Response:
    """Read the left side, up to the tilde.

    Raises
    ------
    FormulaError
        If it is not one column, one function of columns, or ``p(successes, trials)``, with at most one each
        of ``trials()``, ``se()`` and ``weights()`` after a bar.
    """
    cursor = expressions.cursor
    start = cursor.token
    additions: dict[str, Name | Number] = {}
    expression: Node
    if cursor.calls() and start.value == "p":
        expression, additions["trials"] = _proportion(expressions)
    else:
        expression = expressions.read()
        _check(cursor, expression, start)
    if cursor.skip("|"):
        _read_additions(expressions, additions)
    if cursor.token.kind == "||":
        raise cursor.error("After the response one bar is enough: y | weights(w).")
    if cursor.token.kind != "~":
        raise cursor.unexpected()
    trials, se, weights = (additions.get(kind) for kind in ("trials", "se", "weights"))
    if trials is not None and not isinstance(expression, Name):
        raise cursor.error("With trials the response is the column of successes: successes | trials(n).", start)
    assert not isinstance(se, Number)
    assert not isinstance(weights, Number)
    return Response(expression, trials, se, weights)


def _check(cursor: Cursor, expression: Node, start: Token) -> None:
    match expression:
        case Name():
            return
        case Call(function=function) if FUNCTIONS[function].value == "number":
            return
        case Call(function=function):
            raise cursor.error(
                f"{function}() cannot be a response. A response is a column, or log(y) and the like.", start
            )
        case Binary(op="/"):
            raise cursor.error(
                "Write p(successes, trials) or successes | trials(n) for proportions, I(y / z) for a ratio.",
                start,
            )
    raise cursor.error(
        "The left side is one response: a column, log(y) and the like, or arithmetic inside I(...).", start
    )


def _proportion(expressions: Expressions) -> tuple[Name, Name | Number]:
    cursor = expressions.cursor
    cursor.take()
    opened = cursor.take()
    successes = expressions.name()
    if not cursor.skip(","):
        raise cursor.error("p() takes two: the column of successes and the number of trials, p(successes, trials).")
    trials = _size(expressions, "p")
    _close(cursor, opened, "p")
    return successes, trials


def _close(cursor: Cursor, opened: Token, function: str) -> None:
    if cursor.token.kind in OPERATORS:
        raise cursor.error(f"{function}() takes columns as they are; compute others in the data first.")
    if cursor.token.kind == ",":
        number = "two: the column of successes and the number of trials" if function == "p" else "one column"
        raise cursor.error(f"{function}() takes {number}.")
    cursor.close(opened)


def _size(expressions: Expressions, function: str) -> Name | Number:
    token = expressions.cursor.token
    if token.kind != "number":
        return expressions.name()
    if type(token.value) is not int or token.value < 1:
        raise expressions.cursor.error(f"The trials in {function}() are a column or a whole number >= 1.")
    expressions.cursor.take()
    return Number(token.value, position=token.position)


def _read_additions(expressions: Expressions, additions: dict[str, Name | Number]) -> None:
    cursor = expressions.cursor
    while True:
        token = cursor.token
        kind = str(token.value)
        if not cursor.calls() or kind not in RESPONSE_FUNCTIONS:
            hint = nearest(kind, RESPONSE_FUNCTIONS) if token.kind == "name" else ""
            raise cursor.error(
                f"After the bar stand trials(n), se(s) or weights(w), with + between them.{hint}"
                " Group terms such as (1 | g) belong to the right side."
            )
        if kind in additions:
            raise cursor.error(
                f"{kind}() is given twice (p() gives the trials too)."
                if kind == "trials"
                else f"{kind}() is given twice."
            )
        cursor.take()
        opened = cursor.take()
        additions[kind] = _size(expressions, kind) if kind == "trials" else expressions.name()
        _close(cursor, opened, kind)
        if cursor.token.kind in (*OPERATORS, ",") and cursor.token.kind != "+":
            raise cursor.error("Between trials(n), se(s) and weights(w) stands +.")
        if not cursor.skip("+"):
            return
