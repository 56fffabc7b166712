"""Maximum likelihood with a coefficient for every group effect, levels whose estimate is infinite set aside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from bayesglmm.design import Design
from bayesglmm.errors import FitError
from bayesglmm.families import compile_rows
from bayesglmm.families.rows import RowKernels
from bayesglmm.frequentist.dispersion import reproduces_exactly
from bayesglmm.frequentist.fixed.columns import GroupColumns
from bayesglmm.frequentist.fixed.newton import Climbed, Point, climb
from bayesglmm.parameters import Scales

__all__ = ["Unpooled", "search"]

#: As good as infinity along the linear predictor of every link.
_FAR = 1e8
#: How far, in log(phi), its maximum is looked for.
_REACH = 48.0
_MAX_ROUNDS = 100
#: Information, relative to what such rows can have, below which a direction is flat.
_FLAT = 1e-8


@dataclass(frozen=True, eq=False)
class Unpooled:
    """The maximum.

    Attributes
    ----------
    columns : GroupColumns
        What is identified, in the rows that were used.
    point : Point
        Log-likelihood at gamma, without the rows of infinite effects.
    phi : float
        Dispersion at its maximum.
    log_phi_error : float
        Standard error of its logarithm, gamma held; nan without dispersion.
    infinite : ndarray, shape (Q,)
        -1 and 1 where an intercept's estimate runs to minus infinity and infinity, else 0.
    flat : ndarray of bool, shape (p + Q,)
        What runs to infinity otherwise.
    loglik : float
        Log-likelihood of all rows, constants included.
    n_units : float
        Rows used, each as often as its weight says.
    curved : bool
        Whether the log-likelihood is anything but quadratic in the linear predictor.
    iterations : int
        Newton steps.
    converged : bool
        Whether the search ended at a maximum.
    """

    columns: GroupColumns
    point: Point
    phi: float
    log_phi_error: float
    infinite: np.ndarray
    flat: np.ndarray
    loglik: float
    n_units: float
    curved: bool
    iterations: int
    converged: bool


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that are used, with their columns."""

    kernels: RowKernels
    columns: GroupColumns
    table: np.ndarray
    phi: float

    @classmethod
    def of(cls, design: Design, used: np.ndarray, phi: float) -> _Rows:
        rows = np.ascontiguousarray(design.rows[:, used])
        return cls(compile_rows(design.family_link.row), GroupColumns.of(design, used), rows, phi)

    def derivatives(self, eta: np.ndarray) -> np.ndarray:
        out = np.empty((7, len(eta)))
        y, size, weights, _ = self.table
        self.kernels.derivatives(y, size, weights, np.ascontiguousarray(eta), self.phi, out)
        return out

    def eta(self, gamma: np.ndarray) -> np.ndarray:
        return np.asarray(self.table[3] + self.columns.D @ gamma)

    def __call__(self, gamma: np.ndarray) -> Point:
        D, found = self.columns.D, self.derivatives(self.eta(gamma))
        value = float(found[0].sum())
        if not np.isfinite(value):
            return Point(gamma, -np.inf, np.full(len(gamma), np.nan), np.full((len(gamma),) * 2, np.nan))
        information = (D.T @ D.multiply(-found[2][:, None]).tocsr()).toarray()
        return Point(gamma, value, np.asarray(D.T @ found[1]), information)


def search(design: Design) -> Unpooled:
    """Maximise the log-likelihood of ``design``; FitError where it has no maximum to report."""
    scales = Scales.of(design)
    phi = 1.0 if design.dispersion is None or design.family.phi is None else design.family.phi.start(scales.scale)
    used = np.ones(design.n_rows, dtype=bool)
    infinite = np.zeros(design.n_effects)
    iterations = 0
    while True:
        if not used.any():
            raise FitError(
                f"every group's responses are all at one end of their range ({_ends(design)}): the estimates "
                "of all groups are infinite, and nothing is left for the coefficients. Let the groups vary by "
                "chance, as the other methods do."
            )
        rows = _Rows.of(design, used, phi)
        climbed, rows = _maximise(design, rows, _start(rows, scales.location), scales)
        iterations += climbed.iterations
        found = _infinite(design, rows, used, climbed.point.x)
        if not found.any():
            break
        infinite += found
        used &= ~_touched(design, found)
    return _assemble(design, rows, climbed, infinite, used, iterations)


def _ends(design: Design) -> str:
    """Return in words at which end the responses are."""
    y = design.y[design.weights > 0.0]
    if not y.any():
        return "all 0"
    size = design.size if design.family.size == "trials" else 1.0
    return "all successes" if (design.y == size).all() else "within a group all failures, or all successes"


def _start(rows: _Rows, location: float) -> np.ndarray:
    """Return gamma with the linear predictor as near to its expected place as it comes."""
    D = rows.columns.D
    if not D.shape[1]:
        return np.zeros(0)
    return np.linalg.lstsq((D.T @ D).toarray(), D.T @ (location - rows.table[3]), rcond=None)[0]


