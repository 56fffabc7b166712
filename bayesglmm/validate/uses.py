"""What a model needs each column for: its place in the formula asks for a number, a factor or a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bayesglmm.formula import (
    Binary,
    Call,
    Common,
    Name,
    Node,
    ResidualTerm,
    Sum,
    Unary,
    columns,
    expand,
    node_text,
)
from bayesglmm.spec import ModelSpec

__all__ = ["CATEGORICAL", "Role", "Use", "calls", "uses_of", "weights_name"]

#: The function of formulas that makes a factor of any column.
CATEGORICAL: Final = "C"


class Role(Enum):
    """What a column serves as."""

    RESPONSE = "response"
    NUMBER = "number"
    TERM = "term"
    FACTOR = "factor"
    GROUP = "group"
    STEP = "step"


@dataclass(frozen=True)
class Use:
    """One use of a column.

    Attributes
    ----------
    column : str
        Its name.
    role : Role
        What it serves as there.
    place : str
        Where, as the subject of a sentence: ``log(dose)``, ``the number of trials``.
    """

    column: str
    role: Role
    place: str


def weights_name(spec: ModelSpec) -> str | None:
    """Return the column of the rows' weights, in the formula or beside it."""
    inside = spec.formula.response.weights
    return inside.name if inside is not None else spec.weights


def uses_of(spec: ModelSpec) -> tuple[Use, ...]:
    """Return every use of a column, in the order of the formula."""
    formula = spec.formula
    return (
        *_response_uses(spec),
        *_predictor_uses(formula.common),
        *(use for common in spec.auxiliary_formulas.values() for use in _predictor_uses(common)),
        *(use for group in formula.groups for use in _predictor_uses(group.effects)),
        *(Use(c, Role.GROUP, f"the group term {g}") for g in formula.groups for c in g.factor.columns),
        *(Use(g.by, Role.GROUP, f"by= of the group term {g}") for g in formula.groups if g.by is not None),
        *_residual_uses(spec.residual),
    )


#: What the time of a residual structure serves as.
_TIMES: Final = {"ar1": Role.STEP, "car1": Role.NUMBER, "cs": Role.GROUP, "us": Role.GROUP}


def _residual_uses(term: ResidualTerm | None) -> Iterator[Use]:
    if term is None:
        return
    if term.time is not None:
        yield Use(term.time, _TIMES[term.structure], f"the residual structure {term}")
    yield from (Use(column, Role.GROUP, f"the residual structure {term}") for column in term.factor.columns)


def _response_uses(spec: ModelSpec) -> Iterator[Use]:
    response = spec.formula.response
    if isinstance(response.expression, Name):
        yield Use(response.expression.name, Role.RESPONSE, "the response")
    else:
        yield from _numbers(response.expression, f"the response {node_text(response.expression)}")
    if isinstance(response.trials, Name):
        yield Use(response.trials.name, Role.NUMBER, "the number of trials")
    if response.se is not None:
        yield Use(response.se.name, Role.NUMBER, "the known standard error")
    weights = weights_name(spec)
    if weights is not None:
        yield Use(weights, Role.NUMBER, "the weight of a row")


def _predictor_uses(common: Common) -> Iterator[Use]:
    for component in dict.fromkeys(c for term in expand(common.terms) for c in term):
        match component:
            case Name(name=name):
                yield Use(name, Role.TERM, f"the term {node_text(component)}")
            case Call(function=function) if function == CATEGORICAL:
                yield from (Use(c, Role.FACTOR, node_text(component)) for c in columns(component))
            case _:
                yield from _numbers(component, node_text(component))
    for offset in common.offsets:
        yield from _numbers(offset, f"offset({node_text(offset)})")


def _numbers(node: Node, place: str) -> Iterator[Use]:
    yield from (Use(column, Role.NUMBER, place) for column in columns(node))


def calls(node: Node | None) -> tuple[Call, ...]:
    """Return the calls in a part of a formula, inner ones before those around them, each once."""
    inner = [call for part in _parts(node) for call in calls(part)]
    return tuple(dict.fromkeys([*inner, node] if isinstance(node, Call) else inner))


def _parts(node: Node | None) -> tuple[Node, ...]:
    match node:
        case Call(arguments=parts) | Sum(terms=parts):
            return parts
        case Binary(left=left, right=right):
            return (left, right)
        case Unary(operand=operand):
            return (operand,)
        case _:
            return ()
