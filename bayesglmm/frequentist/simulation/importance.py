"""The simulated log-likelihood: group effects integrated by importance sampling with fixed standard draws.

With z_s = centre + C t_s, s = 1..S, the t_s kept while the parameters move, each block of effects that meet contributes

    log L_b = log mean_s w_s,
    log w_s = sum_i w_i l(y_i, x_i' beta + a_i' z_s, phi) + log N(z_s; 0, I) + log det C - log q(t_s)

(Geyer & Thompson 1992; Skaug 2002). It is smooth, also where a standard deviation reaches 0, since z is spherical; its
gradient is the mean by the weights of the complete-data score and of what the moving places add, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.likelihood import Evaluate
from bayesglmm.frequentist.simulation.extended_kernel import compile_extended_importance
from bayesglmm.frequentist.simulation.kernel import compile_importance
from bayesglmm.frequentist.simulation.partition import Partition
from bayesglmm.frequentist.simulation.placement import Placed, Placement
from bayesglmm.frequentist.simulation.points import StandardDraws
from bayesglmm.frequentist.working import Working

__all__ = ["Replicates", "SimulatedLikelihood"]


@dataclass(frozen=True, eq=False)
class _Sums:
    """What the kernel fills (see `compile_importance`), and where the draws were."""

    placed: Placed
    log_weights: np.ndarray
    log_means: np.ndarray
    slopes: np.ndarray
    scores: np.ndarray
    pulls: np.ndarray
    moments: np.ndarray
    cross: np.ndarray
    auxiliary: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Each replicate's share of the sum of a block's weights, shape (R, B)."""
        return np.asarray(np.exp(self.log_means - logsumexp(self.log_means, axis=0)))


@dataclass(frozen=True, eq=False)
class Replicates:
    """How the scramblings differ, at one x.

    Attributes
    ----------
    loglik : ndarray, shape (R,)
        Relative deviation of each replicate's mean weights from those of all, summed over blocks; mean 0.
    gradient : ndarray, shape (R, k)
        Deviation of each replicate's gradient (linearised ratio of means); mean 0.
    log_weights : ndarray, shape (B, S)
        Log weights of all draws.
    """

    loglik: np.ndarray
    gradient: np.ndarray
    log_weights: np.ndarray


