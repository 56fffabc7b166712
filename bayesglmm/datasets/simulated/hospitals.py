"""Mixed two-way layout: hospitals at random, a drug fixed, their interaction at random."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {
    "Intercept": 10.0,
    "drug[active]": 6.0,
    "sd(hospital)": 3.0,
    "sd(hospital:drug)": 2.0,
    "sigma": 7.0,
}
HOSPITALS = 24
FEWEST, MOST = 8, 20


def simulate(seed: int = 1004) -> pd.DataFrame:
    """Simulate ``reduction ~ drug + (1 | hospital) + (1 | hospital:drug)``.

    True values: 10 mmHg less under placebo, 6 more under the active drug; standard deviation 3 between hospitals, 2
    between drugs in a hospital beyond that, 7 between patients. 24 hospitals, 8 to 20 patients under each drug.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``hospital``, ``drug``, ``reduction`` (of systolic blood pressure, mmHg, one decimal).
    """
    rng = np.random.default_rng(seed)
    patients = rng.integers(FEWEST, MOST + 1, 2 * HOSPITALS)
    cell = np.repeat(np.arange(2 * HOSPITALS), patients)
    hospital, active = cell // 2, cell % 2
    hospitals = TRUE_VALUES["sd(hospital)"] * rng.standard_normal(HOSPITALS)
    cells = TRUE_VALUES["sd(hospital:drug)"] * rng.standard_normal(2 * HOSPITALS)
    noise = TRUE_VALUES["sigma"] * rng.standard_normal(len(cell))
    mean = TRUE_VALUES["Intercept"] + TRUE_VALUES["drug[active]"] * active
    reduction = mean + hospitals[hospital] + cells[cell] + noise
    return pd.DataFrame(
        {
            "hospital": hospital + 1,
            "drug": np.where(active == 1, "active", "placebo"),
            "reduction": reduction.round(1),
        }
    )
