"""Where chains start: a plausible place for the data's scale, scattered widely enough that R-hat means something."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bayesglmm.density import JointDensity
from bayesglmm.density.native import NativeDensity
from bayesglmm.priors.scalar import ScalarPrior
from bayesglmm.priors.transforms import IDENTITY, LOG, ON_CODES, ORDERED

__all__ = ["overdispersed", "start_box", "start_points"]

_ATTEMPTS = 30
#: Of a default prior's standard deviation, within which a coefficient of the family starts.
_SHARE = 0.4
_POWERS = {ON_CODES["sd"]: 1.0, ON_CODES["variance"]: 2.0, ON_CODES["precision"]: -2.0}


def start_points(density: JointDensity) -> Callable[[int], np.ndarray]:
    """Return seed -> a random starting point x, shape (size,), uniform over `start_box`."""
    center, half_width = start_box(density)

    def point(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return center + half_width * rng.uniform(-1.0, 1.0, len(center))

    return point


def overdispersed(native: NativeDensity, head: int) -> Callable[[int], np.ndarray]:
    """Return seed -> a starting point where the density of v is nearly standard normal, shape (size,).

    The first ``head`` coordinates (coefficients, standard deviations, ...) are scattered twice as widely as the normal
    approximation, the effects as widely: chains that agree afterwards have found the same place from different ones.
    A point without a finite density is drawn again, nearer.
    """

    def point(seed: int) -> np.ndarray:
        rng, evaluate = np.random.default_rng(seed), native.evaluator()
        for attempt in range(_ATTEMPTS):
            v = rng.standard_normal(native.size) * 0.8**attempt
            v[:head] *= 2.0
            value, gradient = evaluate(v)
            if math.isfinite(value) and np.isfinite(gradient).all():
                return v
        return np.zeros(native.size)

    return point


def start_box(density: JointDensity) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and half width of the box in which chains start, each shape (size,).

    A coefficient starts within one natural unit of the linear predictor (a standard deviation of its column) of its
    expected place, a standard deviation within a factor e of half its natural scale, everything else within
    (-1, 1) of its unconstrained coordinate. Modes lie well inside, so that chains come from all sides.
    """
    layout, parameters, scales = density.layout, density.parameters, density.parameters.scales
    center, half_width = np.zeros(layout.size), np.ones(layout.size)
    p = layout.n_coefficients
    for k in range(p):
        place = scales.location if scales.levels[k] else 0.0
        unit = scales.scale / float(scales.columns[k])
        center[k], half_width[k] = _coefficient(parameters.scalars[k], place, unit)
    widths = [scales.scale / float(w) for term in scales.effects for w in term]
    for k, width in enumerate(widths, p):
        prior = parameters.scalars[k]
        if prior.transform == LOG:
            power = _POWERS[prior.on]
            center[k], half_width[k] = power * math.log(0.5 * width), abs(power)
    _family_box(density, center, half_width)
    return center, half_width


def _family_box(density: JointDensity, center: np.ndarray, half_width: np.ndarray) -> None:
    """Fill centre and half width of the family scalars: scales like standard deviations, others about their start."""
    k, below = density.layout.family.start, 0.0
    for part in density.design.family_parts:
        for start, default in zip(part.start, part.defaults, strict=True):
            prior = density.parameters.scalars[k]
            if prior.transform == LOG:
                power = _POWERS[prior.on]
                center[k], half_width[k] = power * math.log(0.5 * start), abs(power)
                if part.kind != "scale":
                    center[k], half_width[k] = 0.0, 1.0
            elif prior.transform == ORDERED:
                center[k], half_width[k] = math.log(start - below), 0.5
            elif prior.transform == IDENTITY:
                center[k], half_width[k] = start, min(1.0, _SHARE * default.params["sigma"])
            below = start
            k += 1


def _coefficient(prior: ScalarPrior, place: float, unit: float) -> tuple[float, float]:
    """Return centre and half width of a coefficient's coordinate, whose transform follows its prior."""
    if prior.transform == IDENTITY:
        return place, unit
    return (math.log(unit), 1.0) if prior.transform == LOG else (0.0, 1.0)
