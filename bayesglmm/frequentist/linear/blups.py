"""Best linear unbiased predictions of the group effects, with prediction error sds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.linear import Solved
from bayesglmm.frequentist.modes import mode_table

__all__ = ["blup_table"]


def blup_table(design: Design, at: Solved, sigma: float) -> pd.DataFrame:
    """Return BLUPs with prediction error sds, of the effects as the formula codes them (Henderson 1975)."""
    parts = [
        np.einsum("ik,jkl,il->ji", block, at.elimination.blocks(t), block).ravel()
        for t, block in enumerate(at.factor.natural_blocks)
    ]
    variance = np.concatenate(parts) if parts else np.zeros(0)
    if at.columns.size:
        moved = at.factor.effects(at.columns @ np.linalg.inv(at.root).T)
        variance = variance + np.einsum("ij,ij->i", moved, moved)
    return mode_table(design, at.factor.effects(at.z), sigma**2 * variance)
