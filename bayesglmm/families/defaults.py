"""What several families answer alike."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bayesglmm.families.record import Array

__all__ = ["half_normal_root", "mean_is_mu", "no_constant", "no_information", "start_at"]


def mean_is_mu(mu: Array, size: Array) -> Array:
    """Return the inverse link as the expected response, in the common shape of both arguments."""
    return np.broadcast_to(mu, np.broadcast_shapes(np.shape(mu), np.shape(size))).copy()


def no_constant(y: Array, size: Array) -> Array:
    """Return zeros in the common shape: the row function leaves nothing out."""
    return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(size)))


def half_normal_root(*, inverse: bool) -> Callable[[float], tuple[str, Mapping[str, float]]]:
    """Return the default prior of a phi whose square root, or one over it, is a relative standard deviation.

    That is half normal with scale 1, whatever the scale of the linear predictor, where phi or 1 / phi is chi-squared
    with one degree of freedom.
    """
    name = "InverseGamma" if inverse else "Gamma"

    def prior(scale: float) -> tuple[str, Mapping[str, float]]:  # relative: no scale of eta
        return name, {"alpha": 0.5, "beta": 0.5}

    return prior


def start_at(phi: float) -> Callable[[float], float]:
    """Return that searches begin at ``phi`` whatever the scale of the linear predictor."""
    return lambda scale: phi  # noqa: ARG005


def no_information(eta: Array, size: Array, phi: float) -> Array:
    """Raise: for rows with auxiliary predictors no expectation is known, and methods that need one refuse them."""
    raise NotImplementedError("no expected information for rows with auxiliary predictors")
