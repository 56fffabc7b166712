"""The rows' part of a joint density: which pass over the rows a design has, and the arrays which that pass reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.density.auxiliary_pass import compile_auxiliary_pass
from bayesglmm.density.layout import Layout
from bayesglmm.density.residual_likelihood import compile_residual_pass, residual_pass_arrays
from bayesglmm.density.residual_scales_pass import compile_scaled_residual_pass, scaled_pass_arrays
from bayesglmm.density.row_call import compile_row_pass
from bayesglmm.density.row_data import RowData
from bayesglmm.design import Design
from bayesglmm.families.extended import adapted_row, extended_row

__all__ = ["RowLikelihood", "row_likelihood"]


@dataclass(frozen=True, eq=False)
class RowLikelihood:
    """log p(y | eta, family scalars) and its gradient, compiled.

    Attributes
    ----------
    row_pass : numba CFunc
        Of the type `row_call.ROW_PASS`; its arguments are said at `row_call.compile_row_pass`.
    arrays : tuple of ndarray
        What its ``data*`` is a table of, C-contiguous; they must live as long as the pass is called.
    """

    row_pass: Any
    arrays: tuple[np.ndarray, ...]


def row_likelihood(design: Design, layout: Layout, eta_residual: float = 1.0) -> RowLikelihood:
    """Return the pass over the rows of ``design``; ``eta_residual`` is LKJ's eta of a residual structure."""
    scales = design.residual_scales
    if scales is not None:
        arrays = scaled_pass_arrays(design, layout, eta_residual, scales)
        return RowLikelihood(compile_scaled_residual_pass(), arrays)
    if design.residual is not None:
        return RowLikelihood(compile_residual_pass(), residual_pass_arrays(design, layout, eta_residual))
    rows = RowData.of(design)
    arrays = (rows.rows, rows.Xt, rows.slopes, rows.codes, layout.cells)
    auxiliary, row = design.auxiliary, design.family_link.row
    if auxiliary is None:
        return RowLikelihood(compile_row_pass(row), arrays)
    first, second = auxiliary.predictors
    a, b, offsets = np.split(rows.auxiliary, np.cumsum([len(first.columns), len(second.columns)]))
    places = np.concatenate([[first.start, second.start], auxiliary.logged]).astype(np.int64)
    own = tuple(np.ascontiguousarray(part) for part in (a, b, offsets))
    row_pass = compile_auxiliary_pass(row, adapted_row if auxiliary.adapted else extended_row)
    return RowLikelihood(row_pass, (*arrays, *own, places))
