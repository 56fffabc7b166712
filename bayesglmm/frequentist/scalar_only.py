"""Methods that know rows with one dispersion alone, and say so."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError

__all__ = ["require_one_dispersion"]


def require_one_dispersion(design: Design, method: str) -> None:
    """Raise SpecificationError where rows depend on more than eta and one dispersion for all of them."""
    if design.auxiliary is None:
        return
    what = ", ".join(design.family_names[:4]) + (", ..." if len(design.family_names) > 4 else "")
    raise SpecificationError(
        f"method {method!r} knows responses with one dispersion parameter at most, and those of this "
        f"{design.spec.family} model depend on {what} as well; use 'laplace', or sample the posterior."
    )
