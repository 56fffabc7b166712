"""Beta responses: shares between 0 and 1 with mean mu and variance mu (1 - mu) / (1 + phi).

y ~ Beta(mu phi, (1 - mu) phi); phi is the precision of Ferrari & Cribari-Neto (2004, J. Appl. Stat. 31:799), and
glmmTMB's sigma() of beta_family.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.bernoulli import eta_location, eta_scale
from bayesglmm.families.defaults import half_normal_root, mean_is_mu, start_at
from bayesglmm.families.expected import beta_information
from bayesglmm.families.links import CLOGLOG, LOGIT, PROBIT
from bayesglmm.families.log_odds import LOG_ODDS
from bayesglmm.families.probability_rows import beta_cloglog_row, beta_logit_row, beta_probit_row
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, Graph, Link, Row, Violation
from bayesglmm.families.responses import encode_numbers
from bayesglmm.families.support import occurring

__all__ = ["BETA"]

_NEEDS = "numbers above 0 and below 1"


def _graph(link: str) -> Graph:
    def graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
        logit_p = LOG_ODDS[link].graph(pt, eta)
        a, b = phi * pt.sigmoid(logit_p), phi * pt.sigmoid(-logit_p)
        return pm.Beta(name, alpha=a, beta=b, observed=observed, dims=dims)

    return graph


def _family_link(link: Link, row: Row) -> FamilyLink:
    code = LOG_ODDS[link.name].code + (
        "a, b = phi * pt.sigmoid(logit_p), phi * pt.sigmoid(-logit_p)\n"
        'pm.Beta("y", alpha=a, beta=b, observed=observed)\n'
    )
    return FamilyLink(link, row, _graph(link.name), code, beta_information(link.name))


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "beta", _NEEDS)


def _violations(y: Array, size: Array) -> tuple[Violation, ...]:
    y = np.asarray(y)
    return occurring(
        Violation(y < 0.0, "below 0"),
        Violation(y == 0.0, "exactly 0"),
        Violation(y == 1.0, "exactly 1"),
        Violation(y > 1.0, "above 1"),
    )


def _log_constant(y: Array, size: Array) -> Array:
    y, _ = np.broadcast_arrays(y, size)
    return -np.log(y) - np.log1p(-y)


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    mu, _, phi = np.broadcast_arrays(mu, size, phi)
    tiny = np.finfo(np.float64).tiny
    drawn = rng.beta(np.maximum(mu * phi, tiny), np.maximum((1.0 - mu) * phi, tiny))
    # With a or b far below 1 most of the mass lies next to an end, which is no response.
    return np.clip(drawn, tiny, 1.0 - np.finfo(np.float64).epsneg)


BETA = Family(
    name="beta",
    links=MappingProxyType(
        {
            "logit": _family_link(LOGIT, beta_logit_row),
            "probit": _family_link(PROBIT, beta_probit_row),
            "cloglog": _family_link(CLOGLOG, beta_cloglog_row),
        }
    ),
    default_link="logit",
    dispersion="phi",
    size=None,
    needs=_NEEDS,
    remedy=(
        "Divide percentages by 100; shares that are exactly 0 or 1 have no density here: give counts with "
        'family="binomial" or "beta_binomial" if they are counts of trials, or leave these rows out.'
    ),
    latex=r"\mathrm{Beta}(\mu_i\phi, (1 - \mu_i)\phi)",
    laplace_caveat="",
    encode=_encode,
    violations=_violations,
    log_constant=_log_constant,
    simulate=_simulate,
    mean_of=mean_is_mu,
    location=eta_location,
    scale=eta_scale,
    phi=Dispersion(
        # About phi^(-1/2) times that of a single trial is the standard deviation of a row: half normal with scale 1,
        # positive at 0; half of the mass lies below phi = 2.2, an eighth above 40.
        prior=half_normal_root(inverse=True),
        start=start_at(5.0),
        exact_at=np.inf,
        mean_family="bernoulli",
    ),
)
