"""theta, family scalars and their covariance -> sds, correlations, sigma and its like with errors and intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from bayesglmm.frequentist.working import Working
from bayesglmm.residual import structure_of

__all__ = ["Estimate", "variance_components"]


@dataclass(frozen=True)
class Estimate:
    """One estimated parameter.

    Attributes
    ----------
    term : str
        ``fixed``, ``sd``, ``cor`` or ``family``.
    name : str
        As in tables.
    estimate, std_error : float
        On the natural scale; the standard error is nan for a parameter on the boundary.
    transform : str
        Scale on which a Wald interval is symmetric: ``identity``, ``log`` (sds that are clear of 0), ``atanh``
        (correlations between -1 and 1), ``logit`` (correlations between ``lower`` and 1).
    lower : float
        Least value that a correlation can have.
    """

    term: str
    name: str
    estimate: float
    std_error: float
    transform: str = "identity"
    lower: float = -1.0

    def interval(self, level: float) -> tuple[float, float]:
        """Return the Wald interval, computed on the scale of ``transform`` and mapped back."""
        width = float(ndtri(0.5 + level / 2)) * self.std_error
        with np.errstate(all="ignore"):
            if self.transform == "log" and width >= self.estimate:
                # Not clear of 0: on the log scale the interval would reach from nothing to nearly infinity.
                return 0.0, self.estimate + width
            if self.transform == "log":
                half = width / self.estimate if self.estimate > 0 else np.nan
                return self.estimate * float(np.exp(-half)), self.estimate * float(np.exp(half))
            if self.transform == "atanh":
                half = width / (1.0 - self.estimate**2) if abs(self.estimate) < 1 else np.nan
                center = float(np.arctanh(self.estimate)) if abs(self.estimate) < 1 else np.nan
                return float(np.tanh(center - half)), float(np.tanh(center + half))
            if self.transform == "logit":
                width_of_range = 1.0 - self.lower
                share = (self.estimate - self.lower) / width_of_range
                half = width / (width_of_range * share * (1.0 - share)) if 0.0 < share < 1.0 else np.nan
                ends = self.lower + width_of_range * expit(logit(share) + half * np.array([-1.0, 1.0]))
                return float(ends[0]), float(ends[1])
        return self.estimate - width, self.estimate + width


def variance_components(working: Working, x: np.ndarray, covariance: np.ndarray) -> tuple[Estimate, ...]:
    """Return standard deviations, correlations and family scalars by the delta method.

    Parameters
    ----------
    working : Working
        Layout of x.
    x : ndarray, shape (k,)
        Estimates.
    covariance : ndarray, shape (k, k)
        Their covariance; nan for parameters held at zero.
    """
    sds: list[Estimate] = []
    cors: list[Estimate] = []
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        where = slice(working.n_beta + part.start, working.n_beta + part.stop)
        block = covariance[where, where]
        found_sds, found_cors = group.structure.theta.components(x[where], group.origin)
        for (value, gradient), name in zip(found_sds, group.sd_names(), strict=True):
            sds.append(Estimate("sd", name, value, _std_error(gradient, block), "log"))
        for (value, gradient), name in zip(found_cors, group.cor_names(), strict=True):
            cors.append(Estimate("cor", name, value, _std_error(gradient, block), "atanh"))
    return (*sds, *cors, *_residual_correlations(working, x, covariance), *_family(working, x, covariance))


def _family(working: Working, x: np.ndarray, covariance: np.ndarray) -> Iterator[Estimate]:
    at = working.family.start
    for part in working.design.family_parts:
        for name in part.names:
            value, std_error = float(x[at]), float(np.sqrt(covariance[at, at]))
            if part.kind == "scale":
                yield Estimate("family", name, float(np.exp(value)), float(np.exp(value)) * std_error, "log")
            else:
                yield Estimate("family", name, value, std_error)
            at += 1


def _residual_correlations(working: Working, x: np.ndarray, covariance: np.ndarray) -> Iterator[Estimate]:
    rows = working.design.residual
    if rows is None:
        return
    structure, part = structure_of(rows), working.residual
    at, lower = structure.whitening(rows, x[part]), structure.lower(rows)
    transform = "atanh" if lower == -1.0 else "logit"
    for name, value, gradient in zip(structure.names(rows), at.correlations, at.jacobian, strict=True):
        # At the end of its range (`linear.correlated`) a correlation is that end, and not what rounding left of it.
        shown = lower if value - lower < 1e-14 else float(value)
        yield Estimate("cor", name, shown, _std_error(gradient, covariance[part, part]), transform, lower)


def _std_error(gradient: np.ndarray, covariance: np.ndarray) -> float:
    """Return the delta-method standard error; pinned parameters count as known where others still vary."""
    free = np.isfinite(np.diagonal(covariance)) & np.isfinite(gradient)
    if not free.any() or not np.isfinite(gradient).all() or not gradient[free].any():
        return float("nan")
    part = gradient[free]
    return float(np.sqrt(part @ covariance[np.ix_(free, free)] @ part))
