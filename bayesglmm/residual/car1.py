"""Autocorrelation in continuous time: rho^|t_i - t_k| with rho, that of one unit of time, in (0, 1)."""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.residual.graphs import ON_PREVIOUS
from bayesglmm.residual.single import gaps_between, single_correlation

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


CAR1 = single_correlation(
    name="car1",
    code=CAR1_CODE,
    words="autocorrelated in continuous time, rho^|difference of times|",
    latex=r"\rho^{|t_i - t_k|}",
    lower=lambda rows: 0.0,  # noqa: ARG005
    between=gaps_between,
    coefficients=car1_coefficients,
    correlation=lambda rho, apart: rho**apart,
    form=ON_PREVIOUS,
)
