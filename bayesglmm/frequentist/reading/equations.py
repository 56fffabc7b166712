"""Henderson's mixed model equations of a fit, written out with names: to look at, and to teach from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.factor import FactorLayout
from bayesglmm.engine.linear import precisions
from bayesglmm.engine.pattern import Pattern
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.modes import effect_names
from bayesglmm.frequentist.quasi.joint_equations import joint_equations
from bayesglmm.frequentist.quasi.pql import PQL
from bayesglmm.frequentist.quasi.working_model import WorkingModel
from bayesglmm.frequentist.working import Working

__all__ = ["MixedModelEquations", "mixed_model_equations"]


@dataclass(frozen=True, eq=False)
class MixedModelEquations:
    """The joint equations of coefficients and group effects (Henderson 1975; Kachman 2000 for generalised models).

    Attributes
    ----------
    matrix : DataFrame, shape (p + Q, p + Q)
        [X'WX, X'WZ; Z'WX, Z'WZ + G^-1], W the precisions of the (working) response.
    right : Series, length p + Q
        [X'WY; Z'WY].
    solution : Series, length p + Q
        Coefficients (BLUE) and group effects (BLUP).
    """

    matrix: pd.DataFrame
    right: pd.Series
    solution: pd.Series

    @property
    def covariance(self) -> pd.DataFrame:
        """The inverse of the matrix: covariances of the coefficients and of the prediction errors u^ - u."""
        inverse = np.linalg.inv(self.matrix.to_numpy())
        return pd.DataFrame(inverse, index=self.matrix.index, columns=self.matrix.columns)


def mixed_model_equations(fit: Fit) -> MixedModelEquations:
    """Return the equations that the coefficients and group effects of ``fit`` solve, at its variances.

    Raises
    ------
    SpecificationError
        A method whose estimates solve no such equations.
    FitError
        A covariance matrix of group effects that has no inverse, or more unknowns than can be looked at.
    """
    design = fit.design
    if design.residual is not None:
        raise SpecificationError(
            f"mixed model equations are written out for independent residuals, and this model has "
            f"{design.spec.residual}; fit.coefficients and fit.modes hold their solution."
        )
    if fit.method == PQL.method:
        model, working = fit.prepared.working_model(fit.optimum.x), fit.prepared.working  # type: ignore[attr-defined]
    elif design.is_linear and fit.method in ("ml", "reml", "laplace"):
        effects = EffectColumns.of(design, centered=True)
        pattern, layout = Pattern.of(design, effects), FactorLayout.of(design)
        y = design.y - design.offset
        model = WorkingModel(design, effects, pattern, layout, y, precisions(design), restricted=False)
        working = Working.of(design)
    else:
        raise SpecificationError(
            f"estimates by method {fit.method!r} solve no mixed model equations; those by 'ml' and 'reml' do, and "
            "those by 'pql' for its working response."
        )
    x, theta = fit.optimum.x, working.theta
    log_sd = float(x[theta.stop]) if len(x) > theta.stop else 0.0
    matrix, right = joint_equations(model, x[theta], log_sd)
    names = pd.Index([*design.coefficients, *effect_names(design)])
    return MixedModelEquations(
        pd.DataFrame(matrix, index=names, columns=names),
        pd.Series(right, index=names),
        pd.Series(np.linalg.solve(matrix, right), index=names),
    )
