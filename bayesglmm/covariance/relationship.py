"""A known covariance matrix A of levels, up to a standard deviation: of relatives, of places, of species.

Densities need A^-1, simulation a factor of A. Levels that are related to one another, even through others, form a
family; A is taken apart into families, and each is factored as a dense matrix. The inverse of a pedigree's A is sparse
although A is not (Henderson 1976), so that what is rounding in A^-1 is left out of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bayesglmm.errors import DataError, Problem
from bayesglmm.formula.tree import Formula

__all__ = ["MAX_FAMILY", "Relationship", "read_relationship", "read_relationships"]

#: Largest family that is factored as a dense matrix.
MAX_FAMILY = 3000
#: Relative to the largest entries of their row and column: what A and A' may differ by; what is rounding in A^-1.
_ASYMMETRY, _ROUNDING = 1e-8, 1e-13


@dataclass(frozen=True, eq=False)
class Relationship:
    """A checked covariance matrix.

    Attributes
    ----------
    names : tuple of str
        Names of its rows, as levels print.
    matrix : csr_array, shape (J, J)
        A, symmetric.
    precision : csr_array, shape (J, J)
        A^-1.
    factor : csr_array, shape (J, J)
        L with L L' = A.
    log_determinant : float
        log |A|.
    """

    names: tuple[str, ...]
    matrix: Any
    precision: Any
    factor: Any
    log_determinant: float

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """Bytes that differ for different matrices."""
        parts = (self.matrix.indptr, self.matrix.indices, self.matrix.data)
        return repr(self.names).encode() + b"".join(np.ascontiguousarray(p).tobytes() for p in parts)


def read_relationship(key: str, given: Any) -> Relationship:
    """Check a known covariance matrix.

    Parameters
    ----------
    key : str
        What the formula calls it.
    given : DataFrame or (matrix, names)
        A with its names in rows and columns, or a NumPy array or scipy.sparse matrix with the names of its rows.

    Raises
    ------
    DataError
        It is no covariance matrix, with the entries that say so.
    """
    where = f'known_covariances["{key}"]'
    matrix, names = _taken(where, given)
    problem = next(_faults(where, matrix, names), None)
    if problem is not None:
        raise DataError([problem])
    symmetric = sp.csr_array(0.5 * (matrix + matrix.T))
    symmetric.sort_indices()
    return _factored(where, symmetric, names)


def read_relationships(formula: Formula, given: Mapping[str, Any] | None) -> dict[str, Relationship]:
    """Check the known covariances that a formula names; one that it does not name is an error.

    Raises
    ------
    DataError
        See `read_relationship`; a name that the formula does not use.
    """
    if given is not None and not isinstance(given, Mapping):
        message = f'{type(given).__name__} is given; give a mapping of names to matrices, {{"A": DataFrame}}.'
        raise DataError([Problem("known_covariances", message, "known covariance")])
    named = [str(value) for g in formula.groups for key, value in g.options if key == "covariance"]
    unused = [key for key in given or {} if key not in named]
    if unused:
        message = f'no group term names it. Write known(1 | g, "{unused[0]}") in the formula, or leave it out.'
        raise DataError([Problem(f'known_covariances["{unused[0]}"]', message, "known covariance")])
    return {key: read_relationship(key, matrix) for key, matrix in (given or {}).items()}


def _taken(where: str, given: Any) -> tuple[Any, tuple[str, ...]]:
    if isinstance(given, pd.DataFrame):
        rows, columns = (tuple(map(str, axis)) for axis in (given.index, given.columns))
        if rows != columns:
            odd = [n for n in rows if n not in set(columns)] or [n for n in columns if n not in set(rows)]
            said = f"; {odd[0]!r} is in one of them only" if odd else ", in another order"
            message = f"rows and columns have different names{said}. Give both the same names in the same order."
            raise DataError([Problem(where, message, "known covariance")])
        values, names = given.to_numpy(), rows
    elif isinstance(given, tuple) and len(given) == 2:
        values, names = given[0], tuple(map(str, given[1]))
    else:
        message = f"{type(given).__name__} is given; give a DataFrame with names, or a pair (matrix, names)."
        raise DataError([Problem(where, message, "known covariance")])
    try:
        return sp.csr_array(values, dtype=np.float64), names
    except (TypeError, ValueError) as error:
        message = f"it does not hold numbers only ({error}); give real numbers."
        raise DataError([Problem(where, message, "known covariance")]) from error


def _faults(where: str, matrix: Any, names: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what is wrong; the first suffices, since what follows builds on it."""

    def problem(message: str) -> Problem:
        return Problem(where, message, "known covariance")

    if matrix.shape[0] != matrix.shape[1] or not matrix.shape[0]:
        yield problem(f"it has shape {matrix.shape}; a covariance matrix is square.")
        return
    if len(names) != matrix.shape[0]:
        yield problem(f"{len(names)} names are given for {matrix.shape[0]} rows; give one for each row.")
        return
    twice = pd.Series(names).loc[lambda s: s.duplicated()]
    if len(twice):
        yield problem(f"the name {twice.iloc[0]!r} is given to two rows; give each level one row.")
    if not np.isfinite(matrix.data).all():
        row = int(np.flatnonzero(np.diff(matrix.indptr))[0]) if matrix.nnz else 0
        bad = np.flatnonzero(~np.isfinite(matrix.data))[0]
        row = int(np.searchsorted(matrix.indptr, bad, side="right") - 1)
        yield problem(f"the row of {names[row]!r} has missing or infinite entries; a covariance is finite.")
        return
    diagonal = matrix.diagonal()
    if (diagonal <= 0.0).any():
        yield problem(
            f"the variance of {names[int(np.argmin(diagonal))]!r} is {diagonal.min():.4g}; it must be above 0. "
            "Give the level its variance, or leave it out."
        )
        return
    odd = sp.coo_array(abs(matrix - matrix.T))
    scale = np.sqrt(diagonal[odd.coords[0]] * diagonal[odd.coords[1]])
    beyond = np.flatnonzero(odd.data > _ASYMMETRY * scale)
    if len(beyond):
        i, k = int(odd.coords[0][beyond[0]]), int(odd.coords[1][beyond[0]])
        pair = f"({names[i]!r}, {names[k]!r})"
        words = f"it is not symmetric: {pair} differs from its mirror image by {odd.data[beyond[0]]:.3g}."
        yield problem(f"{words} Correct the wrong one of the two, or fill in the other triangle.")


