"""Levels with a known covariance: u = sd v, v ~ N(0, A), one effect a level.

The standardised effects v of these terms are correlated between levels; everything else about them is as for
independent levels. Densities take v'A^-1 v in place of z'z.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.relationship import Relationship
from bayesglmm.covariance.theta import DIAGONAL_THETA

__all__ = ["KNOWN", "KNOWN_CODE", "known"]

KNOWN_CODE = 4


def _no_coordinates(q: int) -> int:
    return 0


def _no_constant(q: int, eta: float) -> float:
    return 0.0


def _no_graph(pm: Any, pt: Any, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> None:
    return None


def _no_code(variable: str, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> list[str]:
    return []


#: Without a matrix: independent levels.
KNOWN = Structure(
    "known", KNOWN_CODE, False, _no_coordinates, _no_constant, DIAGONAL_THETA, _no_graph, _no_code, keyword="known"
)


def known(relationship: Relationship) -> Structure:
    """Return the structure of levels with this covariance."""
    constant = -0.5 * relationship.log_determinant

    def log_constant(q: int, eta: float) -> float:
        return constant

    return replace(KNOWN, relationship=relationship, log_constant=log_constant)
