"""How wide a dense tail the engine takes on."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.engine.pattern import find_chain
from bayesglmm.errors import FitError

__all__ = ["MAX_TAIL", "require_narrow_tail"]

#: What does not nest in the largest chain of group terms shares a dense matrix: beyond this side one factorisation
#: takes ten seconds and more, and a fit minutes and gigabytes.
MAX_TAIL = 6000


def require_narrow_tail(design: Design) -> None:
    """Raise FitError where more group effects than `MAX_TAIL` stand beside the chain of nested terms."""
    chain = find_chain(design)
    rest = [g for t, g in enumerate(design.groups) if t not in chain]
    tail = sum(g.size for g in rest)
    if tail > MAX_TAIL:
        beside = ", ".join(f"{g.label} ({g.size})" for g in rest)
        raise FitError(
            f"{tail} group effects are crossed with the largest term ({beside}), more than the {MAX_TAIL} that this "
            "version keeps in a dense matrix; leave out a term, or sample the posterior (model.sample())."
        )
