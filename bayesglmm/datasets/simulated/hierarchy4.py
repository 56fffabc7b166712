"""Four levels above the row: repeated scores of students in classes in schools in districts."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {
    "Intercept": 60.0,
    "term": 2.0,
    "sd(district)": 3.0,
    "sd(district:school)": 4.0,
    "sd(district:school:class)": 2.0,
    "sd(district:school:class:student)": 6.0,
    "sigma": 5.0,
}
#: Districts, schools in each, classes in each of these, students, terms.
SHAPE = (10, 4, 3, 8, 3)


def simulate(seed: int = 1003) -> pd.DataFrame:
    """Simulate ``score ~ term + (1 | district/school/class/student)``.

    True values: 60 points in the first term (0), 2 more in each later one; standard deviation 3 between districts, 4
    between schools of a district, 2 between classes of a school, 6 between students of a class, 5 between scores of a
    student. 10 districts, 4 schools in each, 3 classes, 8 students, 3 terms: 2880 rows.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``district``, ``school``, ``class``, ``student`` (each numbered afresh in what holds it), ``term`` (0, 1, 2),
        ``score`` (points, one decimal).
    """
    rng = np.random.default_rng(seed)
    district, school, room, student, term = (k.ravel() for k in np.indices(SHAPE))
    districts = TRUE_VALUES["sd(district)"] * rng.standard_normal(SHAPE[:1])
    schools = TRUE_VALUES["sd(district:school)"] * rng.standard_normal(SHAPE[:2])
    classes = TRUE_VALUES["sd(district:school:class)"] * rng.standard_normal(SHAPE[:3])
    students = TRUE_VALUES["sd(district:school:class:student)"] * rng.standard_normal(SHAPE[:4])
    noise = TRUE_VALUES["sigma"] * rng.standard_normal(len(term))
    places = districts[district] + schools[district, school] + classes[district, school, room]
    score = TRUE_VALUES["Intercept"] + TRUE_VALUES["term"] * term + places
    score = score + students[district, school, room, student] + noise
    return pd.DataFrame(
        {
            "district": district + 1,
            "school": school + 1,
            "class": room + 1,
            "student": student + 1,
            "term": term,
            "score": score.round(1),
        }
    )
