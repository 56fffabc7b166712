"""Parameters of a response distribution beside its mean: sigma, the coefficients of log sigma, cutpoints.

Rows may depend on them through auxiliary predictors a_i and b_i beside eta_i (see `extended`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bayesglmm.priors.prior import Prior

if TYPE_CHECKING:
    from bayesglmm.families.record import Dispersion

__all__ = ["FamilyPart", "PartKind", "Predictor"]

type PartKind = Literal["scale", "coefficient", "ordered"]


@dataclass(frozen=True)
class Predictor:
    """One auxiliary predictor of a family's rows, or the pair of them that cutpoints are.

    Attributes
    ----------
    name : str
        Of the parameter: ``sigma``, ``zero``, ``cutpoint``.
    form : {"scale", "formula", "cutpoints"}
        The logarithm of one positive scalar (a dispersion formula may take its place); the columns of the formula that
        a specification gives under this name; or, as a and b, the cutpoints above and below a row's category.
    rule : Dispersion or None
        Default prior and start of a scale.
    """

    name: str
    form: Literal["scale", "formula", "cutpoints"]
    rule: Dispersion | None = None


@dataclass(frozen=True)
class FamilyPart:
    """Family scalars that are one variable of the model.

    All parts of a design in a row, scalar after scalar, are its *family scalars*: one vector, natural in draws and in
    the joint density, and on the working scale (`log` of a scale, itself otherwise) in classical fits.

    Attributes
    ----------
    name : str
        The variable: ``sigma``.
    kind : {"scale", "coefficient", "ordered"}
        Positive and worked with by its logarithm; real; or real and increasing (cutpoints).
    start : tuple of float
        Natural value of each scalar where searches begin.
    defaults : tuple of Prior
        Default prior of each scalar.
    labels : tuple of str or None
        What each scalar stands for; None for a variable that is one scalar.
    """

    name: str
    kind: PartKind
    start: tuple[float, ...]
    defaults: tuple[Prior, ...]
    labels: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Number of scalars."""
        return 1 if self.labels is None else len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each scalar in results: ``sigma``, ``log_sigma[sex[F]]``, ``cutpoint[1|2]``."""
        return (self.name,) if self.labels is None else tuple(f"{self.name}[{label}]" for label in self.labels)

    @property
    def dim(self) -> str | None:
        """Dimension of the variable; None for one scalar."""
        return None if self.labels is None else f"{self.name}_term"

    @property
    def role(self) -> Literal["coefficient", "scale"]:
        """What kind of prior its scalars take."""
        return "scale" if self.kind == "scale" else "coefficient"
