"""Default priors: weakly informative, on the scale of the data, for centred columns.

Constants follow rstanarm and brms (Gabry & Goodrich, rstanarm's "Prior distributions" vignette: autoscaled
normal priors with 2.5 standard deviations). Every function is pure: scales come in, a Prior comes out. A
scale that is zero or not finite (a constant column, an empty response) counts as 1, so that a default always
exists; `validate()` is where such data are reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from bayesglmm.priors.prior import Prior

__all__ = [
    "WIDTH",
    "coefficient_defaults",
    "correlation_default",
    "dispersion_default",
    "sd_default",
]

#: Number of natural scales that a default prior's standard deviation spans.
WIDTH = 2.5
INTERCEPT = "Intercept"


def coefficient_defaults(
    column_sds: Mapping[str, float],
    location: float,
    scale: float,
    cell_means: Collection[str] = (),
) -> dict[str, Prior]:
    """Return the default prior of each coefficient.

    Parameters
    ----------
    column_sds : mapping of str to float
        Standard deviation of each column of X, by coefficient. A key ``Intercept`` is the intercept of the
        model whose other columns are centred: its prior is for the linear predictor at the columns' means.
    location, scale : float
        Where the linear predictor lies and its natural scale (`Family.location`, `Family.scale`).
    cell_means : collection of str
        Coefficients of a factor coded without intercept: each is a level of the linear predictor, not a
        difference.

    Returns
    -------
    dict of str to Prior
        Normal(location, 2.5 scale) for the intercept and cell means, Normal(0, 2.5 scale / sd(x)) for slopes.
    """
    width = WIDTH * _positive(scale)
    levels = {INTERCEPT, *cell_means}
    return {
        name: Prior("Normal", mu=_finite(location), sigma=width)
        if name in levels
        else Prior("Normal", mu=0.0, sigma=width / _positive(sd))
        for name, sd in column_sds.items()
    }


def sd_default(scale: float, column_scale: float = 1.0) -> Prior:
    """Return the default prior of a group effect's standard deviation.

    Parameters
    ----------
    scale : float
        Natural scale of the linear predictor.
    column_scale : float
        1 for a group intercept; for a slope the standard deviation of the centred column. (A scale of the
        raw column would make the prior of a covariate around 1000 with spread 1 a thousand times too tight
        or too wide.)

    Returns
    -------
    Prior
        HalfNormal(2.5 scale / column_scale).
    """
    return Prior("HalfNormal", sigma=WIDTH * _positive(scale) / _positive(column_scale))


def dispersion_default(form: Callable[[float], tuple[str, Mapping[str, float]]], scale: float) -> Prior:
    """Return the default prior of a dispersion parameter.

    Parameters
    ----------
    form : callable
        ``form(scale) -> (distribution, params)``, the family's own (`families.record.Dispersion.prior`).
    scale : float
        Natural scale of the linear predictor.
    """
    name, params = form(_positive(scale))
    return Prior(name, dict(params))


def correlation_default() -> Prior:
    """Return the default prior of a correlation matrix, LKJ(1): uniform over correlation matrices."""
    return Prior("LKJ", eta=1.0)


def _positive(value: float) -> float:
    return float(value) if math.isfinite(value) and value > 0.0 else 1.0


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0
