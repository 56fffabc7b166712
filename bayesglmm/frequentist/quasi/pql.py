"""Penalised quasi-likelihood (Schall 1991; Breslow & Clayton 1993), for every family, link and structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bayesglmm.frequentist.quasi.estimator import QuasiEstimator

__all__ = ["PQL"]

_CAVEAT = (
    "Penalised quasi-likelihood understates the variances of group effects, and with them the size of coefficients, "
    "where groups hold few binary rows or small counts (Breslow & Lin 1995)."
)


@dataclass(frozen=True)
class PQL(QuasiEstimator):
    """Penalised quasi-likelihood: the mixed model is linearised at its own predictions, again and again.

    Coefficients and group effects solve the joint equations of a linear mixed model for the working response
    Y = eta + (y - mu) g'(mu) with weights W = w / (v(mu) g'(mu)^2) (Breslow & Clayton 1993, equations 8 to 12; Schall
    1991); variances maximise the REML or ML criterion of that linear model, until nothing moves. For Gaussian responses
    with the identity link this is REML or ML itself.

    Attributes
    ----------
    variance : {"reml", "ml"}
        Criterion of the variances. ``MASS::glmmPQL`` uses ``"ml"``, Breslow & Clayton and SAS GLIMMIX ``"reml"``.
    dispersion : bool
        Whether a residual dispersion, Var(y) = phi v(mu), is estimated too, as ``MASS::glmmPQL`` always does; phi is on
        the scale of variances, and glmmPQL prints its square root.

    Notes
    -----
    Standard errors of coefficients come from (X' V^-1 X)^-1 of the working model at the estimated variances, those of
    the variances from its observed information; both leave out that Y and W are estimates.
    """

    method: ClassVar[str] = "pql"
    description: ClassVar[str] = "penalised quasi-likelihood"
    caveat: ClassVar[str] = _CAVEAT
    conditional: ClassVar[bool] = True
