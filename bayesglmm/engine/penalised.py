"""The Laplace-marginal posterior density: group effects out by Laplace's method, priors in.

    log p(s | y) = log L(beta, theta, phi) + log priors + log Jacobians,    s unconstrained (the head of `Layout`'s x)

On the unconstrained scale the density falls off towards a standard deviation of 0, so that its maximum lies inside.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bayesglmm.covariance.correlation import correlation_adjoint
from bayesglmm.covariance.theta import LOWER_TRIANGLE
from bayesglmm.density.kernel import group_factor, natural_scalars, pull_back_scalars
from bayesglmm.density.layout import GAPS, SD, STRUCTURE, Layout, Q
from bayesglmm.design import Design
from bayesglmm.engine.correlated_marginal import CorrelatedMarginal
from bayesglmm.engine.marginal import Evaluation, LaplaceMarginal
from bayesglmm.engine.pattern import scalar_chain
from bayesglmm.parameters import Parameters

__all__ = ["Head", "PenalisedMarginal", "PenalisedPoint"]


@dataclass(frozen=True, eq=False)
class Head:
    """Natural values at one s.

    Attributes
    ----------
    values, slopes : ndarray, shape (scalars,)
        Coefficients (raw intercept), standard deviations, family scalars; their derivatives in s.
    log_prior : float
        Sum of log priors and log Jacobians.
    prior_gradient : ndarray, shape (scalars,)
        Its derivative in the scalars (that of the correlations is added with the pull-back).
    L, Lambda : tuple of ndarray, each shape (q, q)
        Correlation factor and covariance factor of each group term.
    """

    values: np.ndarray
    slopes: np.ndarray
    log_prior: float
    prior_gradient: np.ndarray
    L: tuple[np.ndarray, ...]
    Lambda: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class PenalisedPoint:
    """Value and gradient at one s.

    Attributes
    ----------
    value : float
        Log density, but for constants; -inf where Laplace's approximation does not exist.
    gradient : ndarray, shape (d,)
        In s.
    head : Head
        Natural values.
    evaluation : Evaluation
        The Laplace approximation.
    """

    value: float
    gradient: np.ndarray
    head: Head
    evaluation: Evaluation


@dataclass(frozen=True, eq=False)
class PenalisedMarginal:
    """The Laplace-marginal posterior of a model.

    Attributes
    ----------
    design : Design
        Data.
    parameters : Parameters
        Priors and centring.
    layout : Layout
        Positions in s.
    laplace : LaplaceMarginal
        The likelihood, with effects as the formula codes them (not at the columns' means): the same z as in the joint
        density.
    """

    design: Design
    parameters: Parameters
    layout: Layout
    laplace: LaplaceMarginal | CorrelatedMarginal

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> PenalisedMarginal:
        """Prepare a model."""
        kind = LaplaceMarginal if design.residual is None else CorrelatedMarginal
        laplace = kind.of(design, centered=False, chain=scalar_chain(design), entries=True)
        return cls(design, parameters, Layout.of(design), laplace)

    @property
    def size(self) -> int:
        """Length of s."""
        return self.layout.n_scalars + self.layout.n_correlations

    def rows_at(self, head: Head) -> Design:
        """Return the design, its rows whitened where residuals correlate: the rows that `PenalisedPoint` speaks of."""
        if isinstance(self.laplace, CorrelatedMarginal):
            return self.laplace.independent_rows(self.laplace.split(head.values[self.layout.family])[1])
        return self.design

    def columns(self, head: Head) -> np.ndarray:
        """Return d eta / d natural coefficients as sampled (intercept at the columns' means), shape (n, p)."""
        X = self.rows_at(head).X
        return X - X[:, :1] * self.parameters.center if X.shape[1] else X

    def head(self, s: np.ndarray) -> Head:
        """Return natural values at s."""
        table, lkj = self.parameters.table, self.parameters.lkj
        n = len(table)
        values, slopes, gradient = np.empty(n), np.empty(n), np.empty(n)
        log_prior = natural_scalars(s, table, self.parameters.center, values, slopes, gradient)
        Ls, Lambdas = [], []
        for t, term in enumerate(self.layout.terms):
            L, Lambda = np.zeros((term[Q], term[Q])), np.zeros((term[Q], term[Q]))
            log_prior += group_factor(term, s, values, lkj[t], L, Lambda)
            Ls.append(L)
            Lambdas.append(Lambda)
        return Head(values, slopes, float(log_prior), gradient, tuple(Ls), tuple(Lambdas))

    def __call__(self, s: np.ndarray, nearby: PenalisedPoint | None = None) -> PenalisedPoint:
        """Evaluate at s; conditional modes are searched from those of a point nearby."""
        head = self.head(s)
        p = self.layout.n_coefficients
        theta = np.concatenate([np.zeros(0), *(L[LOWER_TRIANGLE.positions(len(L))] for L in head.Lambda)])
        family = self._working(head)
        start = np.zeros(self.layout.n_effects) if nearby is None else nearby.evaluation.mode.z
        warm = None if nearby is None else nearby.evaluation.mode.elimination
        evaluation = self.laplace.evaluate(head.values[:p], theta, family, start, warm)
        value = evaluation.value + head.log_prior
        if not np.isfinite(value):
            return PenalisedPoint(-np.inf, np.zeros(self.size), head, evaluation)
        return PenalisedPoint(value, self._gradient(s, head, evaluation.gradient), head, evaluation)

    def _working(self, head: Head) -> np.ndarray:
        """Return the family scalars on the working scale, shape (K,)."""
        values = head.values[self.layout.family]
        return np.where(self._logged, np.log(np.where(self._logged, values, 1.0)), values)

    @functools.cached_property
    def _logged(self) -> np.ndarray:
        """Which family scalars are worked with by their logarithm, bool, shape (K,)."""
        flags = [part.kind == "scale" for part in self.design.family_parts for _ in part.names]
        return np.array(flags + [False] * self.design.n_residual, dtype=bool)

    def _gradient(self, s: np.ndarray, head: Head, raw: np.ndarray) -> np.ndarray:
        """Pull the gradient in (beta, theta, working family scalars) back to s and add that of the priors."""
        p, n_scalars = self.layout.n_coefficients, self.layout.n_scalars
        out = np.zeros(self.size)
        out[:n_scalars] = head.prior_gradient
        if p:
            out[:p] += (raw[:p] - self.parameters.center * raw[0]) * head.slopes[:p]
        at = p
        for t, (group, term) in enumerate(zip(self.design.groups, self.layout.terms, strict=True)):
            q = group.n_effects
            size = q * (q + 1) // 2
            gL = np.zeros((q, q))
            gL[LOWER_TRIANGLE.positions(q)] = raw[at : at + size]
            at += size
            sds = self.layout.sds(t)
            along = (gL * head.L[t]).sum(axis=1)
            out[sds] += (along.sum() if group.structure.common else along) * head.slopes[sds]
            gL *= head.values[sds][:, None]
            cor = self.layout.correlations(t)
            own, eta = np.zeros(cor.stop - cor.start), float(self.parameters.lkj[t])
            correlation_adjoint(int(term[STRUCTURE]), s[cor], eta, term[GAPS:], head.L[t], gL, own)
            out[cor] += own
            assert sds.start == term[SD]
        family = self.layout.family
        natural = raw[at:] / np.where(self._logged, head.values[family], 1.0)
        pull_back_scalars(self.parameters.table, family.start, natural, head.slopes, out)
        return out
