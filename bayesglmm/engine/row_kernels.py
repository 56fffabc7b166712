"""The compiled loop over a design's rows: of ordinary rows, or of rows with auxiliary predictors."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.families.extended import adapted_row, compile_extended_rows, extended_row
from bayesglmm.families.rows import RowKernels, compile_rows

__all__ = ["row_kernels"]


def row_kernels(design: Design) -> RowKernels:
    """Return the loops over the rows of ``design``, compiled once for each row function."""
    row = design.family_link.row
    if design.auxiliary is None:
        return compile_rows(row)
    return compile_extended_rows(row, adapted_row if design.auxiliary.adapted else extended_row)
