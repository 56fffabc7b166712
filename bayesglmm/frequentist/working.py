"""The working parameters of a likelihood fit, x = (beta, theta, family scalars, residual correlations)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.factor import FactorLayout
from bayesglmm.parameters import Scales

__all__ = ["Working"]

#: Further out no phi means anything, and its square would overflow.
_LARGEST_LOG = 300.0


@dataclass(frozen=True, eq=False)
class Working:
    """How x is cut into parts and measured.

    Attributes
    ----------
    design : Design
        Data.
    layout : FactorLayout
        theta.
    scales : Scales
        Natural scales.
    """

    design: Design
    layout: FactorLayout
    scales: Scales

    @classmethod
    def of(cls, design: Design) -> Working:
        """Lay out the working parameters of ``design``."""
        return cls(design, FactorLayout.of(design), Scales.of(design))

    @property
    def n_beta(self) -> int:
        """Number of coefficients p."""
        return len(self.design.coefficients)

    @property
    def theta(self) -> slice:
        """Positions of theta in x."""
        return slice(self.n_beta, self.n_beta + self.layout.size)

    @property
    def size(self) -> int:
        """Length of x."""
        return self.residual.stop

    @property
    def family(self) -> slice:
        """Positions of the family scalars in x: logarithms of scales, others as they are."""
        return slice(self.theta.stop, self.theta.stop + len(self.design.family_names))

    @property
    def residual(self) -> slice:
        """Positions of the residual structure's correlation coordinates in x."""
        return slice(self.family.stop, self.family.stop + self.design.n_residual)

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return beta, theta and the working family scalars (K,); a log phi is held where phi would overflow."""
        family = x[self.family]
        held = family if self.design.dispersion is None else np.clip(family, -_LARGEST_LOG, _LARGEST_LOG)
        return x[: self.n_beta], x[self.theta], held

    def split_phi(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return beta, theta and log phi (0 without dispersion), for methods that know one scalar dispersion."""
        beta, theta, family = self.split(x)
        return beta, theta, float(family[-1]) if len(family) else 0.0

    def units(self) -> np.ndarray:
        """Return the matrix of x = units w: coefficients through the QR factor of X, nearly uncorrelated in w."""
        units = np.eye(self.size)
        p, n = self.n_beta, self.design.n_rows
        if p:
            R = np.linalg.qr(self.design.X, mode="r")
            units[:p, :p] = np.linalg.solve(R, np.eye(p)) * np.sqrt(n) * self.scales.scale
        units[np.diag_indices(self.size)] *= np.concatenate(
            [np.ones(p), self._theta_units(), np.ones(self.size - self.theta.stop)]
        )
        return units

    def _theta_units(self) -> np.ndarray:
        return self.layout.natural([self.scales.scale / widths for widths in self.scales.effects])

    def start(self) -> np.ndarray:
        """Return x with the linear predictor at its expected place, Lambda = 0, family scalars at natural scales."""
        x = np.zeros(self.size)
        if self.n_beta:
            target = np.full(self.design.n_rows, self.scales.location) - self.design.offset
            x[: self.n_beta] = np.linalg.lstsq(self.design.X, target, rcond=None)[0]
        parts = self.design.family_parts
        x[self.family] = [np.log(v) if part.kind == "scale" else v for part in parts for v in part.start]
        return x

    def with_spread(self, x: np.ndarray, fraction: float) -> np.ndarray:
        """Return x with every Lambda diagonal, standard deviations at ``fraction`` of their natural scale."""
        x = x.copy()
        x[self.theta] = np.where(self.layout.diagonal, fraction * self._theta_units(), 0.0)
        return x

    def lifted(self, x: np.ndarray) -> np.ndarray:
        """Return x with variances near zero lifted to a hundredth of their natural size: a start is no verdict."""
        x = x.copy()
        x[self.theta] = self.layout.lifted(x[self.theta], 0.1 * self._theta_units())
        return x

    def nonnegative(self) -> np.ndarray:
        """Return which entries of x are kept >= 0, bool, shape (size,)."""
        flags = np.zeros(self.size, dtype=bool)
        flags[self.theta] = self.layout.diagonal
        return flags

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return, for each column of each Lambda, the positions of its entries in x, diagonal first."""
        return tuple(self.n_beta + members for members in self.layout.columns())

    def shares_columns(self, pinned: np.ndarray) -> bool:
        """Return whether a pinned entry of x belongs to a term whose effects are correlated."""
        for group, part in zip(self.design.groups, self.layout.slices, strict=True):
            where = slice(self.n_beta + part.start, self.n_beta + part.stop)
            if group.structure.correlated and pinned[where].any():
                return True
        return False

    def absorb(self, x: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return x with a column of Lambda zero and Lambda Lambda' otherwise kept (its lower factor refactored)."""
        x = x.copy()
        for group, part, own in zip(self.design.groups, self.layout.slices, self.layout.maps, strict=True):
            where = slice(self.n_beta + part.start, self.n_beta + part.stop)
            if where.start <= column[0] < where.stop:
                x[where] = own.without(x[where], column - where.start, group.n_effects)
        x[column] = 0.0
        return x