def _maximise(design: Design, rows: _Rows, start: np.ndarray, scales: Scales) -> tuple[Climbed, _Rows]:
    """Maximise over gamma and the dispersion in turn, until neither moves."""
    climbed = climb(rows, start)
    if design.dispersion is None:
        return climbed, rows
    for _ in range(_MAX_ROUNDS):
        log_phi = _log_phi(rows, rows.eta(climbed.point.x))
        _refuse_ends(design, log_phi, scales.scale)
        moved = abs(log_phi - np.log(rows.phi))
        rows = replace(rows, phi=float(np.exp(log_phi)))
        climbed = climb(rows, climbed.point.x)
        if moved <= 1e-12:
            return climbed, rows
    return replace(climbed, converged=False), rows


def _refuse_ends(design: Design, log_phi: float, scale: float) -> None:
    """Raise FitError where phi has left for an end of its range."""
    rule = design.family.phi
    assert rule is not None
    if reproduces_exactly(rule, log_phi, scale):
        raise FitError(
            f"{design.dispersion} goes to {'0' if rule.exact_at == 0.0 else 'infinity'}: the model reproduces the "
            "response exactly, and the likelihood grows without bound. Leave out a term, or let the groups vary by "
            "chance, as the other methods do."
        )
    if rule.limit and log_phi > np.log(rule.start(scale)) + _REACH / 2.0:
        raise FitError(f"{design.dispersion} grows without bound: {rule.limit}.")


def _log_phi(rows: _Rows, eta: np.ndarray) -> float:
    """Return log phi where the log-likelihood at eta is largest, or far down or up where it has no maximum."""

    def slope(log_phi: float) -> float:
        return float(replace(rows, phi=float(np.exp(log_phi))).derivatives(eta)[4].sum())

    low = high = float(np.log(rows.phi))
    while slope(low) <= 0.0 and low > np.log(rows.phi) - _REACH:
        low -= 2.0
    while slope(high) >= 0.0 and high < np.log(rows.phi) + _REACH:
        high += 2.0
    if slope(low) <= 0.0:
        return low
    if slope(high) >= 0.0:
        return high
    return float(optimize.brentq(slope, low, high, xtol=1e-14, rtol=1e-14))


def _infinite(design: Design, rows: _Rows, used: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Return -1 or 1 for intercepts whose rows are fitted at least as well with an infinite effect, shape (Q,)."""
    found = np.zeros(design.n_effects)
    here = rows.derivatives(rows.eta(gamma))[0]
    ends = {sign: rows.derivatives(np.full(len(here), sign * _FAR))[0] for sign in (-1.0, 1.0)}
    at = 0
    for group in design.groups:
        if group.has_intercept:
            codes, J = group.codes[used], group.n_levels
            seen = np.bincount(codes, minlength=J) > 0
            now = np.bincount(codes, weights=here, minlength=J)
            for sign, there in ends.items():
                better = seen & (np.bincount(codes, weights=there, minlength=J) >= now)
                found[at + group.n_effects * np.flatnonzero(better)] = sign
        at += group.size
    return found


def _touched(design: Design, infinite: np.ndarray) -> np.ndarray:
    """Return which rows have a level whose intercept is infinite, bool, shape (n,)."""
    rows, at = np.zeros(design.n_rows, dtype=bool), 0
    for group in design.groups:
        rows |= (infinite[at : at + group.size].reshape(group.n_levels, -1) != 0.0).any(axis=1)[group.codes]
        at += group.size
    return rows


def _assemble(
    design: Design, rows: _Rows, climbed: Climbed, infinite: np.ndarray, used: np.ndarray, iterations: int
) -> Unpooled:
    point = climbed.point
    eta = rows.eta(point.x)
    h = 1e-4
    up, down = (replace(rows, phi=rows.phi * float(np.exp(s))).derivatives(eta)[4].sum() for s in (h, -h))
    curvature = float(down - up) / (2.0 * h)
    return Unpooled(
        columns=rows.columns,
        point=point,
        phi=rows.phi,
        log_phi_error=curvature**-0.5 if design.dispersion is not None and curvature > 0.0 else np.nan,
        infinite=infinite,
        flat=_flat(rows, point.information, Scales.of(design).location),
        # Rows with an infinite effect are certain: their log-likelihood is 0, that is, their constant alone.
        loglik=point.value + float((design.weights * design.log_constants).sum()),
        n_units=float(design.weights[used].sum()),
        curved=bool(rows.derivatives(eta)[3].any()),
        iterations=iterations,
        converged=climbed.converged,
    )


def _flat(rows: _Rows, information: np.ndarray, location: float) -> np.ndarray:
    """Return which of (beta, u) have a part in directions of nearly no information, bool, shape (p + Q,)."""
    columns = rows.columns
    before = np.abs(rows.derivatives(np.full(rows.table.shape[1], location))[2])
    lengths = np.sqrt(np.asarray(columns.D.multiply(columns.D * before[:, None]).sum(axis=0)))
    values, vectors = np.linalg.eigh(information / np.outer(lengths, lengths))
    directions = vectors[:, values <= _FLAT] / lengths[:, None]
    if not directions.shape[1]:
        return np.zeros(len(columns.T), dtype=bool)
    # In centred columns too: there a slope is not hidden behind what it makes of an intercept far away.
    moved = (np.abs(M @ directions) for M in (columns.T, columns.inner))
    return np.asarray(np.any([(m >= 0.1 * m.max(axis=0)).any(axis=1) for m in moved], axis=0))
