"""Autocorrelation in continuous time: rho^|t_i - t_k| with rho, that of one unit of time, in (0, 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.covariance.stretched import stretched_constant
from bayesglmm.residual.graphs import arrays_of_previous, graph_of_previous, lines_of_previous
from bayesglmm.residual.innovations import Innovations, single_coordinate, single_name
from bayesglmm.residual.record import ResidualStructure
from bayesglmm.residual.rows import ResidualRows

__all__ = ["CAR1", "CAR1_CODE", "car1_coefficients"]

CAR1_CODE = 2


@jitable
def car1_coefficients(rho, rest, gap):  # type: ignore[no-untyped-def]  # compiled, and numpy's
    """Return b = rho^gap, s = sqrt(1 - b^2) and their derivatives in rho; ``rest`` is 1 - rho."""
    log_rho = np.log1p(-rest) if rest < 0.5 else np.log(rho)
    b = np.exp(gap * log_rho)
    slope = gap * b / rho
    s = np.sqrt(-np.expm1(2.0 * gap * log_rho))
    return b, s, slope, -b * slope / s


def _lower(rows: ResidualRows) -> float:
    return 0.0


def _between(rows: ResidualRows) -> np.ndarray:
    return rows.gaps


def _whitening(rows: ResidualRows, x: np.ndarray) -> Innovations:
    return Innovations(rows, float(x[0]), 0.0, _between(rows), car1_coefficients, False, lambda rho, apart: rho**apart)


def _constant(rows: ResidualRows, eta: float) -> float:
    return stretched_constant(eta)


def _graph(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
    return graph_of_previous(pm, pt, rows, eta, r, 0.0)


def _code(rows: ResidualRows, eta: float) -> list[str]:
    return lines_of_previous(rows, eta, 0.0)


CAR1 = ResidualStructure(
    name="car1",
    code=CAR1_CODE,
    words="autocorrelated in continuous time, rho^|difference of times|",
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
