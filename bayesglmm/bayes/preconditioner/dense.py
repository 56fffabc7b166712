"""The linear map of a Gaussian model's marginal density: a few parameters, so that plain differences serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.bayes.preconditioner.arrow import ArrowMap
from bayesglmm.bayes.preconditioner.curvature import root_of_inverse
from bayesglmm.bayes.preconditioner.tails import short_tails
from bayesglmm.bayes.start import start_box
from bayesglmm.density import JointDensity
from bayesglmm.engine.integrated import GaussianMarginal
from bayesglmm.engine.quasi_newton import Ascent, ascend

__all__ = ["precondition_dense"]

_STEP = 0.05


@dataclass(frozen=True, eq=False)
class _Point:
    value: float
    gradient: np.ndarray


def precondition_dense(density: JointDensity, marginal: GaussianMarginal) -> tuple[GaussianMarginal, ArrowMap] | None:
    """Return the marginal density and its linear map; None if no maximum is found.

    ``marginal`` is that of ``density``; coordinates of standard deviations near 0 are exchanged for shorter ones.
    """
    kept = _head(density, marginal)
    center, half_width = start_box(density)
    found = ascend(_objective(marginal), center[kept], np.diag(0.1 * half_width[kept] ** 2))
    if found is None:
        return None
    layout = density.layout
    first = layout.n_coefficients - int(kept[0])
    sds = slice(first, first + layout.n_sds)
    parameters, x, shrunk = short_tails(density.parameters, found.x, found.inverse_hessian, sds)
    if parameters is not density.parameters:
        marginal = replace(marginal, parameters=parameters)
        found = ascend(_objective(marginal), x, found.inverse_hessian * np.outer(shrunk, shrunk))
    if found is None or not found.converged:
        return None
    root, _repaired = root_of_inverse(_hessian(marginal, found), np.sqrt(np.diag(found.inverse_hessian)))
    return marginal, ArrowMap.dense(found.x, _triangular(root, _order(density, len(root), sds)))


def _order(density: JointDensity, size: int, sds: slice) -> np.ndarray:
    """Return standard deviations, then correlations, then everything else."""
    n_correlations = density.layout.n_correlations
    first = np.r_[sds.start : sds.stop, size - n_correlations : size].astype(int)
    return np.concatenate([first, np.setdiff1d(np.arange(size), first)])


def _triangular(root: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return T with T T' = root root' whose k-th column moves the first k coordinates of ``order`` not at all.

    Each coordinate takes those after it along, to where they are expected given it: a slice along it is nearly its own
    marginal density, and what is skew about it stays with it.
    """
    covariance = root @ root.T
    T = np.empty_like(root)
    T[order] = np.linalg.cholesky(covariance[np.ix_(order, order)])
    return T


def _head(density: JointDensity, marginal: GaussianMarginal) -> np.ndarray:
    """Return the positions of the marginal's coordinates in the joint density's x."""
    stop = density.layout.size - density.layout.n_effects
    return np.arange(stop - marginal.size, stop)


def _objective(marginal: GaussianMarginal) -> Callable[[np.ndarray, _Point | None], _Point]:
    evaluate = marginal.evaluator()

    def objective(x: np.ndarray, _nearby: _Point | None) -> _Point:
        value, gradient = evaluate(x)
        return _Point(value, gradient.copy())

    return objective


def _hessian(marginal: GaussianMarginal, found: Ascent[_Point]) -> np.ndarray:
    """Return minus the second derivatives at the maximum, by differences of the gradient."""
    evaluate = marginal.evaluator()
    d = len(found.x)
    H = np.zeros((d, d))
    for k, width in enumerate(np.sqrt(np.diag(found.inverse_hessian))):
        step = np.zeros(d)
        step[k] = _STEP * min(float(width), 1.0)
        below = evaluate(found.x - step)[1].copy()
        H[:, k] = (below - evaluate(found.x + step)[1]) / (2.0 * step[k])
    return (H + H.T) / 2.0
