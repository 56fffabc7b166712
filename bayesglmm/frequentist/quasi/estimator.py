"""What PQL and MQL share as estimators: their options, and how they are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayesglmm.design import Design
from bayesglmm.frequentist.likelihood import Words
from bayesglmm.frequentist.quasi.likelihood import QuasiLikelihood
from bayesglmm.frequentist.quasi.options import check_options
from bayesglmm.frequentist.scalar_only import require_variance_function

__all__ = ["QuasiEstimator"]


@dataclass(frozen=True)
class QuasiEstimator:
    """Quasi-likelihood; `PQL` and `MQL` say what it is expanded about.

    Attributes
    ----------
    variance : {"reml", "ml"}
        Criterion of the variances.
    dispersion : bool
        Whether a residual dispersion is estimated.
    """

    variance: str = "reml"
    dispersion: bool = False
    method: ClassVar[str]
    #: In a sentence, and what it is known to do to the estimates.
    description: ClassVar[str]
    caveat: ClassVar[str]
    #: Whether it expands about the current effects, or about none.
    conditional: ClassVar[bool]

    def __post_init__(self) -> None:
        check_options(self.variance, self.dispersion)

    def prepare(self, design: Design) -> QuasiLikelihood:
        """Lay the method out.

        Raises
        ------
        SpecificationError
            The family's dispersion is no factor of its variance, or another one is asked for beside it.
        FitError
            Too many crossed effects (`width.MAX_TAIL`).
        """
        require_variance_function(design, self.method)
        phi = ", residual dispersion estimated" if self.dispersion else ""
        words = Words(
            self.method,
            self.method.upper(),
            f"{self.description}, variances by {self.variance.upper()} of the working model{phi}",
            self.caveat,
        )
        return QuasiLikelihood.of(
            design, conditional=self.conditional, variance=self.variance, dispersion=self.dispersion, words=words
        )
