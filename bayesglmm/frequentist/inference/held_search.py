"""The maximum of a log-likelihood with one parameter held at a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from bayesglmm.frequentist.inference.held import Held
from bayesglmm.frequentist.likelihood import Evaluate
from bayesglmm.frequentist.working import Working

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["HeldSearch"]

#: An entry of Lambda is near zero, and how far off it is then tried, as shares of its natural scale.
_NEAR, _AWAY = 1e-2, 0.1


@dataclass(frozen=True, eq=False)
class HeldSearch:
    """Searches with one parameter held.

    They are free in all coordinates: the log-likelihood is even in every column of Lambda, so that a negative diagonal
    entry is the mirror image of a positive one.

    Attributes
    ----------
    held : Held
        Coordinates.
    evaluate : callable
        x -> (log-likelihood, gradient).
    units : ndarray, shape (k - 1, k - 1)
        v = units w with w about one standard error apart and uncorrelated near the estimate.
    diagonal : ndarray of int
        Positions in v of diagonal entries of the factors.
    natural : ndarray, shape (k - 1,)
        Natural scale of each coordinate.
    """

    held: Held
    evaluate: Evaluate
    units: np.ndarray
    diagonal: np.ndarray
    natural: np.ndarray

    @classmethod
    def of(cls, fit: Fit, held: Held, estimate: float, evaluate: Evaluate) -> HeldSearch:
        """Lay out the search beside a fit's optimum, with the parameter's ``estimate``."""
        working = Working.of(fit.design)
        scale = np.linalg.norm(working.units(), axis=1)
        v = held.start(fit.optimum.x)
        jacobian = held.jacobian(estimate, v)
        natural = np.array([scale[np.abs(column) > 1e-12].max(initial=0.0) for column in jacobian.T])
        natural = np.where(natural > 0.0, natural, 1.0)
        information = _information(fit, jacobian, natural)
        diagonal = np.flatnonzero(held.diagonal(working.nonnegative()))
        return cls(held, evaluate, _inverse_root(information, natural), diagonal, natural)

    def maximum(self, value: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the largest log-likelihood at ``value`` and v there; -inf if it is finite nowhere that was tried."""
        best, v = self._climb(value, start)
        for k in self.diagonal:
            if abs(v[k]) > _NEAR * self.natural[k]:
                continue
            away = v.copy()  # even there, so that the gradient at zero does not tell whether a step away gains
            away[k] = _AWAY * self.natural[k]
            found, at = self._climb(value, away)
            if found > best:
                best, v = found, at
        return best, v

    def _climb(self, value: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        def negative(w: np.ndarray) -> tuple[float, np.ndarray]:
            v = start + self.units @ w
            height, gradient = self.evaluate(self.held.embed(value, v))
            if not (np.isfinite(height) and np.isfinite(gradient).all()):
                return 1e100, np.zeros_like(w)  # a wall: the line search turns back
            return -height, -self.units.T @ self.held.pull_back(value, v, gradient)

        w = np.zeros_like(start)
        if len(start):
            options = {"maxiter": 500, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-6, "maxcor": 20}
            w = np.asarray(minimize(negative, w, jac=True, method="L-BFGS-B", options=options).x)
        height = -negative(w)[0]
        return (height if height > -1e99 else -np.inf), start + self.units @ w


def _information(fit: Fit, jacobian: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Return the information about v; a natural scale stands in for what lies on the boundary."""
    hessian = fit.optimum.hessian
    known = np.isfinite(np.diagonal(hessian))
    information = jacobian[known].T @ -hessian[np.ix_(known, known)] @ jacobian[known]
    unknown = (jacobian[~known] ** 2).sum(axis=0) if (~known).any() else np.zeros(len(natural))
    return information + np.diag(unknown / natural**2)


def _inverse_root(information: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Return M with M M' the inverse of the information, eigenvalues in natural units kept above 1e-8."""
    if not np.isfinite(information).all():
        return np.diag(natural)
    values, vectors = np.linalg.eigh(information * np.outer(natural, natural))
    floor = max(1e-8 * float(values.max(initial=0.0)), 1e-12)
    return natural[:, None] * vectors / np.sqrt(np.maximum(np.abs(values), floor))
