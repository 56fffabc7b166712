"""Whether one fitted model contains another, as a likelihood ratio needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.inference.layout import is_of_mixed_model
from bayesglmm.grouping import GroupEffects
from bayesglmm.residual import structure_of

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["added_effects", "require_comparable"]


def require_comparable(small: Fit, large: Fit) -> None:
    """Refuse fits whose log-likelihoods cannot be subtracted.

    Raises
    ------
    SpecificationError
        No likelihood, different methods or data, or coefficients that are not contained or (REML) differ.
    FitError
        A fit that is not a maximum.
    """
    _require_fits(small, large)
    for fit in (small, large):
        if not np.isfinite(fit.loglik):
            raise SpecificationError(
                f"a fit by {fit.method!r} has no log-likelihood, so there is no likelihood ratio; fit both models by "
                '"laplace" or "ml", or test coefficients with fit.wald().'
            )
        if not is_of_mixed_model(fit):
            raise SpecificationError(
                f"a fit by {fit.method!r} estimates the groups one by one, and its log-likelihood is not that of the "
                'mixed model; fit both models by "laplace" or "ml".'
            )
        if not fit.converged:
            raise FitError(f"the fit of {fit.formula} is not a maximum: {fit.optimum.message}")
    if small.label != large.label or small.method != large.method:
        raise SpecificationError(
            f"these fits are by {small.label} ({small.method!r}) and by {large.label} ({large.method!r}), whose "
            "log-likelihoods are not on one scale; fit both by the same method."
        )
    _require_one_response(small.design, large.design)
    contained = _spans(large.design.X, small.design.X)
    if small.method == "reml" and not (contained and _spans(small.design.X, large.design.X)):
        raise SpecificationError(
            "REML log-likelihoods of models with different coefficients are of different data (their residuals); fit "
            'both by maximum likelihood, model.fit("ml").'
        )
    if not contained:
        raise SpecificationError(
            f"the models are not nested: the coefficients of the first fit ({', '.join(small.design.coefficients)}) "
            f"are not among those of the second ({', '.join(large.design.coefficients)}) or combinations of them. Give "
            "the smaller model first."
        )
    for a, b in zip(_auxiliary_columns(small.design), _auxiliary_columns(large.design), strict=True):
        if not _spans(b, a):
            raise SpecificationError(
                f"the models are not nested: {', '.join(small.design.family_names)} of the first fit are not among "
                f"{', '.join(large.design.family_names)} of the second, or combinations of them. Give the smaller "
                "model first."
            )


def _auxiliary_columns(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of both auxiliary predictors, (n, k) each; one of ones for one dispersion of all rows."""
    if design.auxiliary is None:
        return np.ones((design.n_rows, len(design.family_names))), np.empty((design.n_rows, 0))
    first, second = design.auxiliary.predictors
    return first.columns.T, second.columns.T


def _require_fits(small: Any, large: Any) -> None:
    from bayesglmm.frequentist.fit import Fit

    for which, given in (("first", small), ("second", large)):
        if not isinstance(given, Fit):
            shown = repr(given) if isinstance(given, str | int | float | None) else f"a {type(given).__name__}"
            raise SpecificationError(
                f"the {which} argument of likelihood_ratio() is {shown[:80]}, which is no classical fit; pass two that "
                "model.fit(...) returns, the smaller model's first."
            )


def added_effects(small: Design, large: Design) -> tuple[tuple[str, ...], bool]:
    """Return the parameters that ``small`` sets to 0, the end of their range, and whether they are a single one.

    These are standard deviations, and a residual correlation that cannot be negative. A standard deviation with a
    correlation of its own is not a single one.

    Raises
    ------
    SpecificationError
        Group terms or a residual structure of ``small`` that ``large`` does not contain.
    """
    zeroed: list[str] = _added_correlation(small, large)
    matched: dict[int, set[str]] = {}
    for group in small.groups:
        for t, effects in _homes(group, large).items():
            matched.setdefault(t, set()).update(effects)
    for t, group in enumerate(large.groups):
        zeroed += list(dict.fromkeys(group.sd_name(e) for e in group.effects if e not in matched.get(t, set())))
    # A correlation that is common to effects says nothing where their standard deviation is 0: no mixture is known.
    vague = any(g.structure.lower is not None and g.sd_names()[0] in zeroed for g in large.groups)
    return tuple(zeroed), len(zeroed) == 1 and not vague


