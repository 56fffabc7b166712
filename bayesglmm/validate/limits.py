"""Rows whose likelihood has no maximum at a finite linear predictor."""

from __future__ import annotations

import numpy as np

from bayesglmm.design import Design

__all__ = ["directions"]


def directions(design: Design) -> np.ndarray:
    """Return in which direction each row pulls its linear predictor without end.

    A binomial row without successes is the likelier the lower eta is, a count of 0 under a log link as well; a row
    with successes and failures has its best eta. No family is asked for by name: the range of the mean as eta runs
    from -inf to inf says which responses lie at its ends.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 where the likelihood rises as eta falls, 1 where it rises as eta rises, 0 where it has a maximum.
    """
    inverse, mean_of = design.family_link.link.inverse, design.family.mean_of
    ends = [np.broadcast_to(mean_of(inverse(np.full(1, eta)), design.size), design.y.shape) for eta in (-np.inf, np.inf)]
    pull = np.zeros(design.n_rows, dtype=np.int8)
    monotone = ends[0] < ends[1]
    pull[monotone & (design.y <= ends[0])] = -1
    pull[monotone & (design.y >= ends[1])] = 1
    return pull
