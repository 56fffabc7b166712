"""Coordinates of the working parameters in which one parameter of the model is held at a value and the rest are free.

A coefficient, sigma, and the standard deviation of an effect that is not correlated with others are entries of x
themselves; for standard deviations and correlations of correlated effects see `held_rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayesglmm.frequentist.inference.held_rows import Row, RowPair
from bayesglmm.frequentist.working import Working

__all__ = ["Entry", "Held", "LogEntry", "held_parameter"]


class Local(Protocol):
    """The part of x that holds a parameter, as a function of its value and of free coordinates."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the parameter; finite ends belong to it, except 0 for a dispersion."""
        ...

    @property
    def diagonal(self) -> np.ndarray:
        """Which free coordinates are diagonal entries of a triangular factor: the log-likelihood is even in them."""
        ...

    def start(self, part: np.ndarray) -> np.ndarray:
        """Return the free coordinates of a part of x."""
        ...

    def embed(self, value: float, free: np.ndarray) -> np.ndarray:
        """Return the part of x."""
        ...

    def pull_back(self, value: float, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in the free coordinates, given that in the part of x."""
        ...


@dataclass(frozen=True, eq=False)
class Entry:
    """The parameter is an entry of x: a coefficient, or a standard deviation of an effect by itself."""

    bounds: tuple[float, float]

    @property
    def diagonal(self) -> np.ndarray:
        """None."""
        return np.zeros(0, dtype=bool)

    def start(self, part: np.ndarray) -> np.ndarray:  # noqa: ARG002  # one signature for all
        """Return no coordinates."""
        return np.zeros(0)

    def embed(self, value: float, free: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return the value."""
        return np.array([value])

    def pull_back(self, value: float, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return no gradient."""
        return np.zeros(0)


@dataclass(frozen=True, eq=False)
class LogEntry(Entry):
    """The parameter's logarithm is an entry of x: a scale of the family."""

    def embed(self, value: float, free: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return its logarithm."""
        return np.array([np.log(value)])


@dataclass(frozen=True, eq=False)
class AngleEntry(Entry):
    """The parameter is a correlation whose angle between its bounds is an entry of x (see `covariance.angle`)."""

    def embed(self, value: float, free: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return the angle."""
        lower, upper = self.bounds
        return np.array([np.arcsin(np.clip((2.0 * value - lower - upper) / (upper - lower), -1.0, 1.0))])


@dataclass(frozen=True, eq=False)
class Held:
    """Coordinates v of x with one parameter held.

    Attributes
    ----------
    part : slice
        Where the parameter's part of x stands.
    local : Local
        That part.
    """

    part: slice
    local: Local

    def start(self, x: np.ndarray) -> np.ndarray:
        """Return v at x, shape (k - 1,)."""
        return np.concatenate([x[: self.part.start], self.local.start(x[self.part]), x[self.part.stop :]])

    def embed(self, value: float, v: np.ndarray) -> np.ndarray:
        """Return x (k,)."""
        before, free, after = self._cut(v)
        return np.concatenate([before, self.local.embed(value, free), after])

    def pull_back(self, value: float, v: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in v (k - 1,), given that in x (k,)."""
        _, free, _ = self._cut(v)
        moved = self.local.pull_back(value, free, gradient[self.part])
        return np.concatenate([gradient[: self.part.start], moved, gradient[self.part.stop :]])

    def jacobian(self, value: float, v: np.ndarray) -> np.ndarray:
        """Return dx/dv, shape (k, k - 1)."""
        k = len(v) + 1
        rows = [self.pull_back(value, v, row) for row in np.eye(k)]
        return np.array(rows).reshape(k, k - 1)

    def diagonal(self, nonnegative: np.ndarray) -> np.ndarray:
        """Return which of v are diagonal entries of a triangular factor, given those of x, bool (k - 1,)."""
        return np.concatenate([nonnegative[: self.part.start], self.local.diagonal, nonnegative[self.part.stop :]])

    def _cut(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        start, stop = self.part.start, self.part.stop - 1  # one coordinate less than entries of x
        return v[:start], v[start:stop], v[stop:]


def held_parameter(working: Working, term: str, name: str) -> Held:
    """Return the coordinates with one parameter held, its term and name as a fit's `Estimate` has them.

    The term is needed: a column of the data may be called ``sigma``, or like a standard deviation.
    """
    design = working.design
    everything = (-np.inf, np.inf)
    if term == "fixed":
        at = design.coefficients.index(name)
        return Held(slice(at, at + 1), Entry(everything))
    if term == "family":
        at = working.family.start + design.family_names.index(name)
        logged = next(part.kind == "scale" for part in design.family_parts if name in part.names)
        return Held(slice(at, at + 1), LogEntry((0.0, np.inf)) if logged else Entry(everything))
    for group, part in zip(design.groups, working.layout.slices, strict=True):
        where = slice(working.n_beta + part.start, working.n_beta + part.stop)
        if group.structure.common:
            if (term, name) == ("sd", group.sd_names()[0]):
                return Held(slice(where.start, where.start + 1), Entry((0.0, np.inf)))
            if (term, name) == ("cor", group.cor_name) and group.structure.lower is not None:
                lower = group.structure.lower(group.n_effects)
                return Held(slice(where.start + 1, where.start + 2), AngleEntry((lower, 1.0)))
            continue
        for k, effect in enumerate(group.effects):
            if term != "sd" or group.sd_name(effect) != name:
                continue
            if group.structure.theta.size(group.n_effects) == group.n_effects:
                return Held(slice(where.start + k, where.start + k + 1), Entry((0.0, np.inf)))
            return Held(where, Row(group, (k,)))
        pairs = [(k, i) for i in range(group.n_effects) for k in range(i)]
        for pair, cor_name in zip(pairs, group.cor_names(), strict=False):
            if term == "cor" and cor_name == name:
                return Held(where, RowPair(group, pair))
    raise KeyError((term, name))
