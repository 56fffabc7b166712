"""A specification met with its data: response, X, group codes, labels. What every algorithm starts from."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayesglmm.auxiliary import Auxiliary
from bayesglmm.auxiliary import offset_of as offset_sum
from bayesglmm.coding import Coding
from bayesglmm.errors import DataError, Problem
from bayesglmm.families import Family, FamilyLink, get_family
from bayesglmm.families.parts import FamilyPart
from bayesglmm.formula import columns
from bayesglmm.formula.tree import Formula
from bayesglmm.grouping import INTERCEPT, GroupEffects
from bayesglmm.priors.defaults import dispersion_default
from bayesglmm.residual import ResidualRows, ResidualScales, structure_of
from bayesglmm.spec import ModelSpec

__all__ = ["Design", "NewRows", "offset_of"]


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows that were not used for learning, in the learned coding.

    Attributes
    ----------
    X : ndarray, shape (n, p)
        Common part.
    offset : ndarray, shape (n,)
        Known part of the linear predictor.
    codes : tuple of ndarray of int32, each shape (n,)
        Level of each group term; -1 for a level that was not in the data.
    columns : tuple of ndarray, each shape (q, n)
        Columns that the effects of each group term multiply.
    auxiliary : Auxiliary or None
        What these rows depend on beside eta.
    """

    X: np.ndarray
    offset: np.ndarray
    codes: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]
    auxiliary: Auxiliary | None = None


