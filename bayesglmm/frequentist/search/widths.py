"""About how large a standard error of an entry of Lambda is, before there is a Hessian to say so."""

from __future__ import annotations

import numpy as np

from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import RelativeFactor

__all__ = ["factor_widths"]


def factor_widths(factor: RelativeFactor, elimination: Elimination) -> np.ndarray:
    """Return about one standard error of each entry of theta, shape (k,); nan or infinite where it is not known.

    From the expected information of a variance, 2 sum_j r_j^2 with r_j the share of an effect's variance that the data
    determine.

    Parameters
    ----------
    factor : RelativeFactor
        Lambda; the widths are on its scale.
    elimination : Elimination
        H = I + A' W A there, factored: r_j is 1 less an entry of the diagonal of H^-1.
    """
    parts = [np.zeros(0)]
    for t, (own, block) in enumerate(zip(factor.layout.maps, factor.blocks, strict=True)):
        determined = 1.0 - np.einsum("jkk->jk", elimination.blocks(t))
        shared = np.maximum(determined.T @ determined, 0.0)
        with np.errstate(all="ignore"):
            parts.append(own.widths(block, shared))
    return np.concatenate(parts)
