"""Generalized estimating equations: coefficients of the population average, by statsmodels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError, nearest
from bayesglmm.frequentist.applicable import require_plain_terms
from bayesglmm.frequentist.population.estimating_equations import STATSMODELS, PreparedGEE
from bayesglmm.frequentist.scalar_only import require_variance_function
from bayesglmm.grouping import GroupEffects

__all__ = ["GEE"]

_CORRELATIONS = ("exchangeable", "independence", "ar1", "unstructured")
#: Those that need to know when a row was observed.
_TIMED = ("ar1", "unstructured")
_COVARIANCES = ("sandwich", "model")


@dataclass(frozen=True, eq=False)
class GEE:
    """Generalized estimating equations (Liang & Zeger 1986, Biometrika 73:13).

    The model's one grouping factor names the clusters; its effects, whatever they are, play no other part.

    Parameters
    ----------
    correlation : {"exchangeable", "independence", "ar1", "unstructured"}
        Working correlation within a cluster. ``"exchangeable"``: one correlation between any two observations, and the
        trials of a binomial row (as the copies that a weight stands for) are so many observations. ``"ar1"``:
        alpha^|t - s| between rows at times s and t; ``"unstructured"``: one correlation for every two times; the trials
        of a row are then taken together, a proportion with as much precision.
    covariance : {"sandwich", "model"}
        Of the coefficients: the sandwich, which holds whatever the correlation, or the one that trusts it.
    time : array-like of numbers, length n, optional
        When each row was observed, for ``"ar1"`` and ``"unstructured"``; rows that were dropped for missing values left
        out. If left out, the rows of a cluster are one step apart in the order of the data.

    Raises
    ------
    SpecificationError
        An option out of range.

    Notes
    -----
    phi and alpha are moment estimators without a correction for p, as in geepack (`working_correlation`); with divisor
    n - p, as in SAS, they are larger by that factor. Neither has a standard error here.
    """

    method: ClassVar[str] = "gee"
    correlation: str = "exchangeable"
    covariance: str = "sandwich"
    time: Any = None

    def __post_init__(self) -> None:
        _require("correlation", self.correlation, _CORRELATIONS)
        _require("covariance", self.covariance, _COVARIANCES)
        if self.time is None:
            return
        if self.correlation not in _TIMED:
            raise SpecificationError(
                f"time= says nothing to correlation={self.correlation!r}; leave it out, or choose one of "
                f"{', '.join(map(repr, _TIMED))}."
            )
        given = np.asarray(self.time)
        numbers = given.ndim == 1 and given.dtype.kind in "iuf"
        time = given.astype(np.float64) if numbers else np.full(1, np.nan)
        if not np.isfinite(time).all():
            raise SpecificationError(
                "time= must be one finite number for each row, an array or a column such as data['visit'] (not its "
                "name: the model does not keep its data; dates as days since the first)."
            )
        object.__setattr__(self, "time", time)

    def prepare(self, design: Design) -> PreparedGEE:
        """Lay the method out; SpecificationError where it does not apply."""
        require_variance_function(design, self.method)
        if not design.coefficients:
            raise SpecificationError("method 'gee' estimates coefficients and this model has none; add an intercept.")
        if (design.spec.family, design.spec.link) not in STATSMODELS:
            known = ", ".join(f"{family} with {link}" for family, link in STATSMODELS)
            raise SpecificationError(
                f"method 'gee' does not know {design.spec.family} with link {design.spec.link}; it knows {known}."
            )
        require_plain_terms(
            design, "gee", "Write (1 | g) for the groups, and say by correlation= how their rows are correlated."
        )
        cluster = _cluster(design)
        time = _steps(cluster.codes) if self.time is None else self.time
        if self.correlation in _TIMED:
            _check_time(design, cluster, time, self.correlation)
        return PreparedGEE(
            design=design,
            correlation=self.correlation,
            covariance=self.covariance,
            cluster=cluster,
            time=time,
            # Proportions of trials, one a row, where rows differ in time; trials themselves where all are alike.
            by_row=self.correlation in _TIMED,
            in_order=self.correlation in _TIMED and self.time is None,
        )


def _require(option: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SpecificationError(
            f"{option}={value!r} is unknown to method 'gee'.{nearest(str(value), allowed)} Allowed: "
            f"{', '.join(map(repr, allowed))}."
        )


def _cluster(design: Design) -> GroupEffects:
    """Return a group term of the one grouping factor."""
    factors = {frozenset(g.factor.columns): g for g in design.groups}
    if len(factors) != 1:
        names = [g.name for g in factors.values()]
        there = f"this model has {len(names)} ({', '.join(names)})" if names else "this model has none"
        raise SpecificationError(
            f"method 'gee' needs one grouping factor, which names the clusters; {there}. Write one, such as "
            "(1 | center:id) where id is numbered anew in each center, or (1 | center) for the larger clusters."
        )
    return next(iter(factors.values()))


def _steps(codes: np.ndarray) -> np.ndarray:
    """Return 0, 1, 2, ... within each cluster, in the order of the rows, shape (n,)."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    steps = np.empty(len(codes))
    steps[order] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return steps


def _check_time(design: Design, cluster: GroupEffects, time: np.ndarray, correlation: str) -> None:
    if len(time) != design.n_rows:
        dropped = f"; {len(design.dropped)} were dropped for missing values" if len(design.dropped) else ""
        raise SpecificationError(
            f"time= has {len(time)} values and the model {design.n_rows} rows{dropped}; give one for each row that is "
            "used: data.loc[model.design.row_labels, 'visit']."
        )
    pairs = np.column_stack([cluster.codes, time])
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    if (counts > 1).any():
        code, at = distinct[counts > 1][0]
        raise SpecificationError(
            f"time= is the same ({at:g}) in {counts.max()} rows of {cluster.name} {cluster.factor.levels[int(code)]}; "
            f"correlation={correlation!r} needs the rows of a cluster to differ in time."
        )
    occasions = len(np.unique(time))
    if correlation == "unstructured" and occasions * (occasions - 1) // 2 > cluster.n_levels:
        raise SpecificationError(
            f"{occasions} different times have {occasions * (occasions - 1) // 2} correlations, more than there are "
            f"clusters ({cluster.n_levels}); use correlation='ar1' or 'exchangeable', or planned times (visits)."
        )