def _added_correlation(small: Design, large: Design) -> list[str]:
    """Return the residual correlation that ``small`` sets to the end of its range, if there is one."""
    if small.residual is not None and small.spec.residual != large.spec.residual:
        raise SpecificationError(
            f"the models are not nested: the residuals {small.spec.residual} of the first fit have no place in the "
            "second. Give the smaller model first."
        )
    rows = large.residual
    if rows is None or small.residual is not None or structure_of(rows).lower(rows) != 0.0:
        return []
    return list(structure_of(rows).names(rows))


def _homes(group: GroupEffects, large: Design) -> dict[int, set[str]]:
    """Return, for each term of ``large``, which effects of a term of the smaller model it holds."""
    homes: dict[int, set[str]] = {}
    same = [t for t, other in enumerate(large.groups) if _one_partition(group, other)]
    for t in same:
        other = large.groups[t]
        held = {e for e in group.effects if _has_effect(other, group, e)}
        if group.structure.keyword != other.structure.keyword:
            continue
        if group.structure.correlated and held != set(group.effects):
            continue  # correlated effects need one term that holds them all
        if other.structure.common and held != set(other.effects):
            continue  # of effects with one standard deviation none can be left out
        if group.structure.correlated and other.structure.name != group.structure.name:
            continue
        homes[t] = held - set().union(*homes.values()) if homes else held
    missing = set(group.effects) - (set().union(*homes.values()) if homes else set())
    if missing:
        kind = "correlated " if group.structure.correlated else ""
        raise SpecificationError(
            f"the models are not nested: the {kind}effects {', '.join(group.effects)} of {group.name} in the first "
            "fit have no place in the second. Give the smaller model first."
        )
    return homes


def _one_partition(a: GroupEffects, b: GroupEffects) -> bool:
    """Return whether two factors divide the rows in the same way."""
    if a.n_levels != b.n_levels:
        return False
    return len(np.unique(a.codes.astype(np.int64) * b.n_levels + b.codes)) == a.n_levels


def _has_effect(large: GroupEffects, small: GroupEffects, effect: str) -> bool:
    column = small.columns()[small.effects.index(effect)]
    return effect in large.effects and np.array_equal(large.columns()[large.effects.index(effect)], column)


def _spans(X: np.ndarray, columns: np.ndarray) -> bool:
    """Return whether ``columns`` (n, k) are combinations of those of X (n, p)."""
    if not columns.shape[1]:
        return True
    if not X.shape[1]:
        return False
    scale = np.linalg.norm(columns, axis=0)
    rest = columns - X @ np.linalg.lstsq(X, columns, rcond=None)[0]
    return bool((np.linalg.norm(rest, axis=0) <= 1e-8 * scale).all())


def _require_one_response(small: Design, large: Design) -> None:
    kinds = [(d.spec.family, d.spec.link) for d in (small, large)]
    if kinds[0] != kinds[1]:
        raise SpecificationError(
            f"these fits are of different families or links ({kinds[0][0]} with {kinds[0][1]}, {kinds[1][0]} with "
            f"{kinds[1][1]}); a likelihood ratio needs models that differ in their terms alone."
        )
    if small.n_rows != large.n_rows:
        raise SpecificationError(
            f"these fits are of different data: {small.n_rows} and {large.n_rows} rows. Fit both to the same rows "
            "(missing values may have left out some for one of them)."
        )
    words = ("responses", "numbers of trials or standard errors", "weights", "offsets")
    for word, a, b in zip(words, small.rows, large.rows, strict=True):
        if not np.array_equal(a, b):
            raise SpecificationError(
                f"these fits have different {word}, row by row; fit both models to the same data, in the same order."
            )
