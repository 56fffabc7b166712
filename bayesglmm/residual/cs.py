"""Compound symmetry: one correlation rho between any two rows of a group, in (-1/(q - 1), 1) with q its most rows.

Below -1/(q - 1) the correlation matrix of the largest group is not positive definite. With k rows before, the next one
has mean rho / (1 + (k - 1) rho) times their sum and variance (1 - rho) (1 + k rho) / (1 + (k - 1) rho).
"""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.residual.graphs import ON_SUM
from bayesglmm.residual.single import single_correlation

__all__ = ["CS", "CS_CODE", "cs_coefficients"]

CS_CODE = 3


@jitable
def cs_coefficients(rho, rest, k):  # type: ignore[no-untyped-def]  # compiled, and numpy's
    """Return b and s of a row with k >= 1 rows before it and their derivatives in rho; ``rest`` is 1 - rho."""
    before, here = 1.0 + (k - 1.0) * rho, 1.0 + k * rho
    s = np.sqrt(rest * here / before)
    return rho / before, s, 1.0 / (before * before), 0.5 * s * (k / here - (k - 1.0) / before - 1.0 / rest)


CS = single_correlation(
    name="cs",
    code=CS_CODE,
    words="compound symmetry, one correlation",
    latex=r"\rho",
    lower=lambda rows: -1.0 / (rows.largest - 1),
    between=lambda rows: rows.earlier.astype(np.float64),
    coefficients=cs_coefficients,
    correlation=lambda rho, apart: rho + 0.0 * apart,
    form=ON_SUM,
)
