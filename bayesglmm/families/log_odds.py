"""log(mu) - log(1 - mu) as a function of eta, in PyTensor and as source text, for each link of binary data.

PyMC's Bernoulli and Binomial take `logit_p`, and PyTensor turns log(sigmoid(logit_p)) into a softplus; so
log-odds that are accurate in both tails are all that a stable graph needs.
"""

# One signature serves every family; not every family uses all of its arguments.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["LOG_ODDS", "LogOdds"]


@dataclass(frozen=True)
class LogOdds:
    """The log-odds of one link.

    Attributes
    ----------
    graph : callable
        ``graph(pt, eta)`` with ``pt`` the module ``pytensor.tensor``; returns the log-odds.
    code : str
        Python statements over ``pt`` and ``eta`` that define ``logit_p``.
    """

    graph: Callable[[Any, Any], Any]
    code: str


def _logit(pt: Any, eta: Any) -> Any:
    return eta


def _log_ndtr(pt: Any, x: Any) -> Any:
    # erfcx would be shorter than erfc and a series, but JAX has none without further packages.
    # Each branch of a switch is evaluated everywhere, and its gradient multiplied by 0 where it is not taken:
    # every branch must stay finite, hence the argument of each is held inside its own range.
    lower = pt.clip(x, -30.0, 0.0)
    upper = pt.maximum(x, 0.0)
    t = pt.maximum(-x, 30.0)
    series = pt.log1p(-1.0 / t**2 + 3.0 / t**4 - 15.0 / t**6 + 105.0 / t**8)
    far = -0.5 * t**2 - pt.log(t) - 0.9189385332046727 + series
    near = pt.switch(x < 0.0, pt.log(0.5 * pt.erfc(-lower / 2.0**0.5)), pt.log1p(-0.5 * pt.erfc(upper / 2.0**0.5)))
    return pt.switch(x < -30.0, far, near)


def _probit(pt: Any, eta: Any) -> Any:
    return _log_ndtr(pt, eta) - _log_ndtr(pt, -eta)


def _cloglog(pt: Any, eta: Any) -> Any:
    w = pt.exp(eta)
    return w + pt.log1mexp(-w)


def _cauchit(pt: Any, eta: Any) -> Any:
    return pt.log(pt.arctan2(1.0, -eta)) - pt.log(pt.arctan2(1.0, eta))


_PROBIT_CODE = '''\
def log_ndtr(x):
    """log Phi(x); the asymptotic series below -30, where erfc is about to underflow."""
    lower = pt.clip(x, -30.0, 0.0)
    upper = pt.maximum(x, 0.0)
    t = pt.maximum(-x, 30.0)
    series = pt.log1p(-1.0 / t**2 + 3.0 / t**4 - 15.0 / t**6 + 105.0 / t**8)
    far = -0.5 * t**2 - pt.log(t) - 0.9189385332046727 + series
    near = pt.switch(
        x < 0.0, pt.log(0.5 * pt.erfc(-lower / 2.0**0.5)), pt.log1p(-0.5 * pt.erfc(upper / 2.0**0.5))
    )
    return pt.switch(x < -30.0, far, near)


logit_p = log_ndtr(eta) - log_ndtr(-eta)
'''

LOG_ODDS: Mapping[str, LogOdds] = MappingProxyType(
    {
        "logit": LogOdds(_logit, "logit_p = eta\n"),
        "probit": LogOdds(_probit, _PROBIT_CODE),
        "cloglog": LogOdds(_cloglog, "w = pt.exp(eta)\nlogit_p = w + pt.log1mexp(-w)\n"),
        "cauchit": LogOdds(_cauchit, "logit_p = pt.log(pt.arctan2(1.0, -eta)) - pt.log(pt.arctan2(1.0, eta))\n"),
    }
)
