"""Nested layout: a test written by pupils in classes in schools."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {
    "Intercept": 50.0,
    "sex[girl]": 3.0,
    "sd(school)": 4.0,
    "sd(school:class)": 2.5,
    "sigma": 8.0,
}
SCHOOLS, CLASSES, PUPILS = 15, 4, 20


def simulate(seed: int = 1002) -> pd.DataFrame:
    """Simulate ``score ~ sex + (1 | school/class)``.

    True values: boys 50 points in the mean, girls 3 more; standard deviation 4 between schools, 2.5 between classes of
    a school, 8 between pupils of a class. 15 schools, 4 classes in each, 20 pupils in each of these.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``school``, ``class`` (numbered afresh in each school), ``pupil`` (numbered afresh in each class), ``sex``,
        ``score`` (points, one decimal).
    """
    rng = np.random.default_rng(seed)
    school, room, pupil = (k.ravel() for k in np.indices((SCHOOLS, CLASSES, PUPILS)))
    schools = TRUE_VALUES["sd(school)"] * rng.standard_normal(SCHOOLS)
    classes = TRUE_VALUES["sd(school:class)"] * rng.standard_normal((SCHOOLS, CLASSES))
    girl = rng.integers(0, 2, len(school))
    noise = TRUE_VALUES["sigma"] * rng.standard_normal(len(school))
    mean = TRUE_VALUES["Intercept"] + TRUE_VALUES["sex[girl]"] * girl
    score = mean + schools[school] + classes[school, room] + noise
    return pd.DataFrame(
        {
            "school": school + 1,
            "class": room + 1,
            "pupil": pupil + 1,
            "sex": np.where(girl == 1, "girl", "boy"),
            "score": score.round(1),
        }
    )
