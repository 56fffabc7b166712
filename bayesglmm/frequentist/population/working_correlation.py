"""Working correlations for statsmodels' GEE that know a row's precision and number of copies, and gaps in time.

statsmodels' own structures give the wrong answer, or none, with weights (in `Autoregressive` they are ignored, in
`Unstructured` mistaken for clusters'), and its `Autoregressive` takes neighbours in a cluster to be one step apart
whatever the time between them. These do not. Their moment estimators are those of geepack's `geese` (Yan & Fine 2004,
Stat. Med. 23:859): the dispersion is the mean of the squared Pearson residuals e, a correlation the mean (for AR(1) the
least-squares fit) of the products e_s e_t / phi over the pairs of a cluster, without a correction for p.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, optimize
from statsmodels.genmod.cov_struct import CovStruct

from bayesglmm.errors import FitError

__all__ = ["STRUCTURES", "Units"]

_SPACING = 401


@dataclass(frozen=True, eq=False)
class Units:
    """What stands behind each row.

    Attributes
    ----------
    copies : ndarray, shape (n,)
        How many times the row occurs in its cluster, each copy an observation of its own.
    precision : ndarray, shape (n,)
        The row's variance is phi V(mu) / precision.
    time : ndarray, shape (n,)
        When; differs between the rows of a cluster (where the structure has a time).
    """

    copies: np.ndarray
    precision: np.ndarray
    time: np.ndarray


class _Structure(CovStruct):
    """Base: standardised residuals, the dispersion, and the scaling by each row's standard deviation."""

    def __init__(self, units: Units) -> None:
        super().__init__()
        self.units = units
        self.dep_params: Any = 0.0

    def initialize(self, model: Any) -> None:
        """Cut the units into clusters."""
        self.model = model
        self.copies = model.cluster_list(self.units.copies)
        self.root = model.cluster_list(np.sqrt(self.units.precision))
        self.time = model.cluster_list(self.units.time)
        self.prepare()

    def prepare(self) -> None:
        """Lay out what does not change from one step to the next."""

    def residuals(self) -> list[np.ndarray]:
        """Return e = (y - mu) / sqrt(V(mu) / precision), a vector a cluster."""
        variance = self.model.family.variance
        return [
            (y - mu) * root / np.sqrt(variance(mu))
            for y, (mu, _), root in zip(self.model.endog_li, self.model.cached_means, self.root, strict=True)
        ]

    def dispersion(self) -> float:
        """Return phi, the mean of e^2 over all copies."""
        squares = sum(float(f @ e**2) for f, e in zip(self.copies, self.residuals(), strict=True))
        return squares / sum(float(f.sum()) for f in self.copies)

    def update(self, params: np.ndarray) -> None:  # noqa: ARG002  # statsmodels' signature
        """Estimate the correlations from the residuals at the current means."""
        phi = self.dispersion()
        if not phi > 0.0 or not np.isfinite(phi):
            raise FitError(
                "the residuals of the marginal model are all 0 or not finite: nothing can be said of their "
                "correlation. Look for a predictor that determines the response (separation), or a constant response."
            )
        self.dep_params = self.estimate([e / np.sqrt(phi) for e in self.residuals()])

    def estimate(self, e: list[np.ndarray]) -> Any:  # noqa: ARG002  # nothing to estimate
        """Return the correlations, given residuals of variance 1."""
        return 0.0

    def apply(self, index: int, v: np.ndarray) -> np.ndarray:
        """Return copies * R^-1 v (n_i, k) of one cluster."""
        return np.asarray(self.copies[index][:, None] * v)

    def covariance_matrix_solve(
        self,
        expval: np.ndarray,  # noqa: ARG002  # statsmodels' signature
        index: int,
        stdev: np.ndarray,
        rhs: tuple[np.ndarray, ...],
    ) -> list[np.ndarray]:
        """Return V^-1 x for every x of ``rhs``, summed over a row's copies."""
        sd = (stdev / self.root[index])[:, None]
        solved = [self.apply(index, x.reshape(len(x), -1) / sd) / sd for x in rhs]
        return [s.reshape(x.shape) for s, x in zip(solved, rhs, strict=True)]

    def require_pairs(self, factor: str) -> None:
        """Raise FitError where no cluster holds two observations."""
        if max(float(f.sum()) for f in self.copies) <= 1.0:
            raise FitError(
                f"every cluster of {factor} holds one observation: there is no correlation to estimate. Use "
                "correlation='independence', or a factor with several rows a level."
            )

    def named(self) -> dict[str, float]:
        """Return the estimated correlations by name."""
        return {}


class _Independence(_Structure):
    """No correlation."""

    def require_pairs(self, factor: str) -> None:
        """Require nothing."""


