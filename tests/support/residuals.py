"""Unbalanced data with a time, for models whose residuals correlate, and R as a matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.residual import structure_of

__all__ = ["SCALES", "STRUCTURES", "correlation_point", "dense_correlation", "dense_sds", "make_visits"]

#: One text a structure.
STRUCTURES = (
    "ar1(week | patient)",
    "ar1(stage | patient)",
    "ar1(1 | patient)",
    "car1(day | patient)",
    "cs(week | patient)",
    "us(week | patient)",
)


#: A dispersion formula beside them: within groups, with a known part.
SCALES = "~ x + offset(log(device))"


def dense_sds(frame: pd.DataFrame, w: np.ndarray) -> np.ndarray:
    """Return the standard deviations that ``SCALES`` gives the rows of `make_visits` at w (2,), shape (n,)."""
    return np.exp(w[0] + w[1] * frame["x"].to_numpy()) * frame["device"].to_numpy()


def correlation_point(design: Design, seed: int = 4) -> np.ndarray:
    """Return coordinates of correlations, each a little away from 0, as many as the structure of ``design`` has."""
    rows = design.residual
    assert rows is not None
    return 0.4 * np.random.default_rng(seed).normal(size=structure_of(rows).coordinates(rows))


def make_visits(seed: int = 1, patients: int = 12, weeks: int = 5) -> pd.DataFrame:
    """Return rows in random order, a third of them missing; every patient has two rows at least."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame([(f"p{i}", f"c{i % 4}", w) for i in range(patients) for w in range(weeks)])
    frame.columns = ["patient", "clinic", "week"]
    kept = (rng.random(len(frame)) < 0.66) | (frame["week"] < 2)
    frame = frame[kept].sample(frac=1.0, random_state=seed).reset_index(drop=True)
    frame["stage"] = pd.Categorical(["abcde"[w] for w in frame["week"]], categories=list("abcde"), ordered=True)
    frame["day"] = frame["week"] + 0.4 * np.sin(frame["week"])
    frame["x"] = rng.normal(size=len(frame))
    frame["device"] = np.where(np.arange(len(frame)) % 3 == 0, 1.6, 0.8)
    level = {p: rng.normal() for p in frame["patient"].unique()}
    frame["y"] = 3.0 + frame["x"] + frame["patient"].map(level) + rng.normal(size=len(frame))
    return frame


def dense_correlation(design: Design, x: np.ndarray) -> np.ndarray:
    """Return R (n, n), rows as in the data, from the words of each structure and nothing else."""
    rows = design.residual
    assert rows is not None
    # For `us` the correlation matrix of the visits is taken as it is; the rest is written out here.
    at = structure_of(rows).whitening(rows, x)
    name, same = rows.term.structure, rows.codes[:, None] == rows.codes[None, :]
    if name == "us":
        T = len(rows.visits)
        C = np.eye(T)
        C[np.tril_indices(T, -1)] = at.correlations
        C = C + C.T - np.eye(T)
        visit = rows.times.astype(int)
        R = C[visit[:, None], visit[None, :]]
    elif name == "cs":
        R = np.full(same.shape, at.correlations[0])
    else:
        R = at.correlations[0] ** np.abs(rows.times[:, None] - rows.times[None, :])
    R = np.where(same, R, 0.0)
    np.fill_diagonal(R, 1.0)
    return R
