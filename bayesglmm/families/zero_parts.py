"""Zero-inflated Poisson and negative binomial counts, and the Poisson hurdle: each with a formula for its zeros."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

import dataclasses
import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bayesglmm.families.defaults import no_information
from bayesglmm.families.links import LOG
from bayesglmm.families.negative_binomial import NEGATIVE_BINOMIAL
from bayesglmm.families.parts import Predictor
from bayesglmm.families.poisson import POISSON
from bayesglmm.families.record import Array, Encoded, Family, FamilyLink
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.zero_rows import (
    hurdle_poisson_row,
    zero_inflated_negative_binomial_row,
    zero_inflated_poisson_row,
)

__all__ = ["HURDLE_POISSON", "ZERO_INFLATED_NEGATIVE_BINOMIAL", "ZERO_INFLATED_POISSON"]

_NEEDS = "counts >= 0"
_ZERO = Predictor("zero", "formula")


def _location(y: Array, size: Array, link: str) -> float:
    """Return the logarithm of the mean of what is not 0: zeros may be of the zero part."""
    counts = np.asarray(y)[np.asarray(y) > 0.0]
    return math.log(float(counts.mean())) if len(counts) else POISSON.location(y, size, link)


def _inflated_poisson_graph(
    pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any
) -> Any:
    (zero,) = phi
    return pm.ZeroInflatedPoisson(name, psi=pm.math.sigmoid(-zero), mu=pt.exp(eta), observed=observed, dims=dims)


def _inflated_negative_binomial_graph(
    pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any
) -> Any:
    alpha, zero = phi
    psi = pm.math.sigmoid(-zero)
    return pm.ZeroInflatedNegativeBinomial(name, psi=psi, mu=pt.exp(eta), alpha=alpha, observed=observed, dims=dims)


def _hurdle_poisson_graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
    (zero,) = phi
    return pm.HurdlePoisson(name, psi=pm.math.sigmoid(-zero), mu=pt.exp(eta), observed=observed, dims=dims)


def _kept(rng: np.random.Generator, zero: Array, counts: Array) -> Array:
    """Return the counts, with a 0 in the place of those that the zero part takes."""
    return np.where(rng.random(np.shape(counts)) < special.expit(zero), 0.0, counts)


def _simulate_inflated_poisson(rng: np.random.Generator, mu: Array, size: Array, zero: Array, second: Array) -> Array:
    return _kept(rng, zero, POISSON.simulate(rng, mu, size, 1.0))


def _simulate_inflated_negative_binomial(
    rng: np.random.Generator, mu: Array, size: Array, phi: Array, zero: Array
) -> Array:
    return _kept(rng, zero, NEGATIVE_BINOMIAL.simulate(rng, mu, size, phi))


def _simulate_hurdle_poisson(rng: np.random.Generator, mu: Array, size: Array, zero: Array, second: Array) -> Array:
    """Return zeros, or counts that are not 0: one event at a time drawn to be the first, the others after it.

    The first of a Poisson process of rate mu on (0, 1), given that there is one, comes at -log(1 - U (1 - exp(-mu))) /
    mu; what comes after it is Poisson again.
    """
    mu, _ = np.broadcast_arrays(mu, size)
    passed = -np.log1p(rng.random(np.shape(mu)) * np.expm1(-mu))
    return _kept(rng, zero, 1.0 + POISSON.simulate(rng, np.maximum(mu - passed, 0.0), size, 1.0))


def _one(mu: Array, size: Array) -> Array:
    """Return ones: of a row above the hurdle the range of mu says nothing, and zeros do not depend on it."""
    return np.ones(np.broadcast_shapes(np.shape(mu), np.shape(size)))


def _family(name: str, link: FamilyLink, predictors: tuple[Predictor, ...], latex: str, **changes: Any) -> Family:
    def encode(column: pd.Series) -> Encoded:
        return encode_numbers(column, name, _NEEDS)

    own = {"encode": encode, "location": _location, "links": MappingProxyType({"log": link}), "default_link": "log"}
    return dataclasses.replace(POISSON, name=name, latex=latex, predictors=predictors, **{**own, **changes})


ZERO_INFLATED_POISSON = _family(
    "zero_inflated_poisson",
    FamilyLink(
        LOG,
        zero_inflated_poisson_row,
        _inflated_poisson_graph,
        'mu = pt.exp(eta)\npm.ZeroInflatedPoisson("y", psi=pm.math.sigmoid(-zero_of_row), mu=mu, observed=observed)\n',
        no_information,
    ),
    (_ZERO,),
    r"\mathrm{ZeroInflatedPoisson}(\pi_i, \mu_i)",
    simulate=_simulate_inflated_poisson,
)

ZERO_INFLATED_NEGATIVE_BINOMIAL = _family(
    "zero_inflated_negative_binomial",
    FamilyLink(
        LOG,
        zero_inflated_negative_binomial_row,
        _inflated_negative_binomial_graph,
        "mu = pt.exp(eta)\npsi = pm.math.sigmoid(-zero_of_row)\n"
        'pm.ZeroInflatedNegativeBinomial("y", psi=psi, mu=mu, alpha=phi, observed=observed)\n',
        no_information,
    ),
    (Predictor("phi", "scale", NEGATIVE_BINOMIAL.phi), _ZERO),
    r"\mathrm{ZeroInflatedNegativeBinomial}(\pi_i, \mu_i, \phi)",
    dispersion="phi",
    phi=NEGATIVE_BINOMIAL.phi,
    simulate=_simulate_inflated_negative_binomial,
)

HURDLE_POISSON = _family(
    "hurdle_poisson",
    FamilyLink(
        LOG,
        hurdle_poisson_row,
        _hurdle_poisson_graph,
        'mu = pt.exp(eta)\npm.HurdlePoisson("y", psi=pm.math.sigmoid(-zero_of_row), mu=mu, observed=observed)\n',
        no_information,
    ),
    (_ZERO,),
    r"\mathrm{HurdlePoisson}(\pi_i, \mu_i)",
    simulate=_simulate_hurdle_poisson,
    mean_of=_one,
)
