"""The preconditioner of a model: penalised fit, partial centring, linear map; and what is left where one fails."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.bayes.preconditioner.arrow import ArrowMap
from bayesglmm.bayes.preconditioner.conditional import centring_at, is_serial, level_factors, partially_centred
from bayesglmm.bayes.preconditioner.curvature import curvature_at
from bayesglmm.bayes.preconditioner.rough import rough_centring, rough_information
from bayesglmm.bayes.preconditioner.tails import short_tails
from bayesglmm.bayes.start import start_box
from bayesglmm.density import Centring, JointDensity
from bayesglmm.engine.correlated import straddled
from bayesglmm.engine.pattern import MAX_SERIES, dense_width, widest_serial
from bayesglmm.engine.penalised import PenalisedMarginal, PenalisedPoint
from bayesglmm.engine.quasi_newton import Ascent, ascend

__all__ = ["Preconditioner", "precondition"]

#: Widest dense tail of the elimination that a linear map is made of.
MAX_TAIL = 3000
_FULL = "penalised fit: partial centring and linear map"
_LESS = "partial centring, diagonal metric"


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """Coordinates for a sampler.

    Attributes
    ----------
    density : JointDensity
        The density in its coordinates x.
    arrow : ArrowMap or None
        x = x^ + A v; None where the sampler has to find a metric by itself.
    kind : str
        What it is, in a few words.
    reason : str
        Why it is not more; empty if it is all there is to have.
    """

    density: JointDensity
    arrow: ArrowMap | None
    kind: str
    reason: str = ""


def precondition(density: JointDensity, affine: bool = False) -> Preconditioner:
    """Find coordinates in which the posterior is nearly standard normal.

    Parameters
    ----------
    density : JointDensity
        In non-centred coordinates.
    affine : bool
        Whether the coordinates must be a linear map of those given (for a density that is not this package's own).
    """
    design = density.design
    rough = Centring.none(density.layout) if affine else rough_centring(density, rough_information(density))
    if design.residual is not None and straddled(design) is not None:
        reason = "residuals correlate across levels of a grouping factor"
        return Preconditioner(density.centered(rough), None, _LESS, reason)
    width = dense_width(design)
    if width > MAX_TAIL:
        reason = f"{width:,} group effects beside the largest nested factor, more than the {MAX_TAIL:,} mapped at once"
        return Preconditioner(density.centered(rough), None, _LESS, reason)
    longest = widest_serial(design)
    if longest > MAX_SERIES:
        reason = f"series of {longest:,} places, more than the {MAX_SERIES} of which a penalised fit has dense blocks"
        return Preconditioner(density.centered(rough), None, _LESS, reason)
    try:
        penalised = PenalisedMarginal.of(design, density.parameters)
        center, half_width = start_box(density)
        d = penalised.size
        found = ascend(penalised, center[:d], np.diag(0.1 * half_width[:d] ** 2))
        if found is not None and not affine:
            penalised, found = _with_short_tails(penalised, found)
        if found is not None and found.converged:
            return _arrow(replace(density, parameters=penalised.parameters), penalised, found, affine)
        reason = "the penalised fit did not converge"
    except np.linalg.LinAlgError:
        reason = "the penalised fit is not positive definite"
    return Preconditioner(density.centered(rough), None, _LESS, reason)


def _with_short_tails(
    penalised: PenalisedMarginal, found: Ascent[PenalisedPoint]
) -> tuple[PenalisedMarginal, Ascent[PenalisedPoint] | None]:
    """Give standard deviations that may be near 0 coordinates without a long tail, and go on from where the fit is."""
    first = penalised.layout.n_coefficients
    sds = slice(first, first + penalised.layout.n_sds)
    parameters, start, shrunk = short_tails(penalised.parameters, found.x, found.inverse_hessian, sds)
    if parameters is penalised.parameters:
        return penalised, found
    shorter = replace(penalised, parameters=parameters)
    return shorter, ascend(shorter, start, found.inverse_hessian * np.outer(shrunk, shrunk), nearby=found.point)


def _arrow(
    density: JointDensity, penalised: PenalisedMarginal, found: Ascent[PenalisedPoint], affine: bool
) -> Preconditioner:
    point, design = found.point, density.design
    mode = point.evaluation.mode
    assert mode.elimination is not None
    centring = Centring.none(density.layout)
    if not affine:
        weights = np.maximum(-mode.rows[2], 0.0)
        rows = penalised.rows_at(point.head)
        centring = centring_at(rows, mode.elimination.pattern, weights, mode.rows[1], _effects(penalised, point))
    curvature = curvature_at(penalised, found.x, point, centring, found.inverse_hessian)
    w = partially_centred(design, point.head, centring, mode.z)
    levels = level_factors(design, point.head, centring)
    turned = () if affine else tuple(t for t, group in enumerate(design.groups) if is_serial(group))
    arrow = ArrowMap.of(np.concatenate([found.x, w]), curvature, mode.elimination, levels, turned)
    reason = "the penalised fit is flat in some direction: its width there was bounded" if curvature.repaired else ""
    return Preconditioner(density.centered(centring), arrow, _FULL, reason)


def _effects(penalised: PenalisedMarginal, point: PenalisedPoint) -> tuple[np.ndarray, ...]:
    """Return the conditional modes u of each term, shape (J, q)."""
    found, at = [], 0
    for group, Lambda in zip(penalised.design.groups, point.head.Lambda, strict=True):
        z = point.evaluation.mode.z[at : at + group.size].reshape(group.n_levels, group.n_effects)
        at += group.size
        found.append(z @ Lambda.T)
    return tuple(found)
