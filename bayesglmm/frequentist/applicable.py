"""Which structures of group effects a method can take."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError

__all__ = ["require_independent_levels", "require_plain_terms"]


def require_independent_levels(design: Design, method: str) -> None:
    """Raise SpecificationError where levels have a known covariance.

    For methods whose integrals are products over levels.
    """
    for group in design.groups:
        if group.structure.relationship is not None:
            raise SpecificationError(
                f"method {method!r} does not apply: the levels of {group.name} are correlated by a known covariance, "
                "so that the integral over their effects does not factor into small ones, one a level. Use "
                '"laplace", "pql" or, for a linear model, "reml"; or sample the posterior (model.sample()).'
            )


def require_plain_terms(design: Design, method: str, instead: str) -> None:
    """Raise SpecificationError where a group term has a structure that the method would not look at."""
    for group in design.groups:
        if group.structure.keyword is not None or group.kind is not None:
            raise SpecificationError(
                f"method {method!r} does not look at the covariance of group effects, and {group.term} gives them one. "
                f"{instead}"
            )
