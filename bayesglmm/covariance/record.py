"""What a covariance structure is: a record that the design, the density and the PyMC model read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayesglmm.covariance.theta import ThetaMap

if TYPE_CHECKING:
    from bayesglmm.covariance.relationship import Relationship

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
    theta : ThetaMap
        Parameters of Lambda for classical fits.
    graph : callable
        (pm, pt, label, effect_dims, q, eta) -> the (q, q) Cholesky factor L as a PyMC variable, or None for the
        identity. The modules are passed in: this package does not import PyMC.
    code_lines : callable
        (variable, label, effect_dims, q, eta) -> source lines of the same statements, which define ``variable``.
    keyword : str or None
        Its word in formulas, ``ar1(...)``; None for what brackets alone say.
    common : bool
        Whether all effects have one standard deviation and, where they are correlated, one correlation rho.
    lower : callable or None
        q -> the lowest value of that one correlation; None where there are several or none.
    gaps : tuple of int
        Distances of neighbouring effects, q - 1 of them, where effects have places (ar1); empty for ones.
    relationship : Relationship or None
        Known covariance of the levels (``known``); None where levels are independent.
    """

    name: str
    code: int
    correlated: bool
    coordinates: Callable[[int], int]
    log_constant: Callable[[int, float], float]
    theta: ThetaMap
    graph: Callable[..., Any]
    code_lines: Callable[..., list[str]]
    keyword: str | None = None
    common: bool = False
    lower: Callable[[int], float] | None = None
    gaps: tuple[int, ...] = ()
    relationship: Relationship | None = None

    def n_sds(self, q: int) -> int:
        """Return the number of standard deviations of q effects."""
        return 1 if self.common else q
