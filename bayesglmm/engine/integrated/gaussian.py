"""Gaussian models with beta and u integrated out exactly: a density of standard deviations, correlations and sigma.

An evaluation costs what the groups cost: rows are summed once, when the object is made. What was integrated out is
drawn afterwards, exactly, given each draw of the rest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesglmm.density.layout import COR, SD, Layout
from bayesglmm.density.native import NativeDensity, compile_expand
from bayesglmm.design import Design
from bayesglmm.engine.cross import CrossProducts
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.integrated.alone import in_chunks
from bayesglmm.engine.integrated.classes import Classes
from bayesglmm.engine.integrated.completion import compile_completion
from bayesglmm.engine.integrated.kernel import compile_marginal
from bayesglmm.engine.integrated.leaves import Leaves
from bayesglmm.engine.linear import precisions
from bayesglmm.engine.pattern import Pattern
from bayesglmm.errors import NotAvailableError
from bayesglmm.parameters import Parameters

__all__ = ["GaussianMarginal"]

_LOG_2PI = math.log(2.0 * math.pi)
#: A diagonal entry of R this small beside the largest: columns that the rows do not tell apart.
_RANK = 1e-10


@dataclass(frozen=True, eq=False)
class GaussianMarginal:
    """log p(y, theta) of a linear mixed model: the joint density with coefficients and group effects integrated out.

    Its coordinates are those of `JointDensity` without coefficients and z: [log sds | dispersion | correlations].
    Coefficients stay in front, all of them, if one has a prior that is neither Normal nor Flat. The value is the
    logarithm of the integral of exp(joint density), every constant included.

    Attributes
    ----------
    design : Design
        Data and coding; identity link.
    parameters : Parameters
        Priors and centring.
    layout : Layout
        Positions in the joint density's x.
    cross : CrossProducts
        Z' W Z, W = weights / size^2.
    R, origin : ndarray, shapes (p, p) and (p,)
        X = Q R (upper triangular; X with the intercept at the columns' means), and an estimate of the coefficients:
        inside, coefficients are delta = R (coefficients - origin).
    D : ndarray, shape (Q, p + 1)
        Z' W [Q y~], y~ = y - offset - X origin.
    squares : ndarray, shape (p + 1, p + 1)
        [Q y~]' W [Q y~].
    """

    design: Design
    parameters: Parameters
    layout: Layout
    cross: CrossProducts
    R: np.ndarray
    origin: np.ndarray
    D: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, design: Design, parameters: Parameters) -> GaussianMarginal:
        """Sum over the rows of ``design``.

        Raises
        ------
        NotAvailableError
            The model is not linear: its group effects cannot be integrated out in closed form.
        """
        if not design.is_linear:
            raise NotAvailableError(
                f"group effects of a {design.spec.family} model with the {design.spec.link} link cannot be integrated "
                "out exactly; sample the joint density."
            )
        if design.residual is not None:
            raise NotAvailableError(
                f"group effects beside residuals {design.spec.residual} are not integrated out; sample the joint "
                "density."
            )
        if any(g.structure.relationship is not None for g in design.groups):
            raise NotAvailableError(
                "group effects with a known covariance are not integrated out exactly; sample the joint density."
            )
        effects, W = EffectColumns.of(design), precisions(design)
        cross = CrossProducts.of(Pattern.of(design, effects), effects, W)
        X = design.X - design.X[:, :1] * parameters.center
        y = design.y - design.offset
        R = _root(X * np.sqrt(W)[:, None])
        columns = np.linalg.solve(R.T, X.T)
        origin = np.zeros(len(R))
        squares = (columns * W) @ columns.T  # the identity, unless the rows do not tell the columns apart
        for _ in range(2):  # the second round removes what rounding left of the first
            change = np.linalg.lstsq(squares, columns @ (W * y), rcond=None)[0]
            origin, y = origin + np.linalg.solve(R, change), y - columns.T @ change
        stacked = np.vstack([columns, y])
        D = np.zeros((effects.size, len(stacked)))
        for k, column in enumerate(stacked):
            D[:, k] = effects.transposed_times(np.ascontiguousarray(W * column))
        return cls(design, parameters, Layout.of(design), cross, R, origin, D, (stacked * W) @ stacked.T)

    @functools.cached_property
    def holds_coefficients(self) -> bool:
        """Whether coefficients are coordinates: a prior is neither Normal nor Flat."""
        return any(p.dist not in ("Normal", "Flat") for p in self.parameters.coefficients)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self._kept)

    @functools.cached_property
    def _kept(self) -> np.ndarray:
        """Positions of the coordinates in the joint density's x."""
        first = 0 if self.holds_coefficients else self.layout.n_coefficients
        return np.arange(first, self.layout.size - self.layout.n_effects)

    @functools.cached_property
    def _prior(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Return precision P (p, p) and P d0 (p,) of delta, d0' P d0, and the constant of the integral over it."""
        p = len(self.R)
        if self.holds_coefficients or not p:
            return np.zeros((p, p)), np.zeros(p), 0.0, 0.0
        # A flat prior is a normal one without end.
        mu = np.array([c.params.get("mu", 0.0) for c in self.parameters.coefficients])
        sd = np.array([c.params.get("sigma", np.inf) for c in self.parameters.coefficients])
        half = np.linalg.solve(self.R.T, np.diag(1.0 / sd))  # half half' = R^-T diag(sd)^-2 R^-1
        shift = np.where(np.isinf(sd), 0.0, (mu - self.origin) / sd)
        normal = sd[np.isfinite(sd)]
        constant = 0.5 * (p - len(normal)) * _LOG_2PI - float(np.log(normal).sum())
        constant -= float(np.log(np.abs(np.diag(self.R))).sum())
        return half @ half.T, half @ shift, float(shift @ shift), constant

    @functools.cached_property
    def _numbers(self) -> np.ndarray:
        """Return what the kernel calls numbers."""
        design = self.design
        _, _, prior_squares, constant = self._prior
        weight = float(design.weights.sum())
        constant -= 0.5 * weight * _LOG_2PI + float(design.weights @ np.log(design.size))
        for group, eta in zip(design.groups, self.parameters.lkj, strict=True):
            constant += group.structure.log_constant(group.n_effects, float(eta))
        widest = max((g.n_effects for g in design.groups), default=1)
        flags = [self.holds_coefficients, self.layout.n_family, widest]
        return np.array([weight, prior_squares, constant, *flags], dtype=np.float64)

    @property
    def _alone(self) -> bool:
        """Whether there is one group term, whose levels meet nothing."""
        return len(self.design.groups) == 1 and self.cross.pattern.n_tail == 0

    @functools.cached_property
    def _classes(self) -> Classes:
        """Levels that are factored together."""
        return Classes.of(self.cross.blocks, self.D, self.design.groups[0].n_effects) if self._alone else Classes.none()

    @functools.cached_property
    def _leaves(self) -> Leaves:
        """Leaves that are summed under their parents."""
        return Leaves.of(self.cross.pattern, self.cross.blocks, self.cross.couplings, self.D)

    @property
    def _chunks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Z' W Z and D of one term alone, laid out for `alone`; nothing for other models."""
        if not self._alone:
            return np.zeros(0), np.zeros(0)
        q, m = self.design.groups[0].n_effects, self.D.shape[1]
        levels = self.D.reshape(-1, q, m).transpose(0, 2, 1)
        return in_chunks(self.cross.blocks.reshape(-1, q * q)), in_chunks(levels.reshape(-1, m * q))

    @functools.cached_property
    def arguments(self) -> tuple[np.ndarray, ...]:
        """The arrays that the kernel reads, in its order (see `data.unpack`); none is written to."""
        terms = self.layout.terms.copy()
        terms[:, [SD, COR]] -= self.layout.n_coefficients - self._held
        table = self.parameters.table[self.layout.n_coefficients - self._held :]
        precision, pull, _, _ = self._prior
        pattern, cross = self.cross.pattern, self.cross
        places = (np.array(pattern.chain, dtype=np.int64), *cross._places)
        sums = (cross.blocks, cross.couplings, cross.tail, self.D, self.squares)
        coefficients = (precision, pull, self.R, self.origin)
        head = (terms, table, self.parameters.lkj)
        own = self._classes
        classes = (own.blocks, own.counts, own.products)
        summed = self._leaves
        leaves = (summed.starts, summed.pivots, summed.counts, summed.products)
        parts = (*head, *pattern.tree, *places, *sums, *coefficients, self._numbers, *classes, *self._chunks, *leaves)
        return tuple(np.ascontiguousarray(part) for part in parts)

    @property
    def _held(self) -> int:
        return self.layout.n_coefficients if self.holds_coefficients else 0

    @functools.cached_property
    def _table(self) -> np.ndarray:
        """Address and shape of every array of `arguments`, int64 shape (arrays, 3)."""
        table = np.zeros((len(self.arguments), 3), dtype=np.int64)
        for row, array in zip(table, self.arguments, strict=True):
            row[0] = array.ctypes.data
            row[1 : 1 + array.ndim] = array.shape
        return table

    def native(self) -> NativeDensity:
        """Return the density as a C function for samplers; it may be called from several threads at once."""
        return NativeDensity(compile_marginal(), compile_expand(), self._table, self.arguments, self.size)

    def evaluator(self) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Return a function x -> (log density, gradient); see `NativeDensity.evaluator`."""
        return self.native().evaluator()

    def complete(self, x: np.ndarray, seed: int | np.random.Generator) -> np.ndarray:
        """Draw coefficients and z given each draw of the other parameters and the data.

        Exact for every draw; one alternates with the next (see `completion`).

        Parameters
        ----------
        x : ndarray, shape (draws, size)
            Draws of the marginal density, one after the other.
        seed : int or Generator
            What is drawn depends on it alone.

        Returns
        -------
        ndarray, shape (draws, JointDensity.size)
            Non-centred coordinates of the joint density.
        """
        points = np.ascontiguousarray(x, dtype=np.float64)
        out = np.random.default_rng(seed).standard_normal((len(points), self.layout.size))
        compile_completion()(points, self._table, out)
        return out


def _root(X: np.ndarray) -> np.ndarray:
    """Return upper triangular R of X = Q R; only its columns' lengths where rows do not tell the columns apart."""
    n, p = X.shape
    lengths = np.sqrt((X * X).sum(axis=0))
    lengths[lengths == 0.0] = 1.0
    if n < p:
        return np.diag(lengths)
    R: np.ndarray = np.linalg.qr(X, mode="r")
    # Beside the columns' own lengths: a column in small units is no reason for doubt.
    own = np.abs(np.diag(R)) / lengths
    return R if p == 0 or own.min() > _RANK else np.diag(lengths)
