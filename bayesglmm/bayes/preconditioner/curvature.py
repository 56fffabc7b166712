"""Second derivatives at a penalised fit: of the marginal posterior of s, and how the effects follow s."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.bayes.preconditioner.conditional import partially_centred
from bayesglmm.density import Centring
from bayesglmm.engine.penalised import Head, PenalisedMarginal, PenalisedPoint

__all__ = ["Curvature", "curvature_at", "root_of_inverse"]

#: Steps of the differences, in standard deviations of a coordinate.
_STEP = 0.1
#: A direction is held at no more than this many standard deviations of the first guess (a flat posterior has none).
_WIDEST = 10.0


@dataclass(frozen=True, eq=False)
class Curvature:
    """A normal approximation of (s, w).

    Attributes
    ----------
    root : ndarray, shape (d, d)
        T with T T' = covariance of s.
    follow : ndarray, shape (d, Q)
        d w^ / d s: how the conditional modes of the effects move with s.
    repaired : bool
        Whether minus the Hessian of s was not positive definite and had eigenvalues raised.
    """

    root: np.ndarray
    follow: np.ndarray
    repaired: bool


def curvature_at(
    penalised: PenalisedMarginal, s: np.ndarray, point: PenalisedPoint, centring: Centring, inverse_hessian: np.ndarray
) -> Curvature:
    """Differentiate twice at the maximum ``s`` (coefficients analytically, the rest by differences).

    Parameters
    ----------
    penalised : PenalisedMarginal
        The marginal posterior.
    s, point : ndarray shape (d,), PenalisedPoint
        Its maximum.
    centring : Centring
        Coordinates w of the effects.
    inverse_hessian : ndarray, shape (d, d)
        A guess of the covariance, which sets the steps of the differences.
    """
    d, p = len(s), penalised.layout.n_coefficients
    H, follow = np.zeros((d, d)), np.zeros((d, penalised.layout.n_effects))
    widths = np.sqrt(np.diag(inverse_hessian))
    if p:
        H[:p, :p], follow[:p] = _coefficients(penalised, point, centring)
        H[:p, :p] += _prior_curvature(penalised, s, widths)
    for k in range(p, d):
        h = _STEP * min(float(widths[k]), 1.0)
        ends = []
        for sign in (1.0, -1.0):
            moved = s.copy()
            moved[k] += sign * h
            there = penalised(moved, point)
            ends.append((there, partially_centred(penalised.design, there.head, centring, there.evaluation.mode.z)))
        (up, w_up), (down, w_down) = ends
        if np.isfinite(up.value) and np.isfinite(down.value):
            H[:, k] = (down.gradient - up.gradient) / (2.0 * h)
            follow[k] = (w_up - w_down) / (2.0 * h)
        else:
            H[k, k] = 1.0 / inverse_hessian[k, k]
    H[p:, :p] = H[:p, p:].T
    root, repaired = root_of_inverse((H + H.T) / 2.0, widths)
    return Curvature(root, follow, repaired)


def _coefficients(
    penalised: PenalisedMarginal, point: PenalisedPoint, centring: Centring
) -> tuple[np.ndarray, np.ndarray]:
    """Return information of the coefficients, effects profiled out, and d w^ / d coefficients."""
    mode = point.evaluation.mode
    p = penalised.layout.n_coefficients
    columns = penalised.columns(point.head) * point.head.slopes[:p]
    WX = columns * np.maximum(-mode.rows[2], 0.0)[:, None]
    information = columns.T @ WX
    if not mode.A.size or mode.elimination is None:
        return information, np.zeros((p, 0))
    AWX = np.column_stack([mode.A.transposed_times(np.ascontiguousarray(column)) for column in WX.T])
    moved = -mode.elimination.solve(AWX)
    information = information + AWX.T @ moved
    nothing = replace(centring, score=np.zeros_like(centring.score))
    follow = [partially_centred(penalised.design, point.head, nothing, np.ascontiguousarray(z)) for z in moved.T]
    return information, np.array(follow)


def _prior_curvature(penalised: PenalisedMarginal, s: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return minus the second derivatives of the coefficients' log priors, a diagonal matrix (p, p)."""
    p = penalised.layout.n_coefficients
    up, down = s.copy(), s.copy()
    h = _STEP * widths[:p]
    up[:p] += h
    down[:p] -= h
    slopes: list[Head] = [penalised.head(down), penalised.head(up)]
    curvature = (slopes[0].prior_gradient[:p] - slopes[1].prior_gradient[:p]) / (2.0 * h)
    return np.diag(np.where(np.isfinite(curvature), curvature, 0.0))


def root_of_inverse(H: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return T with T T' = H^-1, eigenvalues (in units of ``widths``) held above a small floor."""
    if not len(H):
        return H, False
    values, vectors = np.linalg.eigh(H * np.outer(widths, widths))
    floor = _WIDEST**-2
    root = widths[:, None] * vectors / np.sqrt(np.maximum(values, floor))
    return np.ascontiguousarray(root), bool((values < floor).any())
