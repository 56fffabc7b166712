"""Rows whose likelihood has no maximum at a finite linear predictor."""

from __future__ import annotations

import numpy as np

from bayesglmm.design import Design

__all__ = ["directions"]


def directions(design: Design) -> np.ndarray:
    """Return in which direction each row pulls its linear predictor without end.

    A binomial row without successes is the likelier the lower eta is, a count of 0 under a log link as
    well; a row with successes and failures has its best eta. No family is asked for by name: the range of
    the mean as eta runs from -inf to inf says which responses lie at its ends.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 where the likelihood rises as eta falls, 1 where it rises as eta rises, 0 where it has a maximum.
    """
    inverse, mean_of = design.family_link.link.inverse, design.family.mean_of
    low, high = (mean_of(inverse(np.full(design.n_rows, eta)), design.size) for eta in (-np.inf, np.inf))
    pull = np.zeros(design.n_rows, dtype=np.int8)
    monotone = low < high
    pull[monotone & (design.y <= low)] = -1
    pull[monotone & (design.y >= high)] = 1
    return pull
