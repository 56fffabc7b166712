"""The joint equations of coefficients and group effects, written out: for small problems, and for teaching."""

from __future__ import annotations

import numpy as np

from bayesglmm.engine.effects import EffectColumns
from bayesglmm.errors import FitError
from bayesglmm.frequentist.quasi.working_model import WorkingModel

__all__ = ["MAX_EQUATIONS", "joint_equations"]

#: Beyond so many unknowns the dense matrix is no longer something to look at.
MAX_EQUATIONS = 3000


def joint_equations(model: WorkingModel, theta: np.ndarray, log_sd: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the mixed model equations of a working model (Henderson 1975; Kachman 2000 for generalised models),

        [ X'WX   X'WZ        ] [beta]   [X'WY]
        [ Z'WX   Z'WZ + G^-1 ] [ u  ] = [Z'WY],    W divided by phi = exp(2 log_sd).

    A fit never forms them. With ``fit.prepared.working_model(fit.optimum.x)`` their solution is the fit's coefficients
    followed by its modes, and the inverse of the matrix holds their prediction error (co)variances.

    Parameters
    ----------
    model : WorkingModel
        Working response, weights, X and group terms.
    theta : ndarray, shape (k,)
        Parameters of Lambda; G is block diagonal, Lambda Lambda' for every level.
    log_sd : float
        Logarithm of sqrt(phi).

    Returns
    -------
    matrix : ndarray, shape (p + Q, p + Q)
        Left-hand side, in the coding of the formula: u term after term, level after level.
    right : ndarray, shape (p + Q,)
        Right-hand side.

    Raises
    ------
    FitError
        G has no inverse (a standard deviation is 0, or a correlation 1), or there are more than `MAX_EQUATIONS`
        unknowns.
    """
    design = model.design
    n, p = design.X.shape
    unknowns = p + design.n_effects
    if unknowns > MAX_EQUATIONS:
        raise FitError(
            f"the joint equations have {unknowns} unknowns, and written out they are for at most {MAX_EQUATIONS}; "
            "take a smaller data set."
        )
    effects = EffectColumns.of(design)
    whole = np.zeros((n, unknowns))
    whole[:, :p] = design.X
    for index, value in zip(effects.index, effects.value, strict=True):
        whole[np.arange(n), p + index] += value
    weighted = whole.T * (model.W * np.exp(-2.0 * log_sd))
    matrix, right = weighted @ whole, weighted @ model.y
    factor = model.layout.at(theta)
    for group, block, part in zip(design.groups, factor.natural_blocks, factor.layout.effect_slices, strict=True):
        if np.linalg.matrix_rank(block) < group.n_effects:
            raise FitError(
                f"the covariance matrix of the effects of {group.name} has no inverse: a standard deviation is 0 or a "
                "correlation is 1. Leave the effect out, and write the equations of the smaller model."
            )
        relationship = group.structure.relationship
        if relationship is not None:
            whole_term = slice(p + part.start, p + part.stop)
            matrix[whole_term, whole_term] += relationship.precision.toarray() / block[0, 0] ** 2
            continue
        precision = np.linalg.inv(block @ block.T)
        for level in range(group.n_levels):
            first = p + part.start + level * group.n_effects
            at = slice(first, first + group.n_effects)
            matrix[at, at] += precision
    return matrix, right
