"""Standard deviations of correlated residuals that differ row by row, and the whitening that divides by them.

With log d_i = offset_i + sum_k w_k columns_ki and L L' = R the residuals have the covariance D R D, D = diag(d), and
rows are whitened by (D L)^-1. Its coordinates are (w, x): the coefficients of log d, then those of the correlations.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.residual.record import Whitening
from bayesglmm.residual.rows import ResidualRows

__all__ = ["ResidualScales", "ScaledWhitening"]


@dataclass(frozen=True, eq=False)
class ResidualScales:
    """log d as a function of its coefficients w; rows in the order of `ResidualRows`.

    Attributes
    ----------
    columns : ndarray, shape (K, n)
        What the coefficients multiply.
    offset : ndarray, shape (n,)
        Known part.
    """

    columns: np.ndarray
    offset: np.ndarray

    @property
    def size(self) -> int:
        """Number of coefficients K."""
        return len(self.columns)

    @property
    def vary(self) -> bool:
        """Whether any two rows can differ."""
        return bool((np.ptp(self.columns, axis=1) > 0.0).any() or np.ptp(self.offset) > 0.0)

    def any_by(self, codes: np.ndarray) -> bool:
        """Whether rows of one code (n,) have one standard deviation, and codes any that they like."""
        firsts, inverse = np.unique(codes, return_index=True, return_inverse=True)[1:]
        by_code = self.columns[:, firsts]
        shared = (self.columns == by_code[:, inverse]).all() and (self.offset == self.offset[firsts][inverse]).all()
        return bool(shared and np.linalg.matrix_rank(by_code) == len(firsts))

    def relative_to(self, sigma: float) -> ResidualScales:
        """Return d / sigma."""
        return replace(self, offset=self.offset - np.log(sigma))

    def logs(self, w: np.ndarray) -> np.ndarray:
        """Return log d at w (K,), shape (n,)."""
        return np.asarray(self.offset + w @ self.columns)

    def start(self) -> np.ndarray:
        """Return w (K,) with d as near to 1 in all rows as it can be."""
        return np.linalg.lstsq(self.columns.T, -self.offset, rcond=None)[0]

    def units(self) -> np.ndarray:
        """Return U (K, K) with U U' the covariance that w would have from independent normal residuals.

        A row's information on log d is 2, whatever d is.
        """
        R = np.linalg.qr(self.columns.T, mode="r")
        return np.asarray(np.linalg.inv(np.sqrt(2.0) * R))

    def natural(self) -> np.ndarray:
        """Return by how much each coefficient changes log d by about 1, shape (K,)."""
        spread = np.sqrt((self.columns**2).mean(axis=1))
        return 1.0 / np.where(spread > 0.0, spread, 1.0)

    def whitening(self, inner: Whitening, w: np.ndarray) -> ScaledWhitening:
        """Return (D L)^-1 at w (K,), ``inner`` being L^-1."""
        return ScaledWhitening(self, inner, self.logs(w))


@dataclass(frozen=True, eq=False)
class ScaledWhitening:
    """The `Whitening` (D L)^-1.

    Attributes
    ----------
    scales : ResidualScales
        How d depends on w.
    inner : Whitening
        L^-1.
    logs : ndarray, shape (n,)
        log d.
    """

    scales: ResidualScales
    inner: Whitening
    logs: np.ndarray

    @functools.cached_property
    def _d(self) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(self.logs)

    @property
    def rows(self) -> ResidualRows:
        """Groups and times."""
        return self.inner.rows

    @property
    def log_determinant(self) -> float:
        """log|D R D|."""
        return self.inner.log_determinant + 2.0 * float(self.logs.sum())

    def log_determinant_gradient(self) -> np.ndarray:
        """Return its gradient in (w, x)."""
        return np.concatenate([2.0 * self.scales.columns.sum(axis=1), self.inner.log_determinant_gradient()])

    @property
    def correlations(self) -> np.ndarray:
        """The correlations that results name."""
        return self.inner.correlations

    @property
    def jacobian(self) -> np.ndarray:
        """Their derivatives in (w, x)."""
        inner = self.inner.jacobian
        return np.column_stack([np.zeros((len(inner), self.scales.size)), inner])

    @property
    def sds(self) -> np.ndarray:
        """Standard deviation of each row given those before it, shape (n,)."""
        return self._d * self.inner.sds

    def columns(self, e: np.ndarray) -> np.ndarray:
        """Return (D L)^-1 e, shape (n, k)."""
        return self.inner.columns(self._divided(e))

    def times(self, w: np.ndarray) -> np.ndarray:
        """Return D L w, shape (n, k)."""
        return self._d[:, None] * self.inner.times(w)

    def pull_back(self, e: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the gradient in (w, x) of the sum of g times (D L)^-1 e."""
        r = self._divided(e)
        # d r = -r d log d, row by row.
        of_w = [-float((g * self.inner.columns(column[:, None] * r)).sum()) for column in self.scales.columns]
        return np.concatenate([of_w, self.inner.pull_back(r, g)])

    def matrix(self, group: int) -> np.ndarray:
        """Return D R D of one group."""
        a, b = self.rows.starts[group : group + 2]
        return np.outer(self._d[a:b], self._d[a:b]) * self.inner.matrix(group)

    def _divided(self, e: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(e / self._d[:, None])
