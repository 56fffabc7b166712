"""What an estimate is referred to: the normal distribution, or t and F with approximate degrees of freedom."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bayesglmm.errors import FitError, SpecificationError, nearest

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["DDF", "Joint", "Normal", "Reference", "directions", "reference_for"]

_HOUSE = "bayesglmm.frequentist.inference"

#: Name of a method for degrees of freedom -> module and class of its `Reference`.
DDF: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "satterthwaite": (f"{_HOUSE}.satterthwaite", "Satterthwaite"),
        "kenward-roger": (f"{_HOUSE}.kenward_roger", "KenwardRoger"),
    }
)


@dataclass(frozen=True)
class Joint:
    """A joint test.

    Attributes
    ----------
    statistic : float
        Chi-square, or F where there are denominator degrees of freedom.
    df : int
        Number of independent combinations.
    denominator : float
        Denominator degrees of freedom; nan for a chi-square.
    """

    statistic: float
    df: int
    denominator: float


class Reference(Protocol):
    """How uncertain the coefficients are, and what ratios of estimates to standard errors are distributed as."""

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the coefficients, shape (p, p)."""
        ...

    def degrees(self, combination: np.ndarray) -> float:
        """Return degrees of freedom of one combination (p,) of coefficients; nan for the normal distribution."""
        ...

    def joint(self, L: np.ndarray, beta: np.ndarray) -> Joint:
        """Test L beta = 0 with L (k, p)."""
        ...


@dataclass(frozen=True, eq=False)
class Normal:
    """z and chi-square.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Of the coefficients.
    """

    covariance: np.ndarray

    @classmethod
    def of(cls, fit: Fit) -> Normal:
        """Take the fit's own covariance."""
        return cls(fit.covariance)

    def degrees(self, combination: np.ndarray) -> float:  # noqa: ARG002  # one signature for all
        """Return nan: there are none."""
        return float("nan")

    def joint(self, L: np.ndarray, beta: np.ndarray) -> Joint:
        """Return Wald's chi-square."""
        variances, vectors = directions(L, self.covariance)
        along = vectors.T @ (L @ beta)
        return Joint(float((along**2 / variances).sum()), len(variances), float("nan"))


def directions(L: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances (r,) and directions (k, r) of the independent combinations among the rows of L (k, p).

    Rows that repeat what others say add nothing; the degrees of freedom count what is left.
    """
    variances, vectors = np.linalg.eigh(L @ covariance @ L.T)
    kept = variances > 1e-10 * variances.max(initial=0.0)
    return variances[kept], vectors[:, kept]


def reference_for(fit: Fit, ddf: str | None) -> Reference:
    """Return what coefficients of ``fit`` are referred to.

    Parameters
    ----------
    fit : Fit
        A classical fit.
    ddf : {"satterthwaite", "kenward-roger"} or None
        Degrees of freedom; None for the normal distribution.

    Raises
    ------
    SpecificationError
        An unknown method, or one that does not apply to this fit.
    FitError
        The coefficients have no covariance.
    """
    if ddf is not None and (not isinstance(ddf, str) or ddf not in DDF):
        raise SpecificationError(
            f"ddf={ddf!r} is unknown.{nearest(str(ddf), DDF)} Allowed: {', '.join(map(repr, DDF))}, or None for z."
        )
    _require_standard_errors(fit)
    if ddf is None or not len(fit.covariance):  # without coefficients there is nothing to refer
        return Normal.of(fit)
    module, name = DDF[ddf]
    kind: Any = getattr(importlib.import_module(module), name)
    made: Reference = kind.of(fit)
    return made


def _require_standard_errors(fit: Fit) -> None:
    names = fit.coefficients.index
    lacking = [str(n) for n, known in zip(names, np.isfinite(np.diagonal(fit.covariance)), strict=True) if not known]
    if lacking and len(lacking) < len(names):
        raise FitError(
            f"{', '.join(lacking)} of this fit's coefficients have no standard errors: they could not be identified or "
            "have no finite estimate (fit.notes says which), and their covariance with the others is not known. Leave "
            "these columns out of the formula, or fit with group effects that vary by chance, and test then."
        )
    if not np.isfinite(fit.covariance).all():
        raise FitError(
            f"the coefficients of this fit have no standard errors, so nothing can be tested: {fit.optimum.message}"
        )
