"""What is maximised: a function with gradient, how far its parameters reach and which may not be negative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Counted", "Objective"]

type ValueGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Objective:
    """What is maximised.

    Attributes
    ----------
    evaluate : callable
        x -> (value, gradient); -inf where it cannot be computed.
    units : ndarray, shape (k, k)
        x = units w, with w about one standard error apart and nearly uncorrelated: the search is in w.
    nonnegative : ndarray of bool, shape (k,)
        Parameters that are kept >= 0; ``units`` is diagonal and positive there.
    natural : ndarray, shape (k, k)
        x = natural v, with v about one where a parameter changes the linear predictor as much as it varies: below a
        hundredth of it an entry of Lambda is near zero, and what says nothing about it says nothing.
    columns : tuple of ndarray of int
        For each column of each Lambda, the positions of its entries in x, the diagonal one (nonnegative) first.
    absorb : callable
        (x, column) -> x with that column zero and its part of Lambda Lambda' moved into the columns after it.
    mixes : tuple of bool
        Whether each of ``columns`` is a column of a Lambda, which shares variance with those after it; empty: all.
    central : bool
        Whether differences of the gradient are taken on both sides. One side does where there are so many levels that
        the log-likelihood is close to a parabola.
    """

    evaluate: ValueGradient
    units: np.ndarray
    nonnegative: np.ndarray
    natural: np.ndarray
    columns: tuple[np.ndarray, ...]
    absorb: Callable[[np.ndarray, np.ndarray], np.ndarray]
    central: bool = True
    mixes: tuple[bool, ...] = ()

    @property
    def reach(self) -> np.ndarray:
        """The natural scale of each parameter in units of w, shape (k,)."""
        reach: np.ndarray = np.diagonal(self.natural) / np.diagonal(self.units)
        return reach


@dataclass(frozen=True, eq=False)
class Counted:
    """An objective in the coordinates w that counts its evaluations and remembers the last two."""

    objective: Objective
    count: list[int] = field(default_factory=lambda: [0])
    last: list[tuple[bytes, float, np.ndarray]] = field(default_factory=list)

    def value(self, w: np.ndarray) -> float:
        """Return the value at w (k,)."""
        return self(w)[0]

    def __call__(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Return value and gradient at w (k,)."""
        key = w.tobytes()
        for known, value, gradient in self.last:
            if known == key:
                return value, gradient
        self.count[0] += 1
        value, gradient = self.objective.evaluate(self.objective.units @ w)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return -np.inf, np.zeros_like(w)
        self.last[:] = [*self.last[-1:], (key, value, self.objective.units.T @ gradient)]
        return self.last[-1][1:]

    def absorb(self, w: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return `Objective.absorb` in the coordinates w."""
        units = self.objective.units
        return np.linalg.solve(units, self.objective.absorb(units @ w, column))
