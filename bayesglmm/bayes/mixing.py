"""How well chains have mixed: rank-normalised split R-hat and effective sample sizes of many scalars at a time.

Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, 667-718. ArviZ gives the same figures one
scalar after another; a model with thousands of group effects would wait longer for them than for its draws.

Draws come as arrays (k, chains, draws), all finite, no scalar constant, at least four draws.
"""

from __future__ import annotations

import numpy as np
from numpy.fft import irfft, rfft
from scipy.special import ndtri

__all__ = ["ess_mean", "ess_tail", "rank_figures"]


def rank_figures(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return R-hat and bulk ESS, each shape (k,); R-hat is nan for one chain.

    R-hat is the larger of those of the ranks and of the ranks of |x - median|, which sees chains that differ in spread.
    """
    halves = _split(draws)
    scores = _normal_scores(halves)
    bulk = _ess(scores)
    if draws.shape[1] < 2:
        return np.full(len(draws), np.nan), bulk
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    return np.fmax(_r_hat(scores), _r_hat(_normal_scores(folded))), bulk


def ess_tail(draws: np.ndarray) -> np.ndarray:
    """Return the smaller effective sample size of the 5% and the 95% quantile, shape (k,)."""
    low, high = np.quantile(draws, [0.05, 0.95], axis=(1, 2), keepdims=True)
    return np.minimum(_ess(_split(draws <= low)), _ess(_split(draws <= high)))


def ess_mean(draws: np.ndarray) -> np.ndarray:
    """Return the effective sample size of the mean, shape (k,)."""
    return _ess(_split(draws))


def _split(draws: np.ndarray) -> np.ndarray:
    """Cut every chain into halves; with an odd number of draws the middle one is left out."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1).astype(np.float64)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Return normal quantiles of the ranks over all chains; ties share their average rank (Blom 1958)."""
    flat = draws.reshape(len(draws), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    position = np.arange(size)
    edge = np.ones((len(flat), 1), dtype=bool)
    change = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(np.hstack([edge, change]), position, 0), axis=1)
    last = np.minimum.accumulate(np.where(np.hstack([change, edge]), position, size)[:, ::-1], axis=1)[:, ::-1]
    # Ranks are halves of whole numbers, so that all quantiles that can occur fit into a table.
    table = ndtri((0.5 * np.arange(2 * size - 1) + 1.0 - 0.375) / (size + 0.25))
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, table[first + last], axis=1)
    return scores.reshape(draws.shape)


def _r_hat(chains: np.ndarray) -> np.ndarray:
    n = chains.shape[2]
    within = chains.var(axis=2, ddof=1).mean(axis=1)
    between = n * chains.mean(axis=2).var(axis=1, ddof=1)
    # Chains that each stand still have no spread within: R-hat is infinite, or nan if they stand at one place.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / within + n - 1.0) / n)


def _ess(chains: np.ndarray) -> np.ndarray:
    """Return chains x draws / tau, tau summed over Geyer's initial monotone sequence (the paper's section 3.2)."""
    k, m, n = chains.shape
    total = m * n
    constant = np.ptp(chains, axis=(1, 2)) < np.finfo(float).resolution
    covariance = _autocovariance(chains)
    within = covariance[:, 0] * n / (n - 1.0)
    overall = covariance[:, 0] + (chains.mean(axis=2).var(axis=1, ddof=1) if m > 1 else 0.0)
    rho = 1.0 - (within[:, None] - covariance) / np.where(constant, 1.0, overall)[:, None]
    rho[:, 0] = 1.0
    n_pairs = n // 2
    pairs = rho[:, : 2 * n_pairs].reshape(k, n_pairs, 2).sum(axis=2)
    # The sequence ends before the first pair that is not positive, at the latest where lags run out.
    last = max(0, (n - 3) // 2)
    ended = pairs[:, : last + 1] <= 0.0
    ended[:, last] = True
    stop = ended.argmax(axis=1)
    monotone = np.minimum.accumulate(pairs, axis=1)
    kept = np.where(np.arange(n_pairs) < stop[:, None], monotone, 0.0).sum(axis=1)
    at = np.arange(k)
    even = rho[at, 2 * stop]
    tau = -1.0 + 2.0 * kept + np.where((even > 0.0) | (pairs[at, stop] >= 0.0), even, 0.0)
    # No claim beyond total * log10(total) draws, however much they alternate.
    return np.where(constant, float(total), total / np.maximum(tau, 1.0 / np.log10(total)))


def _autocovariance(chains: np.ndarray) -> np.ndarray:
    """Return the autocovariance at lags 0..n-1, averaged over chains, shape (k, n)."""
    n = chains.shape[2]
    centered = chains - chains.mean(axis=2, keepdims=True)
    length = 1 << (2 * n - 1).bit_length()
    power = np.abs(rfft(centered, n=length, axis=2)) ** 2
    return irfft(power.mean(axis=1), n=length, axis=1)[:, :n] / n
