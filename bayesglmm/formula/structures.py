"""What of the formula language this version can fit."""

from __future__ import annotations

from bayesglmm.errors import NotAvailableError
from bayesglmm.formula.tokens import brief
from bayesglmm.formula.tree import Formula

__all__ = ["require_available"]


def require_available(formula: Formula) -> None:
    """Refuse a formula that can be read but not fitted yet.

    Raises
    ------
    NotAvailableError
        For group terms with a structure; the message names the terms and what there is instead.
    """
    terms = [brief(str(group)) for group in formula.groups if group.structure is not None]
    if not terms:
        return
    verb = "is" if len(terms) == 1 else "are"
    raise NotAvailableError(
        f"{', '.join(terms)} {verb} not available yet. Available are (1 + x | g), correlated effects (also "
        "written us(1 + x | g)), and (1 + x || g), independent effects (also written diag(1 + x | g))."
    )