def _factored(where: str, matrix: Any, names: tuple[str, ...]) -> Relationship:
    n, family = connected_components(matrix, directed=False)
    order = np.argsort(family, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(family, minlength=n))])
    precision, factor, log_determinant = [], [], 0.0
    for f in range(n):
        members = order[bounds[f] : bounds[f + 1]]
        if len(members) > MAX_FAMILY:
            message = (
                f"{len(members)} levels are related to one another, more than the {MAX_FAMILY} that this version "
                "factors together; leave out levels without rows, or set small covariances to 0."
            )
            raise DataError([Problem(where, message, "known covariance")])
        block = matrix[members][:, members].toarray()
        try:
            L = np.linalg.cholesky(block)
        except np.linalg.LinAlgError as error:
            least = float(np.linalg.eigvalsh(block)[0])
            example = ", ".join(repr(names[m]) for m in members[:3]) + (", ..." if len(members) > 3 else "")
            message = (
                f"it is not positive definite: among {example} its smallest eigenvalue is {least:.3g}. Two levels with "
                "the same relations (twins, a name twice) make it singular; add a little to the diagonal, or join them."
            )
            raise DataError([Problem(where, message, "known covariance")]) from error
        inverse = sla.lapack.dpotri(L, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        roots = np.sqrt(np.diagonal(inverse))
        inverse[np.abs(inverse) < _ROUNDING * np.outer(roots, roots)] = 0.0
        precision.append(sp.coo_array(inverse))
        factor.append(sp.coo_array(L))
        log_determinant += 2.0 * float(np.log(np.diagonal(L)).sum())
    return Relationship(names, matrix, _joined(precision, order), _joined(factor, order), log_determinant)


def _joined(blocks: list[Any], order: np.ndarray) -> Any:
    """Return families' matrices as one, its rows and columns in the order of the names."""
    whole = sp.coo_array(sp.block_diag(blocks))
    joined = sp.csr_array((whole.data, (order[whole.coords[0]], order[whole.coords[1]])), shape=whole.shape)
    joined.sort_indices()
    return joined
