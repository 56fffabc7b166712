"""In words: what a fit without pooling could not identify, and what its figures are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesglmm.design import Design
from bayesglmm.frequentist.fixed.search import Unpooled
from bayesglmm.frequentist.modes import effect_names
from bayesglmm.frequentist.search.optimum import Optimum

__all__ = ["caveat_on", "is_least_squares", "notes_on"]

#: Fewer rows a level than this, and the bias of the coefficients deserves a word.
_FEW_ROWS = 10


def is_least_squares(design: Design) -> bool:
    """Return whether phi is a residual standard deviation, whose square is divided by n - rank instead of n."""
    return design.dispersion is not None and design.family.phi is not None and design.family.phi.residual_sd


def notes_on(design: Design, found: Unpooled, optimum: Optimum) -> Iterator[str]:
    """Yield what must be said beside the estimates."""
    p, columns = len(design.coefficients), found.columns
    means = [g for g in design.groups if g.has_intercept]
    if means and design.has_intercept:
        yield (
            f"The intercept is the mean over the levels of {' and '.join(g.name for g in means)}; modes are deviations "
            "from it."
        )
    held = [name for name, gone in zip(design.coefficients, columns.held, strict=True) if gone]
    if held:
        yield (
            f"Not identified beside the group effects, and held at 0: {', '.join(held)}. Other coefficients and group "
            "effects are to be read so; model.fit() with group effects that vary by chance can tell them apart."
        )
    names = np.array(effect_names(design), dtype=object)
    both = np.concatenate([np.array(design.coefficients, dtype=object), names])
    lost = both[~columns.known & ~np.concatenate([columns.held, found.infinite != 0.0])]
    if len(lost):
        yield f"Not identified beside each other, and without a value: {_listed(lost)}."
    for sign, words in ((-1.0, "minus infinity"), (1.0, "infinity")):
        where = names[found.infinite == sign]
        if len(where):
            yield (
                f"Separation: every response of these groups is at one end, and their estimates run to {words}: "
                f"{_listed(where)}. Means over levels leave them out; the other estimates are those without their rows."
            )
    if found.flat.any():
        yield f"These run off to infinity, or nearly (separation): {_listed(both[: p + len(names)][found.flat])}."
    if is_least_squares(design) and optimum.status.usable:
        rank = columns.T.shape[1]
        count = "n" if (design.weights == 1.0).all() else f"{found.n_units:g}"
        of_weights = "" if count == "n" else f", where {count} is the sum of the weights and RSS is weighted"
        yield (
            f"sigma is that of least squares, sqrt(RSS / ({count} - {rank})){of_weights}; the log-likelihood "
            f"is at the maximum-likelihood value, {found.phi:.6g}."
        )


def _listed(names: np.ndarray) -> str:
    shown = ", ".join(str(n) for n in names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def caveat_on(design: Design, found: Unpooled) -> str:
    """Return the caveat of few rows a group; empty where it does not apply."""
    if not design.groups or not found.curved or design.n_rows >= _FEW_ROWS * max(g.n_levels for g in design.groups):
        return ""
    return (
        "With few rows a group, estimating every group's effect biases the coefficients of binary responses away from "
        "0 (Neyman & Scott 1948; by a factor of 2 for pairs); Poisson models with the log link are free of it."
    )
