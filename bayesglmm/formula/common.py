"""A sum -> its terms, its intercept and its offsets."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from bayesglmm.errors import FormulaError
from bayesglmm.formula.expressions import Signed
from bayesglmm.formula.limits import MAX_DEPTH, MAX_TERMS
from bayesglmm.formula.terms import Term, expand
from bayesglmm.formula.tree import Binary, Call, Common, Node, Number, Sum, Unary

__all__ = ["common_part"]


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
    flat = _flat(signed)
    _check_count(flat, text)
    for sign, node in flat:
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
        _check_depth(terms, text)
        _refuse_inner_offsets(terms, text)
        terms = _without_vanished(terms, expand(terms, text))
    return Common(terms, intercept is not False, tuple(offsets))


def _check_count(flat: list[Signed], text: str) -> None:
    counted = [node for _, node in flat if not isinstance(node, Number)]
    if len(counted) > MAX_TERMS:
        position = counted[MAX_TERMS].position
        raise FormulaError(f"A formula has at most {MAX_TERMS} terms. Shorten it.", text, position)


def _check_depth(terms: Node, text: str) -> None:
    # A sum is flat, but a - b + c - d + ... is as deep as it is long.
    if terms.depth > MAX_DEPTH:
        raise FormulaError(
            f"These terms are nested more than {MAX_DEPTH} levels deep (a - b is a level). Write them more simply.",
            text,
            terms.position,
        )


def _without_vanished(terms: Node, expanded: Sequence[Term]) -> Node | None:
    """Return ``terms``, written out if a component is taken away altogether: its column is then not needed."""
    left = dict.fromkeys(component for term in expanded for component in term)
    if all(component in left for component in _components(terms)):
        return terms
    products = [functools.reduce(_interaction, term) for term in expanded]
    if len(products) < 2:
        return products[0] if products else None
    return Sum(tuple(products), position=terms.position)


def _interaction(left: Node, right: Node) -> Node:
    return Binary(":", left, right, position=left.position)


def _components(node: Node) -> Iterator[Node]:
    match node:
        case Sum(terms=parts):
            for part in parts:
                yield from _components(part)
        case Binary(op="**", left=left):
            yield from _components(left)
        case Binary(left=left, right=right):
            yield from _components(left)
            yield from _components(right)
        case _:
            yield node


def _flat(signed: Iterable[Signed]) -> list[Signed]:
    """Open brackets around the first summand, and only there: a + (b - c) takes c from b alone."""
    found: list[Signed] = []
    for sign, node in signed:
        found += _opened(node) if sign == "+" and not found else [_unsigned(sign, node)]
    return found


def _opened(node: Node) -> list[Signed]:
    match node:
        case Sum(terms=(first, *rest)):
            return [*_opened(first), *(_unsigned("+", part) for part in rest)]
        case Binary(op="-", left=left, right=right):
            return [*_opened(left), _unsigned("-", right)]
        case _:
            return [_unsigned("+", node)]


def _unsigned(sign: str, node: Node) -> Signed:
    while isinstance(node, Unary):
        sign, node = ("+" if sign == "-" else "-"), node.operand
    return sign, node


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
