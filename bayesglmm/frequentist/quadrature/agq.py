"""Maximum likelihood by adaptive Gauss-Hermite quadrature, for one grouping factor or nested ones.

The effects of each group are integrated out at nodes that are centred at their conditional mode and scaled by the
inverse Cholesky factor of the observed curvature there (Liu & Pierce 1994; Pinheiro & Bates 1995); those of inner
groups anew at each node of the outer ones (Rabe-Hesketh, Skrondal & Pickles 2005). One node is Laplace's method; with
more the exact likelihood is approached. Gradients are exact for every number of nodes and levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayesglmm.design import Design
from bayesglmm.frequentist.applicable import require_independent_levels
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.likelihood import MaximumLikelihood, Words
from bayesglmm.frequentist.quadrature.from_laplace import FromLaplace
from bayesglmm.frequentist.quadrature.integrand import Integrand
from bayesglmm.frequentist.quadrature.likelihood import QuadratureLikelihood
from bayesglmm.frequentist.quadrature.nesting import check_nodes, nested_levels
from bayesglmm.frequentist.quadrature.rule import checked_points

__all__ = ["AGQ", "prepare_quadrature"]


@dataclass(frozen=True)
class AGQ:
    """Maximum likelihood, the group effects integrated out by adaptive Gauss-Hermite quadrature.

    Attributes
    ----------
    points : int
        Nodes in the direction of each effect, 1 to 100: 1 is Laplace's method, 9 the default. Where the likelihood
        still moves when they are doubled, take more.

    Notes
    -----
    One grouping factor with up to three effects, or nested factors with up to three each, whatever the family, with
    formulas of the dispersion or of zeros and with levels of several kinds (``by=``). For Gaussian responses with the
    identity link every number of nodes is exact.
    """

    points: int = 9
    method: ClassVar[str] = "agq"

    def __post_init__(self) -> None:
        checked_points(self.method, self.points, 1)

    def prepare(self, design: Design) -> FromLaplace:
        """Lay the method out; SpecificationError for crossed factors or too many effects."""
        words = Words(
            self.method,
            f"AGQ {self.points}",
            f"maximum likelihood by adaptive Gauss-Hermite quadrature, {_nodes(self.points)} in the direction of each "
            "effect",
            design.family.laplace_caveat if self.points == 1 else "",
        )
        return prepare_quadrature(design, words, self.points, adaptive=True)


def _nodes(points: int) -> str:
    return "1 node" if points == 1 else f"{points} nodes"


def prepare_quadrature(design: Design, words: Words, points: int, adaptive: bool) -> FromLaplace:
    """Lay out quadrature with ``points`` nodes in the direction of each effect.

    Raises
    ------
    SpecificationError
        Crossed factors, too many effects of one group, or too many nodes altogether.
    """
    laplace = LaplaceLikelihood.of(design)
    if not design.groups:  # nothing to integrate: every method is the exact likelihood
        return FromLaplace(laplace, MaximumLikelihood(laplace, words, laplace.marginal))
    require_independent_levels(design, words.method)
    levels = nested_levels(design, words.method)
    check_nodes(levels, points, words.method)
    quadrature = QuadratureLikelihood(Integrand.of(design, levels, points, adaptive), laplace)
    one_node = QuadratureLikelihood(Integrand.of(design, levels, 1, adaptive=True), laplace)
    return FromLaplace(one_node, MaximumLikelihood(quadrature, words, laplace.marginal))