@dataclass(frozen=True, eq=False)
class Design:
    """A specification met its data.

    Attributes
    ----------
    spec : ModelSpec
        What was asked for.
    rows : ndarray, shape (4, n)
        Response, size, weight and offset of each row. Size is the number of trials of a binomial row, the known
        standard error of a ``y | se(s)`` row, 1 otherwise; a weight multiplies its row's log-likelihood.
    X : ndarray, shape (n, p)
        Design matrix of the common part.
    groups : tuple of GroupEffects
        One entry a group term, in the formula's order.
    coding : Coding
        How X was coded; ``coding.names`` are the coefficients.
    response_name : str
        The response without its trials, standard errors and weights, as the formula prints it.
    response_labels : tuple of str or None
        (failure, success) of a response with two labels; the categories of an ordered one.
    row_labels : Index, length n
        Labels of the rows that are used.
    dropped : Index
        Labels of the rows left out for missing values (``missing="drop"`` only).
    auxiliary : Auxiliary or None
        What rows depend on beside eta, where that is more than one dispersion for all of them.
    fingerprint : str
        SHA-256 of the values in the columns that the model uses.
    residual : ResidualRows or None
        Groups and times of rows whose residuals correlate; None where rows are independent given the group effects.
    """

    spec: ModelSpec
    rows: np.ndarray
    X: np.ndarray
    groups: tuple[GroupEffects, ...]
    coding: Coding = field(repr=False)
    response_name: str
    response_labels: tuple[str, ...] | None
    row_labels: pd.Index = field(repr=False)
    dropped: pd.Index
    fingerprint: str
    auxiliary: Auxiliary | None = None
    residual: ResidualRows | None = field(default=None, repr=False)

    @property
    def y(self) -> np.ndarray:
        """Response, shape (n,); successes for a binomial."""
        return self.rows[0]

    @property
    def size(self) -> np.ndarray:
        """Trials, known standard errors or ones, shape (n,)."""
        return self.rows[1]

    @property
    def weights(self) -> np.ndarray:
        """Weights of the rows' log-likelihoods, shape (n,)."""
        return self.rows[2]

    @property
    def offset(self) -> np.ndarray:
        """Known part of the linear predictor, shape (n,)."""
        return self.rows[3]

    @property
    def n_rows(self) -> int:
        """Number of rows n."""
        return self.rows.shape[1]

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the p coefficients."""
        return self.coding.names

    @property
    def has_intercept(self) -> bool:
        """Whether the first coefficient is the intercept."""
        return bool(self.coefficients) and self.coefficients[0] == INTERCEPT

    @property
    def family(self) -> Family:
        """The family's record."""
        return get_family(self.spec.family)

    @property
    def family_link(self) -> FamilyLink:
        """Link, row kernel and PyMC form."""
        return self.family.links[self.spec.link]

    @property
    def dispersion(self) -> str | None:
        """Name of the dispersion parameter of all rows, or None: ``y | se(s)`` fixes it, a formula makes it vary."""
        if self.auxiliary is not None:
            return None
        return None if self.spec.formula.response.se is not None else self.family.dispersion

    @functools.cached_property
    def family_parts(self) -> tuple[FamilyPart, ...]:
        """Family parameters that are estimated, variable by variable: the *family scalars*."""
        if self.auxiliary is not None:
            return self.auxiliary.parts
        rule = self.family.phi
        if self.dispersion is None or rule is None:
            return ()
        scale = self.family.scale(self.y, self.size, self.spec.link)
        prior = dispersion_default(rule.prior, scale)
        return (FamilyPart(self.dispersion, "scale", (rule.start(scale),), (prior,)),)

    @property
    def family_names(self) -> tuple[str, ...]:
        """Names of the K family scalars."""
        return tuple(name for part in self.family_parts for name in part.names)

    @property
    def n_residual(self) -> int:
        """Number of correlation coordinates of the residual structure."""
        return 0 if self.residual is None else structure_of(self.residual).coordinates(self.residual)

    @functools.cached_property
    def residual_scales(self) -> ResidualScales | None:
        """How the standard deviations of correlated residuals differ by row; None where they are all sigma."""
        if self.residual is None or self.auxiliary is None:
            return None
        log_sigma = self.auxiliary.predictors[0]
        return ResidualScales(self.residual.sorted(log_sigma.columns.T).T, self.residual.sorted(log_sigma.offset))

    @property
    def is_linear(self) -> bool:
        """Whether this is a linear mixed model: log densities of rows are parabolas in eta (`FamilyLink.linear`).

        With one dispersion for all rows: sums over rows serve every value of it. Its residuals may still correlate
        (`residual`): then they have one density together.
        """
        return self.family_link.linear and self.auxiliary is None

    @property
    def n_effects(self) -> int:
        """Number of group effects, summed over all group terms."""
        return sum(g.size for g in self.groups)

    @property
    def is_large(self) -> bool:
        """Whether rows and levels of every group term are so many that likelihoods are close to parabolas."""
        return self.n_rows >= 5000 and all(g.n_levels >= 500 for g in self.groups)

    @functools.cached_property
    def log_constants(self) -> np.ndarray:
        """Part of each row's log-likelihood that depends on the data alone (not weighted), shape (n,)."""
        return self.family.log_constant(self.y, self.size)

    def checked_response(self, y: np.ndarray) -> np.ndarray:
        """Return ``y`` as a response of this design, float64 shape (n,).

        Raises
        ------
        DataError
            Another length, values that are not finite, or values outside the family's support.
        """
        name = self.response_name
        given = np.asarray(y)
        if given.dtype.kind not in "biuf":
            message = f"a response of {given.dtype} was given; give real numbers, as design.y holds them."
            raise DataError([Problem(name, message, "response")])
        values = np.ascontiguousarray(given, dtype=np.float64)
        if values.shape != (self.n_rows,):
            message = (
                f"a response of shape {values.shape} was given; give one value for each of the {self.n_rows} rows."
            )
            raise DataError([Problem(name, message, "response")])
        finite = np.isfinite(values)
        if not finite.all():
            rows = ", ".join(str(r) for r in self.row_labels[~finite][:5])
            message = (
                f"{int((~finite).sum())} of {self.n_rows} values are not finite (rows {rows}); give finite numbers."
            )
            raise DataError([Problem(name, message, "response")])
        problems = []
        for found in self.family.violations(values, self.size):
            rows = ", ".join(str(r) for r in self.row_labels[found.mask][:5])
            count = f"{int(found.mask.sum())} of {self.n_rows} values {found.words} (rows {rows})"
            problems.append(Problem(name, f"{count}; {self.family.name} needs {self.family.needs}.", "support"))
        if problems:
            raise DataError(problems)
        return values

    def with_response(self, y: np.ndarray) -> Design:
        """Return the same design with another response y (n,); the fingerprint is that of the original data plus y."""
        rows = self.rows.copy()
        rows[0] = y
        digest = hashlib.sha256(self.fingerprint.encode() + np.ascontiguousarray(y, dtype=np.float64).tobytes())
        auxiliary = None if self.auxiliary is None else self.auxiliary.with_response(rows[0])
        return replace(self, rows=rows, fingerprint=digest.hexdigest(), auxiliary=auxiliary)

    def new_rows(self, data: pd.DataFrame) -> NewRows:
        """Return rows of ``data`` in the learned coding; the response is not needed.

        Raises
        ------
        DataError
            A column of the model is not in ``data``, or holds missing values.
        """
        formula = self.spec.formula
        needed = dict.fromkeys([*self.coding.columns, *_offset_columns(formula)])
        for group in self.groups:
            kind = [] if group.kind is None else [group.kind.column]
            needed.update(dict.fromkeys([*group.coding.columns, *group.factor.columns, *kind]))
        if self.auxiliary is not None:
            needed.update(dict.fromkeys(self.auxiliary.columns))
        absent = [c for c in needed if c not in data.columns]
        if absent:
            problems = [
                Problem(c, "is not a column of the new data, and the model needs it.", "column") for c in absent
            ]
            raise DataError(problems)
        missing = data[list(needed)].isna()
        if missing.to_numpy().any():
            raise DataError([_missing_rows(str(c), missing[c]) for c in missing if missing[c].any()])
        return NewRows(
            X=self.coding.matrix(data),
            offset=offset_of(formula, data),
            codes=tuple(g.new_codes(data) for g in self.groups),
            columns=tuple(g.new_columns(data) for g in self.groups),
            auxiliary=None if self.auxiliary is None else self.auxiliary.for_rows(data),
        )


def _missing_rows(column: str, missing: pd.Series) -> Problem:
    rows = ", ".join(str(label) for label in missing.index[missing][:5])
    count = f"{int(missing.sum())} of {len(missing)} values missing"
    message = f"{count} (rows {rows}); fill them in or leave these rows out."
    return Problem(column, message, "missing")


def offset_of(formula: Formula, data: pd.DataFrame) -> np.ndarray:
    """Return the sum of the formula's offsets, shape (n,)."""
    return offset_sum(formula.common, data)


def _offset_columns(formula: Formula) -> list[str]:
    return [name for expression in formula.common.offsets for name in columns(expression)]
