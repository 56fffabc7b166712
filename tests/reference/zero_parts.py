"""Simulate zero_parts_data.csv: counts with a part of their own for zeros, and rows of unequal dispersion.

From the project's root: python tests/reference/zero_parts.py > tests/reference/zero_parts_data.csv
NumPy's default generator, seed below; 480 rows in 40 groups.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

rng = np.random.default_rng(1989)
groups, each = 40, 12
n = groups * each
g = np.repeat(np.arange(groups), each)
x = rng.normal(size=n).round(4)
sex = rng.choice(["F", "M"], size=n)
eta = 0.6 + 0.4 * x + rng.normal(0.0, 0.5, groups)[g]
structural = rng.random(n) < 1.0 / (1.0 + np.exp(1.0 - 0.7 * x))


def positive(mu: np.ndarray) -> np.ndarray:
    counts = rng.poisson(mu)
    while (counts == 0).any():
        counts = np.where(counts == 0, rng.poisson(mu), counts)
    return counts


def inflated(counts: np.ndarray) -> np.ndarray:
    return np.where(structural, 0, counts)


phi = np.where(sex == "F", 1.5, 6.0)
data = pd.DataFrame(
    {
        "g": g,
        "x": x,
        "sex": sex,
        "zip": inflated(rng.poisson(np.exp(eta))),
        "zinb": inflated(rng.poisson(np.exp(eta) * rng.gamma(2.0, size=n) / 2.0)),
        "hurdle": inflated(positive(np.exp(eta))),
        "normal": (eta + rng.normal(size=n) * np.where(sex == "F", 0.5, 1.2)).round(4),
        "overdispersed": rng.poisson(np.exp(eta) * rng.gamma(phi) / phi),
    }
)
data.to_csv(sys.stdout, index=False)
