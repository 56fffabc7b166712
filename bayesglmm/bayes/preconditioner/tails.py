"""Coordinates without a long tail for standard deviations that the data hardly tell from 0."""

from __future__ import annotations

import numpy as np

from bayesglmm.parameters import Parameters
from bayesglmm.priors import evaluate_scalar
from bayesglmm.priors.transforms import LOG, SHORT_LOG

__all__ = ["short_tails"]

#: Standard deviations whose logarithm is known to less than this may be near 0.
_TOLD_FROM_ZERO = 0.15
#: Where sigma = 2 scale: h(x) = log 2 (see `transforms.to_value`).
_WHERE_H_IS_LOG_2 = 0.4966322403461346
#: 1 / h'(x) there.
_SHRUNK = 0.7633880018954766


def short_tails(
    parameters: Parameters, x: np.ndarray, inverse_hessian: np.ndarray, sds: slice
) -> tuple[Parameters, np.ndarray, np.ndarray]:
    """Return parameters with other coordinates for some standard deviations, and the same point in them.

    The third is how many times as wide each coordinate has become there, shape (d,).

    Below half of its value at a fit, a standard deviation that is known to worse than 15 % is measured so that 0 comes
    near: most of such posteriors is not symmetric on the log scale.

    Parameters
    ----------
    parameters : Parameters
        Priors, every standard deviation sampled as its logarithm.
    x : ndarray, shape (d,)
        Maximum of the marginal density.
    inverse_hessian : ndarray, shape (d, d)
        Approximate covariance there.
    sds : slice
        Positions of the standard deviations of group effects in x.
    """
    first = len(parameters.coefficients)
    scales, moved, shrunk = [], x.copy(), np.ones(len(x))
    for k in range(sds.start, sds.stop):
        position = first + k - sds.start
        prior = parameters.scalars[position]
        wide = inverse_hessian[k, k] ** 0.5 > _TOLD_FROM_ZERO
        value = evaluate_scalar(x[k], parameters.table[position])[0]
        short = wide and prior.transform == LOG and prior.shortened(1.0).transform == SHORT_LOG
        scales.append(0.5 * value if short else 0.0)
        if short:
            moved[k], shrunk[k] = _WHERE_H_IS_LOG_2, _SHRUNK
    return (parameters.with_short_tails(scales), moved, shrunk) if any(scales) else (parameters, x, shrunk)
