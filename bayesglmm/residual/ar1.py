"""Autocorrelation at whole-number times: rho^|t_i - t_k| with rho in (-1, 1).

A gap counts by its length: two weeks apart is rho^2, whether or not the week between was seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.stretched import stretched_constant
from bayesglmm.residual.graphs import arrays_of_previous, graph_of_previous, lines_of_previous
from bayesglmm.residual.innovations import Innovations, single_coordinate, single_name
from bayesglmm.residual.record import ResidualStructure
from bayesglmm.residual.rows import ResidualRows

__all__ = ["AR1", "AR1_CODE", "ar1_coefficients"]

AR1_CODE = 1


@jitable
def ar1_coefficients(rho, rest, gap):  # type: ignore[no-untyped-def]  # compiled, and numpy's
    """Return b = rho^gap, s = sqrt(1 - b^2) and their derivatives in rho; ``rest`` is 1 - rho."""
    b = rho**gap
    slope = gap * rho ** (gap - 1.0)
    # Near 1 the difference would leave few digits.
    square = -np.expm1(2.0 * gap * np.log1p(-rest)) if rho > 0.0 else 1.0 - b * b
    s = np.sqrt(square)
    return b, s, slope, -b * slope / s


def _lower(rows: ResidualRows) -> float:
    return -1.0


def _between(rows: ResidualRows) -> np.ndarray:
    return rows.gaps


def _whitening(rows: ResidualRows, x: np.ndarray) -> Innovations:
    return Innovations(rows, float(x[0]), -1.0, _between(rows), ar1_coefficients, False, lambda rho, apart: rho**apart)


def _constant(rows: ResidualRows, eta: float) -> float:
    return stretched_constant(eta)


def _graph(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
    return graph_of_previous(pm, pt, rows, eta, r, -1.0)


def _code(rows: ResidualRows, eta: float) -> list[str]:
    return lines_of_previous(rows, eta, -1.0)


AR1 = ResidualStructure(
    name="ar1",
    code=AR1_CODE,
    words="autocorrelated, rho^|difference of times|",
    coordinates=single_coordinate,
    lower=_lower,
    between=_between,
    names=single_name,
    whitening=_whitening,
    constant=_constant,
    latex=r"\rho^{|t_i - t_k|}",
    arrays=arrays_of_previous,
    graph=_graph,
    code_lines=_code,
)
