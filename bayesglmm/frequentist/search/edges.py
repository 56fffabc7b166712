"""The edge of the parameter space and saddles: entries of Lambda pinned at zero, freed again, and ways up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesglmm.frequentist.search.objective import Counted, Objective
from bayesglmm.frequentist.search.polish import Polished

__all__ = ["escape", "free", "pin"]

_NEAR_ZERO = 1e-2
_GAIN = 1e-7
#: How far from zero is looked, as shares of a parameter's natural scale: the log-likelihood is even in a pinned entry,
#: so that its gradient at zero says nothing, and where it rises from zero it may soon fall again.
_LOOKS = (0.3, 0.05, 0.01, 0.002)
#: Correlations with an effect that varies already.
_SHARES = (0.9, -0.9, 0.4, -0.4)
#: Correlations of effects that have one standard deviation, as angles (see `covariance.angle`).
_ANGLES = (0.8, -0.8, 1.4)
#: Curvature upwards, in units of an inverse squared standard error at the start, beyond what rounding makes.
_UPWARDS = 1e-5


def pin(f: Counted, w: np.ndarray, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pin each column of Lambda whose diagonal entry is near zero, where zero is no worse."""
    pinned = pinned.copy()
    near = [c for c in f.objective.columns if not pinned[c[0]] and w[c[0]] <= _NEAR_ZERO * f.objective.reach[c[0]]]
    if not near:
        return w, pinned
    value = f.value(w)
    for column in near:
        zero = f.absorb(w, column)
        at_zero = f.value(zero)
        if at_zero >= value - _GAIN:
            w, value = zero, at_zero
            pinned[column] = True
    return w, pinned


def free(f: Counted, w: np.ndarray, value: float, pinned: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a better point off the boundary with its column of Lambda freed, or None if every zero is best at zero."""
    for i, column in enumerate(f.objective.columns):
        if not pinned[column].any():
            continue
        for away in _ways_off(f.objective, w, i):
            if f.value(away) > value + _GAIN:
                freed = pinned.copy()
                freed[column] = False
                return away, freed
    return None


def _ways_off(objective: Objective, w: np.ndarray, i: int) -> Iterator[np.ndarray]:
    """Yield points at which column i of Lambda is not zero.

    Its effect may vary alone, or together with an effect that varies already, whose variance is then shared between the
    two columns: from a variance of zero the second is a way up that no single entry shows.
    """
    column, reach, units = objective.columns[i], objective.reach, np.diagonal(objective.units)
    for look in _LOOKS:
        alone = w.copy()
        alone[column[0]] = look * reach[column[0]]
        yield alone
        if objective.mixes and not objective.mixes[i]:
            for angle in _ANGLES:
                turned = alone.copy()
                turned[column[1:]] = angle / units[column[1:]]
                yield turned
            continue
        for m, entry in enumerate(column[1:], 1):
            diagonal = objective.columns[i + m][0]
            for share in _SHARES if w[diagonal] > 0.0 else ():
                together = alone.copy()
                together[entry] = share * w[diagonal] * units[diagonal] / units[entry]
                together[diagonal] = np.sqrt(1.0 - share**2) * w[diagonal]
                yield together


def escape(f: Counted, at: Polished, pinned: np.ndarray) -> np.ndarray | None:
    """Return a better point along a direction in which the log-likelihood curves upwards, or None without one."""
    there = np.flatnonzero(~pinned)
    H = at.hessian[np.ix_(there, there)]
    if not len(there) or not np.isfinite(H).all():
        return None
    eigenvalues, vectors = np.linalg.eigh(-H)
    if eigenvalues[0] > -_UPWARDS * max(float(eigenvalues[-1]), 1.0):
        return None
    for length in (1.0, -1.0, 0.1, -0.1):
        away = at.w.copy()
        away[there] += length * vectors[:, 0]
        away = np.where(f.objective.nonnegative, np.abs(away), away)
        if f.value(away) > at.value + _GAIN:
            return away
    return None
