"""Conditional modes (BLUPs) of the group effects with prediction error sds, as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import RelativeFactor

__all__ = ["effect_names", "mode_table", "prediction_variances"]


def mode_table(design: Design, u: np.ndarray, variance: np.ndarray) -> pd.DataFrame:
    """Return ``name``, ``factor``, ``level``, ``effect``, ``mode`` and ``std_error`` of every group effect.

    Parameters
    ----------
    design : Design
        Data.
    u : ndarray, shape (Q,)
        Group effects as the formula codes them, term after term, level after level.
    variance : ndarray, shape (Q,)
        Their prediction error variances; nan where a method has none.
    """
    groups = design.groups
    columns = {
        "name": effect_names(design),
        "factor": [name for g in groups for name in [g.name] * g.size],
        "level": [level for g in groups for level in g.factor.levels for _ in g.effects],
        "effect": [effect for g in groups for _ in range(g.n_levels) for effect in g.effects],
    }
    return pd.DataFrame({**columns, "mode": u, "std_error": np.sqrt(np.maximum(variance, 0.0))})


def effect_names(design: Design) -> list[str]:
    """Return the name of every group effect, term after term, level after level: ``female[12]``."""
    return [g.effect_name(level, e) for g in design.groups for level in g.factor.levels for e in g.effects]


def prediction_variances(
    design: Design, factor: RelativeFactor, elimination: Elimination, A: EffectColumns, W: np.ndarray
) -> np.ndarray:
    """Return the diagonal of the group effects' block of the joint curvature's inverse, shape (Q,) (Henderson 1975).

    Parameters
    ----------
    design : Design
        Data.
    factor : RelativeFactor
        Lambda.
    elimination : Elimination
        H = I + A' W A.
    A : EffectColumns
        Z Lambda.
    W : ndarray, shape (n,)
        Weights of the rows.
    """
    parts = [
        np.einsum("ik,jkl,il->ji", block, elimination.blocks(t), block).ravel()
        for t, block in enumerate(factor.natural_blocks)
    ]
    variance = np.concatenate(parts) if parts else np.zeros(0)
    if design.X.shape[1] and len(variance):
        WX = design.X * W[:, None]
        AWX = np.column_stack([A.transposed_times(np.ascontiguousarray(column)) for column in WX.T])
        solved = elimination.solve(AWX)
        S = design.X.T @ WX - AWX.T @ solved
        moved = factor.effects(solved)
        variance = variance + np.einsum("ij,ij->i", moved @ np.linalg.pinv(S), moved)
    return variance
