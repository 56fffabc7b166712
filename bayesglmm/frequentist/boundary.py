"""In words: what lies on the boundary of the parameter space, and which parameters the data do not tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayesglmm.covariance.angle import at_bound
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.working import Working
from bayesglmm.grouping import GroupEffects

__all__ = ["boundary_notes", "held_at_bounds", "unbounded_spreads"]

#: Standard deviations so many times the natural scale, and not told from twice as much, are on their way to infinity.
_BEYOND, _VAGUE = 20.0, 0.5


def boundary_notes(working: Working, optimum: Optimum, components: tuple[Estimate, ...]) -> tuple[str, ...]:
    """Say by name what lies on the boundary, or which parameters the data do not tell apart."""
    boundless = unbounded_spreads(working, optimum)
    if boundless:
        return (
            f"The data set no bound to {', '.join(boundless)}: look for groups whose responses are all alike, and for "
            "fewer groups than such a spread needs.",
        )
    if optimum.status is OptimumStatus.FLAT:
        names = _flat_directions(working, optimum)
        if len(names) == 1:
            return (
                f"The data set no bound to {names[0]}: the log-likelihood is flat in it, or still rises as it grows.",
            )
        return (f"The data hardly tell these apart: {', '.join(names)}.",)
    if optimum.status is not OptimumStatus.BOUNDARY:
        return ()
    edges = dict(_edges(working, optimum))
    zero = [c.name for c in components if c.term == "sd" and c.estimate == 0.0]
    perfect = [(c.name, round(c.estimate)) for c in components if c.term == "cor" and abs(c.estimate) > 1.0 - 1e-8]
    perfect = [(name, at) for name, at in perfect if name not in edges]
    notes = [f"{name} is estimated as 0: nothing is left for it to explain beyond chance." for name in zero]
    notes += [f"{name} is estimated as {at}: the data tell one combination of the effects." for name, at in perfect]
    notes += [f"{name} is estimated as {edges[name]}." for name in edges]
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        where = slice(working.n_beta + part.start, working.n_beta + part.stop)
        if group.n_effects > 2 and group.structure.theta.mixes and optimum.pinned[where].any():
            notes.append(
                f"The {group.n_effects} effects of {group.name} vary in fewer directions than {group.n_effects}."
            )
    notes.append("Standard errors hold what lies on the boundary at its value.")
    return tuple(notes)


def held_at_bounds(working: Working, optimum: Optimum) -> Optimum:
    """Return the optimum with the correlations that are common to effects held where they have reached a bound."""
    held = [at for at, _ in _angles(working) if not optimum.pinned[at] and at_bound(float(optimum.x[at]))]
    if not held or not optimum.status.usable:
        return optimum
    pinned, hessian = optimum.pinned.copy(), optimum.hessian.copy()
    pinned[held] = True
    hessian[held], hessian[:, held] = np.nan, np.nan
    return replace(optimum, pinned=pinned, hessian=hessian, status=OptimumStatus.BOUNDARY)


def _angles(working: Working) -> Iterator[tuple[int, GroupEffects]]:
    """Yield the positions in x of correlations that are common to the effects of a term."""
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        if group.structure.lower is not None:
            yield working.n_beta + part.start + 1, group


def _edges(working: Working, optimum: Optimum) -> Iterator[tuple[str, str]]:
    """Yield the name of each common correlation at a bound, and in words which."""
    for at, group in _angles(working):
        if optimum.pinned[at] and optimum.x[at - 1] != 0.0:
            assert group.structure.lower is not None
            highest = math.sin(optimum.x[at]) > 0.0
            value = 1.0 if highest else group.structure.lower(group.n_effects)
            yield group.cor_name, f"{value:.4g}, the {'highest' if highest else 'lowest'} value that it can have"


def unbounded_spreads(working: Working, optimum: Optimum) -> list[str]:
    """Return the standard deviations whose estimate is a stop on the way to infinity, not a maximum worth the name."""
    covariance = optimum.covariance()
    scales = iter(width for widths in working.scales.effects for width in widths)
    found = []
    for component in variance_components(working, optimum.x, covariance):
        if component.term != "sd":
            continue
        natural = working.scales.scale / next(scales)
        vague = not component.std_error < _VAGUE * component.estimate
        if component.estimate > _BEYOND * natural and vague:
            found.append(component.name)
    return found


def _flat_directions(working: Working, optimum: Optimum) -> list[str]:
    """Return the parameters with a share of a tenth or more in the flattest direction, in natural units."""
    names = [*working.design.coefficients]
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        names += [f"the (co)variances of {group.name}"] * (part.stop - part.start)
    names += working.design.family_names
    residual = working.residual
    names += [f"the correlations of {working.design.spec.residual}"] * (residual.stop - residual.start)
    free = np.flatnonzero(~optimum.pinned)
    units = np.linalg.norm(working.units(), axis=1)[free]
    scaled = -optimum.hessian[np.ix_(free, free)] * np.outer(units, units)
    flattest = np.abs(np.linalg.eigh(scaled)[1][:, 0])
    return list(dict.fromkeys(names[k] for k in free[flattest >= 0.1 * flattest.max()]))
