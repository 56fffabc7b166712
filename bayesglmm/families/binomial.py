"""Binomial responses: y successes in `size` trials, each with probability mu."""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bayesglmm.families.bernoulli import eta_location, eta_scale
from bayesglmm.families.binary_rows import LAPLACE_CAVEAT, cauchit_row, cloglog_row, logit_row, probit_row
from bayesglmm.families.expected import (
    cauchit_information,
    cloglog_information,
    logit_information,
    probit_information,
)
from bayesglmm.families.links import CAUCHIT, CLOGLOG, LOGIT, PROBIT
from bayesglmm.families.log_odds import LOG_ODDS
from bayesglmm.families.record import Array, Encoded, Family, FamilyLink, Graph, Information, Link, Row, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.support import not_whole, occurring

__all__ = ["BINOMIAL"]

_NEEDS = "whole numbers from 0 to the number of trials"


def _graph(link: str) -> Graph:
    def graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
        logit_p = LOG_ODDS[link].graph(pt, eta)
        return pm.Binomial(name, n=pt.cast(size, "int64"), logit_p=logit_p, observed=observed, dims=dims)

    return graph


def _family_link(link: Link, row: Row, information: Information) -> FamilyLink:
    statement = 'pm.Binomial("y", n=pt.cast(size, "int64"), logit_p=logit_p, observed=observed)\n'
    return FamilyLink(link, row, _graph(link.name), LOG_ODDS[link.name].code + statement, information)


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "binomial", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y, size = np.broadcast_arrays(y, size)
    return occurring(
        Violation(y < 0.0, "below 0"),
        Violation(not_whole(y), "not a whole number"),
        Violation(y > size, "with more successes than trials"),
        Violation(size < 0.0, "with a number of trials below 0"),
        Violation(not_whole(size), "with a number of trials that is not whole"),
    )


def _log_constant(y: Array, size: Array) -> Array:
    # log C(n, y) by the beta function: a difference of three log-factorials cancels when n is large.
    y, size = np.asarray(y, dtype=np.float64), np.asarray(size, dtype=np.float64)
    return np.asarray(-special.betaln(y + 1.0, size - y + 1.0) - np.log1p(size))


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    return np.asarray(rng.binomial(np.asarray(size).astype(np.int64), mu), dtype=np.float64)


def _mean_of(mu: Array, size: Array) -> Array:
    return np.multiply(size, mu)


BINOMIAL = Family(
    name="binomial",
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
    size="trials",
    needs=_NEEDS,
    remedy='Correct the counts, or choose family="poisson" for counts without a number of trials.',
    latex=r"\mathrm{Binomial}(n_i, \mu_i)",
    laplace_caveat=LAPLACE_CAVEAT,
    encode=_encode,
    violations=_violations,
    log_constant=_log_constant,
    simulate=_simulate,
    mean_of=_mean_of,
    location=eta_location,
    scale=eta_scale,
)
