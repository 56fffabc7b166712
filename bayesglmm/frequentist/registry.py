"""The classical methods by name, each loaded when it is first asked for."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError, nearest
from bayesglmm.frequentist.estimator import Estimator

__all__ = ["CORRELATED", "METHODS", "make_estimator", "option_names", "require_residuals"]

_HOUSE = "bayesglmm.frequentist"

#: Method -> module and class of its estimator.
METHODS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "laplace": (f"{_HOUSE}.laplace", "Laplace"),
        "ml": (f"{_HOUSE}.linear.estimators", "ML"),
        "reml": (f"{_HOUSE}.linear.estimators", "REML"),
        "agq": (f"{_HOUSE}.quadrature.agq", "AGQ"),
        "gauss_hermite": (f"{_HOUSE}.quadrature.gauss_hermite", "GaussHermite"),
        "mcml": (f"{_HOUSE}.simulation.mcml", "MCML"),
        "gee": (f"{_HOUSE}.population.gee", "GEE"),
        "fixed": (f"{_HOUSE}.fixed.groups", "FixedGroups"),
        "pql": (f"{_HOUSE}.quasi.pql", "PQL"),
        "mql": (f"{_HOUSE}.quasi.mql", "MQL"),
    }
)


#: Methods that take a residual structure.
CORRELATED = ("ml", "reml")


def make_estimator(method: Any, options: Mapping[str, Any]) -> Estimator:
    """Return the estimator of a method with its options.

    Raises
    ------
    SpecificationError
        An unknown method or option, or an option out of range.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise SpecificationError(
            f"method {method!r} is unknown.{nearest(str(method), METHODS)} Methods: {', '.join(METHODS)}."
        )
    kind = _kind(method)
    allowed = option_names(method)
    for option in options:
        if option not in allowed:
            there = ", ".join(allowed) if allowed else "none, it has no options"
            raise SpecificationError(
                f"option {option!r} is unknown to method {method!r}.{nearest(option, allowed)} Allowed: {there}."
            )
    made: Estimator = kind(**options)
    return made


def require_residuals(method: str, design: Design) -> None:
    """Refuse a residual structure to a method whose rows are independent given the group effects.

    Raises
    ------
    SpecificationError
        The model has a residual structure, and the method takes none.
    """
    if design.residual is not None and method not in CORRELATED:
        raise SpecificationError(
            f"method {method!r} takes rows as independent given the group effects, and this model has residuals "
            f"{design.spec.residual}; fit it by {' or '.join(map(repr, CORRELATED))}, or sample the posterior."
        )


def option_names(method: str) -> tuple[str, ...]:
    """Return the names of a method's options."""
    return tuple(field.name for field in dataclasses.fields(_kind(method)))


def _kind(method: str) -> Any:
    module, name = METHODS[method]
    return getattr(importlib.import_module(module), name)
