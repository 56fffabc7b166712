"""L^-1 of structures with one correlation: each row less b times what the rows before it in its group add up to.

What b multiplies is the row before (autocorrelation, where all that is older says nothing more) or the sum of all rows
before (compound symmetry, where they are exchangeable).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.stretched import stretched_correlation
from bayesglmm.residual.rows import ResidualRows

__all__ = ["Coefficients", "Correlation", "Innovations"]

#: (rho, 1 - rho, gap or number of rows before) -> b, s and their derivatives in rho. Scalars in compiled code.
type Coefficients = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
#: (rho, gap or difference of places) -> correlation.
type Correlation = Callable[[float, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Innovations:
    """A `Whitening` with one correlation.

    Attributes
    ----------
    rows : ResidualRows
        Groups and times.
    x : float
        Coordinate of rho (`covariance.stretched`).
    lower : float
        Least rho.
    between : ndarray, shape (n,)
        What lies between a row and those before it in its group: a gap, or their number.
    coefficients : callable
        b and s with their derivatives.
    summed : bool
        Whether b multiplies the sum of all rows before, and not the row before alone.
    correlation : callable
        Correlation of two rows, given how far their times (or their places) are apart.
    """

    rows: ResidualRows
    x: float
    lower: float
    between: np.ndarray
    coefficients: Coefficients
    summed: bool
    correlation: Correlation

    @functools.cached_property
    def _rho(self) -> tuple[float, float, float]:
        rho, slope, rest, _, _ = stretched_correlation(self.x, 1.0, self.lower)
        return float(rho), float(slope), float(rest)

    @functools.cached_property
    def _terms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return b, s, db/dx and ds/dx of every row; 0, 1, 0, 0 for the first of a group."""
        rho, slope, rest = self._rho
        values, kind = np.unique(self.between, return_inverse=True)
        first = self.rows.earlier == 0
        # What a first row is given here is not used.
        values = np.where(values > 0.0, values, 1.0)
        with np.errstate(all="ignore"):
            b, s, db, ds = (np.broadcast_to(v, values.shape)[kind] for v in self.coefficients(rho, rest, values))
        none = np.zeros(len(kind))
        return (
            np.where(first, none, b),
            np.where(first, 1.0, s),
            np.where(first, none, db * slope),
            np.where(first, none, ds * slope),
        )

    @property
    def correlations(self) -> np.ndarray:
        """rho, shape (1,)."""
        return np.array([self._rho[0]])

    @property
    def jacobian(self) -> np.ndarray:
        """Its derivative in x, shape (1, 1)."""
        return np.array([[self._rho[1]]])

    @property
    def sds(self) -> np.ndarray:
        """Diagonal of L, shape (n,)."""
        return self._terms[1]

    @property
    def log_determinant(self) -> float:
        """log|R|."""
        return 2.0 * float(np.log(self._terms[1]).sum())

    def log_determinant_gradient(self) -> np.ndarray:
        """Return its gradient in x, shape (1,)."""
        _, s, _, ds = self._terms
        return np.array([2.0 * float((ds / s).sum())])

    def _history(self, e: np.ndarray) -> np.ndarray:
        first = self.rows.earlier == 0
        if self.summed:
            before = np.cumsum(e, axis=0) - e
            return before - before[self.rows.starts[:-1]].repeat(np.diff(self.rows.starts), axis=0)
        h = np.roll(e, 1, axis=0)
        h[first] = 0.0
        return h

    def columns(self, e: np.ndarray) -> np.ndarray:
        """Return L^-1 e, shape (n, k)."""
        b, s, _, _ = self._terms
        return np.asarray((e - b[:, None] * self._history(e)) / s[:, None])

    def times(self, w: np.ndarray) -> np.ndarray:
        """Return L w, shape (n, k)."""
        b, s, _, _ = self._terms
        e = s[:, None] * w
        group = np.repeat(np.arange(len(self.rows.starts) - 1), np.diff(self.rows.starts))
        history = np.zeros((len(self.rows.starts) - 1, w.shape[1]))
        by_place = np.argsort(self.rows.earlier, kind="stable")
        for at in np.split(by_place, np.cumsum(np.bincount(self.rows.earlier))[:-1]):
            e[at] += b[at, None] * history[group[at]]
            history[group[at]] = (history[group[at]] if self.summed else 0.0) + e[at]
        return e

    def pull_back(self, e: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the gradient in x of the sum of g times L^-1 e, shape (1,)."""
        _, s, db, ds = self._terms
        change = -(db[:, None] * self._history(e) + ds[:, None] * self.columns(e)) / s[:, None]
        return np.array([float((g * change).sum())])

    def matrix(self, group: int) -> np.ndarray:
        """Return R of one group."""
        a, b = self.rows.starts[group : group + 2]
        t = self.rows.times[self.rows.order[a:b]]
        apart = np.abs(t[:, None] - t[None, :])
        return np.where(np.eye(b - a, dtype=bool), 1.0, self.correlation(self._rho[0], apart))
