"""What is integrated by quadrature: rows, nested levels, a grid for each, and the joint integrand of the outer ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg as sla

from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.factor import FactorLayout, RelativeFactor
from bayesglmm.engine.pattern import Pattern
from bayesglmm.engine.pirls import Rows
from bayesglmm.engine.row_kernels import row_kernels
from bayesglmm.frequentist.quadrature.extended_group_integral import compile_extended_group_integral
from bayesglmm.frequentist.quadrature.group_integral import compile_group_integral
from bayesglmm.frequentist.quadrature.nesting import Level, Section
from bayesglmm.frequentist.quadrature.rule import Grid

__all__ = ["Integrand", "JointRows", "RowsAt"]


@dataclass(frozen=True, eq=False)
class RowsAt:
    """What is known of the rows at family scalars.

    Attributes
    ----------
    size : ndarray, shape (n,) or (3 n,)
        Size; with auxiliary predictors size, a and b one after the other.
    phi : float
        Dispersion parameter; 1 with auxiliary predictors.
    n_auxiliary : int
        Number m of auxiliary predictors, 0 or 2.
    """

    size: np.ndarray
    phi: float
    n_auxiliary: int


@dataclass(frozen=True, eq=False)
class JointRows:
    """Some levels of a design as the engine takes them, for their joint mode and curvature.

    Attributes
    ----------
    rows : Rows
        Data and effects.
    layout : FactorLayout
        Their part of theta.
    terms : tuple of int
        Positions of their terms among those of the whole design.
    positions : tuple of ndarray of int64, each shape (J, q)
        For each level, outermost first, where its effects stand in z (Q,).
    """

    rows: Rows
    layout: FactorLayout
    terms: tuple[int, ...]
    positions: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, design: Design, levels: tuple[Level, ...]) -> JointRows:
        """Lay out the terms of ``levels`` alone."""
        terms = tuple(sorted(t for level in levels for t in level.terms))
        part = replace(design, groups=tuple(design.groups[t] for t in terms))
        effects = EffectColumns.of(part, centered=True)
        kernels = row_kernels(design)
        rows = Rows(design.y, design.size, design.weights, effects, Pattern.of(part, effects), kernels, 0)
        layout = FactorLayout.of(part)
        starts = {t: where.start for t, where in zip(terms, layout.effect_slices, strict=True)}
        positions = tuple(_positions(design, level, starts) for level in levels)
        return cls(rows, layout, terms, positions)

    def factor(self, whole: RelativeFactor) -> RelativeFactor:
        """Return Lambda of these terms, given that of all."""
        return RelativeFactor(self.layout, tuple(whole.blocks[t] for t in self.terms), whole.theta)


def _positions(design: Design, level: Level, starts: dict[int, int]) -> np.ndarray:
    sections = []
    for section in level.sections:
        found = []
        for t, own in zip(section.terms, level.levels, strict=True):
            q = design.groups[t].n_effects
            found.append(starts[t] + own[section.groups, None] * q + np.arange(q))
        sections.append(np.hstack(found))
    return np.vstack(sections)


@dataclass(frozen=True, eq=False)
class Integrand:
    """Everything about the integrals that does not change during a fit.

    Attributes
    ----------
    design : Design
        Data.
    levels : tuple of Level
        Nested groupings, outermost first.
    grids : tuple of Grid
        Nodes of each.
    adaptive : bool
        Whether the nodes move to where the integrand is; else they are those of the effects' distribution.
    joints : tuple of JointRows
        For each level but the innermost, itself with all levels within; empty if not ``adaptive``.
    """

    design: Design
    levels: tuple[Level, ...]
    grids: tuple[Grid, ...]
    adaptive: bool
    joints: tuple[JointRows, ...]

    @classmethod
    def of(cls, design: Design, levels: tuple[Level, ...], points: int, adaptive: bool) -> Integrand:
        """Lay out ``design`` with ``points`` nodes in the direction of every effect."""
        grids = tuple(Grid.of(points, level.n_effects) for level in levels)
        outer = range(len(levels) - 1) if adaptive else ()
        return cls(design, levels, grids, adaptive, tuple(JointRows.of(design, levels[d:]) for d in outer))

    def with_response(self, y: np.ndarray) -> Integrand:
        """Return the same for another response y (n,)."""
        design = self.design.with_response(y)
        joints = tuple(replace(joint, rows=replace(joint.rows, y=design.y)) for joint in self.joints)
        return replace(self, design=design, joints=joints)

    @functools.cached_property
    def group_integral(self) -> Any:
        """The compiled integral over the innermost effects of rows with one dispersion (`compile_group_integral`)."""
        return compile_group_integral(self.design.family_link.row)

    @functools.cached_property
    def extended_group_integral(self) -> Any:
        """The same of rows with auxiliary predictors (`compile_extended_group_integral`)."""
        address = row_kernels(self.design).pointer.address
        return functools.partial(compile_extended_group_integral(), address)

    def at(self, family: np.ndarray) -> RowsAt:
        """Return what is known of the rows at the working family scalars (K,)."""
        design = self.design
        if design.auxiliary is not None:
            return RowsAt(design.auxiliary.known(design.size, family), 1.0, 2)
        return RowsAt(design.size, float(np.exp(family[0])) if len(family) else 1.0, 0)

    def block(self, section: Section, factor: RelativeFactor) -> np.ndarray:
        """Return Lambda (q, q) of all effects of the groups of a section."""
        blocks = [factor.blocks[t] for t in section.terms]
        return np.ascontiguousarray(blocks[0] if len(blocks) == 1 else sla.block_diag(*blocks))

    def times(self, depth: int, factor: RelativeFactor) -> np.ndarray:
        """Return the rows of Z Lambda of a level's effects, (q, n)."""
        level = self.levels[depth]
        if len(level.sections) == 1:
            return np.asarray(self.block(level.sections[0], factor).T @ level.columns)
        out = np.empty_like(level.columns)
        for section in level.sections:
            rows = level.rows_of(section)
            out[:, rows] = self.block(section, factor).T @ level.columns[:, rows]
        return out

    def start_within(self, depth: int, z: np.ndarray) -> np.ndarray:
        """Return what lies further in of a joint mode z (Q,) of level ``depth``, as the next level takes it."""
        positions = self.joints[depth].positions[1:]
        if len(positions) == 1:
            return z[positions[0]]
        inner = self.joints[depth + 1]
        start = np.empty(inner.rows.effects.size)
        for here, there in zip(inner.positions, positions, strict=True):
            start[here] = z[there]
        return start
