"""Bernoulli responses: y = 1 with probability mu, else 0."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.binary_rows import LAPLACE_CAVEAT, cauchit_row, cloglog_row, logit_row, probit_row
from bayesglmm.families.defaults import mean_is_mu, no_constant
from bayesglmm.families.expected import (
    cauchit_information,
    cloglog_information,
    logit_information,
    probit_information,
)
from bayesglmm.families.links import CAUCHIT, CLOGLOG, LOGIT, PROBIT
from bayesglmm.families.log_odds import LOG_ODDS
from bayesglmm.families.record import Array, Encoded, Family, FamilyLink, Graph, Information, Link, Row, Violation
from bayesglmm.families.responses import encode_labels, encode_numbers, is_numeric
from bayesglmm.families.support import occurring

__all__ = ["BERNOULLI", "eta_location", "eta_scale"]

_NEEDS = "0 or 1, False or True, or two labels"


def _graph(link: str) -> Graph:
    def graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
        return pm.Bernoulli(name, logit_p=LOG_ODDS[link].graph(pt, eta), observed=observed, dims=dims)

    return graph


def _family_link(link: Link, row: Row, information: Information) -> FamilyLink:
    code = LOG_ODDS[link.name].code + 'pm.Bernoulli("y", logit_p=logit_p, observed=observed)\n'
    return FamilyLink(link, row, _graph(link.name), code, information)


def _encode(column: pd.Series) -> Encoded:
    if is_numeric(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return encode_numbers(column, "bernoulli", _NEEDS)
    return encode_labels(column, "bernoulli", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y = np.asarray(y)
    return occurring(Violation(~np.isnan(y) & (y != 0.0) & (y != 1.0), "neither 0 nor 1"))


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    shape = np.broadcast_shapes(np.shape(mu), np.shape(size))
    return rng.binomial(1, mu, size=shape).astype(np.float64)


def eta_location(y: Array, size: Array, link: str) -> float:
    """Return 0: eta is about 0 at even odds, and a few units cover all probabilities."""
    return 0.0


def eta_scale(y: Array, size: Array, link: str) -> float:
    """Return 1, or 1/1.6 for probit, whose slope at even odds is about 1.6 times that of logit."""
    return 1.0 / 1.6 if link == "probit" else 1.0


BERNOULLI = Family(
    name="bernoulli",
    links=MappingProxyType(
        {
            "logit": _family_link(LOGIT, logit_row, logit_information),
            "probit": _family_link(PROBIT, probit_row, probit_information),
            "cloglog": _family_link(CLOGLOG, cloglog_row, cloglog_information),
            "cauchit": _family_link(CAUCHIT, cauchit_row, cauchit_information),
        }
    ),
    default_link="logit",
    dispersion=None,
    size=None,
    needs=_NEEDS,
    remedy='Recode them, or choose family="binomial" for counts of successes.',
    latex=r"\mathrm{Bernoulli}(\mu_i)",
    laplace_caveat=LAPLACE_CAVEAT,
    encode=_encode,
    violations=_violations,
    log_constant=no_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=eta_location,
    scale=eta_scale,
)
