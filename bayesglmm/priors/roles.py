"""Which priors a parameter can have: coefficients, scales and correlations each take their own kinds."""

from __future__ import annotations

import re
from typing import Literal

from bayesglmm.priors.prior import Prior
from bayesglmm.priors.registry import DISTRIBUTIONS

__all__ = ["Role", "minimum_levels", "refusal", "role_of_key", "speaks_of", "tidy_key"]

Role = Literal["coefficient", "sd", "cor", "dispersion"]

_WORDS: dict[str, Role] = {"sd": "sd", "cor": "cor", "sigma": "dispersion", "phi": "dispersion", "nu": "dispersion"}
_CALL = re.compile(r"\s*(sd|cor)\s*\((.*)\)\s*", re.DOTALL)


def tidy_key(key: str) -> str:
    """Return a prior's key in its canonical spelling: ``sd(subject,days)`` is ``sd(subject, days)``."""
    call = _CALL.fullmatch(key)
    if call is None:
        return key  # names of coefficients are taken as they are, spaces included
    return f"{call[1]}({', '.join(part.strip() for part in call[2].split(','))})"


def role_of_key(key: str) -> Role:
    """Return what a key of ``priors`` speaks of; whatever is not said otherwise is a coefficient."""
    tidy = tidy_key(key)
    call = _CALL.fullmatch(tidy)
    return _WORDS.get(call[1] if call else tidy, "coefficient")


def speaks_of(key: str, factor: str) -> bool:
    """Whether ``sd(...)`` or ``cor(...)`` names this grouping factor."""
    tidy = tidy_key(key)
    return any(tidy == f"{word}({factor})" or tidy.startswith(f"{word}({factor}, ") for word in ("sd", "cor"))


def refusal(role: Role, prior: Prior) -> str | None:
    """Say why a parameter cannot have this prior, or return None.

    Parameters
    ----------
    role : {"coefficient", "sd", "cor", "dispersion"}
        What the parameter is.
    prior : Prior
        What it was given.
    """
    if role == "cor":
        return _correlation_refusal(prior)
    if prior.distribution.support == "correlation":
        return f"{prior.dist} is a prior of correlation matrices; it belongs to cor or cor(...)."
    if role == "coefficient":
        return _coefficient_refusal(prior)
    return _scale_refusal(prior)


def _correlation_refusal(prior: Prior) -> str | None:
    if prior.distribution.support != "correlation":
        return f'{prior} is given; correlations take {{dist = "LKJ", eta = 1}} (eta > 1 pulls them towards 0).'
    if prior.on != "sd":
        return f'on = "{prior.on}" is given; correlations have neither. Leave `on` out.'
    return None


def _coefficient_refusal(prior: Prior) -> str | None:
    if prior.on != "sd":
        return f'on = "{prior.on}" is given; a coefficient has none, only scales do. Leave `on` out.'
    if prior.dist == "HalfFlat":
        # One sign forced on a coefficient without any scale is never meant; a proper one-sided prior is.
        return "HalfFlat is for scales; a coefficient takes Flat, or Exponential to keep it positive."
    return None


def _scale_refusal(prior: Prior) -> str | None:
    distribution = prior.distribution
    if distribution.half_line is None and distribution.support == "real":
        half = f"Half{prior.dist}"
        instead = half if half in DISTRIBUTIONS else "HalfNormal"
        return (
            f"{prior} is given; it allows negative values and a scale is positive. "
            f"Use {instead}, Exponential, Gamma, InverseGamma or Uniform."
        )
    if distribution.support == "interval" and prior.params["lower"] < 0:
        return f"{prior} is given; a scale is positive. Use lower = 0 or above."
    if not distribution.is_proper and prior.on == "precision":
        # p(precision) = 1 is p(sd) = sd^-3: infinite mass at sd = 0, where the likelihood is positive.
        return (
            f"{prior} is given; a flat prior of a precision has an improper posterior, whatever the data. "
            'Put it on the sd (leave `on` out), or take {dist = "Gamma", alpha = 1, beta = 1} there.'
        )
    return None


def minimum_levels(prior: Prior) -> int:
    """Return how many levels a grouping factor needs for a proper posterior of its sd under this prior.

    Returns
    -------
    int
        3 for a flat prior of the sd, 4 for one of the variance, 1 for a proper prior.

    Notes
    -----
    The likelihood of an sd falls as sd^(1 - J) for J levels whose mean is free, so that its integral against
    a flat prior is finite from J = 3; flat in the variance adds a factor sd (Gelman 2006, Bayesian Analysis
    1, 515-534).
    """
    if prior.distribution.is_proper:
        return 1
    return {"sd": 3, "variance": 4}[prior.on]
