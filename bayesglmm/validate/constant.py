"""A response that does not vary."""

from __future__ import annotations

from typing import Final

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.validate.limits import directions
from bayesglmm.validate.words import number_text

__all__ = ["constant_response_warnings"]

#: A residual this short against the response is rounding.
_ROUNDING: Final = 1e-10


def constant_response_warnings(design: Design) -> list[Problem]:
    """Return that every row has the same response (for counts of trials: the same share), if so."""
    share = design.y / np.broadcast_to(design.family.mean_of(np.ones(1), design.size), design.y.shape)
    if share.min() < share.max():
        return []
    value = number_text(float(share[0]))
    if design.response_labels is not None:
        value = repr(design.response_labels[int(share[0])])
    at_end = directions(design)
    if at_end.any():
        consequence = "the likelihood has no maximum, and without a prior the intercept grows without bound"
    else:
        consequence = "no term can explain anything"
    rule = design.family.phi
    if design.dispersion is not None and rule is not None and rule.exact_at >= 0.0 and _fits_exactly(design):
        what = "the residual standard deviation" if rule.residual_sd else "the dispersion"
        end = "0" if rule.exact_at == 0.0 else "infinite"
        consequence += f"; {what} ({design.dispersion}) is then {end} and a classical fit has no maximum"
    remedy = "Check how the column was read or filtered."
    message = f"constant response: every row has {value}; {consequence}. {remedy}"
    return [Problem(design.response_name, message, "constant response")]


def _fits_exactly(design: Design) -> bool:
    """Whether some coefficients or group effects give every row its response."""
    with np.errstate(all="ignore"):
        eta = design.family_link.link.forward(design.y) - design.offset
    if not np.isfinite(eta).all():
        return False
    length = float(np.linalg.norm(eta))
    if np.ptp(eta) <= _ROUNDING * length and any(group.has_intercept for group in design.groups):
        return True
    coefficients = np.linalg.lstsq(design.X, eta, rcond=None)[0]
    return bool(np.linalg.norm(eta - design.X @ coefficients) <= _ROUNDING * length)
