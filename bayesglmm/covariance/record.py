"""What a covariance structure is: a record that the design, the density and the PyMC model read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bayesglmm.covariance.theta import ThetaMap

__all__ = ["Structure"]


@dataclass(frozen=True)
class Structure:
    """A family of covariance matrices G = Lambda Lambda' for the q effects of one group.

    Attributes
    ----------
    name : str
        Word by which results and print-outs call it.
    code : int
        Word by which compiled kernels call it (see ``correlation.py``).
    correlated : bool
        Whether it has correlations, hence a ``cor(...)`` parameter and a prior for it.
    coordinates : callable
        q -> number of unconstrained coordinates of the correlation matrix.
    log_constant : callable
        (q, eta) -> the part of the prior's log density that does not depend on the coordinates.
    graph : callable
        (pm, pt, label, effect_dims, q, eta) -> the (q, q) Cholesky factor L as a PyMC variable, or None for the
        identity. The modules are passed in: this package does not import PyMC.
    theta : ThetaMap
        Parameters of Lambda for classical fits.
    code_lines : callable
        (variable, label, effect_dims, q, eta) -> source lines of the same statements, which define ``variable``.
    """

    name: str
    code: int
    correlated: bool
    coordinates: Callable[[int], int]
    log_constant: Callable[[int, float], float]
    theta: ThetaMap
    graph: Callable[..., Any]
    code_lines: Callable[..., list[str]]
