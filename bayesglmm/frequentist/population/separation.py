"""Whether estimates of a marginal model run off to infinity, or the model reproduces the response."""

from __future__ import annotations

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import FitError
from bayesglmm.frequentist.fixed.newton import GLMRows
from bayesglmm.parameters import Scales

__all__ = ["require_finite_maximum"]

#: As good as infinity along the linear predictor of every link.
_FAR = 1e8
#: Information of a row, relative to what a row can have, below which its mean is at the edge of its range.
_EDGE = 1e-8
#: Squared residuals relative to squared responses that are rounding error.
_EXACT = 1e-24
#: Share of a column's length (of orthonormal columns) that counts as nothing.
_NOTHING = 1e-8


def require_finite_maximum(design: Design, rows: GLMRows, beta: np.ndarray) -> None:
    """Raise FitError where rows fitted with certainty leave coefficients without a value, or all residuals are 0.

    A row is at the edge if its mean at ``beta`` (p,) is (next to) as far as it can go, and its response is there too.
    The estimates are finite if the other rows determine all coefficients (Albert & Anderson 1984, Biometrika 71:1).
    """
    eta = design.offset + design.X @ beta
    used = design.weights > 0.0
    here, *ends = (rows.derivatives(at)[0] for at in (eta, np.full(len(eta), -_FAR), np.full(len(eta), _FAR)))
    can = np.full(len(eta), Scales.of(design).location)
    information, usual = (design.family_link.information(at, design.size, 1.0) for at in (eta, can))
    largest = max(float(information[used].max(initial=0.0)), float(usual[used].max(initial=0.0)))
    edge = used & (information <= _EDGE * largest) & ((ends[0] >= here) | (ends[1] >= here))
    lost = _undetermined(design.X, used, used & ~edge)
    if lost.any():
        names = ", ".join(name for name, gone in zip(design.coefficients, lost, strict=True) if gone)
        everywhere = "every row" if edge[used].all() else f"{int(edge.sum())} of {int(used.sum())} rows"
        first = ", ".join(str(label) for label in np.asarray(design.row_labels)[edge][:3])
        raise FitError(
            f"separation: in {everywhere} (the first: {first}) the predictors determine the response, whose mean runs "
            f"to the end of its range (a probability of 0 or 1, or an expected count of 0); these coefficients have no "
            f"finite estimate: {names}. Leave out or merge what determines the response (where the response is "
            "constant there is nothing to estimate), or sample the posterior under a prior, which is finite."
        )
    residual = design.y - design.family.mean_of(design.family_link.link.inverse(eta), design.size)
    if float((residual[used] ** 2).sum()) <= _EXACT * float((design.y[used] ** 2).sum()):
        raise FitError(
            "the residuals of the marginal model are all 0: the response is constant, or the predictors determine it, "
            "and neither a dispersion nor a correlation nor a standard error can be estimated. Leave out a predictor, "
            "or look at the response."
        )


def _undetermined(X: np.ndarray, used: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return which coefficients the rows ``left`` do not determine, bool, shape (p,)."""
    R = np.linalg.qr(X[used], mode="r")
    Q = np.linalg.solve(R.T, X[left].T).T
    values, vectors = np.linalg.eigh(Q.T @ Q)
    directions = np.linalg.solve(R, vectors[:, values <= _NOTHING]) * np.linalg.norm(R, axis=0)[:, None]
    moves = np.abs(directions)
    return np.asarray((moves > 1e-6 * moves.max(axis=0, initial=0.0)).any(axis=1))
