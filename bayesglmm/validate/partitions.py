"""Factors that part the rows in the same way: their effects cannot be told apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.formula import Call, Common, Name, Node, columns, expand, name_text, node_text
from bayesglmm.grouping import INTERCEPT, GroupEffects
from bayesglmm.validate.storage import Storage, storage_of
from bayesglmm.validate.uses import CATEGORICAL

__all__ = ["partition_problems", "partition_warnings"]


def partition_problems(design: Design) -> list[Problem]:
    """Return pairs of group terms that give the same effect to the same groups of rows."""
    problems = []
    for first, second in itertools.combinations(design.groups, 2):
        shared = [effect for effect in first.effects if effect in second.effects]
        if not shared or first.name == second.name or not _same(first, second):
            continue
        a, b = (":".join(map(name_text, group.factor.columns)) for group in (first, second))
        message = (
            f"the same groups under two names: {a} and {b} part the rows in the same way, so "
            f"{first.sd_name(shared[0])} and {second.sd_name(shared[0])} cannot be told apart. "
            f"Keep one of the two, for instance {a}."
        )
        problems.append(Problem(second.name, message, "identification"))
    return problems


def _same(first: GroupEffects, second: GroupEffects) -> bool:
    J = first.n_levels
    return 1 < J == second.n_levels and _lies_within(first.codes, J, second.codes)


def _lies_within(finer: np.ndarray, n_levels: int, coarser: np.ndarray) -> bool:
    """Whether all rows of a level of ``finer`` have the same level of ``coarser``, both shape (n,)."""
    level = np.zeros(n_levels, dtype=coarser.dtype)
    level[finer] = coarser
    return bool((level[finer] == coarser).all())


def partition_warnings(design: Design, used: pd.DataFrame) -> list[Problem]:
    """Return grouping factors whose intercepts a factor of the common part has taken already.

    The indicators of a grouping factor lie in the span of those of any factor that is as fine or finer.
    """
    groups = [group for group in design.groups if group.has_intercept and group.n_levels > 1]
    if not groups:
        return []
    problems: list[Problem] = []
    for text, names in _factors(design.spec.formula.common, used):
        codes, n_levels = _coded(used, names)
        for group in groups:
            taken = group.n_levels <= n_levels and _lies_within(codes, n_levels, group.codes)
            problems += [_taken(text, names, group)] if taken else []
    return problems


def _taken(text: str, names: tuple[str, ...], group: GroupEffects) -> Problem:
    among = ":".join(map(name_text, group.factor.columns))
    if set(names) == set(group.factor.columns):
        what = f"is the common term {text} as well"
    else:
        what = f"follows from the common term {text} (each level of that lies in one of {among})"
    message = f"{what}, which leaves nothing for {group.sd_name(INTERCEPT)}. Keep either {text} or (1 | {among})."
    return Problem(group.name, message, "identification")


def _factors(common: Common, used: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield text and columns of the terms that are factors, or interactions of nothing but factors."""
    for term in expand(common.terms):
        if term and all(_is_factor(component, used) for component in term):
            names = dict.fromkeys(name for component in term for name in columns(component))
            yield ":".join(map(node_text, term)), tuple(names)


def _is_factor(component: Node, used: pd.DataFrame) -> bool:
    if isinstance(component, Name):
        return storage_of(used[component.name]) is not Storage.NUMBERS
    return isinstance(component, Call) and component.function == CATEGORICAL


def _coded(used: pd.DataFrame, names: tuple[str, ...]) -> tuple[np.ndarray, int]:
    combined = np.zeros(len(used), dtype=np.int64)
    n_levels = 1
    for name in names:
        codes, values = pd.factorize(used[name])
        # Afresh each time: the product of many numbers of levels overflows.
        combined, occurring = pd.factorize(combined * len(values) + codes)
        n_levels = len(occurring)
    return combined, n_levels
