"""V = Z G Z' + R: how the rows of a linear mixed model vary together once the group effects are integrated out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesglmm.errors import SpecificationError, nearest
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.reading.conditional import ConditionalModel
from bayesglmm.grouping import GroupEffects

__all__ = ["MAX_ROWS", "marginal_covariance"]

#: Beyond so many rows V as a whole would take half a gigabyte.
MAX_ROWS = 8000


def marginal_covariance(fit: Fit, by: str | None = None) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """Return V at the estimates of ``fit``, or its diagonal blocks by the levels of a grouping factor.

    Parameters
    ----------
    fit : Fit
        Of a gaussian response with the identity link.
    by : str, optional
        A grouping factor of the model, or that of its residuals, ``"subject"``; a block for each of its levels is
        returned, with every group term in it.

    Returns
    -------
    DataFrame, shape (n, n), or dict of level to DataFrame
        Rows and columns are labelled as the data's rows; squared units of the response.

    Raises
    ------
    SpecificationError
        Another family or link, a method without variances of group effects, a factor that the model does not have, or V
        as a whole for more than `MAX_ROWS` rows.
    """
    design = fit.design
    if not design.family_link.linear:
        raise SpecificationError(
            f"V = Z G Z' + R is the covariance of gaussian responses with the identity link, and this model is "
            f"{design.spec.family} with the {design.spec.link} link: its responses have no such covariance matrix."
        )
    model = ConditionalModel.of(fit, "marginal_covariance")
    if by is None:
        if design.n_rows > MAX_ROWS:
            raise SpecificationError(
                f"V as a whole is written out for at most {MAX_ROWS} rows, and there are {design.n_rows}; ask for its "
                "blocks: marginal_covariance(by=...) with a grouping factor."
            )
        return _block(model, np.arange(design.n_rows))
    group = next((g for g in design.groups if g.name == by), None)
    residual = design.residual
    own = [] if residual is None else [":".join(residual.factor.columns)]
    if group is None and residual is not None and by in own:
        levels = np.split(residual.order, residual.starts[1:-1])
        return {level: _block(model, at) for level, at in zip(residual.factor.levels, levels, strict=True)}
    if group is None:
        names = list(dict.fromkeys([*(g.name for g in design.groups), *own]))
        raise SpecificationError(
            f"{by!r} is no grouping factor of this model.{nearest(by, names)} Its factors: {', '.join(names)}."
        )
    # Kinds of levels (by=) are one factor.
    parts = [g for g in design.groups if g.name == by and g.term is group.term]
    return {
        level: _block(model, at)
        for part in parts
        for level, at in zip(part.factor.levels, _rows_of_levels(part), strict=True)
    }


def _rows_of_levels(group: GroupEffects) -> list[np.ndarray]:
    """Return the rows of each level of a group term."""
    rows = np.arange(len(group.codes)) if group.kind is None else np.flatnonzero(group.kind.inside)
    order = rows[np.argsort(group.codes[rows], kind="stable")]
    return np.split(order, np.cumsum(np.bincount(group.codes[rows], minlength=group.n_levels))[:-1])


def _correlations(model: ConditionalModel, rows: np.ndarray) -> np.ndarray:
    """Return the correlation matrix of the residuals of some rows."""
    R = np.eye(len(rows))
    if model.whitening is None:
        return R
    of = model.whitening.rows
    place = np.empty(len(of.order), dtype=np.int64)
    place[of.order] = np.arange(len(of.order))
    for group in np.unique(of.codes[rows]):
        here = np.flatnonzero(of.codes[rows] == group)
        at = place[rows[here]] - of.starts[group]
        R[np.ix_(here, here)] = model.whitening.matrix(int(group))[np.ix_(at, at)]
    return R


def _block(model: ConditionalModel, rows: np.ndarray) -> pd.DataFrame:
    design = model.design
    scales = model.row_sds()[rows]
    V = np.outer(scales, scales) * _correlations(model, rows)
    for group, G in zip(design.groups, model.G, strict=True):
        columns, codes = group.columns()[:, rows], group.codes[rows]
        relationship = group.structure.relationship
        same = codes[:, None] == codes[None, :]
        across = same if relationship is None else relationship.matrix[codes][:, codes].toarray()
        V += across * (columns.T @ G @ columns)
    labels = design.row_labels[rows]
    return pd.DataFrame(V, index=labels, columns=labels)
