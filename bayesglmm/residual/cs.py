"""Compound symmetry: one correlation rho between any two rows of a group, in (-1/(q - 1), 1) with q its most rows.

Below -1/(q - 1) the correlation matrix of the largest group is not positive definite. With k rows before, the next one
has mean rho / (1 + (k - 1) rho) times their sum and variance (1 - rho) (1 + k rho) / (1 + (k - 1) rho).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.stretched import stretched_constant
from bayesglmm.residual.graphs import arrays_of_sum, graph_of_sum, lines_of_sum
from bayesglmm.residual.innovations import Innovations, single_coordinate, single_name
from bayesglmm.residual.record import ResidualStructure
from bayesglmm.residual.rows import ResidualRows

__all__ = ["CS", "CS_CODE", "cs_coefficients"]

CS_CODE = 3


@jitable
def cs_coefficients(rho, rest, k):  # type: ignore[no-untyped-def]  # compiled, and numpy's
    """Return b and s of a row with k >= 1 rows before it and their derivatives in rho; ``rest`` is 1 - rho."""
    before, here = 1.0 + (k - 1.0) * rho, 1.0 + k * rho
    s = np.sqrt(rest * here / before)
    return rho / before, s, 1.0 / (before * before), 0.5 * s * (k / here - (k - 1.0) / before - 1.0 / rest)


def _lower(rows: ResidualRows) -> float:
    return -1.0 / (rows.largest - 1)


def _between(rows: ResidualRows) -> np.ndarray:
    return rows.earlier.astype(np.float64)


def _whitening(rows: ResidualRows, x: np.ndarray) -> Innovations:
    lower, before = _lower(rows), _between(rows)
    return Innovations(rows, float(x[0]), lower, before, cs_coefficients, True, lambda rho, apart: rho + 0.0 * apart)


def _constant(rows: ResidualRows, eta: float) -> float:
    return stretched_constant(eta)


def _graph(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
    return graph_of_sum(pm, pt, rows, eta, r, _lower(rows))


def _code(rows: ResidualRows, eta: float) -> list[str]:
    return lines_of_sum(rows, eta, _lower(rows))


CS = ResidualStructure(
    name="cs",
    code=CS_CODE,
    words="compound symmetry, one correlation",
    coordinates=single_coordinate,
    lower=_lower,
    between=_between,
    names=single_name,
    whitening=_whitening,
    constant=_constant,
    latex=r"\rho",
    arrays=arrays_of_sum,
    graph=_graph,
    code_lines=_code,
)
