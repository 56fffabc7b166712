"""Posteriors of small linear mixed models by quadrature over their standard deviations: dense NumPy, no sampling.

Given the standard deviations y is normal, with coefficients and group effects integrated out; what is left, one to
three dimensions, is summed over a grid of their logarithms. Nothing here knows the package's densities.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["LinearModel", "Moments", "posterior_moments"]

LogPrior = Callable[[np.ndarray], np.ndarray]

#: The trapezoidal rule of a smooth function that falls off on both sides converges geometrically; e^-14 is left out.
_DEPTH = 14.0
_BATCH = 2000


@dataclass(frozen=True, eq=False)
class LinearModel:
    """y ~ N(X beta, V), V = sum_k sd_k^2 Z_k Z_k' + noise, beta ~ N(beta_mean, beta_sd^2).

    Attributes
    ----------
    y, X : ndarray, shapes (n,) and (n, p)
        Data.
    Z : sequence of ndarray, each (n, J)
        One a standard deviation; sigma's is I, and comes last.
    known : ndarray, shape (n,)
        Known variances of rows; zeros where sigma is sampled.
    beta_mean, beta_sd : ndarray, shape (p,)
        Priors of the coefficients.
    log_priors : sequence of callable
        sd -> log prior density, one a standard deviation.
    """

    y: np.ndarray
    X: np.ndarray
    Z: Sequence[np.ndarray]
    known: np.ndarray
    beta_mean: np.ndarray
    beta_sd: np.ndarray
    log_priors: Sequence[LogPrior]

    def log_density(self, log_sds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the log density of log sds (points, k), and mean and variance of beta given them, (points, p) each."""
        parts = [self._batch(log_sds[at : at + _BATCH]) for at in range(0, len(log_sds), _BATCH)]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _batch(self, log_sds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        squares = np.stack([Z @ Z.T for Z in self.Z])
        V = np.einsum("gk,kij->gij", np.exp(2 * log_sds), squares) + np.diag(self.known)
        scaled = self.X * self.beta_sd
        V_y = V + scaled @ scaled.T
        residual = self.y - self.X @ self.beta_mean
        L = np.linalg.cholesky(V_y)
        white = np.linalg.solve(L, np.column_stack([residual, scaled])[None])
        log_density = -0.5 * (white[..., 0] ** 2).sum(axis=1)
        log_density -= np.log(np.einsum("gii->gi", L)).sum(axis=1) + 0.5 * len(self.y) * np.log(2 * np.pi)
        for k, prior in enumerate(self.log_priors):
            log_density += prior(np.exp(log_sds[:, k])) + log_sds[:, k]
        gain = np.einsum("gip,gi->gp", white[..., 1:], white[..., 0])
        variance = 1.0 - (white[..., 1:] ** 2).sum(axis=1)
        return log_density, self.beta_mean + self.beta_sd * gain, self.beta_sd**2 * variance


@dataclass(frozen=True, eq=False)
class Moments:
    """Posterior means and standard deviations of coefficients (p,) and of standard deviations (k,)."""

    beta_mean: np.ndarray
    beta_sd: np.ndarray
    sd_mean: np.ndarray
    sd_sd: np.ndarray


def posterior_moments(model: LinearModel, points: int, bounds: Sequence[tuple[float, float]]) -> Moments:
    """Sum over a grid of ``points`` a dimension, laid over where the density is within e^-14 of its maximum.

    Parameters
    ----------
    model : LinearModel
        What is integrated.
    points : int
        Points of the grid in each dimension.
    bounds : sequence of (float, float)
        Where the logarithm of each standard deviation is searched for mass.
    """
    k = len(model.Z)
    for _ in range(3):  # each round looks closer
        coarse = _grid(bounds, 12 if k == 3 else 60)
        value = model.log_density(coarse)[0]
        inside = coarse[value > value.max() - _DEPTH]
        step = [(b - a) / (11 if k == 3 else 59) for a, b in bounds]
        bounds = [
            (max(a, inside[:, j].min() - h), min(b, inside[:, j].max() + h))
            for j, ((a, b), h) in enumerate(zip(bounds, step, strict=True))
        ]
    grid = _grid(bounds, points)
    value, mean, variance = model.log_density(grid)
    weight = np.exp(value - value.max())
    weight /= weight.sum()
    beta, sd = weight @ mean, weight @ np.exp(grid)
    beta_variance = weight @ (variance + (mean - beta) ** 2)
    return Moments(beta, np.sqrt(beta_variance), sd, np.sqrt(weight @ (np.exp(grid) - sd) ** 2))


def _grid(bounds: Sequence[tuple[float, float]], points: int) -> np.ndarray:
    axes = [np.linspace(a, b, points) for a, b in bounds]
    return np.array(list(itertools.product(*axes)))
