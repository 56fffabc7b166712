"""Tree -> canonical text, with as few brackets as say the same."""

from __future__ import annotations

from typing import Final

from bayesglmm.formula.functions import FUNCTIONS, STRUCTURES, Option
from bayesglmm.formula.tokens import is_bare
from bayesglmm.formula.tree import (
    Binary,
    Call,
    Common,
    Contrast,
    Formula,
    GroupTerm,
    Literal,
    Name,
    Node,
    Number,
    Response,
    Sum,
    Unary,
)

__all__ = ["formula_text", "group_text", "literal_text", "name_text", "node_text", "options_text"]

_SUM: Final = 1
_UNARY: Final = 4
_POWER: Final = 5
_TIGHTNESS: Final = {"-": _SUM, "*": 2, "/": 2, ":": 3, "**": _POWER}


def formula_text(formula: Formula) -> str:
    """Return the canonical text of a formula."""
    common = formula.common
    parts = [] if common.intercept else ["0"]
    parts += [] if common.terms is None else [node_text(common.terms)]
    parts += [f"offset({node_text(offset)})" for offset in common.offsets]
    parts += [group_text(group) for group in formula.groups]
    if common.intercept and common.terms is None and not common.offsets:
        parts.insert(0, "1")
    return f"{_response_text(formula.response)} ~ {' + '.join(parts)}"


def group_text(group: GroupTerm) -> str:
    """Return the canonical text of a group term; its intercept is always written out."""
    bar = "|" if group.correlated else "||"
    factor = ":".join(name_text(column) for column in group.factor.columns)
    inside = f"{_effects_text(group.effects)} {bar} {factor}"
    by = "" if group.by is None else f", by={name_text(group.by)}"
    if group.structure is None:
        return f"({inside}{by})"
    return f"{group.structure}({inside}{options_text(STRUCTURES[group.structure], group.options)}{by})"


def node_text(node: Node) -> str:
    """Return the canonical text of an expression."""
    return _text(node, _SUM)


def name_text(name: str) -> str:
    """Return a column's name as a formula writes it: bare where that is possible, else in backticks."""
    return name if is_bare(name) else "`" + name.replace("`", "``") + "`"


def literal_text(value: Literal) -> str:
    """Return the text of an option's value."""
    match value:
        case Contrast(scheme=scheme, level=None):
            return scheme
        case Contrast(scheme=scheme, level=level):
            assert level is not None
            return f"{scheme}({literal_text(level)})"
        case str():
            return f'"{value}"'
        case _:
            return repr(value)


def options_text(declared: tuple[Option, ...], options: tuple[tuple[str, Literal], ...]) -> str:
    """Return ``, value, name=value`` for the options of a call."""
    bare = {option.name for option in declared if option.bare}
    return "".join(
        f", {literal_text(value)}" if name in bare else f", {name}={literal_text(value)}" for name, value in options
    )


def _response_text(response: Response) -> str:
    additions = {"trials": response.trials, "se": response.se, "weights": response.weights}
    said = [f"{kind}({node_text(value)})" for kind, value in additions.items() if value is not None]
    return node_text(response.expression) + (f" | {' + '.join(said)}" if said else "")


def _effects_text(effects: Common) -> str:
    marker = "1" if effects.intercept else "0"
    return marker if effects.terms is None else f"{marker} + {node_text(effects.terms)}"


def _text(node: Node, least: int) -> str:
    tightness, text = _bare(node)
    return text if tightness >= least else f"({text})"


def _bare(node: Node) -> tuple[int, str]:
    match node:
        case Name(name=name):
            return _POWER + 1, name_text(name)
        case Number(value=value):
            return _POWER + 1, repr(value)
        case Call(function=function, arguments=arguments, options=options):
            inside = ", ".join(node_text(argument) for argument in arguments)
            return _POWER + 1, f"{function}({inside}{options_text(FUNCTIONS[function].options, options)})"
        case Sum(terms=(first, *rest)):
            return _SUM, " + ".join([_text(first, _SUM), *(_text(term, _SUM + 1) for term in rest)])
        case Sum():
            raise AssertionError("a sum has terms")
        case Unary(operand=operand):
            return _UNARY, f"-{_text(operand, _UNARY)}"
        case Binary(op="**", left=left, right=right):
            return _POWER, f"{_text(left, _POWER + 1)} ** {_text(right, _UNARY)}"
        case Binary(op=op, left=left, right=right):
            own = _TIGHTNESS[op]
            sign = op if op == ":" else f" {op} "
            return own, _text(left, own) + sign + _text(right, own + 1)
