"""Where a search begins: the fit without group effects, a first size of them, and how far a standard error is there."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from bayesglmm.engine.marginal import Evaluation, LaplaceMarginal
from bayesglmm.engine.pirls import Rows
from bayesglmm.frequentist.search.auxiliary import auxiliary_units, with_auxiliary
from bayesglmm.frequentist.search.widths import factor_widths
from bayesglmm.frequentist.working import Working

__all__ = ["find_start", "fit_without_effects", "natural_units"]

_EM_STEPS = 2
_MAX_STEPS = 25
_MAX_HALVINGS = 20


def find_start(marginal: LaplaceMarginal, working: Working) -> np.ndarray:
    """Return x (k,): the fit without group effects, then two steps of EM and scoring from a middling size of them."""
    x = fit_without_effects(marginal.rows, working)
    if working.theta.start == working.theta.stop:
        return x
    best, reached, z = working.with_spread(x, 0.5), -np.inf, np.zeros(marginal.rows.effects.size)
    x = best
    for _ in range(_EM_STEPS + 1):
        at = marginal.evaluate(*working.split(x), z)
        if not at.value > reached:
            break
        best, reached, z = x, at.value, at.mode.z
        x = _improve(marginal, working, x, at)
    return best


def _improve(marginal: LaplaceMarginal, working: Working, x: np.ndarray, at: Evaluation) -> np.ndarray:
    """Return x after a step of scoring in beta and one of EM in the sizes of group effects (Laird & Ware 1982)."""
    elimination, p = at.mode.elimination, working.n_beta
    assert elimination is not None
    x = x.copy()
    if p:
        information = marginal.coefficient_information(at.mode)
        x[:p] += np.linalg.lstsq(information, at.gradient[:p], rcond=1e-12)[0]
    for t, (group, part) in enumerate(zip(working.design.groups, working.layout.effect_slices, strict=True)):
        z = at.mode.z[part].reshape(group.n_levels, group.n_effects)
        second = (z**2).mean(axis=0) + np.einsum("jkk->jk", elimination.blocks(t)).mean(axis=0)
        part = working.layout.slices[t]
        where = slice(p + part.start, p + part.stop)
        x[where] = working.layout.maps[t].rescaled(x[where], np.clip(np.sqrt(second), 0.2, 5.0))
    return x


def fit_without_effects(rows: Rows, working: Working) -> np.ndarray:
    """Return x with theta = 0 at the maximum likelihood of the model without group effects, by Fisher scoring.

    A start only: a few hundredths of a standard error are near enough, and where there is no maximum (separation) the
    last of `_MAX_STEPS` steps is returned.
    """
    design = working.design
    x = working.start()
    if design.auxiliary is not None:
        return with_auxiliary(rows, working, x)
    beta, _, log_phi = working.split_phi(x)
    if working.n_beta:
        phi = float(np.exp(log_phi))
        eta = design.offset + design.X @ beta
        table = rows.derivatives(eta, phi)
        for _ in range(_MAX_STEPS):
            W = np.maximum(design.weights * design.family_link.information(eta, design.size, phi), 0.0)
            score = design.X.T @ table[1]
            step = np.linalg.lstsq(design.X.T @ (W[:, None] * design.X), score, rcond=1e-14)[0]
            decrement = float(score @ step)
            if not np.isfinite(decrement) or decrement < 1e-3:
                break
            value = table[0].sum()
            for halving in range(_MAX_HALVINGS):
                moved = beta + step * 0.5**halving
                eta = design.offset + design.X @ moved
                table = rows.derivatives(eta, phi)
                if table[0].sum() > value:
                    break
            else:
                break
            beta = moved
        x[: working.n_beta] = beta
    if working.size > working.theta.stop:
        x[-1] = _log_dispersion(rows, design.offset + design.X @ beta, log_phi)
    return x


def _log_dispersion(rows: Rows, eta: np.ndarray, start: float) -> float:
    """Return the log phi at which the score in it vanishes, or ``start`` if that is nowhere near."""

    def score(log_phi: float) -> float:
        return float(rows.derivatives(eta, float(np.exp(log_phi)))[4].sum())

    for width in (1.0, 4.0, 16.0):
        if score(start - width) > 0.0 > score(start + width):
            return float(brentq(score, start - width, start + width, xtol=1e-4))
    return start


def natural_units(marginal: LaplaceMarginal, working: Working, x: np.ndarray) -> np.ndarray:
    """Return the matrix of x = units w, w about one standard error apart and nearly uncorrelated near x, (k, k).

    Coefficients: the inverse root of their information with the group effects profiled out (Henderson 1975). Entries of
    Lambda: `factor_widths`. Where either is not known `Working.units` stands in.
    """
    units = working.units()
    evaluation = marginal.evaluate(*working.split(x), np.zeros(marginal.rows.effects.size))
    if not np.isfinite(evaluation.value):
        return units
    p = working.n_beta
    if p:
        try:
            root = np.linalg.cholesky(marginal.coefficient_information(evaluation.mode))
        except np.linalg.LinAlgError:
            return units
        units[:p, :p] = np.linalg.inv(root).T
    assert evaluation.mode.elimination is not None
    widths = factor_widths(evaluation.factor, evaluation.mode.elimination)
    at = np.arange(working.theta.start, working.theta.stop)
    known = np.isfinite(widths) & (widths > 0.0)
    units[at[known], at[known]] = np.minimum(widths[known], units[at[known], at[known]])
    if marginal.rows.auxiliary is not None:
        units[working.family, working.family] = auxiliary_units(marginal.rows.auxiliary, evaluation.mode.rows)
    elif working.size > working.theta.stop:
        units[-1, -1] = 1.0 / np.sqrt(2.0 * working.design.n_rows)
    return units
