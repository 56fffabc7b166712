"""Options of PQL and MQL, checked."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError

__all__ = ["check_dispersion", "check_options"]

_CRITERIA = ("reml", "ml")


def check_options(variance: object, dispersion: object) -> None:
    """Raise SpecificationError for options out of range."""
    if variance not in _CRITERIA:
        raise SpecificationError(
            f'variance={variance!r} is unknown; "reml" allows for the coefficients that are estimated too, "ml" does '
            "not."
        )
    if not isinstance(dispersion, bool):
        raise SpecificationError(
            f"dispersion={dispersion!r} is neither True nor False; True estimates phi in Var(y) = phi v(mu)."
        )


def check_dispersion(design: Design, dispersion: bool) -> None:
    """Raise SpecificationError where phi would be estimated twice, or is no factor of the variance."""
    name, family = design.dispersion, design.spec.family
    if name is None:
        return
    if dispersion:
        raise SpecificationError(
            f"dispersion=True asks for phi, and {family} estimates {name} in any case; leave dispersion out."
        )
    if design.family.phi is None or not design.family.phi.power:
        raise SpecificationError(
            f"quasi-likelihood needs a variance in proportion to a power of its dispersion, and that of {family} is in "
            f'proportion to none of {name}; use method="laplace".'
        )
