"""v'A^-1 v of group terms whose levels have a known covariance: sparse rows of A^-1, and products with them."""

from __future__ import annotations

import numpy as np

from bayesglmm.compiled import jitable
from bayesglmm.design import Design

__all__ = ["precision_rows", "precision_times"]


def precision_rows(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of A^-1 of all such terms, one after another: starts, columns (int64) and values.

    A term with J levels has J + 1 starts; columns are levels of the term.
    """
    starts, columns, values, at = [], [], [], 0
    for group in design.groups:
        if group.structure.relationship is not None:
            P = group.structure.relationship.precision
            starts.append(at + P.indptr.astype(np.int64))
            columns.append(P.indices.astype(np.int64))
            values.append(np.asarray(P.data, dtype=np.float64))
            at += P.nnz
    nothing = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([nothing, *starts]),
        np.concatenate([nothing, *columns]),
        np.concatenate([np.zeros(0), *values]),
    )


@jitable
def precision_times(first, precision, v, out):  # type: ignore[no-untyped-def]  # compiled
    """Fill out with A^-1 v, both (J,), of the term whose starts begin at ``first``; return v'A^-1 v."""
    starts, columns, values = precision
    total = 0.0
    for j in range(v.shape[0]):
        value = 0.0
        for k in range(starts[first + j], starts[first + j + 1]):
            value += values[k] * v[columns[k]]
        out[j] = value
        total += v[j] * value
    return total
