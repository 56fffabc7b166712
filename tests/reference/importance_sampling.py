"""Exact maximum likelihood of the salamander models by importance sampling.

From the project's root (about 3 minutes, one thread):

    OMP_NUM_THREADS=1 python tests/reference/importance_sampling.py bayesglmm/datasets tests/reference

Animals meet only inside their block of 10 females and 10 males, so the likelihood is a product of
20-dimensional integrals, one a block. Each is an average over 16384 scrambled Sobol points of a
multivariate t, placed at the block's conditional mode with the curvature found there; 50 degrees of
freedom (with 8, in 20 dimensions, the estimates are the same and the log-likelihood is far less
certain). The points stay fixed while the parameters move, so the estimated likelihood is smooth and can
be maximised; the difference between two seeds is what is left of Monte Carlo error. Writes
importance_sampling.csv; needs numpy and scipy only.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy import linalg, optimize, special, stats

DEGREES = 50
POINTS = 2**14


def read(folder: Path, experiment: str | None) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One (y, cross, Z) a block; Z is the 60 x 20 incidence of its animals, females first."""
    with (folder / "salamander.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if experiment in (None, row["experiment"])]
    blocks = []
    for block in sorted({row["block"] for row in rows}):
        inside = [row for row in rows if row["block"] == block]
        animals = [sorted({row[sex] for row in inside}) for sex in ("female", "male")]
        Z = np.hstack(
            [
                [[row[sex] == a for a in ids] for row in inside]
                for sex, ids in zip(("female", "male"), animals, strict=True)
            ]
        )
        cross = np.array([["RR", "RW", "WR", "WW"].index(row["cross"]) for row in inside])
        blocks.append((np.array([float(row["mated"]) for row in inside]), cross, Z.astype(float)))
    return blocks


def points(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws of a 20-dimensional t around 0 with unit scale, and their log densities."""
    cube = stats.qmc.Sobol(21, seed=seed).random(POINTS)
    scale = np.sqrt(DEGREES / stats.chi2.ppf(cube[:, 20:], DEGREES))
    t = special.ndtri(cube[:, :20]) * scale
    return t, stats.multivariate_t(np.zeros(20), np.eye(20), DEGREES).logpdf(t)


def mode(y: np.ndarray, eta0: np.ndarray, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mode of z given y, and the lower Cholesky factor of the negative Hessian there."""
    z = np.zeros(A.shape[1])
    for _ in range(50):
        p = special.expit(eta0 + A @ z)
        H = np.eye(z.size) + A.T @ (A * (p * (1 - p))[:, None])
        step = linalg.solve(H, A.T @ (y - p) - z, assume_a="pos")
        z = z + step
        if np.abs(step).max() < 1e-12:
            break
    return z, linalg.cholesky(H, lower=True)


def loglik(parameters: np.ndarray, blocks: list, draws: tuple[np.ndarray, np.ndarray]) -> float:
    """The log-likelihood at (four cross logits, log sd of females, log sd of males)."""
    beta, sds = parameters[:4], np.repeat(np.exp(parameters[4:]), 10)
    t, log_proposal = draws
    total = 0.0
    for y, cross, Z in blocks:
        A = Z * sds
        centre, L = mode(y, beta[cross], A)
        z = centre + linalg.solve_triangular(L, t.T, lower=True, trans="T").T
        eta = beta[cross] + z @ A.T
        log_joint = eta @ y - np.logaddexp(0, eta).sum(axis=1) - (z**2).sum(axis=1) / 2
        log_weight = log_joint - log_proposal - np.log(np.diag(L)).sum() - 10 * np.log(2 * np.pi)
        total += special.logsumexp(log_weight) - np.log(POINTS)
    return float(total)


def derivatives(f, x: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """The Hessian by central differences."""
    e = h * np.eye(x.size)
    return np.array([[(f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / (4 * h * h) for b in e] for a in e])


def main(data: Path, output: Path) -> None:
    """Maximise with two seeds for model A and for the first experiment alone."""
    names = ["cross[RR]", "cross[RW]", "cross[WR]", "cross[WW]", "sd(female)", "sd(male)"]
    lines = [["problem", "seed", "points", "parameter", "estimate", "std_error", "loglik"]]
    for problem, experiment in (("salamander", None), ("salamander_summer", "1")):
        blocks = read(data, experiment)
        for seed in (1, 2):
            draws = points(seed)

            def objective(x: np.ndarray, blocks: list = blocks, draws: tuple = draws) -> float:
                return -loglik(x, blocks, draws)

            start = np.array([1.0, 0.3, -1.9, 1.0, 0.1, 0.1 if experiment is None else -0.8])
            found = optimize.minimize(objective, start, method="BFGS", jac="3-point", options={"gtol": 1e-4})
            errors = np.sqrt(np.diag(linalg.inv(derivatives(objective, found.x))))
            estimate = np.r_[found.x[:4], np.exp(found.x[4:])]
            errors = np.r_[errors[:4], estimate[4:] * errors[4:]]
            for name, value, error in zip(names, estimate, errors, strict=True):
                lines.append([problem, seed, POINTS, name, f"{value:.5f}", f"{error:.4f}", f"{-found.fun:.5f}"])
    with (output / "importance_sampling.csv").open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
