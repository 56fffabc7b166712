"""Integrals over the effects of nested groups: an outer group's integrand is a product of its inner groups' integrals.

For each node of the outer effects the inner integrals are done anew, adapted given that node (Rabe-Hesketh, Skrondal &
Pickles 2005, section 3). The outer nodes stand where the joint mode of outer and inner effects is (`outer_nodes`): one
node in every direction is the joint Laplace approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.frequentist.quadrature.integrand import Integrand, RowsAt
from bayesglmm.frequentist.quadrature.mixture import Mixture
from bayesglmm.frequentist.quadrature.outer_nodes import OuterNodes, joint_nodes, prior_nodes

__all__ = ["Integrals", "Memory", "integrate"]

#: Where searches for modes start: (J, q) or (Q,), by the nodes of the outer levels that they are given.
type Memory = dict[tuple[int, ...], np.ndarray]


@dataclass(frozen=True, eq=False)
class Integrals:
    """Integrals over the effects of the groups of one level and of all groups within them.

    Attributes
    ----------
    value : ndarray, shape (J,)
        Their logarithms; nan where the search for a mode failed.
    r : ndarray, shape (1 + m, n)
        Gradient of each row's group's integral in the row's fixed part, then in its m auxiliary predictors.
    G : tuple of ndarray, each shape (J, S, q, q)
        Gradients in each section's Lambda of this level (first) and of each level within.
    slope : ndarray, shape (J,)
        Gradients in log phi; 0 with auxiliary predictors.
    """

    value: np.ndarray
    r: np.ndarray
    G: tuple[np.ndarray, ...]
    slope: np.ndarray


@dataclass(frozen=True, eq=False)
class _Point:
    """One call of an evaluator: parameters, and the memory of its searches for modes."""

    integrand: Integrand
    factor: RelativeFactor
    rows: RowsAt
    memory: Memory


def integrate(
    integrand: Integrand, fixed: np.ndarray, factor: RelativeFactor, rows: RowsAt, memory: Memory
) -> Integrals | None:
    """Integrate over all effects; None where a joint mode could not be found.

    Parameters
    ----------
    integrand : Integrand
        Rows, levels and grids.
    fixed : ndarray, shape (n,)
        X beta + offset.
    factor : RelativeFactor
        Lambda of all terms.
    rows : RowsAt
        What is known of the rows (`Integrand.at`).
    memory : dict
        Where searches for modes start; their ends are written there. Empty at first.
    """
    return _level(_Point(integrand, factor, rows, memory), fixed, ())


def _level(point: _Point, fixed: np.ndarray, path: tuple[int, ...]) -> Integrals | None:
    """Integrate over the effects of the level at depth ``len(path)``, the outer ones at the nodes of ``path``."""
    integrand, depth = point.integrand, len(path)
    if depth == len(integrand.levels) - 1:
        return _innermost(point, fixed, path)
    level, grid = integrand.levels[depth], integrand.grids[depth]
    outer = _outer_nodes(point, fixed, path)
    if outer is None:
        return None
    a = integrand.times(depth, point.factor)
    mixture = Mixture.over(integrand.levels[depth:], point.rows.n_auxiliary)
    for k, (t, log_weight) in enumerate(zip(grid.nodes, grid.log_weights, strict=True)):
        z = outer.center + outer.C @ t
        inner = _level(point, fixed + np.einsum("qn,nq->n", a, z[level.codes]), (*path, k))
        if inner is None:
            return None
        mixture.add(t, log_weight, z, outer.C, a, inner.value, inner.r, inner.G, inner.slope)
    return _assemble(mixture, outer)


def _outer_nodes(point: _Point, fixed: np.ndarray, path: tuple[int, ...]) -> OuterNodes | None:
    integrand, depth = point.integrand, len(path)
    if not integrand.adaptive:
        return prior_nodes(integrand.levels[depth])
    joint = integrand.joints[depth]
    start = point.memory.get(path, np.zeros(joint.rows.effects.size))
    found = joint_nodes(joint, integrand.levels[depth:], fixed, point.factor, point.rows, start)
    if found is None:
        return None
    outer, point.memory[path] = found
    for k in range(len(integrand.grids[depth])):
        if (*path, k) not in point.memory:
            point.memory[*path, k] = integrand.start_within(depth, point.memory[path])
    return outer


def _assemble(mixture: Mixture, outer: OuterNodes) -> Integrals:
    log_sum, r, g, N, G, slope = mixture.means()
    if outer.joint is None:
        return Integrals(log_sum, r, G, slope)
    pull = outer.joint.pull(outer.C, g, N)
    value = log_sum + np.log(np.diagonal(outer.C, axis1=1, axis2=2)).sum(axis=1)
    total = tuple(mean + part for mean, part in zip(G, pull.G, strict=True))
    return Integrals(value, r + pull.r, total, slope + pull.slope)


def _innermost(point: _Point, fixed: np.ndarray, path: tuple[int, ...]) -> Integrals:
    integrand, design = point.integrand, point.integrand.design
    level, grid = integrand.levels[-1], integrand.grids[-1]
    J, q = level.n_groups, level.n_effects
    z = point.memory.setdefault(path, np.zeros((J, q)))
    value, slope, G = np.empty(J), np.zeros(J), np.zeros((J, q, q))
    r = np.zeros((1 + point.rows.n_auxiliary, design.n_rows))
    for section in level.sections:
        j = section.groups
        block = integrand.block(section, point.factor)
        data = design.y, point.rows.size, design.weights, fixed
        groups = level.columns, level.order, level.starts[j.start : j.stop + 1], block
        rule = grid.nodes, grid.log_weights, integrand.adaptive
        if point.rows.n_auxiliary:
            integrand.extended_group_integral(*data, *groups, *rule, z[j], value[j], r[0], G[j], r[1:])
        else:
            integrand.group_integral(*data, *groups, point.rows.phi, *rule, z[j], value[j], r[0], G[j], slope[j])
    return Integrals(value, r, (level.by_section(G),), slope)
