"""Whether importance sampling can be believed: effective sample sizes and the tail of the weights."""

from __future__ import annotations

import numpy as np

__all__ = ["effective_sizes", "pareto_shape"]


def effective_sizes(log_weights: np.ndarray) -> np.ndarray:
    """Return (sum w)^2 / sum w^2 of each block, shape (B,), given log weights (B, S) (Kong 1992)."""
    w = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return np.asarray(w.sum(axis=1) ** 2 / (w**2).sum(axis=1))


def pareto_shape(log_weights: np.ndarray) -> float:
    """Return the shape k of a generalised Pareto distribution fitted to the largest weights.

    Moments of the weights of order below 1/k exist: above 0.7 means over them cannot be trusted (Vehtari et al. 2024,
    section 3; fit: Zhang & Stephens 2009, with the weak prior of Vehtari et al., appendix C).

    Parameters
    ----------
    log_weights : ndarray, shape (S,)
        Log weights of one block.

    Returns
    -------
    float
        k; -inf where the largest weights are all equal.
    """
    ordered = np.sort(log_weights)
    S = len(ordered)
    tail = min(S // 5, int(np.ceil(3.0 * np.sqrt(S))))
    with np.errstate(under="ignore"):
        threshold, *_ = np.exp(ordered[-tail - 1 : -tail] - ordered[-1])
        excess = np.exp(ordered[-tail:] - ordered[-1]) - threshold
    # Equal but for rounding: a proposal that is exactly proportional to the integrand.
    if excess[-1] <= 1e-9:
        return -np.inf
    quartile = excess[int(tail / 4 + 0.5) - 1]
    if quartile < 1e-200:  # beside the largest weights the others vanish
        return np.inf
    count = 30 + int(np.sqrt(tail))
    b = 1.0 / excess[-1] + (1.0 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (3.0 * quartile)
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = tail * (np.log(-b / k) - k - 1.0)
    weight = np.exp(profile - profile.max())
    best = float((b * weight).sum() / weight.sum())
    shape = float(np.log1p(-best * excess).mean())
    return (shape * tail + 0.5 * 10.0) / (tail + 10.0)
