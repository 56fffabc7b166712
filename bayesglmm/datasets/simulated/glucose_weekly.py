"""Growth curves with all that patients do to a plan: visits missed, late and early, values not measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TRUE_VALUES", "simulate"]

TRUE_VALUES = {
    "Intercept": 9.0,
    "week": -0.1,
    "exercise": -0.2,
    "sd(patient, Intercept)": 1.2,
    "sd(patient, week)": 0.08,
    "cor(patient, Intercept, week)": -0.4,
    "sigma": 0.6,
}
PATIENTS, WEEKS = 50, 12
SHARE_OF_VISITS, SHARE_NOT_MEASURED = 0.8, 0.04
#: Standard deviation of the day of a visit around its plan, weeks; hours of exercise: mean, between patients, within.
LATENESS, HOURS, BETWEEN, WITHIN = 0.15, 3.0, 1.0, 1.0


def simulate(seed: int = 1006) -> pd.DataFrame:
    """Simulate ``glucose ~ week + exercise + (week | patient)``.

    True values: 9 mmol/l at the beginning, 0.1 less a week, 0.2 less for each hour of exercise in the week before the
    visit; standard deviation of the patients 1.2 at the beginning and 0.08 a week in their slopes, correlated -0.4; 0.6
    within a patient. 50 patients have a visit planned each week from 0 to 11; each comes to four in five of the later
    ones, a day or two early or late. 4 % of glucose values and 4 % of the hours were not written down, without
    regard to what they are.

    Parameters
    ----------
    seed : int
        Seed of NumPy's generator; the default made the stored file.

    Returns
    -------
    DataFrame
        ``patient``, ``visit`` (1, 2, ... of a patient), ``week`` (since the beginning, two decimals), ``exercise``
        (hours in the week before, one decimal, some missing), ``glucose`` (fasting, mmol/l, two decimals, some
        missing).
    """
    rng = np.random.default_rng(seed)
    patient, planned = (k.ravel() for k in np.indices((PATIENTS, WEEKS)))
    came = (planned == 0) | (rng.random(len(planned)) < SHARE_OF_VISITS)
    # Beside the standard deviation of a visit's day, no visit is more than three days off: they keep their order.
    off = np.clip(LATENESS * rng.standard_normal(len(planned)), -0.4, 0.4) * (planned > 0)
    week = (planned + off).round(2)
    usual = HOURS + BETWEEN * rng.standard_normal(PATIENTS)
    exercise = np.maximum(usual[patient] + WITHIN * rng.standard_normal(len(planned)), 0.0).round(1)
    noise = TRUE_VALUES["sigma"] * rng.standard_normal(len(planned))
    start, slope = _patients(rng)
    glucose = TRUE_VALUES["Intercept"] + start[patient] + (TRUE_VALUES["week"] + slope[patient]) * week
    glucose = (glucose + TRUE_VALUES["exercise"] * exercise + noise).round(2)
    unmeasured = rng.random((2, len(planned))) < SHARE_NOT_MEASURED
    frame = pd.DataFrame(
        {
            "patient": patient + 1,
            "visit": 0,
            "week": week,
            "exercise": np.where(unmeasured[0], np.nan, exercise),
            "glucose": np.where(unmeasured[1], np.nan, glucose),
        }
    )[came].reset_index(drop=True)
    return frame.assign(visit=frame.groupby("patient").cumcount() + 1)


def _patients(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return each patient's deviation at the beginning and in the slope."""
    z = rng.standard_normal((2, PATIENTS))
    r = TRUE_VALUES["cor(patient, Intercept, week)"]
    start = TRUE_VALUES["sd(patient, Intercept)"] * z[0]
    slope = TRUE_VALUES["sd(patient, week)"] * (r * z[0] + np.sqrt(1 - r**2) * z[1])
    return start, slope
