"""Maximum likelihood by Gauss-Hermite quadrature that is not adapted: shows why the other one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayesglmm.design import Design
from bayesglmm.frequentist.likelihood import Words
from bayesglmm.frequentist.quadrature.agq import prepare_quadrature
from bayesglmm.frequentist.quadrature.from_laplace import FromLaplace
from bayesglmm.frequentist.quadrature.rule import checked_points

__all__ = ["GaussHermite"]


@dataclass(frozen=True)
class GaussHermite:
    """Maximum likelihood, the group effects integrated out at the same nodes for every group, those of N(0, G).

    Attributes
    ----------
    points : int
        Nodes in the direction of each effect, 2 to 100 (1 would leave the group effects out).

    Notes
    -----
    For teaching: where a group's data say much about its effects, its integrand lies between two nodes, and the
    likelihood is wrong however smooth it looks (Lesaffre & Spiessens 2001, Appl. Statist. 50:325). Models as `AGQ`.
    """

    points: int = 9
    method: ClassVar[str] = "gauss_hermite"

    def __post_init__(self) -> None:
        checked_points(self.method, self.points, 2)

    def prepare(self, design: Design) -> FromLaplace:
        """Lay the method out; SpecificationError for crossed factors or too many effects."""
        words = Words(
            self.method,
            f"GH {self.points}",
            f"maximum likelihood by Gauss-Hermite quadrature, {self.points} nodes in the direction of each effect, not "
            "adapted to the groups' data",
            "The nodes lie where the effects' distribution is, not where each group's data put its effects: with large "
            'groups or variances few of them count, and estimates move with their number. Compare with "agq".',
        )
        return prepare_quadrature(design, words, self.points, adaptive=False)
