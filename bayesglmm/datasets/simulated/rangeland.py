"""Split plots with counts: blocks of a range, management on whole plots, fertilizer on their parts."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {
    "Intercept": 2.0,
    "management[rotation]": 0.5,
    "management[rest]": 0.8,
    "fertilizer": 0.3,
    "sd(block)": 0.4,
    "sd(block:management)": 0.3,
    "sd(quadrat)": 0.5,
}
BLOCKS, QUADRATS = 10, 8
MANAGEMENT = ("continuous", "rotation", "rest")


def simulate(seed: int = 1005) -> pd.DataFrame:
    """Simulate ``plants ~ management + fertilizer + (1 | block/management) + (1 | quadrat)``, Poisson, log link.

    True values, of the logarithm of the expected count: 2 under continuous grazing, 0.5 more under rotation, 0.8 more
    at rest, 0.3 more with fertilizer; standard deviation 0.4 between blocks, 0.3 between whole plots of a block, 0.5
    between quadrats of a whole plot: counts vary by more than Poisson's law allows. 10 blocks, 3 whole plots in each,
    8 quadrats in each of these, fertilizer on every other one. A negative binomial with the same mean and variance has
    phi = 1 / (exp(0.5^2) - 1) = 3.52 and an intercept of 2 + 0.5^2 / 2.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``block``, ``management`` (of the whole plot), ``quadrat`` (one a row), ``fertilizer`` (0, 1), ``plants``
        (seedlings counted).
    """
    rng = np.random.default_rng(seed)
    block, management, part = (k.ravel() for k in np.indices((BLOCKS, len(MANAGEMENT), QUADRATS)))
    fertilizer = part % 2
    blocks = TRUE_VALUES["sd(block)"] * rng.standard_normal(BLOCKS)
    plots = TRUE_VALUES["sd(block:management)"] * rng.standard_normal((BLOCKS, len(MANAGEMENT)))
    quadrats = TRUE_VALUES["sd(quadrat)"] * rng.standard_normal(len(block))
    managed = np.array([0.0, TRUE_VALUES["management[rotation]"], TRUE_VALUES["management[rest]"]])
    eta = TRUE_VALUES["Intercept"] + managed[management] + TRUE_VALUES["fertilizer"] * fertilizer
    plants = rng.poisson(np.exp(eta + blocks[block] + plots[block, management] + quadrats))
    return pd.DataFrame(
        {
            "block": block + 1,
            "management": np.array(MANAGEMENT)[management],
            "quadrat": np.arange(1, len(block) + 1),
            "fertilizer": fertilizer,
            "plants": plants,
        }
    )
