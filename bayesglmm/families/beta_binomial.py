"""Beta-binomial responses: y successes in `size` trials whose probability varies from row to row.

y ~ Binomial(size, p), p ~ Beta(mu phi, (1 - mu) phi): mean size mu, and the binomial's variance times
1 + (size - 1) / (1 + phi). phi is the beta's precision, glmmTMB's sigma() of betabinomial; 1 / (1 + phi) is the
correlation of two trials of a row.
"""

# One signature serves every family; not every family uses all of its arguments.

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.bernoulli import eta_location, eta_scale
from bayesglmm.families.binary_rows import LAPLACE_CAVEAT
from bayesglmm.families.binomial import BINOMIAL
from bayesglmm.families.defaults import half_normal_root, start_at
from bayesglmm.families.expected import beta_binomial_information
from bayesglmm.families.links import LOGIT
from bayesglmm.families.log_odds import LOG_ODDS
from bayesglmm.families.probability_rows import beta_binomial_logit_row
from bayesglmm.families.record import Array, Dispersion, Encoded, Family, FamilyLink, Graph, Link, Row
from bayesglmm.families.responses import encode_numbers

__all__ = ["BETA_BINOMIAL"]

_NEEDS = "whole numbers from 0 to the number of trials"


def _graph(link: str) -> Graph:
    def graph(pm: Any, pt: Any, name: str, eta: Any, size: Any, phi: Any, observed: Any, dims: Any) -> Any:
        logit_p = LOG_ODDS[link].graph(pt, eta)
        a, b = phi * pt.sigmoid(logit_p), phi * pt.sigmoid(-logit_p)
        return pm.BetaBinomial(name, n=pt.cast(size, "int64"), alpha=a, beta=b, observed=observed, dims=dims)

    return graph


def _family_link(link: Link, row: Row) -> FamilyLink:
    code = LOG_ODDS[link.name].code + (
        "a, b = phi * pt.sigmoid(logit_p), phi * pt.sigmoid(-logit_p)\n"
        'pm.BetaBinomial("y", n=pt.cast(size, "int64"), alpha=a, beta=b, observed=observed)\n'
    )
    return FamilyLink(link, row, _graph(link.name), code, beta_binomial_information(link.name))


def _encode(column: pd.Series) -> Encoded:
    return encode_numbers(column, "beta_binomial", _NEEDS)


def _simulate(rng: np.random.Generator, mu: Array, size: Array, phi: Array | float) -> Array:
    mu, size, phi = np.broadcast_arrays(mu, size, phi)
    tiny = np.finfo(np.float64).tiny
    p = rng.beta(np.maximum(mu * phi, tiny), np.maximum((1.0 - mu) * phi, tiny))
    return BINOMIAL.simulate(rng, p, size, 1.0)


BETA_BINOMIAL = Family(
    name="beta_binomial",
    links=MappingProxyType(
        {
            "logit": _family_link(LOGIT, beta_binomial_logit_row),
        }
    ),
    default_link="logit",
    dispersion="phi",
    size="trials",
    needs=_NEEDS,
    remedy='Correct the counts, or choose family="negative_binomial" for counts without a number of trials.',
    latex=r"\mathrm{BetaBinomial}(n_i, \mu_i\phi, (1 - \mu_i)\phi)",
    laplace_caveat=LAPLACE_CAVEAT,
    encode=_encode,
    violations=BINOMIAL.violations,
    log_constant=BINOMIAL.log_constant,
    simulate=_simulate,
    mean_of=BINOMIAL.mean_of,
    location=eta_location,
    scale=eta_scale,
    phi=Dispersion(
        # As for beta: phi^(-1/2) half normal with scale 1; positive at 0, where rows are binomial.
        prior=half_normal_root(inverse=True),
        start=start_at(5.0),
        limit='the data show no overdispersion beyond that of the group terms; family="binomial" fits as well',
        mean_family="binomial",
    ),
)
