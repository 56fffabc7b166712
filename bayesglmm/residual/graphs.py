"""Residual structures as PyMC variables and as source: each row given the rows before it in its group.

Every function of a graph returns the mean and the standard deviation, over sigma, of r = (y - eta) / sigma given the
rows before, both in the order of the data; its twin for source returns the statements that define ``mean`` and ``s``.
What they read of the data is in `arrays_of_previous` and its kin, under the names that the statements use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.residual.rows import COR_VARIABLE as COR
from bayesglmm.residual.rows import ResidualRows

__all__ = ["ON_PREVIOUS", "ON_SUM", "GraphForm", "arrays_of_patterns", "graph_of_patterns", "lines_of_patterns"]


@dataclass(frozen=True)
class GraphForm:
    """How a row depends on those before it, by one correlation.

    Attributes
    ----------
    summed : bool
        Whether on the sum of all rows before, and not on the row before alone.
    arrays : callable
        As `ResidualStructure.arrays`.
    graph, lines : callable
        As its ``graph`` and ``code_lines``; the least correlation is their last argument.
    """

    summed: bool
    arrays: Callable[[ResidualRows], dict[str, np.ndarray]]
    graph: Callable[..., tuple[Any, Any]]
    lines: Callable[[ResidualRows, float, float], list[str]]


def _single(pm: Any, pt: Any, eta: float, lower: float) -> Any:
    """Return rho, a Beta stretched over (lower, 1)."""
    shape = pt.constant(eta, dtype="float64")
    share = pm.Beta(f"{COR}_share", shape, shape)
    return pm.Deterministic(COR, pt.constant(lower, dtype="float64") + (1.0 - lower) * share)


def _single_lines(eta: float, lower: float) -> list[str]:
    return [
        f"shape = pt.constant({eta!r}, dtype='float64')",
        f"share = pm.Beta({f'{COR}_share'!r}, shape, shape)",
        f"rho = pm.Deterministic({COR!r}, pt.constant({lower!r}, dtype='float64') + {1.0 - lower!r} * share)",
    ]


def arrays_of_previous(rows: ResidualRows) -> dict[str, np.ndarray]:
    """Return the row before each row in its group, the time between, and 0 where a row is the first of its group."""
    first = rows.earlier == 0
    previous = np.where(first, rows.order, np.roll(rows.order, 1))
    return {
        "previous": rows.unsorted(previous).astype(np.int32),
        "gap": rows.unsorted(np.where(first, 1.0, rows.gaps)),
        "follows": rows.unsorted((~first).astype(np.float64)),
    }


def graph_of_previous(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any, lower: float) -> tuple[Any, Any]:
    """Return mean and s of a row whose correlation with the row before is rho^gap."""
    a = arrays_of_previous(rows)
    rho = _single(pm, pt, eta, lower)
    b = a["follows"] * rho ** a["gap"]
    return b * r[a["previous"]], pt.sqrt(1.0 - b**2)


def lines_of_previous(rows: ResidualRows, eta: float, lower: float) -> list[str]:
    """Return the statements of `graph_of_previous`."""
    return [
        *_single_lines(eta, lower),
        "b = follows * rho**gap",
        "mean, s = b * r[previous], pt.sqrt(1.0 - b**2)",
    ]


def arrays_of_sum(rows: ResidualRows) -> dict[str, np.ndarray]:
    """Return the order of groups, each row's place in it and that of its group's first row, and the rows before it."""
    firsts = np.repeat(rows.starts[:-1], np.diff(rows.starts))
    return {
        "order": rows.order.astype(np.int32),
        "place": rows.unsorted(np.arange(len(rows.order))).astype(np.int32),
        "first_place": rows.unsorted(firsts).astype(np.int32),
        "earlier": rows.unsorted(rows.earlier.astype(np.float64)),
    }


def graph_of_sum(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any, lower: float) -> tuple[Any, Any]:
    """Return mean and s of a row that has the correlation rho with every row of its group."""
    a = arrays_of_sum(rows)
    rho, k = _single(pm, pt, eta, lower), a["earlier"]
    before = pt.cumsum(r[a["order"]]) - r[a["order"]]
    total = before[a["place"]] - before[a["first_place"]]
    part = 1.0 + (k - 1.0) * rho
    return rho / part * total, pt.sqrt((1.0 - rho) * (1.0 + k * rho) / part)


def lines_of_sum(rows: ResidualRows, eta: float, lower: float) -> list[str]:
    """Return the statements of `graph_of_sum`."""
    return [
        *_single_lines(eta, lower),
        "before = pt.cumsum(r[order]) - r[order]",
        "total = before[place] - before[first_place]",
        "part = 1.0 + (earlier - 1.0) * rho",
        "mean, s = rho / part * total, pt.sqrt((1.0 - rho) * (1.0 + earlier * rho) / part)",
    ]


ON_PREVIOUS = GraphForm(False, arrays_of_previous, graph_of_previous, lines_of_previous)
ON_SUM = GraphForm(True, arrays_of_sum, graph_of_sum, lines_of_sum)


def arrays_of_patterns(rows: ResidualRows) -> dict[str, np.ndarray]:
    """Return, for each set of visits that occurs, the visits and the rows of its groups one after another."""
    arrays: dict[str, np.ndarray] = {}
    for k, (visits, at) in enumerate(rows.patterns):
        arrays[f"visits_{k}"] = visits.astype(np.int32)
        arrays[f"rows_{k}"] = rows.order[at].ravel().astype(np.int32)
    return arrays


def graph_of_patterns(pm: Any, pt: Any, rows: ResidualRows, eta: float, r: Any) -> tuple[Any, Any]:
    """Return mean and s of a row by the Cholesky factor of the correlations of its group's visits."""
    L = pm.LKJCorr(f"{COR}_cholesky", n=len(rows.visits), eta=pt.constant(eta, dtype="float64"))
    C = pm.Deterministic(COR, L @ L.T)
    mean, s = pt.zeros_like(r), pt.ones_like(r)
    for visits, at in rows.patterns:
        there = rows.order[at].ravel()
        F = pt.linalg.cholesky(C[visits][:, visits])
        residuals = r[there].reshape((-1, len(visits)))
        white = pt.linalg.solve_triangular(F, residuals.T, lower=True).T
        mean = pt.set_subtensor(mean[there], (residuals - white * pt.diagonal(F)).ravel())
        s = pt.set_subtensor(s[there], (pt.ones_like(residuals) * pt.diagonal(F)).ravel())
    return mean, s


def lines_of_patterns(rows: ResidualRows, eta: float) -> list[str]:
    """Return the statements of `graph_of_patterns`."""
    n, number = len(rows.visits), f"pt.constant({eta!r}, dtype='float64')"
    pairs = ", ".join(f"(visits_{k}, rows_{k})" for k in range(len(rows.patterns)))
    return [
        f"L = pm.LKJCorr({f'{COR}_cholesky'!r}, n={n}, eta={number})",
        f"C = pm.Deterministic({COR!r}, L @ L.T)",
        "mean, s = pt.zeros_like(r), pt.ones_like(r)",
        f"patterns = [{pairs}]",
        "for visits, there in patterns:",
        "    F = pt.linalg.cholesky(C[visits][:, visits])",
        "    residuals = r[there].reshape((-1, len(visits)))",
        "    white = pt.linalg.solve_triangular(F, residuals.T, lower=True).T",
        "    mean = pt.set_subtensor(mean[there], (residuals - white * pt.diagonal(F)).ravel())",
        "    s = pt.set_subtensor(s[there], (pt.ones_like(residuals) * pt.diagonal(F)).ravel())",
    ]
