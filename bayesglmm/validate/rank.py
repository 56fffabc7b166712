"""Linear dependence among the columns of a matrix: found, and written as the equations that hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg

from bayesglmm.validate.moments import Moments

__all__ = ["Dependence", "dependences"]

#: A column is dependent when this share of its length, or less, lies outside the span of the earlier ones.
_TOLERANCE: Final = 1e-7
#: X'X squares the condition of X: above this eigenvalue of its correlation form, X is safely of full rank.
_CLEARLY_INDEPENDENT: Final = 1e-8
#: A centred column this short against the column itself is rounding: the column is constant.
_CONSTANT: Final = 1e-12


@dataclass(frozen=True)
class Dependence:
    """A column that is a linear combination of others.

    Attributes
    ----------
    column : int
        Its position.
    others : tuple of (int, float)
        Positions and factors of the columns whose sum it is; none for a column of zeros.
    """

    column: int
    others: tuple[tuple[int, float], ...]


def dependences(X: np.ndarray, moments: Moments, intercept: bool) -> tuple[Dependence, ...]:
    """Return the columns of X that are linear combinations of columns before them.

    X'X settles the usual case in one pass without a copy. Where it leaves doubt, X itself is decomposed:
    the triangle of its QR decomposition has the dependences of X, and its columns are taken in order, each
    against those kept so far (so that of two equal columns it is the later that is named, as in R's
    ``lm``).

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Finite, n >= p.
    moments : Moments
        Of X.
    intercept : bool
        Whether the first column is the intercept. The others are then centred, which changes no span and
        lets a column far from 0, such as a year, count by how it varies.
    """
    if X.shape[1] == 0 or _clearly_independent(moments, intercept):
        return ()
    if not intercept:
        return _sequential(X)
    lengths = np.linalg.norm(X, axis=0)
    centred = X[:, 1:] - moments.mean[1:]
    centred[:, np.linalg.norm(centred, axis=0) <= _CONSTANT * lengths[1:]] = 0.0
    return tuple(_with_intercept(found, moments.mean) for found in _sequential(centred))


def _clearly_independent(moments: Moments, intercept: bool) -> bool:
    gram = moments.scatter[1:, 1:] if intercept else moments.gram
    squares = np.diag(gram)
    if not len(squares):
        return True
    floor = (_CONSTANT * moments.n * moments.mean**2)[1:] if intercept else np.zeros(len(squares))
    if np.any(squares <= floor):
        return False
    root = np.sqrt(squares)
    return bool(np.linalg.eigvalsh(gram / np.outer(root, root))[0] > _CLEARLY_INDEPENDENT)


def _with_intercept(found: Dependence, mean: np.ndarray) -> Dependence:
    column, others = found.column + 1, tuple((k + 1, factor) for k, factor in found.others)
    constant = mean[column] - sum(factor * mean[k] for k, factor in others)
    size = max([abs(mean[column]), *(abs(factor * mean[k]) for k, factor in others)])
    if abs(constant) > 1e-9 * size:
        others = ((0, float(constant)), *others)
    return Dependence(column, others)


def _sequential(X: np.ndarray) -> tuple[Dependence, ...]:
    lengths = np.linalg.norm(X, axis=0)
    lengths = np.where(lengths > 0.0, lengths, 1.0)
    R = linalg.qr(X / lengths, mode="r")[0][: X.shape[1]]
    basis = np.empty((R.shape[0], 0))
    kept: list[int] = []
    found = []
    for column in range(X.shape[1]):
        rest = R[:, column]
        for _ in range(2):  # once more, since rounding leaves a trace of the span behind
            rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > _TOLERANCE:
            basis = np.column_stack([basis, rest / length])
            kept.append(column)
            continue
        factors = np.linalg.lstsq(R[:, kept], R[:, column], rcond=None)[0] if kept else np.empty(0)
        others = [
            (k, float(f * lengths[column] / lengths[k]))
            for k, f in zip(kept, factors, strict=True)
            if abs(f) > 10 * _TOLERANCE
        ]
        found.append(Dependence(column, tuple(others)))
    return tuple(found)
