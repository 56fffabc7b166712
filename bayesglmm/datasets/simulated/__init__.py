"""Data sets with known truth: one generator a file, each with the seed that made the CSV file beside the catalogue.

`load_dataset` reads the CSV files, so that nobody's data change with a version of NumPy; the tests run every generator
and compare the file bit for bit. To make the files again: ``python -m bayesglmm.datasets.simulated FOLDER``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from bayesglmm.datasets.simulated import car_fuel, glucose_weekly, hierarchy4, hospitals, rangeland, school_test

__all__ = ["GENERATORS", "TRUE_VALUES"]

GENERATORS: Mapping[str, Callable[[], pd.DataFrame]] = {
    "car_fuel": car_fuel.simulate,
    "school_test": school_test.simulate,
    "hierarchy4": hierarchy4.simulate,
    "hospitals": hospitals.simulate,
    "range": rangeland.simulate,
    "glucose_weekly": glucose_weekly.simulate,
}

#: By the parameter names of the package's model files.
TRUE_VALUES: Mapping[str, Mapping[str, float]] = {
    "car_fuel": car_fuel.TRUE_VALUES,
    "school_test": school_test.TRUE_VALUES,
    "hierarchy4": hierarchy4.TRUE_VALUES,
    "hospitals": hospitals.TRUE_VALUES,
    "range": rangeland.TRUE_VALUES,
    "glucose_weekly": glucose_weekly.TRUE_VALUES,
}
