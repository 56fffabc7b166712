"""Marginal quasi-likelihood (Goldstein 1991; Breslow & Clayton 1993), for every family, link and structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayesglmm.frequentist.quasi.estimator import QuasiEstimator

__all__ = ["MQL"]

_CAVEAT = (
    "Marginal quasi-likelihood expands about group effects of zero: its coefficients describe averages over the "
    "population, and its variances are far off where effects are large, with binary rows too small, more so than those "
    "of PQL (Rodriguez & Goldman 1995)."
)


@dataclass(frozen=True)
class MQL(QuasiEstimator):
    """Marginal quasi-likelihood: the mixed model is linearised about group effects of zero (MQL-1).

    The working response and its weights are those of `PQL` at eta = X beta + offset. To first order E(y) = h(X beta)
    and Var(y) = V_mu + D Z G Z' D with D = d mu/d eta, a model of the population mean with the covariance that group
    effects would cause (Zeger, Liang & Albert 1988; Breslow & Clayton 1993, section 4): the coefficients, which solve
    the estimating equation of that mean, are population averages, and the estimand is called ``marginal``. The
    variances are those of group effects on the scale of eta, to first order only.

    Attributes
    ----------
    variance : {"reml", "ml"}
        Criterion of the variances.
    dispersion : bool
        Whether a residual dispersion, Var(y) = phi v(mu) given the effects, is estimated too; phi is on the scale of
        variances.

    Notes
    -----
    The first-order method of SAS NLMIXED (method=firo; Beal & Sheiner 1982) makes the same expansion about zero, for
    gaussian rows; there ``variance="ml"`` is its likelihood.

    Standard errors of coefficients come from (X' V^-1 X)^-1 of the working model: they trust the variance above, and
    are no sandwich. The modes predict effects in the working model about zero, without expanding again at them.
    """

    method: ClassVar[str] = "mql"
    description: ClassVar[str] = "marginal quasi-likelihood"
    caveat: ClassVar[str] = _CAVEAT
    conditional: ClassVar[bool] = False
