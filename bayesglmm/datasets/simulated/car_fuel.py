"""One-way layout: the fuel consumption of cars of one type, each tested several times."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {"Intercept": 7.4, "sd(car)": 0.6, "sigma": 0.35}
CARS = 16
FEWEST, MOST = 3, 8


def simulate(seed: int = 1001) -> pd.DataFrame:
    """Simulate ``consumption ~ 1 + (1 | car)``.

    True values: mean 7.4 l per 100 km; standard deviation 0.6 between cars, 0.35 between tests of a car. Each of 16
    cars has between 3 and 8 tests.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``car``, ``test`` (1, 2, ... of a car), ``consumption`` (l per 100 km, two decimals).
    """
    rng = np.random.default_rng(seed)
    tests = rng.integers(FEWEST, MOST + 1, CARS)
    car = np.repeat(np.arange(CARS), tests)
    effects = TRUE_VALUES["sd(car)"] * rng.standard_normal(CARS)
    noise = TRUE_VALUES["sigma"] * rng.standard_normal(len(car))
    consumption = TRUE_VALUES["Intercept"] + effects[car] + noise
    return pd.DataFrame(
        {
            "car": car + 1,
            "test": np.concatenate([np.arange(1, n + 1) for n in tests]),
            "consumption": consumption.round(2),
        }
    )
