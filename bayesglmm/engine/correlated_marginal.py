"""The marginal log-likelihood of a Gaussian model whose residuals correlate, with its exact gradient.

At given correlations the whitened rows are those of a `LaplaceMarginal`, which is exact for Gaussian responses.
With e = y - X beta - Z u at the mode, w = L^-1 e and a_i the rows of L^-1 Z Lambda, H = I + A'A / sigma^2,

    d/dx = -w'dw / sigma^2 - sum_i a_i' H^-1 da_i / sigma^2 - d log|R| / 2,

since the mode is a maximum and only the whitening moves (see `engine.correlated`). Where standard deviations differ by
row they are in the whitening, and sigma is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.correlated import CorrelatedMixed
from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import FactorLayout
from bayesglmm.engine.marginal import Evaluation, LaplaceMarginal
from bayesglmm.engine.pattern import Pattern
from bayesglmm.grouping import GroupEffects
from bayesglmm.residual import Whitening

__all__ = ["CorrelatedMarginal"]


@dataclass(frozen=True, eq=False)
class CorrelatedMarginal:
    """log p(y | beta, theta, sigma, x), x the coordinates of the whitening; called like a `LaplaceMarginal`.

    Attributes
    ----------
    mixed : CorrelatedMixed
        Data and structure.
    laplace : LaplaceMarginal
        The same model with independent residuals, whose rows are replaced by whitened ones.
    """

    mixed: CorrelatedMixed
    laplace: LaplaceMarginal

    @classmethod
    def of(
        cls, design: Design, centered: bool = True, chain: tuple[int, ...] | None = None, entries: bool = False
    ) -> CorrelatedMarginal:
        """Prepare ``design``, which has a residual structure within each level of its group terms."""
        independent = replace(design, residual=None, auxiliary=None)
        laplace = LaplaceMarginal.of(independent, centered=centered, chain=chain, entries=entries)
        rows = laplace.rows
        mixed = replace(CorrelatedMixed.of(design), effects=rows.effects, pattern=rows.pattern)
        return cls(mixed, laplace)

    @property
    def layout(self) -> FactorLayout:
        """Layout of theta."""
        return self.laplace.layout

    @property
    def pattern(self) -> Pattern:
        """Which effects meet."""
        return self.mixed.pattern

    def whitened(self, x: np.ndarray) -> tuple[LaplaceMarginal, Whitening] | None:
        """Return the model of rows whitened at x (c,); None where R is singular."""
        white = self.mixed.whiten(x)
        if white is None:
            return None
        rows = replace(self.laplace.rows, y=white.design.y, effects=white.effects)
        return replace(self.laplace, design=white.design, rows=rows), white.whitening

    def independent_rows(self, x: np.ndarray) -> Design:
        """Return a design of the rows whitened at x, its group terms' columns included: its rows are independent."""
        white = self.mixed.whiten(x)
        assert white is not None
        groups, at = [], 0
        for group in white.design.groups:
            columns = white.effects.value[at : at + group.n_effects]
            at += group.n_effects
            groups.append(_with_columns(group, columns))
        return replace(white.design, groups=tuple(groups), residual=None, auxiliary=None)

    def evaluate(
        self,
        beta: np.ndarray,
        theta: np.ndarray,
        family: np.ndarray,
        start: np.ndarray,
        nearby: Elimination | None = None,
    ) -> Evaluation:
        """Return value and gradient as `LaplaceMarginal.evaluate`; ``family`` holds log sigma (if it is one) and x."""
        log_sigma, x = self.split(family)
        sigma_given = np.zeros(1) if not len(log_sigma) else log_sigma
        size = len(beta) + self.layout.size + len(family)
        found = self.whitened(x)
        model, log_determinant = (self.laplace, np.nan) if found is None else (found[0], found[1].log_determinant)
        at = model.evaluate(beta, theta, sigma_given, start, nearby)
        value = at.value - 0.5 * log_determinant
        if found is None or not np.isfinite(value):
            return replace(at, value=-np.inf, gradient=np.full(size, np.nan))
        of_x = self._slope(at, beta, float(np.exp(-2.0 * sigma_given[0])), found[1])
        return replace(at, value=value, gradient=np.append(at.gradient[: size - len(x)], of_x))

    def split(self, family: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log sigma, of length 0 or 1, and the coordinates x of the whitening."""
        first = len(family) - self.mixed.n_coordinates
        return family[:first], family[first:]

    def _slope(self, at: Evaluation, beta: np.ndarray, precision: float, whitening: Whitening) -> np.ndarray:
        """Return the gradient in x."""
        mixed = self.mixed
        A = mixed.effects.with_values(at.factor.rows(mixed.effects.value))
        y = mixed.design.y - mixed.design.offset - mixed.design.X @ beta - A.times(at.mode.z)
        e = mixed.rows.sorted(y)[:, None]
        slope = whitening.pull_back(e, -precision * whitening.columns(e)) - 0.5 * whitening.log_determinant_gradient()
        if A.size:
            assert at.mode.elimination is not None
            solutions = at.mode.elimination.row_solutions()
            slope = slope - precision * whitening.pull_back(
                mixed.rows.sorted(A.value.T), mixed.rows.sorted(solutions.T)
            )
        return slope


def _with_columns(group: GroupEffects, columns: np.ndarray) -> GroupEffects:
    """Return a group term whose effects multiply ``columns`` (q, n): whitened, an intercept's are no longer ones."""
    effects = tuple(f"{name} (whitened)" for name in group.effects)
    return replace(group, effects=effects, slopes=np.ascontiguousarray(columns))
