"""The rows' part of a joint density with a residual structure: its arrays and the compiled pass."""

from __future__ import annotations

import functools
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.compiled import compiled_pointer, source_stamp
from bayesglmm.density.addresses import int32_grid, int64_grid, int64_vector, real_grid, real_vector
from bayesglmm.density.layout import Layout
from bayesglmm.density.residual_pass import pass_residuals
from bayesglmm.density.row_call import ROW_PASS
from bayesglmm.density.row_data import RowData
from bayesglmm.design import Design
from bayesglmm.residual import ResidualRows, structure_of

__all__ = ["compile_residual_pass", "residual_arrays", "residual_pass_arrays"]

_ARRAYS = 14


def residual_pass_arrays(design: Design, layout: Layout, eta_lkj: float) -> tuple[np.ndarray, ...]:
    """Return all arrays that the pass reads, each C-contiguous."""
    residual = design.residual
    assert residual is not None
    rows = RowData.in_order(design, residual.order)
    return (rows.rows, rows.Xt, rows.slopes, rows.codes, layout.cells, *residual_arrays(residual, eta_lkj))


def residual_arrays(rows: ResidualRows, eta_lkj: float) -> tuple[np.ndarray, ...]:
    """Return what the pass knows of the structure.

    Where each group starts, (groups + 1,); which gap (or number of rows before) a row has, (n,), 0 for the first of a
    group; these gaps; structure code and number of visits; LKJ's eta and the least correlation; visits of each pattern,
    where its visits start, its groups, and where these start.
    """
    structure = structure_of(rows)
    between = structure.between(rows)
    values, kind = np.unique(between[rows.earlier > 0], return_inverse=True)
    kinds = np.zeros(len(between), dtype=np.int64)
    kinds[rows.earlier > 0] = kind + 1
    patterns = rows.patterns if rows.patterned else ()
    firsts = {int(a): g for g, a in enumerate(rows.starts[:-1])}
    members = [firsts[int(a)] for _, at in patterns for a in at[:, 0]]
    return (
        rows.starts,
        kinds,
        np.concatenate([[0.0], values]),
        np.array([structure.code, len(rows.visits)], dtype=np.int64),
        np.array([eta_lkj, structure.lower(rows)]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(p for p, _ in patterns)]),
        np.cumsum([0, *(len(p) for p, _ in patterns)]).astype(np.int64),
        np.array(members, dtype=np.int64),
        np.cumsum([0, *(len(at) for _, at in patterns)]).astype(np.int64),
    )


@functools.cache
def compile_residual_pass() -> Any:
    """Compile `pass_residuals` (or take it from numba's cache on disk) as a C function of the type `ROW_PASS`."""
    stamp = source_stamp("covariance", "residual", "families/elementary.py", *(f"density/{f}.py" for f in _SOURCES))

    def residual_pass(data_, beta_, u_, family_, g_beta_, gu_, n_effects, n_family, sums_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (_ARRAYS, 3), np.int64)
        Xt = real_grid(t, 1)
        p = Xt.shape[0]
        data = (real_grid(t, 0), Xt, real_grid(t, 2), int32_grid(t, 3), int64_grid(t, 4))
        places = (int64_vector(t, 5), int64_vector(t, 6), real_vector(t, 7), int64_vector(t, 8), real_vector(t, 9))
        patterns = (int64_vector(t, 10), int64_vector(t, 11), int64_vector(t, 12), int64_vector(t, 13))
        pass_residuals(
            data,
            places + patterns,
            nb.carray(beta_, (p,)),
            nb.carray(u_, (n_effects,)),
            nb.carray(family_, (n_family,)),
            nb.carray(g_beta_, (p,)),
            nb.carray(gu_, (n_effects,)),
            nb.carray(sums_, (1 + n_family,)),
        )

    return compiled_pointer(ROW_PASS)(residual_pass)


_SOURCES = ("residual_pass", "residual_likelihood", "row_pass", "layout", "addresses")