class _Exchangeable(_Structure):
    """One correlation between any two observations of a cluster; copies of a row are such, too."""

    def prepare(self) -> None:
        self.sizes = np.array([f.sum() for f in self.copies])
        self.pairs = float((self.sizes * (self.sizes - 1.0)).clip(min=0.0).sum() / 2.0)

    def estimate(self, e: list[np.ndarray]) -> float:
        products = sum(float((f @ r) ** 2 - f @ r**2) / 2.0 for f, r in zip(self.copies, e, strict=True))
        alpha, least = products / self.pairs, -1.0 / (float(self.sizes.max()) - 1.0)
        if not least < alpha < 1.0:
            raise FitError(
                f"the exchangeable correlation is estimated as {alpha:.4g}, outside {least:.4g} to 1: no covariance "
                f"matrix of clusters of {self.sizes.max():g} has it. Use correlation='independence'; its sandwich "
                "standard errors hold whatever the correlation."
            )
        return alpha

    def apply(self, index: int, v: np.ndarray) -> np.ndarray:
        f, alpha = self.copies[index], self.dep_params
        shared = alpha / (1.0 + (self.sizes[index] - 1.0) * alpha)
        return np.asarray(f[:, None] * (v - shared * (f @ v)) / (1.0 - alpha))

    def named(self) -> dict[str, float]:
        return {"alpha": float(self.dep_params)}


class _Dense(_Structure, ABC):
    """A correlation matrix a cluster, factored anew after each estimate."""

    @abstractmethod
    def matrix(self, index: int) -> np.ndarray:
        """Return R of one cluster."""

    def prepare(self) -> None:
        self.factors = [np.eye(len(t)) for t in self.time]

    def update(self, params: np.ndarray) -> None:
        super().update(params)
        try:
            self.factors = [linalg.cholesky(self.matrix(k), lower=True) for k in range(len(self.time))]
        except (linalg.LinAlgError, ValueError):  # ValueError: entries that are not finite
            raise FitError(
                "the estimated working correlations form no correlation matrix (it is not positive definite); use "
                "correlation='exchangeable', or 'independence', whose sandwich standard errors hold whatever the "
                "correlation."
            ) from None

    def apply(self, index: int, v: np.ndarray) -> np.ndarray:
        return np.asarray(linalg.cho_solve((self.factors[index], True), v))


class _Ar1(_Dense):
    """Correlation alpha^|t - s| between the observations at times s and t."""

    def prepare(self) -> None:
        super().prepare()
        self.gaps = [np.abs(t[:, None] - t) for t in self.time]
        upper = [gap[np.triu_indices(len(gap), 1)] for gap in self.gaps]
        self.distances, self.place = np.unique(np.concatenate(upper), return_inverse=True)
        self.counts = np.bincount(self.place)
        # A fractional power of a negative number is none; of even powers alone either root will do: the positive one.
        whole = bool((self.distances == np.rint(self.distances)).all())
        self.signed = whole and bool((self.distances % 2.0 == 1.0).any())

    def estimate(self, e: list[np.ndarray]) -> float:
        products = [np.outer(r, r)[np.triu_indices(len(r), 1)] for r in e]
        sums = np.bincount(self.place, weights=np.concatenate(products))

        def slope(a: float) -> float:
            return float((self.distances * a ** (self.distances - 1.0)) @ (self.counts * a**self.distances - sums))

        def loss(a: float) -> float:
            return float(a**self.distances @ (self.counts * a**self.distances - 2.0 * sums))

        grid = np.linspace(-1.0 if self.signed else 0.0, 1.0, _SPACING)[1:-1]
        best = int(np.argmin([loss(a) for a in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        if slope(low) * slope(high) < 0.0:
            return float(optimize.brentq(slope, low, high, xtol=1e-14))
        if best == 0 and not self.signed:
            return 0.0
        raise FitError(
            f"the AR(1) correlation at a step of 1 is estimated as {'1' if best else '-1'}; look at the unit of time "
            "(a step of 1 should be the usual gap between rows), or use correlation='exchangeable'."
        )

    def matrix(self, index: int) -> np.ndarray:
        return np.asarray(np.power(self.dep_params, self.gaps[index]))

    def named(self) -> dict[str, float]:
        return {"alpha": float(self.dep_params)}


class _Unstructured(_Dense):
    """A correlation of its own for every two occasions."""

    def prepare(self) -> None:
        super().prepare()
        self.occasions, place = np.unique(self.units.time, return_inverse=True)
        self.places = self.model.cluster_list(place)
        self.counts = self._sums([np.ones(len(t)) for t in self.time])

    def _sums(self, e: list[np.ndarray]) -> np.ndarray:
        total = np.zeros((len(self.occasions),) * 2)
        for at, r in zip(self.places, e, strict=True):
            total[np.ix_(at, at)] += np.outer(r, r)
        return total

    def estimate(self, e: list[np.ndarray]) -> np.ndarray:
        # Two occasions that never meet in a cluster need no correlation.
        R = self._sums(e) / np.where(self.counts > 0.0, self.counts, np.inf)
        np.fill_diagonal(R, 1.0)
        return R

    def matrix(self, index: int) -> np.ndarray:
        at = self.places[index]
        return np.asarray(self.dep_params[np.ix_(at, at)])

    def named(self) -> dict[str, float]:
        T = len(self.occasions)
        pairs = [(s, t) for s in range(T) for t in range(s + 1, T) if self.counts[s, t] > 0.0]
        at = [f"{v:g}" for v in self.occasions]
        return {f"alpha[{at[s]}, {at[t]}]": float(self.dep_params[s, t]) for s, t in pairs}


#: Working correlation -> its structure.
STRUCTURES: dict[str, type[_Structure]] = {
    "exchangeable": _Exchangeable,
    "independence": _Independence,
    "ar1": _Ar1,
    "unstructured": _Unstructured,
}
