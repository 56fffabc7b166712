"""What NUTS moves on: a C function, where its chains start, and how its draws become the model's parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bayesglmm.bayes.named import named_values
from bayesglmm.bayes.preconditioner.affine import affine_density, affine_draws
from bayesglmm.bayes.preconditioner.dense import precondition_dense
from bayesglmm.bayes.preconditioner.fit import Preconditioner, precondition
from bayesglmm.bayes.preconditioner.warp import fit_curves, warped_density, warped_draws
from bayesglmm.bayes.start import overdispersed, start_points
from bayesglmm.density import JointDensity
from bayesglmm.density.native import NativeDensity, native_density
from bayesglmm.engine.integrated import GaussianMarginal

__all__ = ["Target", "joint_target", "marginal_target"]


@dataclass(frozen=True, eq=False)
class Target:
    """A density for a sampler.

    Attributes
    ----------
    native : NativeDensity
        C function of the coordinates v.
    start : callable
        seed -> a starting point v, shape (size,).
    finish : callable
        (draws v (chains, draws, size), seed) -> natural parameters under the tree's names, each (chains, draws, ...).
    coordinates : str
        What v is, in a few words.
    reason : str
        Why the coordinates are not better; empty if they are all there is to have.
    tune : int
        Warm-up iterations that it needs by default.
    longest : float
        Steps of the sampler are not longer than this, in standard deviations.
    """

    native: NativeDensity
    start: Callable[[int], np.ndarray]
    finish: Callable[[np.ndarray, int], Mapping[str, np.ndarray]]
    coordinates: str
    reason: str
    tune: int
    longest: float = 0.6

    @property
    def accept(self) -> float:
        """Acceptance rate to tune to: where a draw costs nothing small steps do not, and tiny data make odd corners."""
        return 0.9 if self.native.size <= _SMALL else 0.8


#: Coordinates up to which a model is small.
_SMALL = 100
#: A swing takes two or three steps of this size, whose draws are as good as those of shorter ones. Where a density is
#: less normal, steps longer than `Target.longest` met divergences.
_NEARLY_NORMAL = 1.05
#: Warm-up in coordinates that are nearly standard normal, and where a metric has to be found (benchmarks/warm_up.md).
WARM_UP, LONG_WARM_UP = 200, 1000


def joint_target(density: JointDensity) -> Target:
    """Return the joint density in preconditioned coordinates."""
    found: Preconditioner = precondition(density)
    inner = native_density(found.density)
    arrow = found.arrow
    if arrow is None:
        return Target(
            native=inner,
            start=start_points(found.density),
            finish=lambda v, _seed: named_values(found.density, v),
            coordinates=found.kind,
            reason=found.reason,
            tune=LONG_WARM_UP,
        )
    mapped = affine_density(arrow, inner)
    return Target(
        native=mapped,
        start=overdispersed(mapped, len(arrow.root)),
        finish=lambda v, _seed: named_values(found.density, affine_draws(arrow, v)),
        coordinates=found.kind,
        reason=found.reason,
        tune=WARM_UP,
    )


def marginal_target(density: JointDensity, marginal: GaussianMarginal) -> Target | None:
    """Return the density of standard deviations, correlations and sigma alone; None where it cannot be preconditioned.

    ``marginal`` is that of ``density``.

    What was integrated out is drawn exactly afterwards.
    """
    found = precondition_dense(density, marginal)
    if found is None:
        return None
    marginal, arrow = found
    mapped = affine_density(arrow, marginal.native())
    curves = fit_curves(mapped.evaluator(), marginal.size)
    warped = warped_density(curves, mapped)
    joint = JointDensity.of(marginal.design, marginal.parameters)

    def finish(v: np.ndarray, seed: int) -> Mapping[str, np.ndarray]:
        x = affine_draws(arrow, warped_draws(curves, v))
        streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(x))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # compiled, without the interpreter lock
            completed = list(pool.map(marginal.complete, x, streams))
        return named_values(joint, np.stack(completed))

    return Target(
        native=warped,
        start=overdispersed(warped, marginal.size),
        finish=finish,
        coordinates="coefficients and group effects integrated out; linear map of the rest, its slices made normal",
        reason="",
        tune=WARM_UP,
        longest=_NEARLY_NORMAL,
    )
