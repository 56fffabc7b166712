"""Autocorrelation at whole-number times: rho^|t_i - t_k| with rho in (-1, 1).

A gap counts by its length: two weeks apart is rho^2, whether or not the week between was seen.
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.residual.graphs import ON_PREVIOUS
from bayesglmm.residual.single import gaps_between, single_correlation

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


AR1 = single_correlation(
    name="ar1",
    code=AR1_CODE,
    words="autocorrelated, rho^|difference of times|",
    latex=r"\rho^{|t_i - t_k|}",
    lower=lambda rows: -1.0,  # noqa: ARG005
    between=gaps_between,
    coefficients=ar1_coefficients,
    correlation=lambda rho, apart: rho**apart,
    form=ON_PREVIOUS,
)
