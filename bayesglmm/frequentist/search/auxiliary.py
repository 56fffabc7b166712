"""Where a search begins in models whose rows have auxiliary predictors: the fit without group effects, by BFGS."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from bayesglmm.auxiliary import Auxiliary
from bayesglmm.engine.pirls import Rows
from bayesglmm.frequentist.working import Working

__all__ = ["auxiliary_units", "with_auxiliary"]

_MAX_ITERATIONS = 60
#: What stands in for the log-likelihood where it is not finite: cutpoints out of order.
_NOWHERE = 1e100


def with_auxiliary(rows: Rows, working: Working, x: np.ndarray) -> np.ndarray:
    """Return ``x`` (k,) with coefficients and family scalars near their maximum without group effects.

    A start only: the search stops after `_MAX_ITERATIONS` steps, and where it found nothing better ``x`` is returned.
    """
    design = working.design
    auxiliary = rows.auxiliary
    assert auxiliary is not None
    free = np.concatenate([np.arange(working.n_beta), np.arange(working.family.start, working.family.stop)])
    roots = _roots(working, rows, x)

    def place(v: np.ndarray) -> np.ndarray:
        at = x.copy()
        at[free] += roots @ v
        return at

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        at = place(v)
        beta, _, family = working.split(at)
        known, phi = rows.at(family)
        with np.errstate(all="ignore"):
            table = known.derivatives(design.offset + design.X @ beta, phi)
            value = table[0].sum()
        gradient = np.concatenate([design.X.T @ table[1], auxiliary.pull_back(table[4], table[7])])
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _NOWHERE, np.zeros(len(v))
        return -float(value), -(roots.T @ gradient)

    zero = np.zeros(len(free))
    before = loss(zero)[0]
    found = minimize(loss, zero, jac=True, method="BFGS", options={"maxiter": _MAX_ITERATIONS, "gtol": 0.05})
    return place(found.x) if found.fun < before else x


def _roots(working: Working, rows: Rows, x: np.ndarray) -> np.ndarray:
    """Return the matrix of free coordinates in which steps of one are about a standard error, (k, k)."""
    design = working.design
    beta, _, family = working.split(x)
    known, phi = rows.at(family)
    table = known.derivatives(design.offset + design.X @ beta, phi)
    p = working.n_beta
    roots = np.zeros((p + len(family), p + len(family)))
    if p:
        R = np.linalg.qr(design.X, mode="r")
        spread = 1.0 / np.sqrt(max(float((table[1] ** 2).mean()), 1e-12))
        roots[:p, :p] = np.linalg.solve(R, np.eye(p)) * min(spread, working.scales.scale)
    assert rows.auxiliary is not None
    roots[p:, p:] = auxiliary_units(rows.auxiliary, table)
    return roots


def auxiliary_units(auxiliary: Auxiliary, table: np.ndarray) -> np.ndarray:
    """Return an upper triangular inverse root of the family scalars' information, from the rows' scores, (K, K).

    The sum of the scores' outer products estimates it (Berndt et al. 1974), with 1 added in every direction.
    """
    K = len(auxiliary.logged)
    scores = np.zeros((K, table.shape[1]))
    for predictor, slope in zip(auxiliary.predictors, (table[4], table[7]), strict=True):
        scores[predictor.where] += predictor.columns * slope
    return np.asarray(np.linalg.inv(np.linalg.cholesky(scores @ scores.T + np.eye(K))).T)
