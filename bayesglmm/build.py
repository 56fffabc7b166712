"""ModelSpec + DataFrame -> Design: checked, coded, fingerprinted."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from bayesglmm.coding import evaluate, learn_coding
from bayesglmm.design import Design, offset_of
from bayesglmm.errors import DataWarning, NotAvailableError
from bayesglmm.families import get_family
from bayesglmm.formula import node_text, require_available
from bayesglmm.formula.tree import Name
from bayesglmm.grouping import group_effects
from bayesglmm.residual import code_residual
from bayesglmm.spec import ModelSpec
from bayesglmm.validate import validate, validate_columns

__all__ = ["build_design"]

_PACKAGE = str(Path(__file__).parent)


def build_design(spec: ModelSpec, data: pd.DataFrame) -> Design:
    """Check ``data`` against ``spec`` and code it.

    Parameters
    ----------
    spec : ModelSpec
        Formula, family, link, priors, treatment of missing values.
    data : DataFrame
        One row an observation. It is not changed and not kept.

    Raises
    ------
    DataError
        Everything that is wrong with the data, said at once.
    NotAvailableError
        The formula uses a structure that this version does not fit.

    Warns
    -----
    DataWarning
        What deserves a look; one warning a problem.
    """
    require_available(spec.formula)
    used, dropped = validate_columns(spec, data)
    formula = spec.formula
    rows, labels = _response_rows(spec, used)
    coding, X = learn_coding(formula.common, used)
    design = Design(
        spec=spec,
        rows=rows,
        X=X,
        groups=group_effects(formula.groups, used),
        coding=coding,
        response_name=node_text(formula.response.expression),
        response_labels=labels,
        row_labels=used.index,
        dropped=dropped,
        fingerprint=_fingerprint(used),
        residual=None if spec.residual is None else code_residual(spec.residual, used),
    )
    _require_one_sigma(design)
    for problem in validate(design, used):
        # Point at the caller's line, however deep in this package the model is made.
        warnings.warn(str(problem), DataWarning, skip_file_prefixes=(_PACKAGE,))
    return design


def _require_one_sigma(design: Design) -> None:
    """Refuse a residual structure beside standard deviations that differ from row to row."""
    if design.residual is not None and [(p.kind, p.size) for p in design.family_parts] != [("scale", 1)]:
        raise NotAvailableError(
            f"residuals {design.spec.residual} beside a dispersion formula are not available yet; leave one of them "
            "out."
        )


def _response_rows(spec: ModelSpec, data: pd.DataFrame) -> tuple[np.ndarray, tuple[str, str] | None]:
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


def _fingerprint(data: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in sorted(data.columns, key=str):
        digest.update(repr(name).encode())
        digest.update(pd.util.hash_pandas_object(data[name], index=False, categorize=True).to_numpy().tobytes())
    return digest.hexdigest()
