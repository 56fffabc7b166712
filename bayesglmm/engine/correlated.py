"""A linear mixed model whose residuals correlate: whitened at given correlations, it is one of independent rows.

With V = sigma^2 (R + Z Lambda Lambda' Z') and L L' = R, the rows L^-1 y, L^-1 X, L^-1 Z have residuals that are
independent. Every group of R lies within one level of each grouping factor, so that L^-1 Z touches the effects that Z
touches, and all that `LinearMixed` does holds; log|R| is added to minus twice the log-likelihood.

Derivatives in the correlation coordinates: the penalised residual sum of squares is a minimum over beta and z, so that
only the whitening of its residuals moves; log|X'V^-1X| likewise, column by column of X; and d log|H| is
2 sum_i a_i' H^-1 da_i with a_i the rows of L^-1 Z Lambda.

Where standard deviations differ by row (`ResidualScales`), rows are divided by them as well: R stands for
D R D / sigma^2 with a sigma that is given, and the coordinates x begin with the coefficients of log D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.linear import LinearMixed, Solved
from bayesglmm.engine.pattern import Pattern
from bayesglmm.residual import ResidualRows, ResidualScales, ResidualStructure, Whitening, structure_of

__all__ = ["CorrelatedMixed", "WhiteRows", "Whitened", "straddled"]


def straddled(design: Design) -> str | None:
    """Return a grouping factor of which a group of the residual structure has rows in two levels, or None."""
    rows = design.residual
    assert rows is not None
    firsts = rows.order[rows.starts[:-1]]
    for group in design.groups:
        if (group.codes != group.codes[firsts][rows.codes]).any():
            return group.name
    return None


@dataclass(frozen=True, eq=False)
class WhiteRows:
    """Rows at given correlations.

    Attributes
    ----------
    design : Design
        Whitened response (less the offset) and X; its group terms are as they were.
    effects : EffectColumns
        L^-1 Z.
    whitening : Whitening
        L^-1.
    """

    design: Design
    effects: EffectColumns
    whitening: Whitening


@dataclass(frozen=True, eq=False)
class Whitened:
    """The model at given correlations.

    Attributes
    ----------
    model : LinearMixed
        That of the whitened rows.
    whitening : Whitening
        L^-1.
    """

    model: LinearMixed
    whitening: Whitening


@dataclass(frozen=True, eq=False)
class CorrelatedMixed:
    """A linear mixed model with a residual structure.

    Attributes
    ----------
    design : Design
        Data.
    rows : ResidualRows
        Groups and times of the residuals.
    structure : ResidualStructure
        R.
    effects : EffectColumns
        Z, its columns at their means.
    pattern : Pattern
        Which effects meet.
    scales : ResidualScales or None
        How standard deviations differ by row, relative to sigma, which then is given and not estimated.
    """

    design: Design
    rows: ResidualRows
    structure: ResidualStructure
    effects: EffectColumns
    pattern: Pattern
    scales: ResidualScales | None = None

    @classmethod
    def of(cls, design: Design, sigma: float = 1.0) -> CorrelatedMixed:
        """Lay out ``design``, which has a residual structure; ``sigma`` is what its scales are relative to."""
        rows, scales = design.residual, design.residual_scales
        assert rows is not None
        effects = EffectColumns.of(design, centered=True)
        relative = None if scales is None else scales.relative_to(sigma)
        return cls(design, rows, structure_of(rows), effects, Pattern.of(design, effects), relative)

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates c: coefficients of log standard deviations, then those of the correlations."""
        return (0 if self.scales is None else self.scales.size) + self.structure.coordinates(self.rows)

    def whitening(self, x: np.ndarray) -> Whitening:
        """Return L^-1, or (D L)^-1, at the coordinates x (c,)."""
        if self.scales is None:
            return self.structure.whitening(self.rows, x)
        K = self.scales.size
        return self.scales.whitening(self.structure.whitening(self.rows, x[K:]), x[:K])

    def with_response(self, y: np.ndarray) -> CorrelatedMixed:
        """Return the same for another response y (n,)."""
        return replace(self, design=self.design.with_response(y))

    def at(self, x: np.ndarray) -> Whitened | None:
        """Return the model whitened at the coordinates x (c,); None where R, or whitened X, is singular to rounding."""
        white = self.whiten(x)
        if white is None:
            return None
        logs = -white.whitening.log_determinant
        try:
            model = LinearMixed.with_effects(white.design, white.effects, self.pattern, logs)
        except np.linalg.LinAlgError:
            return None  # standard deviations so large that rows which tell coefficients apart weigh nothing
        return Whitened(model, white.whitening)

    def whiten(self, x: np.ndarray) -> WhiteRows | None:
        """Whiten the rows at the coordinates x (c,); None where R is singular to rounding."""
        whitening = self.whitening(x)
        if not np.isfinite(whitening.log_determinant):
            return None
        design, y = self.design, self.design.y - self.design.offset
        columns = self._white(whitening, np.column_stack([y, design.X, self.effects.value.T]))
        if not np.isfinite(columns).all():
            return None
        rows = np.ones_like(design.rows)
        rows[0], rows[3] = columns[:, 0], 0.0
        p = design.X.shape[1]
        white = replace(design, rows=rows, X=np.ascontiguousarray(columns[:, 1 : p + 1]))
        effects = self.effects.with_values(np.ascontiguousarray(columns[:, p + 1 :].T))
        return WhiteRows(white, effects, whitening)

    def _white(self, whitening: Whitening, columns: np.ndarray) -> np.ndarray:
        return self.rows.unsorted(whitening.columns(self.rows.sorted(columns)))

    def gradients(self, white: Whitened, at: Solved, reml: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients in x of log|H| + log|R| (+ log|X'V^-1X| for REML) and of r^2, each (c,)."""
        model, whitening = white.model, white.whitening
        turned = model.turned(at)[:, : len(model.R) if reml else 0]
        beta = np.column_stack([model.beta(at), np.linalg.solve(model.R, turned)])
        u = model.effects_at(at, np.column_stack([at.z, at.columns @ turned]))
        y = np.zeros((self.design.n_rows, beta.shape[1]))
        y[:, 0] = self.design.y - self.design.offset
        y[:, 1:] = self.design.X @ beta[:, 1:]
        y[:, 0] -= self.design.X @ beta[:, 0]
        shares = [self.effects.times(np.ascontiguousarray(column)) for column in u.T]
        e = self.rows.sorted(y - np.column_stack(shares))
        w = whitening.columns(e)
        r2 = whitening.pull_back(e[:, :1], 2.0 * w[:, :1])
        logs = whitening.pull_back(e[:, 1:], 2.0 * w[:, 1:]) + whitening.log_determinant_gradient()
        if self.effects.size:
            a = at.factor.rows(self.effects.value)
            solutions = at.elimination.row_solutions(at.factor.rows(model.cross.effects.value))
            logs = logs + whitening.pull_back(self.rows.sorted(a.T), 2.0 * self.rows.sorted(solutions.T))
        return logs, r2
