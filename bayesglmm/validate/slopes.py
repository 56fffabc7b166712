"""Slopes whose origin lies far from the data, where intercept and slope are nearly one effect."""

from __future__ import annotations

from typing import Final

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.formula import GroupTerm, Name, expand, name_text, node_text
from bayesglmm.grouping import GroupEffects
from bayesglmm.validate.words import number_text

__all__ = ["slope_warnings"]

#: A mean this many times the standard deviation away from 0 leaves correlations of 0.995 and more.
_FAR: Final = 10.0
#: Below this share of its mean, the standard deviation of a column is rounding.
_ROUNDING: Final = 1e-12


def slope_warnings(design: Design) -> list[Problem]:
    """Return the slopes of group terms with an intercept that are constant, or far from 0."""
    problems = []
    for group in design.groups:
        term = group.term
        if not group.has_intercept or term is None:
            continue
        far = {}
        for k, column in enumerate(group.slopes, start=1):
            mean, sd = float(column.mean()), float(column.std())
            if group.coding.categorical[k] or abs(mean) <= _FAR * sd:
                continue
            if sd <= _ROUNDING * abs(mean):
                problems.append(_constant(group, k, mean))
            else:
                far[k] = (mean, sd)
        problems += [_far(term, group, k, tuple(far), *far[k]) for k in far]
    return problems


def _constant(group: GroupEffects, k: int, value: float) -> Problem:
    message = (
        f"as a slope by {group.name} it is constant ({number_text(value)}) in every row, as the intercept is: "
        f"the two cannot be told apart. Leave it out of the effects of {group.name}."
    )
    return Problem(group.effects[k], message, "identification")


def _far(term: GroupTerm, group: GroupEffects, k: int, far: tuple[int, ...], mean: float, sd: float) -> Problem:
    ratio = float(np.format_float_positional(abs(mean) / sd, precision=2, fractional=False))
    message = (
        f"as a slope by {group.name} its mean ({mean:.4g}) is {number_text(ratio)} times its sd ({sd:.3g}): the "
        f"intercepts by {group.name} are then far from the data and nearly determined by the slopes. "
        f"{_remedy(term, group, k, far)}"
    )
    return Problem(group.effects[k], message, "far slope")


def _remedy(term: GroupTerm, group: GroupEffects, k: int, far: tuple[int, ...]) -> str:
    """Return the group term with every far slope centred, where `center` can be written around them."""
    labels = {group.coding.terms[j] for j in far}
    written = {}
    for components in expand(term.effects.terms):
        label = ":".join(c.name if isinstance(c, Name) else node_text(c) for c in components)
        text = ":".join(map(node_text, components))
        written[label] = f"center({text})" if label in labels and len(components) == 1 else text
    if not written.get(group.coding.terms[k], "").startswith("center("):
        return "Center the columns that it is made of."
    bar = "|" if term.correlated else "||"
    among = ":".join(map(name_text, group.factor.columns))
    return f"Center it: ({' + '.join(['1', *written.values()])} {bar} {among})."
