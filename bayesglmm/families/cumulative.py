"""Ordered categories, the cumulative model: P(y <= k) = F(c_k - eta), with cutpoints c_1 < c_2 < ... (McCullagh 1980).

y is the category in which a latent mu + noise lies, the noise with distribution function F and mu = eta; the cutpoints
play the part of the intercept. Signs are those of R's ordinal::clmm and of brms.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import DataError, Problem
from bayesglmm.families.bernoulli import eta_location, eta_scale
from bayesglmm.families.cumulative_rows import cloglog_row, logit_row, probit_row
from bayesglmm.families.defaults import mean_is_mu, no_constant, no_information
from bayesglmm.families.parts import Predictor
from bayesglmm.families.record import Array, Encoded, Family, FamilyLink, Link, Violation
from bayesglmm.families.responses import column_name, is_numeric, listing
from bayesglmm.families.support import not_whole, occurring

__all__ = ["CUMULATIVE"]

_NEEDS = "ordered categories, or whole numbers in their order"
_WHOLE = 'observed = observed.astype("int64")\n'
_LOGIT_CODE = _WHOLE + 'pm.OrderedLogistic("y", eta=eta, cutpoints=cutpoint, compute_p=False, observed=observed)\n'
# Shares of the categories without a difference of two numbers near 1; PyMC's OrderedProbit is good to 1e-6 alone.
_PROBIT_CODE = (
    f"{_WHOLE}"
    "upper = cutpoint[1:] - eta[:, None]\n"
    "lower = cutpoint[:-1] - eta[:, None]\n"
    "side = pt.switch(upper + lower > 0.0, -1.0, 1.0)\n"
    "inner = 0.5 * side * (pt.erfc(-side * upper / 2**0.5) - pt.erfc(-side * lower / 2**0.5))\n"
    "first = 0.5 * pt.erfc((eta[:, None] - cutpoint[:1]) / 2**0.5)\n"
    "last = 0.5 * pt.erfc((cutpoint[-1:] - eta[:, None]) / 2**0.5)\n"
    "share = pt.concatenate([first, inner, last], axis=1)\n"
    'pm.Categorical("y", p=share, observed=observed)\n'
)
_CLOGLOG_CODE = (
    f"{_WHOLE}"
    "w = pt.exp(cutpoint - eta[:, None])\n"
    "inner = -pt.exp(-w[:, :-1]) * pt.expm1(w[:, :-1] - w[:, 1:])\n"
    "share = pt.concatenate([-pt.expm1(-w[:, :1]), inner, pt.exp(-w[:, -1:])], axis=1)\n"
    'pm.Categorical("y", p=share, observed=observed)\n'
)


def _logit_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    (cutpoint,) = phi
    whole = _whole(observed)
    return pm.OrderedLogistic(name, eta=eta, cutpoints=cutpoint, compute_p=False, observed=whole, dims=dims)


def _probit_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    (cutpoint,) = phi
    root = pt.constant(2.0**0.5, dtype="float64")
    upper, lower = cutpoint[1:] - eta[:, None], cutpoint[:-1] - eta[:, None]
    side = pt.switch(upper + lower > 0.0, -1.0, 1.0)
    inner = 0.5 * side * (pt.erfc(-side * upper / root) - pt.erfc(-side * lower / root))
    first = 0.5 * pt.erfc((eta[:, None] - cutpoint[:1]) / root)
    last = 0.5 * pt.erfc((cutpoint[-1:] - eta[:, None]) / root)
    share = pt.concatenate([first, inner, last], axis=1)
    return pm.Categorical(name, p=share, observed=_whole(observed), dims=dims)


def _cloglog_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    (cutpoint,) = phi
    w = pt.exp(cutpoint - eta[:, None])
    inner = -pt.exp(-w[:, :-1]) * pt.expm1(w[:, :-1] - w[:, 1:])
    share = pt.concatenate([-pt.expm1(-w[:, :1]), inner, pt.exp(-w[:, -1:])], axis=1)
    return pm.Categorical(name, p=share, observed=_whole(observed), dims=dims)


def _whole(observed: Any) -> Any:
    """Return categories as whole numbers, by which PyMC finds their probabilities."""
    return observed.astype("int64")


def _encode(column: pd.Series) -> Encoded:
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        used = set(column.dropna())
        labels = [label for label in column.cat.categories if label in used]
    elif is_numeric(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if not_whole(numbers).any():
            raise _refused(column, "numbers that are not whole", "Round them, or cut them into an ordered categorical.")
        labels = [int(v) for v in np.unique(numbers[np.isfinite(numbers)])]
    else:
        found = listing(column.dropna())
        remedy = "Say their order: data[column] = pd.Categorical(data[column], categories=[...], ordered=True)."
        raise _refused(column, f"labels without an order ({found})", remedy)
    if len(labels) < 2:
        raise _refused(column, f"{len(labels)} category", "Check how the column was read or filtered.")
    values = np.full(len(column), np.nan)
    for k, label in enumerate(labels):
        values[(column == label).to_numpy(dtype=bool, na_value=False)] = k
    return Encoded(values, tuple(map(str, labels)))


def _refused(column: pd.Series, what: str, remedy: str) -> DataError:
    return DataError([Problem(column_name(column), f"{what}; cumulative needs {_NEEDS}. {remedy}", "labels")])


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y = np.asarray(y)
    return occurring(Violation(y < 0.0, "below 0"), Violation(not_whole(y), "not a whole number"))


def _simulate(noise: Callable[[np.random.Generator, Any], Array]) -> Callable[..., Array]:
    def simulate(rng: np.random.Generator, mu: Array, size: Array, cutpoints: Array, second: Array) -> Array:
        latent = mu + noise(rng, np.shape(mu))
        return np.asarray((latent[..., None] > cutpoints[..., None, :]).sum(axis=-1), dtype=np.float64)

    return simulate


def _gumbel(rng: np.random.Generator, shape: Any) -> Array:
    """Return noise with F(x) = 1 - exp(-exp(x))."""
    return np.asarray(-rng.gumbel(size=shape))


def _never(rng: np.random.Generator, mu: Array, size: Array, *_: Array) -> Array:
    raise NotImplementedError("each link simulates in its own way")


def _latent(name: str) -> Link:
    """Return the link under its name: mu is the place of the latent variable, which is eta itself."""
    return Link(name, np.positive, np.positive, "%s")


CUMULATIVE = Family(
    name="cumulative",
    links=MappingProxyType(
        {
            "logit": FamilyLink(
                _latent("logit"),
                logit_row,
                _logit_graph,
                _LOGIT_CODE,
                no_information,
                simulate=_simulate(lambda rng, shape: rng.logistic(size=shape)),
            ),
            "probit": FamilyLink(
                _latent("probit"),
                probit_row,
                _probit_graph,
                _PROBIT_CODE,
                no_information,
                simulate=_simulate(lambda rng, shape: rng.standard_normal(shape)),
            ),
            "cloglog": FamilyLink(
                _latent("cloglog"),
                cloglog_row,
                _cloglog_graph,
                _CLOGLOG_CODE,
                no_information,
                simulate=_simulate(_gumbel),
            ),
        }
    ),
    default_link="logit",
    dispersion=None,
    size=None,
    needs=_NEEDS,
    remedy="Recode them.",
    latex=r"\mathrm{Cumulative}(c - \mu_i)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=no_constant,
    simulate=_never,
    mean_of=mean_is_mu,
    location=eta_location,
    scale=eta_scale,
    predictors=(Predictor("cutpoint", "cutpoints"),),
)
