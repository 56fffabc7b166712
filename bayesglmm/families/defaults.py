"""What several families answer alike."""

from __future__ import annotations

import numpy as np

from bayesglmm.families.record import Array

__all__ = ["mean_is_mu", "no_constant"]


def mean_is_mu(mu: Array, size: Array) -> Array:
    """Return the inverse link as the expected response, in the common shape of both arguments."""
    return np.broadcast_to(mu, np.broadcast_shapes(np.shape(mu), np.shape(size))).copy()


def no_constant(y: Array, size: Array) -> Array:
    """Return zeros in the common shape: the row function leaves nothing out."""
    return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(size)))
