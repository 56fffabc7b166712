"""By how much a fit draws each group towards the common part, and where from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.reading.conditional import ConditionalModel
from bayesglmm.frequentist.reading.noted_table import NotedTable
from bayesglmm.grouping import GroupEffects

__all__ = ["Shrinkage", "shrinkage"]

#: Modes this far from what the factors make of the levels' own estimates, relative to the widest, are of another make.
_OFF = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class Shrinkage(NotedTable):
    """How group effects shrink.

    Attributes
    ----------
    frame : DataFrame
        One row an effect of a level: ``name``, ``factor``, ``level``, ``effect``, ``n`` (rows of the level),
        ``common`` (the coefficient of the same name; 0 if there is none), ``own`` (what the level's rows say alone: in
        a one-way model with an intercept, their mean), ``shrunken`` (``common`` + ``mode``), ``mode`` (the BLUP or
        conditional mode) and ``shrinkage_factor``, the share of ``own - common`` that the mode keeps.
    notes : tuple of str
        What the figures are, and where they are approximate.
    """

    indexed: ClassVar[bool] = False


def shrinkage(fit: Any) -> Shrinkage:
    """Return, for every level of every group term, its own estimate, its mode, and the factor between them.

    Parameters
    ----------
    fit : Fit
        A classical fit with standard deviations of group effects.

    Returns
    -------
    Shrinkage
        Table and notes.

    Raises
    ------
    SpecificationError
        Something else than a fit, or one without such standard deviations (``"gee"``, ``"fixed"``).

    Notes
    -----
    With W the rows' information at the modes (1/sigma^2 for gaussian rows) and r the working residuals after the common
    part and the other terms' modes, a level's own estimate of its effects is b = M^-1 Z'W r, M = Z'W Z over its rows,
    and mode = F b with F = (I + G M)^-1 G M. For a random intercept of variance s^2 this is the familiar
    s^2 / (s^2 + sigma^2 / n) (Gelman & Hill 2007, equation 12.1); for several effects of a level ``shrinkage_factor``
    is F's diagonal, and the effects of a level also borrow from each other.
    """
    model = ConditionalModel.of(fit, "shrinkage")
    if model.whitening is not None:
        raise SpecificationError(
            f"shrinkage() weighs the rows of a level as independent, and this model has residuals "
            f"{model.design.spec.residual}; fit.modes holds the predictions and their errors."
        )
    for group in model.design.groups:
        if group.structure.relationship is not None:
            raise SpecificationError(
                f"shrinkage() is of levels that know nothing of one another, and those of {group.name} have a known "
                "covariance: a level there shrinks towards what its relatives say. Look at fit.modes."
            )
    table = model.derivatives()
    frames, off, at = [], 0.0, 0
    for group, G in zip(model.design.groups, model.G, strict=True):
        u = model.u[at : at + group.size].reshape(group.n_levels, group.n_effects)
        own, F = _level_estimates(group, G, u, table)
        frames.append(_frame(group, _coefficients(model, group), u, own, F))
        implied = np.einsum("jkl,jl->jk", F, own)
        off = max(off, float(np.nanmax(np.abs(implied - u), initial=0.0) / max(np.abs(u).max(initial=0.0), 1e-300)))
        at += group.size
    return Shrinkage(pd.concat(frames, ignore_index=True), _notes(model, table, off, fit.method))


def _level_estimates(
    group: GroupEffects, G: np.ndarray, u: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return every level's own deviations b (J, q), nan where its rows do not tell them, and F (J, q, q)."""
    z, J, q = group.columns(), group.n_levels, group.n_effects
    M = np.empty((J, q, q))
    score = np.empty((J, q))
    for k in range(q):
        score[:, k] = np.bincount(group.codes, weights=z[k] * table[1], minlength=J)
        for l in range(q):
            M[:, k, l] = np.bincount(group.codes, weights=-z[k] * z[l] * table[2], minlength=J)
    F = np.linalg.solve(np.eye(q) + G @ M, G @ M)
    own = np.full((J, q), np.nan)
    scale = np.sqrt(np.maximum(np.einsum("jkk->jk", M), 1e-300))
    # A level tells its effects apart if its information is positive definite, whatever the columns' units.
    least = np.linalg.eigvalsh(M / (scale[:, :, None] * scale[:, None, :]))[:, 0]
    tells = np.isfinite(least) & (least > 1e-10) & (scale.min(axis=1) > 1e-150)
    own[tells] = u[tells] + np.linalg.solve(M[tells], score[tells][:, :, None])[:, :, 0]
    return own, F


def _coefficients(model: ConditionalModel, group: GroupEffects) -> np.ndarray:
    """Return the coefficient that goes by the name of each effect, 0 where there is none, shape (q,)."""
    named = dict(zip(model.design.coefficients, model.beta.tolist(), strict=True))
    return np.array([named.get(effect, 0.0) for effect in group.effects])


def _frame(group: GroupEffects, common: np.ndarray, u: np.ndarray, own: np.ndarray, F: np.ndarray) -> pd.DataFrame:
    J, q = u.shape
    codes = group.codes if group.kind is None else group.codes[group.kind.inside]
    levels = np.repeat(np.array(group.factor.levels, dtype=object), q)
    effects = list(group.effects) * J
    columns = {
        "name": [group.effect_name(str(level), effect) for level, effect in zip(levels, effects, strict=True)],
        "factor": group.name,
        "level": levels,
        "effect": effects,
        "n": np.repeat(np.bincount(codes, minlength=J), q),
        "common": np.tile(common, J),
        "own": (common + own).ravel(),
        "shrunken": (common + u).ravel(),
        "mode": u.ravel(),
        "shrinkage_factor": np.einsum("jkk->jk", F).ravel(),
    }
    return pd.DataFrame(columns)


def _notes(model: ConditionalModel, table: np.ndarray, off: float, method: str) -> tuple[str, ...]:
    groups = model.design.groups
    notes = ["own is what the level's rows say alone, after the common part; shrunken = common + mode."]
    if len(groups) > 1:
        notes.append("Each term is taken given the modes of the other terms.")
    if any(g.n_effects > 1 for g in groups):
        notes.append("Where a level has several effects they shrink together: the factor is its matrix's diagonal.")
    if table[3].any():
        notes.append(
            "own and the factor are approximate: these rows' information depends on the linear predictor, and is taken "
            "at the modes."
        )
    if off > _OFF:
        notes.append(
            f"The effects of method {method!r} are not the modes of this model at these estimates (they are off by "
            f"{off:.1g} of the largest): the factors describe them only about."
        )
    return tuple(notes)
