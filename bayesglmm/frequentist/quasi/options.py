"""Options of PQL and MQL, checked."""

from __future__ import annotations

import numpy as np

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
    eta = np.zeros(design.n_rows)
    one, two = (design.family_link.information(eta, design.size, phi) for phi in (1.0, 2.0))
    if not np.allclose(4.0 * two, one, rtol=1e-10, atol=0.0):
        raise SpecificationError(
            f"quasi-likelihood needs a variance in proportion to {name} squared, and that of {family} is not; use "
            'method="laplace".'
        )
