"""What structures with one correlation share: coordinate, constant, and the statements of its PyMC form."""

from __future__ import annotations

from typing import Any

from bayesglmm.covariance.stretched import stretched_constant

__all__ = ["one_coordinate", "share_constant", "share_graph", "share_lines"]


def one_coordinate(q: int) -> int:
    """Return 1, the number of coordinates."""
    return 1


def share_constant(q: int, eta: float) -> float:
    """Return the constant of the prior's log density."""
    return stretched_constant(eta)


def share_graph(pm: Any, pt: Any, label: str, lower: float, eta: float) -> Any:
    """Return rho as a PyMC variable: its share of the way from ``lower`` to 1 has a Beta(eta, eta) prior."""
    typed = pt.constant(eta, dtype="float64")
    share = pm.Beta(f"cor_{label}_share", typed, typed)
    low, width = pt.constant(lower, dtype="float64"), pt.constant(1.0 - lower, dtype="float64")
    return pm.Deterministic(f"cor_{label}", low + width * share)


def share_lines(variable: str, label: str, lower: float, eta: float) -> list[str]:
    """Return source lines of the same, which define ``rho_<variable>``."""
    typed = f"pt.constant({eta!r}, dtype='float64')"
    low, width = f"pt.constant({lower!r}, dtype='float64')", f"pt.constant({1.0 - lower!r}, dtype='float64')"
    return [
        f"share_{variable} = pm.Beta({f'cor_{label}_share'!r}, {typed}, {typed})",
        f"rho_{variable} = pm.Deterministic({f'cor_{label}'!r}, {low} + {width} * share_{variable})",
    ]
