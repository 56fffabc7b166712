"""theta, log phi and their covariance -> standard deviations, correlations and sigma with errors and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesglmm.frequentist.working import Working

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
        (correlations).
    """

    term: str
    name: str
    estimate: float
    std_error: float
    transform: str = "identity"

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
        return self.estimate - width, self.estimate + width


def variance_components(working: Working, x: np.ndarray, covariance: np.ndarray) -> tuple[Estimate, ...]:
    """Return standard deviations, correlations and the dispersion by the delta method.

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
    family: list[Estimate] = []
    if working.design.dispersion is not None:
        phi = float(np.exp(x[-1]))
        std_error = phi * float(np.sqrt(covariance[-1, -1]))
        family.append(Estimate("family", working.design.dispersion, phi, std_error, "log"))
    return (*sds, *cors, *family)


def _std_error(gradient: np.ndarray, covariance: np.ndarray) -> float:
    """Return the delta-method standard error; pinned parameters count as known where others still vary."""
    free = np.isfinite(np.diagonal(covariance)) & np.isfinite(gradient)
    if not free.any() or not np.isfinite(gradient).all() or not gradient[free].any():
        return float("nan")
    part = gradient[free]
    return float(np.sqrt(part @ covariance[np.ix_(free, free)] @ part))
