"""How wide a dense tail the engine takes on."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.engine.pattern import MAX_SERIES, find_chain, widest_serial
from bayesglmm.errors import FitError
from bayesglmm.grouping import GroupEffects

__all__ = ["MAX_TAIL", "require_narrow_tail"]

#: What does not nest in the largest chain of group terms shares a dense matrix: beyond this side one factorisation
#: takes ten seconds and more, and a fit minutes and gigabytes.
MAX_TAIL = 6000


def _why(rest: list[GroupEffects]) -> str:
    if all(g.structure.relationship is not None for g in rest):
        return "have a known covariance"
    return "are crossed with the largest term"


def require_narrow_tail(design: Design) -> None:
    """Raise FitError where more group effects than `MAX_TAIL` stand beside the chain of nested terms.

    Or where blocks of single levels would be wider than `MAX_SERIES`.
    """
    longest = widest_serial(design)
    if longest > MAX_SERIES:
        raise FitError(
            f"the series of ar1() have {longest} places, and classical fits keep a dense matrix of that side for every "
            f"level, up to {MAX_SERIES}; merge places, or sample the posterior (model.sample()), whose density takes "
            "them one after another."
        )
    chain = find_chain(design)
    rest = [g for t, g in enumerate(design.groups) if t not in chain]
    tail = sum(g.size for g in rest)
    if tail > MAX_TAIL:
        beside = ", ".join(f"{g.label} ({g.size})" for g in rest)
        raise FitError(
            f"{tail} group effects {_why(rest)} ({beside}), more than the {MAX_TAIL} that this "
            "version keeps in a dense matrix; leave out a term, or sample the posterior (model.sample())."
        )
