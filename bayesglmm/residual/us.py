"""Unstructured: a correlation for every two visits, in the coordinates of an LKJ prior.

A group that lacks visits has the rows and columns of those that it has; a Cholesky factor is made once for all groups
with the same visits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.covariance.correlation import factor_of
from bayesglmm.covariance.unstructured import UNSTRUCTURED, lkj_adjoint
from bayesglmm.residual.draws import pairs_of
from bayesglmm.residual.graphs import arrays_of_patterns, graph_of_patterns, lines_of_patterns
from bayesglmm.residual.record import ResidualStructure
from bayesglmm.residual.rows import RESIDUAL, ResidualRows

__all__ = ["US", "US_CODE", "PatternWhitening"]

US_CODE = 4


@dataclass(frozen=True, eq=False)
class PatternWhitening:
    """The `Whitening` of a full correlation matrix C over the visits.

    Attributes
    ----------
    rows : ResidualRows
        Groups and visits.
    x : ndarray, shape (T(T - 1)/2,)
        LKJ coordinates of C.
    """

    rows: ResidualRows
    x: np.ndarray

    @functools.cached_property
    def L(self) -> np.ndarray:
        """Cholesky factor of C, shape (T, T)."""
        return factor_of(UNSTRUCTURED, self.x, len(self.rows.visits))

    @functools.cached_property
    def C(self) -> np.ndarray:
        """Correlation matrix of all visits, shape (T, T)."""
        return np.asarray(self.L @ self.L.T)

    @functools.cached_property
    def factors(self) -> tuple[np.ndarray, ...]:
        """Cholesky factors of the patterns' parts of C, (P, k, k) for each k; nan where rounding leaves none."""
        return tuple(_cholesky(self.C[v[:, :, None], v[:, None, :]]) for v, _, _ in self.rows.sizes)

    @functools.cached_property
    def inverses(self) -> tuple[np.ndarray, ...]:
        """Their inverses."""
        return tuple(np.tril(np.linalg.inv(L)) for L in self.factors)

    def _each(self, matrices: tuple[np.ndarray, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the groups of each size and the matrix of each group's pattern, (groups, k, k)."""
        for (_, at, starts), M in zip(self.rows.sizes, matrices, strict=True):
            yield at, np.repeat(M, np.diff([*starts, len(at)]), axis=0)

    @property
    def correlations(self) -> np.ndarray:
        """The strict lower triangle of C, row by row."""
        return self.C[np.tril_indices(len(self.C), -1)]

    @property
    def jacobian(self) -> np.ndarray:
        """Its derivatives in x, square."""
        T = len(self.C)
        out = np.zeros((len(self.x), len(self.x)))
        for m, (i, k) in enumerate(zip(*np.tril_indices(T, -1), strict=True)):
            G = np.zeros((T, T))
            G[i, k] = 1.0
            out[m] = self._to_coordinates(G)
        return out

    @functools.cached_property
    def sds(self) -> np.ndarray:
        """Diagonal of L, shape (n,)."""
        out = np.empty(len(self.rows.codes))
        for at, L in self._each(self.factors):
            out[at] = np.diagonal(L, axis1=1, axis2=2)
        return out

    @property
    def log_determinant(self) -> float:
        """log|R|."""
        return 2.0 * float(np.log(self.sds).sum())

    def log_determinant_gradient(self) -> np.ndarray:
        """Return its gradient in x."""
        G = np.zeros_like(self.C)
        for (v, at, starts), F in zip(self.rows.sizes, self.inverses, strict=True):
            counts = np.diff([*starts, len(at)])
            np.add.at(G, (v[:, :, None], v[:, None, :]), counts[:, None, None] * (F.transpose(0, 2, 1) @ F))
        return self._to_coordinates(G)

    def columns(self, e: np.ndarray) -> np.ndarray:
        """Return L^-1 e, shape (n, k)."""
        out = np.empty_like(e)
        for at, F in self._each(self.inverses):
            out[at] = F @ e[at]
        return out

    def times(self, w: np.ndarray) -> np.ndarray:
        """Return L w, shape (n, k)."""
        out = np.empty_like(w)
        for at, L in self._each(self.factors):
            out[at] = L @ w[at]
        return out

    def pull_back(self, e: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the gradient in x of the sum of g times L^-1 e."""
        total = np.zeros_like(self.C)
        w = self.columns(e)
        for (v, at, starts), F in zip(self.rows.sizes, self.inverses, strict=True):
            # d(L^-1 e) = -L^-1 dL w, and dL = L Phi(L^-1 dC L^-T), Phi the lower triangle with its diagonal halved.
            products = np.add.reduceat(g[at] @ w[at].transpose(0, 2, 1), starts, axis=0)
            lower = -np.tril(products)
            lower[:, np.arange(v.shape[1]), np.arange(v.shape[1])] *= 0.5
            np.add.at(total, (v[:, :, None], v[:, None, :]), F.transpose(0, 2, 1) @ lower @ F)
        return self._to_coordinates(total)

    def matrix(self, group: int) -> np.ndarray:
        """Return R of one group."""
        a, b = self.rows.starts[group : group + 2]
        p = self.rows.visit[a:b]
        return self.C[np.ix_(p, p)]

    def _to_coordinates(self, G: np.ndarray) -> np.ndarray:
        """Return the gradient in x of a function with the gradient G in C = L L'."""
        out = np.zeros(len(self.x))
        # With eta = 0.5 (1 - T) the prior's own part is nothing.
        lkj_adjoint(self.x, 0.5 * (1.0 - len(self.C)), self.L, (G + G.T) @ self.L, out)
        return out


def _cholesky(C: np.ndarray) -> np.ndarray:
    """Return the Cholesky factors of matrices (P, k, k); nan for all where one has none."""
    try:
        return np.linalg.cholesky(C)
    except np.linalg.LinAlgError:
        return np.full_like(C, np.nan)


def _coordinates(rows: ResidualRows) -> int:
    return UNSTRUCTURED.coordinates(len(rows.visits))


def _lower(rows: ResidualRows) -> float:
    return -1.0


def _between(rows: ResidualRows) -> np.ndarray:
    return np.zeros(len(rows.codes))


def _names(rows: ResidualRows) -> tuple[str, ...]:
    return tuple(f"cor({RESIDUAL}, {pair})" for pair in pairs_of(rows))


def _constant(rows: ResidualRows, eta: float) -> float:
    return UNSTRUCTURED.log_constant(len(rows.visits), eta)


def _graph(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
    return graph_of_patterns(pm, pt, rows, eta, r)


def _code(rows: ResidualRows, eta: float) -> list[str]:
    return lines_of_patterns(rows, eta)


US = ResidualStructure(
    name="us",
    code=US_CODE,
    words="unstructured, a correlation for every two visits",
    coordinates=_coordinates,
    lower=_lower,
    between=_between,
    names=_names,
    whitening=PatternWhitening,
    constant=_constant,
    latex=r"\rho_{t_i t_k}",
    arrays=arrays_of_patterns,
    graph=_graph,
    code_lines=_code,
)
