"""A sum -> its terms, its intercept and its offsets."""

from __future__ import annotations

from collections.abc import Iterable

from bayesglmm.errors import FormulaError
from bayesglmm.formula.terms import expand
from bayesglmm.formula.tree import Binary, Call, Common, Node, Number, Sum, Unary

__all__ = ["Signed", "common_part"]

#: "+" or "-", and what it stands before.
type Signed = tuple[str, Node]


def common_part(signed: Iterable[Signed], text: str) -> Common:
    """Put the terms of a sum together.

    Parameters
    ----------
    signed : iterable of (str, Node)
        The summands with the signs before them; the first has ``"+"`` where nothing is written.
    text : str
        The formula, for messages.

    Raises
    ------
    FormulaError
        For numbers other than 0 and 1, for ``0`` beside ``1``, for offsets that are taken away or lie deeper, and
        for all that `expand` refuses.
    """
    terms: Node | None = None
    intercept: bool | None = None
    offsets: list[Node] = []
    for sign, node in _flat(signed):
        match node:
            case Number():
                marker = _marker(sign, node, text)
                if intercept is not None and marker is not intercept:
                    raise FormulaError(
                        "The intercept is both put in and taken out. Keep one of the two.",
                        text,
                        node.position,
                    )
                intercept = marker
            case Call(function="offset", arguments=(argument,)):
                if sign == "-":
                    raise FormulaError("An offset is added; write offset(-x) for a negative one.", text, node.position)
                offsets.append(argument)
            case _:
                terms = _appended(terms, sign, node, text)
    if terms is not None:
        _refuse_inner_offsets(terms, text)
        expand(terms, text)
    return Common(terms, intercept is not False, tuple(offsets))


def _flat(signed: Iterable[Signed]) -> list[Signed]:
    found: list[Signed] = []
    for sign, node in signed:
        inner = _summands(node) if sign == "+" else [(sign, node)]
        if sign == "-" and isinstance(node, Unary):
            inner = [("+", node.operand)]
        # a + (b - c) takes c from b alone: only what is added inside a bracket can leave it.
        additive = not found or isinstance(node, Unary) or all(s == "+" for s, _ in inner)
        found.extend(inner if additive else [(sign, node)])
    return found


def _summands(node: Node) -> list[Signed]:
    match node:
        case Sum(terms=parts):
            return _flat(("+", part) for part in parts)
        case Binary(op="-", left=left, right=right):
            return [*_summands(left), ("-", right)]
        case Unary(operand=operand):
            return [("-", operand)]
        case _:
            return [("+", node)]


def _marker(sign: str, node: Number, text: str) -> bool:
    if node.value not in (0, 1):
        raise FormulaError(
            "A number is no term: 0 takes the intercept out, 1 puts it in. Arithmetic goes inside I(...).",
            text,
            node.position,
        )
    return (node.value == 1) is (sign == "+")


def _appended(terms: Node | None, sign: str, node: Node, text: str) -> Node:
    if sign == "+":
        return node if terms is None else Sum((terms, node), position=terms.position)
    if terms is None:
        raise FormulaError(
            "There is no term before this that could be taken away. Arithmetic goes inside I(...).",
            text,
            node.position,
        )
    return Binary("-", terms, node, position=node.position)


def _refuse_inner_offsets(node: Node, text: str) -> None:
    match node:
        case Call(function="offset"):
            raise FormulaError("An offset is a summand of its own: y ~ x + offset(log(t)).", text, node.position)
        case Sum(terms=parts):
            for part in parts:
                _refuse_inner_offsets(part, text)
        case Binary(left=left, right=right):
            _refuse_inner_offsets(left, text)
            _refuse_inner_offsets(right, text)
        case Unary(operand=operand):
            _refuse_inner_offsets(operand, text)
