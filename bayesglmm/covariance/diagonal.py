"""Scalar and independent effects: L is the identity, one standard deviation an effect, no correlations."""

from __future__ import annotations

from typing import Any

from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.theta import DIAGONAL_THETA

__all__ = ["DIAGONAL_CODE", "INDEPENDENT", "SCALAR"]

DIAGONAL_CODE = 0


def _no_coordinates(q: int) -> int:
    return 0


def _no_constant(q: int, eta: float) -> float:
    return 0.0


def _no_graph(pm: Any, pt: Any, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> None:
    return None


def _no_code(variable: str, label: str, effect_dims: tuple[str, str], q: int, eta: float) -> list[str]:
    return []


def _diagonal(name: str) -> Structure:
    return Structure(name, DIAGONAL_CODE, False, _no_coordinates, _no_constant, DIAGONAL_THETA, _no_graph, _no_code)


SCALAR = _diagonal("scalar")
INDEPENDENT = _diagonal("independent")
