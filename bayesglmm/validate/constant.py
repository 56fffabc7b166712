"""A response that does not vary."""

from __future__ import annotations

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.validate.limits import directions
from bayesglmm.validate.words import number_text

__all__ = ["constant_response_warnings"]


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
    remedy = "Check how the column was read or filtered."
    message = f"constant response: every row has {value}; {consequence}. {remedy}"
    return [Problem(design.response_name, message, "constant response")]
