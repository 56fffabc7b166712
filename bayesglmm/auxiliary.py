"""Auxiliary predictors of rows: what their distribution depends on beside eta, row by row.

    a_i = offset_i + sum_k w_k columns_ki

w are the working family scalars: logarithms of scales, coefficients, cutpoints. There are two, a and b; a family that
needs one has a second without columns.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayesglmm.coding import Coding, evaluate, learn_coding, level_columns
from bayesglmm.errors import DataError, Problem
from bayesglmm.families.parts import FamilyPart, Predictor
from bayesglmm.formula import columns
from bayesglmm.formula.tree import Common
from bayesglmm.priors.defaults import dispersion_default
from bayesglmm.priors.prior import Prior

__all__ = ["Auxiliary", "AuxiliaryPredictor", "build_auxiliary"]

#: Standard deviation of a logarithm of a dispersion a priori, at the columns' means, and per sd of a column.
_LOG_SCALE_WIDTHS = (2.0, 1.0)
#: The same of a logit.
_LOGIT_WIDTHS = (2.5, 2.5)
#: Cutpoints lie within so many natural scales of the linear predictor a priori.
_CUTPOINT_WIDTH = 5.0


@dataclass(frozen=True, eq=False)
class AuxiliaryPredictor:
    """One of a and b.

    Attributes
    ----------
    columns : ndarray, shape (k, n)
        What the scalars multiply; C-contiguous.
    start : int
        Position of the first of them among the family scalars.
    offset : ndarray, shape (n,)
        Known part; infinite beyond the first and last cutpoint.
    coding : Coding or None
        How the columns were coded, where they are those of a formula.
    common : Common or None
        That formula.
    """

    columns: np.ndarray
    start: int
    offset: np.ndarray
    coding: Coding | None = field(default=None, repr=False)
    common: Common | None = None

    @property
    def where(self) -> slice:
        """Positions of its scalars."""
        return slice(self.start, self.start + len(self.columns))

    def at(self, w: np.ndarray) -> np.ndarray:
        """Return its value in every row, shape (..., n), at working family scalars (..., K)."""
        return np.asarray(self.offset + w[..., self.where] @ self.columns)


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """Both predictors of a design.

    Attributes
    ----------
    parts : tuple of FamilyPart
        The family scalars.
    predictors : tuple of two AuxiliaryPredictor
        a and b.
    forms : tuple of str
        What each of the family's predictors is: ``scale`` (a scalar), ``log`` (the columns of a dispersion formula),
        ``formula``, ``cutpoints``.
    adapted : bool
        Whether rows are ordinary ones with phi = exp(a).
    """

    parts: tuple[FamilyPart, ...]
    predictors: tuple[AuxiliaryPredictor, AuxiliaryPredictor]
    forms: tuple[str, ...]
    adapted: bool

    @functools.cached_property
    def logged(self) -> np.ndarray:
        """Which family scalars are worked with by their logarithm, bool, shape (K,)."""
        return np.array([part.kind == "scale" for part in self.parts for _ in part.names], dtype=bool)

    def working(self, family: np.ndarray) -> np.ndarray:
        """Return natural family scalars (..., K) on the working scale."""
        return np.where(self.logged, np.log(np.where(self.logged, family, 1.0)), family)

    def known(self, size: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return what the loops of `families.extended` know of the rows at w (K,): size, a, b; shape (3 n,)."""
        first, second = self.predictors
        return np.concatenate([size, first.at(w), second.at(w)])

    def pull_back(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the gradient in w (K,) from those in a and b (n,)."""
        out = np.zeros(len(self.logged))
        for predictor, slope in zip(self.predictors, (first, second), strict=True):
            out[predictor.where] += predictor.columns @ slope
        return out

    def values(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what each of the family's predictors stands for at w (..., K), for `Family.simulate`.

        A scale row by row (..., n), a formula's linear predictor (..., n), or the cutpoints (..., K); a family with one
        predictor has zeros for the second.
        """
        found = []
        for form, predictor in zip(self.forms, self.predictors, strict=False):
            if form == "cutpoints":
                found.append(w)
            else:
                value = predictor.at(w)
                found.append(value if form == "formula" else np.exp(value))
        return found[0], found[1] if len(found) > 1 else np.zeros(1)

    def simulation(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return what `Family.simulate` takes after size at w (..., K): phi row by row, or `values`."""
        first, second = self.values(w)
        return (first,) if self.adapted else (first, second)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data frame that the formulas use."""
        used = dict.fromkeys(
            name
            for p in self.predictors
            if p.coding is not None and p.common is not None
            for name in (*p.coding.columns, *(c for offset in p.common.offsets for c in columns(offset)))
        )
        return tuple(used)

    def for_rows(self, data: pd.DataFrame) -> Auxiliary:
        """Return the predictors of new rows in the learned coding; of a response's cutpoints nothing is known there."""
        n = len(data)
        found = []
        for predictor in self.predictors:
            if predictor.coding is not None and predictor.common is not None:
                matrix = np.ascontiguousarray(predictor.coding.matrix(data).T)
                found.append(replace(predictor, columns=matrix, offset=offset_of(predictor.common, data)))
            else:
                held = np.zeros if "cutpoints" in self.forms else np.ones
                found.append(replace(predictor, columns=held((len(predictor.columns), n)), offset=np.zeros(n)))
        return replace(self, predictors=(found[0], found[1]))

    def with_response(self, y: np.ndarray) -> Auxiliary:
        """Return the same for another response: the category of a row says which cutpoints it lies between."""
        if "cutpoints" not in self.forms:
            return self
        return replace(self, predictors=_between(y, self.parts[0].size))


def build_auxiliary(
    predictors: tuple[Predictor, ...],
    formulas: Mapping[str, Common],
    adapted: bool,
    data: pd.DataFrame,
    y: np.ndarray,
    scale: float,
    labels: tuple[str, ...],
) -> Auxiliary:
    """Lay out the auxiliary predictors of a design.

    Parameters
    ----------
    predictors : tuple of Predictor
        Those of the family.
    formulas : mapping of str to Common
        By the name of a predictor: the formula that a specification gives for it.
    adapted : bool
        As in `Auxiliary`.
    data : DataFrame
        The rows that are used.
    y : ndarray, shape (n,)
        Response.
    scale : float
        By how much eta can be expected to vary.
    labels : tuple of str
        Categories of an ordered response.
    """
    parts: list[FamilyPart] = []
    found: list[AuxiliaryPredictor] = []
    forms: list[str] = []
    for predictor in predictors:
        start = sum(part.size for part in parts)
        common = formulas.get(predictor.name)
        if predictor.form == "cutpoints":
            parts.append(_cutpoints(predictor.name, y, labels, scale))
            found += _between(y, len(labels) - 1)
            forms.append("cutpoints")
        elif common is None and predictor.rule is not None:
            prior = dispersion_default(predictor.rule.prior, scale)
            parts.append(FamilyPart(predictor.name, "scale", (predictor.rule.start(scale),), (prior,)))
            found.append(AuxiliaryPredictor(np.ones((1, len(y))), start, np.zeros(len(y))))
            forms.append("scale")
        else:
            common = Common() if common is None else common
            coding, X = learn_coding(common, data)
            parts.append(_coefficients(predictor, coding, X, scale))
            columns = np.ascontiguousarray(X.T)
            found.append(AuxiliaryPredictor(columns, start, offset_of(common, data), coding, common))
            forms.append("formula" if predictor.rule is None else "log")
    if len(found) == 1:
        found.append(AuxiliaryPredictor(np.empty((0, len(y))), 0, np.zeros(len(y))))
    return Auxiliary(tuple(parts), (found[0], found[1]), tuple(forms), adapted)


def offset_of(common: Common, data: pd.DataFrame) -> np.ndarray:
    """Return the sum of a formula's offsets, shape (n,)."""
    total = np.zeros(len(data))
    for expression in common.offsets:
        total += evaluate(expression, data)
    return total


def _coefficients(predictor: Predictor, coding: Coding, X: np.ndarray, scale: float) -> FamilyPart:
    """Return the coefficients of a formula, of a logit or of the logarithm of a dispersion."""
    logged = predictor.rule is not None
    place = float(np.log(predictor.rule.start(scale))) if predictor.rule is not None else 0.0
    width, slope = _LOG_SCALE_WIDTHS if logged else _LOGIT_WIDTHS
    levels = level_columns(coding, X)
    sds = np.where(np.ptp(X, axis=0) > 0.0, X.std(axis=0), 1.0)
    slopes = np.where(levels, 0.0, slope / sds)
    # The raw intercept, as wide as one at the columns' means and the slopes imply it.
    raw = float(np.sqrt(width**2 + ((X.mean(axis=0) * slopes) ** 2).sum()))
    priors = [
        Prior("Normal", mu=place, sigma=raw) if level else Prior("Normal", mu=0.0, sigma=float(s))
        for level, s in zip(levels, slopes, strict=True)
    ]
    start = tuple(place if level else 0.0 for level in levels)
    name = f"log_{predictor.name}" if logged else predictor.name
    return FamilyPart(name, "coefficient", start, tuple(priors), coding.names)


def _cutpoints(name: str, y: np.ndarray, labels: tuple[str, ...], scale: float) -> FamilyPart:
    """Return the cutpoints between the categories ``labels``, searched from even odds of the cumulative shares."""
    K = len(labels)
    counts = np.bincount(y.astype(np.int64), minlength=K) + 0.5
    shares = np.cumsum(counts)[:-1] / counts.sum()
    start = scale * np.log(shares / (1.0 - shares))
    between = tuple(f"{below}|{above}" for below, above in itertools.pairwise(labels))
    prior = Prior("Normal", mu=0.0, sigma=_CUTPOINT_WIDTH * scale)
    return FamilyPart(name, "ordered", tuple(start.tolist()), (prior,) * (K - 1), between)


def _between(y: np.ndarray, size: int) -> tuple[AuxiliaryPredictor, AuxiliaryPredictor]:
    """Return the cutpoints above and below each row's category y = 0, ..., size."""
    category = y.astype(np.int64)
    if category.max() > size:
        message = f"category {category.max()} is given, and there are {size + 1}, counted from 0."
        raise DataError([Problem("response", message, "support")])
    positions = np.arange(size)[:, None]
    upper = AuxiliaryPredictor((positions == category) * 1.0, 0, np.where(category == size, np.inf, 0.0))
    lower = AuxiliaryPredictor((positions == category - 1) * 1.0, 0, np.where(category == 0, -np.inf, 0.0))
    return upper, lower
