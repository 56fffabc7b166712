"""What structures with one correlation have in common: its coordinate, name and prior, and how the record is filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesglmm.covariance.stretched import stretched_constant
from bayesglmm.residual.graphs import GraphForm
from bayesglmm.residual.innovations import Coefficients, Correlation, Innovations
from bayesglmm.residual.record import ResidualStructure
from bayesglmm.residual.rows import RESIDUAL, ResidualRows

__all__ = ["gaps_between", "single_correlation"]


def gaps_between(rows: ResidualRows) -> np.ndarray:
    """Return the time since the row before in the same group, shape (n,)."""
    return rows.gaps


def single_correlation(
    *,
    name: str,
    code: int,
    words: str,
    latex: str,
    lower: Callable[[ResidualRows], float],
    between: Callable[[ResidualRows], np.ndarray],
    coefficients: Coefficients,
    correlation: Correlation,
    form: GraphForm,
) -> ResidualStructure:
    """Return the record of a structure with one correlation in (``lower``, 1), a stretched Beta a priori.

    ``coefficients`` and ``correlation`` as in `Innovations`; the rest as in `ResidualStructure`.
    """

    def whitening(rows: ResidualRows, x: np.ndarray) -> Innovations:
        return Innovations(rows, float(x[0]), lower(rows), between(rows), coefficients, form.summed, correlation)

    def graph(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
        return form.graph(pm, pt, rows, eta, r, lower(rows))

    return ResidualStructure(
        name=name,
        code=code,
        words=words,
        coordinates=lambda rows: 1,  # noqa: ARG005
        lower=lower,
        between=between,
        names=lambda rows: (f"cor({RESIDUAL})",),  # noqa: ARG005
        whitening=whitening,
        constant=lambda rows, eta: stretched_constant(eta),  # noqa: ARG005
        latex=latex,
        arrays=form.arrays,
        graph=graph,
        code_lines=lambda rows, eta: form.lines(rows, eta, lower(rows)),
    )
