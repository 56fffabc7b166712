"""A small pedigree, its additive relationship matrix, and data of its animals."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["animal_data", "relationship_of"]


def relationship_of(parents: list[tuple[int, int] | None]) -> np.ndarray:
    """Return the numerator relationship matrix by the tabular method (Henderson 1976); None is a founder."""
    n = len(parents)
    A = np.zeros((n, n))
    for i, pair in enumerate(parents):
        A[i, i] = 1.0
        if pair is not None:
            sire, dam = pair
            A[i, :i] = A[:i, i] = 0.5 * (A[sire, :i] + A[dam, :i])
            A[i, i] = 1.0 + 0.5 * A[sire, dam]
    return A


def animal_data(n: int = 50, founders: int = 12, seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records (two animals without any) and A with the animals' names in rows and columns."""
    rng = np.random.default_rng(seed)
    parents: list[tuple[int, int] | None] = [None] * founders
    parents += [tuple(rng.choice(k, 2, replace=False).tolist()) for k in range(founders, n)]
    A = relationship_of(parents)
    u = 1.3 * np.linalg.cholesky(A) @ rng.normal(size=n)
    own = 0.7 * rng.normal(size=n)
    animal = np.repeat(np.arange(2, n), 2)
    x = rng.normal(size=len(animal))
    names = [f"a{k}" for k in range(n)]
    data = pd.DataFrame(
        {
            "y": 2.0 + 0.5 * x + u[animal] + own[animal] + rng.normal(size=len(animal)),
            "count": rng.poisson(np.exp(0.5 + 0.2 * x + 0.5 * u[animal])),
            "x": x,
            "animal": [names[k] for k in animal],
        }
    )
    return data, pd.DataFrame(A, names, names)