@dataclass(frozen=True, eq=False)
class SimulatedLikelihood:
    """A `Likelihood` with fixed standard draws.

    Attributes
    ----------
    laplace : LaplaceLikelihood
        Data, working parameters and conditional modes.
    partition : Partition
        Blocks.
    placement : Placement
        What becomes of the draws at given parameters.
    draws : StandardDraws
        Fixed draws.
    """

    laplace: LaplaceLikelihood
    partition: Partition
    placement: Placement
    draws: StandardDraws

    @property
    def working(self) -> Working:
        """Layout of x."""
        return self.laplace.working

    def modes(self, x: np.ndarray) -> pd.DataFrame:
        """Return conditional modes with prediction error sds at x."""
        return self.laplace.modes(x)

    def with_response(self, y: np.ndarray) -> SimulatedLikelihood:
        """Return the same draws for another response y (n,)."""
        laplace = self.laplace.with_response(y)
        return SimulatedLikelihood(laplace, self.partition, self.placement.with_marginal(laplace.marginal), self.draws)

    def evaluator(self) -> Evaluate:
        """Return x -> (value, gradient)."""

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            sums = self._sums(x)
            if sums is None or not np.isfinite(logsumexp(sums.log_means, axis=0)).all():
                return -np.inf, np.full(len(x), np.nan)
            value = (logsumexp(sums.log_means, axis=0) - np.log(self.draws.replicates)).sum()
            averages = [(share * part).sum(axis=0) for share, part in self._parts(sums)]
            return float(value) + self.laplace.marginal.constant, self._gradient(x, sums.placed, averages, 1.0)

        return evaluate

    def replicates(self, x: np.ndarray) -> Replicates | None:
        """Return how the scramblings differ at x; None where the value is not finite."""
        sums = self._sums(x)
        if sums is None or not np.isfinite(logsumexp(sums.log_means, axis=0)).all():
            return None
        R = self.draws.replicates
        deviations = [R * share * (part - (share * part).sum(axis=0)) for share, part in self._parts(sums)]
        gradients = [self._gradient(x, sums.placed, list(parts), 0.0) for parts in zip(*deviations, strict=True)]
        return Replicates((R * sums.shares - 1.0).sum(axis=1), np.array(gradients), sums.log_weights)

    def _parts(self, sums: _Sums) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every average over a replicate's draws, after the share of its replicate in its block."""
        p, shares = self.partition, sums.shares
        rows = shares[:, p.row_blocks]
        return [
            (rows, sums.scores),
            (rows[:, None], sums.cross),
            (shares, sums.slopes),
            (shares[:, p.block[p.effects]], sums.pulls),
            (np.repeat(shares, p.sizes**2, axis=1), sums.moments),
            (rows[:, None], sums.auxiliary),
        ]

    def _sums(self, x: np.ndarray) -> _Sums | None:
        marginal, p, draws = self.laplace.marginal, self.partition, self.draws
        rows, effects = marginal.rows, marginal.rows.effects
        beta, theta, family = self.working.split(x)
        placed = self.placement.at((beta, theta, family), np.zeros(effects.size))
        if placed is None:
            return None
        fixed = marginal.design.offset + marginal.design.X @ beta
        at, phi = rows.at(family)
        size, *predictors = at.size.reshape(-1, len(rows.y))
        table = np.ascontiguousarray(np.stack([rows.y, size, rows.weights, fixed, *predictors])[:, p.rows])
        A = np.ascontiguousarray(marginal.layout.at(theta).rows(effects.value)[:, p.rows])
        places = np.ascontiguousarray(p.place[p.index][:, p.rows])
        R, B, (m, n) = draws.replicates, p.n_blocks, places.shape
        log_weights, log_means, slopes = np.empty((B, draws.t.shape[1])), np.empty((R, B)), np.empty((R, B))
        scores, pulls, moments = np.zeros((R, n)), np.zeros((R, effects.size)), np.zeros((R, int(p.entry_starts[-1])))
        cross, auxiliary = np.zeros((R, m, n)), np.zeros((R, len(predictors), n))
        arguments = (
            places,
            A,
            (p.row_starts, p.effect_starts, p.entry_starts),
            (draws.t, draws.base),
            placed.kernel_arguments,
            placed.follows,
            (log_weights, log_means, slopes, scores, pulls, moments),
            cross,
        )
        if predictors:
            compile_extended_importance()(rows.kernels.pointer.address, table, *arguments, auxiliary)
        else:
            compile_importance(marginal.design.family_link.row)(table, phi, *arguments)
        return _Sums(placed, log_weights, log_means, slopes, scores, pulls, moments, cross, auxiliary)

    def _gradient(self, x: np.ndarray, placed: Placed, averages: list[np.ndarray], determinant: float) -> np.ndarray:
        """Return the gradient in x, given averages (see `_parts`) or differences of them (``determinant`` 0)."""
        scores, cross, slopes, pull, moments, predictors = averages
        marginal, layout = self.laplace.marginal, self.laplace.marginal.layout
        moved_scores, moved_cross, moved_slopes = placed.pull_back(pull, moments, determinant)
        scores = self.partition.unsorted_rows(scores) + moved_scores
        cross = self.partition.unsorted_rows(cross) + moved_cross
        blocks = tuple(marginal.rows.effects.value[part] @ cross[part].T for part in layout.row_slices)
        parts = [marginal.design.X.T @ scores, layout.at(x[self.working.theta]).pull_back(blocks)]
        auxiliary = marginal.design.auxiliary
        if auxiliary is not None:
            parts.append(auxiliary.pull_back(*(self.partition.unsorted_rows(predictors) + moved_slopes)))
        elif marginal.design.dispersion is not None:
            parts.append(np.array([slopes.sum() + moved_slopes.sum()]))
        return np.concatenate(parts)
