"""ModelSpec + DataFrame -> Design: checked, coded, fingerprinted."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayesglmm.auxiliary import Auxiliary, build_auxiliary
from bayesglmm.coding import Coding, evaluate, learn_coding
from bayesglmm.covariance import Relationship
from bayesglmm.design import Design, offset_of
from bayesglmm.errors import DataWarning
from bayesglmm.families import get_family
from bayesglmm.families.parts import Predictor
from bayesglmm.formula import node_text
from bayesglmm.formula.tree import Name
from bayesglmm.grouping import group_effects
from bayesglmm.residual import code_residual
from bayesglmm.spec import ModelSpec
from bayesglmm.validate import validate, validate_columns

__all__ = ["build_design"]

_PACKAGE = str(Path(__file__).parent)


def build_design(
    spec: ModelSpec, data: pd.DataFrame, relationships: Mapping[str, Relationship] | None = None
) -> Design:
    """Check ``data`` against ``spec`` and code it.

    Parameters
    ----------
    spec : ModelSpec
        Formula, family, link, priors, treatment of missing values.
    data : DataFrame
        One row an observation. It is not changed and not kept.
    relationships : mapping of str to Relationship, optional
        Known covariances of levels, under the names by which the formula calls them.

    Raises
    ------
    DataError
        Everything that is wrong with the data, said at once.

    Warns
    -----
    DataWarning
        What deserves a look; one warning a problem.
    """
    used, dropped = validate_columns(spec, data)
    formula = spec.formula
    rows, labels = _response_rows(spec, used)
    coding, X = _common_part(spec, used)
    design = Design(
        spec=spec,
        rows=rows,
        X=X,
        groups=group_effects(formula.groups, used, relationships),
        coding=coding,
        response_name=node_text(formula.response.expression),
        response_labels=labels,
        row_labels=used.index,
        dropped=dropped,
        fingerprint=_fingerprint(used, relationships or {}),
        auxiliary=_auxiliary(spec, used, rows, labels),
        residual=None if spec.residual is None else code_residual(spec.residual, used),
    )
    for problem in validate(design, used):
        # Point at the caller's line, however deep in this package the model is made.
        warnings.warn(str(problem), DataWarning, skip_file_prefixes=(_PACKAGE,))
    return design


def _common_part(spec: ModelSpec, data: pd.DataFrame) -> tuple[Coding, np.ndarray]:
    """Code the common part; where cutpoints play the part of the intercept it is coded with one, which is left out."""
    common = spec.formula.common
    if not _has_cutpoints(spec):
        return learn_coding(common, data)
    coding, X = learn_coding(replace(common, intercept=True), data)
    return coding.without_intercept(), np.ascontiguousarray(X[:, 1:])


def _has_cutpoints(spec: ModelSpec) -> bool:
    return any(predictor.form == "cutpoints" for predictor in get_family(spec.family).predictors)


def _auxiliary(
    spec: ModelSpec, data: pd.DataFrame, rows: np.ndarray, labels: tuple[str, ...] | None
) -> Auxiliary | None:
    """Lay out what rows depend on beside eta and one dispersion, if anything."""
    family, formulas = get_family(spec.family), spec.auxiliary_formulas
    if not family.predictors and not formulas:
        return None
    adapted = not family.predictors
    predictors = (Predictor(str(family.dispersion), "scale", family.phi),) if adapted else family.predictors
    scale = family.scale(rows[0], rows[1], spec.link)
    return build_auxiliary(predictors, formulas, adapted, data, rows[0], scale, labels or ())


def _response_rows(spec: ModelSpec, data: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...] | None]:
    response = spec.formula.response
    rows = np.ones((4, len(data)))
    if isinstance(response.expression, Name):
        encoded = get_family(spec.family).encode(data[response.expression.name])
        rows[0], labels = encoded.values, encoded.labels
    else:
        rows[0], labels = evaluate(response.expression, data), None
    size = response.trials if response.trials is not None else response.se
    if size is not None:
        rows[1] = evaluate(size, data)
    weights = response.weights.name if response.weights is not None else spec.weights
    if weights is not None:
        rows[2] = data[weights].to_numpy(dtype=np.float64)
    rows[3] = offset_of(spec.formula, data)
    return rows, labels


def _fingerprint(data: pd.DataFrame, relationships: Mapping[str, Relationship]) -> str:
    digest = hashlib.sha256()
    for name in sorted(data.columns, key=str):
        digest.update(repr(name).encode())
        digest.update(pd.util.hash_pandas_object(data[name], index=False, categorize=True).to_numpy().tobytes())
    for name in sorted(relationships):
        digest.update(repr(name).encode() + relationships[name].fingerprint)
    return digest.hexdigest()
