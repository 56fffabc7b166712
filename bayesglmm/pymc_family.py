"""What a response takes beside eta and size, in the PyMC graph and in its source: phi, or several predictors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bayesglmm.auxiliary import Auxiliary
from bayesglmm.families.parts import FamilyPart
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.source_text import array_text, columns_text

__all__ = ["auxiliary_data", "auxiliary_graph", "auxiliary_lines"]

type Block = Callable[..., Any]


def auxiliary_graph(pm: Any, pt: Any, auxiliary: Auxiliary, parameters: Parameters, scale: Block, block: Block) -> Any:
    """Return phi row by row, or the values of a family's predictors (see `Family.predictors`), with their variables.

    ``scale(pm, pt, name, priors, dims)`` and ``block(pm, pt, name, priors, dims, role)`` make variables, as in
    `pymc_model`.
    """
    variables = []
    for part, priors in zip(auxiliary.parts, parameters.family, strict=True):
        if part.kind == "scale":
            variables.append(scale(pm, pt, part.name, priors, None))
        elif part.kind == "ordered":
            ordered = pm.distributions.transforms.ordered
            start = np.asarray(part.start)
            variables.append(
                block(pm, pt, part.name, priors, part.dim, "coefficient", transform=ordered, initval=start)
            )
        elif _one_kind(priors):
            variables.append(block(pm, pt, part.name, priors, part.dim, "coefficient"))
        else:
            pieces = [block(pm, pt, f"{part.name}_{k}", [p], None, "coefficient") for k, p in enumerate(priors)]
            variables.append(pm.Deterministic(part.name, pt.stack(pieces), dims=part.dim))
    values = []
    for form, predictor, part, variable in _matched(auxiliary, variables):
        if form in ("scale", "cutpoints"):
            values.append(variable)
            continue
        value = pm.Data(f"{part.name}_columns", predictor.columns.T, dims=("row", part.dim)) @ variable
        if predictor.offset.any():
            value = value + pm.Data(f"{part.name}_offset", predictor.offset, dims="row")
        values.append(value if form == "formula" else pt.exp(value))
    return values[0] if auxiliary.adapted else tuple(values)


def _matched(auxiliary: Auxiliary, variables: Sequence[Any]) -> Iterator[tuple[str, Any, FamilyPart, Any]]:
    """Yield form, predictor, part and variable of each of the family's predictors."""
    return zip(auxiliary.forms, auxiliary.predictors, auxiliary.parts, variables, strict=False)


def _one_kind(priors: Sequence[Prior]) -> bool:
    return len({(p.dist, p.on) for p in priors}) == 1


def auxiliary_lines(auxiliary: Auxiliary, parameters: Parameters, scale_lines: Block, source: Block) -> Iterator[str]:
    """Yield statements that define ``phi``, or a variable for each of the family's predictors, called as the predictor.

    ``scale_lines(variable, name, priors, dims)`` and ``source(name, priors, dims, role)`` as in `pymc_source`.
    """
    for part, priors in zip(auxiliary.parts, parameters.family, strict=True):
        if part.kind == "scale":
            yield from scale_lines(part.name, part.name, priors, None)
        elif part.kind == "ordered":
            made = source(part.name, priors, part.dim, "coefficient").removesuffix(")")
            start = ", ".join(map(repr, part.start))
            yield "# Cutpoints between the categories, in increasing order."
            yield (f"{part.name} = {made}, transform=pm.distributions.transforms.ordered, initval=np.array([{start}]))")
        elif _one_kind(priors):
            yield f"{part.name} = {source(part.name, priors, part.dim, 'coefficient')}"
        else:
            pieces = [f"{part.name}_{k}" for k in range(part.size)]
            for piece, prior in zip(pieces, priors, strict=True):
                yield f"{piece} = {source(piece, [prior], None, 'coefficient')}"
            yield f"{part.name} = pm.Deterministic({part.name!r}, pt.stack([{', '.join(pieces)}]), dims={part.dim!r})"
    names = [part.name for part in auxiliary.parts]
    for form, predictor, part, variable in _matched(auxiliary, names):
        if form in ("scale", "cutpoints"):
            continue
        columns = f"pm.Data({part.name + '_columns'!r}, {part.name}_columns, dims={('row', part.dim)!r})"
        offset = (
            f" + pm.Data({part.name + '_offset'!r}, {part.name}_offset, dims='row')" if predictor.offset.any() else ""
        )
        value = f"{columns} @ {variable}{offset}"
        if form == "formula":
            yield f"{part.name}_of_row = {value}"
        else:
            target = "phi" if auxiliary.adapted else part.name.removeprefix("log_")
            yield f"{target} = pt.exp({value})"


def auxiliary_data(auxiliary: Auxiliary) -> Iterator[str]:
    """Yield the statements of the data that `auxiliary_lines` reads."""
    for form, predictor, part in zip(auxiliary.forms, auxiliary.predictors, auxiliary.parts, strict=False):
        if form in ("scale", "cutpoints"):
            continue
        yield f"# What the coefficients {part.name} multiply.\n" + columns_text(
            f"{part.name}_columns", np.ascontiguousarray(predictor.columns.T)
        )
        if predictor.offset.any():
            yield f"# Known part of the predictor of {part.name}.\n" + array_text(
                f"{part.name}_offset", predictor.offset
            )
