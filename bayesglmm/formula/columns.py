"""Which columns a formula uses."""

from __future__ import annotations

from collections.abc import Iterator

from bayesglmm.formula.tree import (
    Binary,
    Call,
    Common,
    Formula,
    GroupTerm,
    Name,
    Node,
    Number,
    Response,
    Sum,
    Unary,
)

__all__ = ["columns"]


def columns(tree: Node | Formula | Response | Common | GroupTerm) -> tuple[str, ...]:
    """Return the names of all columns of a tree, each once, in order of first appearance.

    Parameters
    ----------
    tree : Formula, Response, Common, GroupTerm or Node
        A whole formula or a part of one. Offsets count after terms, group terms after both.
    """
    return tuple(dict.fromkeys(_names(tree)))


def _names(tree: Node | Formula | Response | Common | GroupTerm | None) -> Iterator[str]:
    match tree:
        case None | Number():
            return
        case Name(name=name):
            yield name
        case GroupTerm(effects=effects, factor=factor, by=by):
            yield from _names(effects)
            yield from factor.columns
            yield from () if by is None else (by,)
        case _:
            for part in _parts(tree):
                yield from _names(part)


def _parts(
    tree: Call | Sum | Binary | Unary | Formula | Response | Common,
) -> tuple[Node | Response | Common | GroupTerm | None, ...]:
    match tree:
        case Call(arguments=arguments):
            return arguments
        case Sum(terms=terms):
            return terms
        case Binary(left=left, right=right):
            return left, right
        case Unary(operand=operand):
            return (operand,)
        case Response(expression=expression, trials=trials, se=se, weights=weights):
            return expression, trials, se, weights
        case Common(terms=node, offsets=offsets):
            return node, *offsets
        case Formula(response=response, common=common, groups=groups):
            return response, common, *groups
