"""Labelled draws: an `xarray.DataTree` in ArviZ's schema, the same whatever sampled."""

from __future__ import annotations

import itertools
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm.bayes.family_rows import AUXILIARY
from bayesglmm.bayes.raw import RawDraws
from bayesglmm.bayes.record import ModelRecord
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.versions import installed_version
from bayesglmm.design import Design
from bayesglmm.naming import GroupNames, Names
from bayesglmm.parameters import Parameters
from bayesglmm.pymc_model import coords_of
from bayesglmm.residual import COR_VARIABLE, RESIDUAL
from bayesglmm.residual.draws import pairs_of

__all__ = ["coordinates_of", "dimensions_of", "run_attributes", "stored_values", "tree_of"]


def dimensions_of(design: Design, names: Names) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of every stored variable, chain and draw left out."""
    dims: dict[str, tuple[str, ...]] = {"beta": ("coefficient",)}
    for group, called in zip(design.groups, names.groups, strict=True):
        several = (called.effect_dim,) if group.n_effects > 1 else ()
        dims[called.sd] = () if group.structure.common else several
        dims[called.u] = (called.level_dim, *several)
        dims[called.cor] = () if group.structure.common else (_pair_dim(called, names),)
    if design.residual is not None and design.residual.patterned:
        dims[COR_VARIABLE] = (f"{RESIDUAL}_pair",)
    dims |= {part.name: (part.dim,) for part in design.family_parts if part.dim is not None}
    return dims


def coordinates_of(design: Design, names: Names) -> dict[str, np.ndarray]:
    """Return the coordinates of every dimension; a correlation is called by its two effects, ``Intercept, days``."""
    coords = coords_of(design, names)
    for group, called in zip(design.groups, names.groups, strict=True):
        rows, columns = np.tril_indices(group.n_effects, -1)
        pairs = [f"{group.effects[k]}, {group.effects[i]}" for i, k in zip(rows, columns, strict=True)]
        coords[_pair_dim(called, names)] = np.array(pairs, dtype=str)
    if design.residual is not None and design.residual.patterned:
        coords[f"{RESIDUAL}_pair"] = np.array(pairs_of(design.residual), dtype=str)
    return coords


def _pair_dim(called: GroupNames, names: Names) -> str:
    taken = {dim for g in names.groups for dim in (g.level_dim, g.effect_dim, g.sd, g.cor, g.u)} | {names.response}
    dim = f"{called.label}_pair"
    return next(free for free in (dim + "_" * k for k in itertools.count()) if free not in taken)


def stored_values(design: Design, names: Names, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return draws as they are stored: of a correlation matrix (..., q, q) the strict lower triangle, row by row.

    Its diagonal never varies and its upper triangle says nothing new: every summary would show both.
    """
    # A matrix where visits are paired, one number otherwise.
    residual = {n for n in values if n == COR_VARIABLE and values[n].ndim > 2}
    each = zip(design.groups, names.groups, strict=True)
    matrices = {called.cor for group, called in each if not group.structure.common} | residual
    return {n: v[(..., *np.tril_indices(v.shape[-1], -1))] if n in matrices else v for n, v in values.items()}


def tree_of(design: Design, parameters: Parameters, raw: RawDraws, settings: SampleSettings) -> xr.DataTree:
    """Label raw draws.

    Returns
    -------
    DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data``, ``constant_data``; attributes of the root: versions,
        specification, data fingerprint, settings and times. No variable has an object dtype.
    """
    names = Names.of(design)
    dims = dimensions_of(design, names)
    coords = coordinates_of(design, names)
    values = stored_values(design, names, raw.values)
    sampled = {name: (("chain", "draw", *dims.get(name, ())), v) for name, v in values.items()}
    statistics = {name: (("chain", "draw"), values) for name, values in raw.statistics.items()}
    groups = {
        "posterior": _dataset(sampled, coords),
        "sample_stats": _dataset(statistics, coords),
        "observed_data": _dataset({names.response: (("row",), design.y)}, coords),
        "constant_data": _dataset(_constants(design, names), coords),
    }
    tree = xr.DataTree.from_dict(groups)
    record = ModelRecord.of(design, parameters)
    tree.attrs = {**run_attributes(design, raw, settings), "model": record.model_dump_json()}
    library = {"inference_library": "bayesglmm", "inference_library_version": installed_version("bayesglmm")}
    for name in ("posterior", "sample_stats"):
        tree[name].attrs = library.copy()
    tree["sample_stats"].attrs |= {"sampler_coordinates": raw.coordinates, "sampler_fallback": raw.fallback}
    return tree


def _constants(design: Design, names: Names) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    constants: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "size": (("row",), design.size),
        "weights": (("row",), design.weights),
        "offset": (("row",), design.offset),
        "row_label": (("row",), np.array([str(label) for label in design.row_labels], dtype=str)),
    }
    if design.auxiliary is not None:
        for name, predictor in zip(AUXILIARY, design.auxiliary.predictors, strict=True):
            if len(predictor.columns):
                constants[name] = (("row", f"{name}_column"), predictor.columns.T)
            constants[f"{name}_offset"] = (("row",), predictor.offset)
    if len(design.dropped):
        # Not an attribute: HDF5 holds no more than 64 kB of those.
        constants["left_out"] = (("left_out_row",), np.array([str(label) for label in design.dropped], dtype=str))
    if design.coefficients:
        constants["X"] = (("row", "coefficient"), design.X)
    if design.residual is not None:
        constants[f"{RESIDUAL}_group"] = (("row",), design.residual.codes)
        constants[f"{RESIDUAL}_time"] = (("row",), design.residual.times)
    for group, called in zip(design.groups, names.groups, strict=True):
        constants[f"{called.label}_index"] = (("row",), group.codes)
        if len(group.slopes):
            several = (called.effect_dim,) if group.n_effects > 1 else ()
            columns = group.columns().T
            constants[f"Z_{called.label}"] = (("row", *several), columns if several else columns[:, 0])
    return constants


def _dataset(
    variables: Mapping[str, tuple[tuple[str, ...], np.ndarray]], coords: Mapping[str, np.ndarray]
) -> xr.Dataset:
    used: dict[str, Any] = {}
    for dims, values in variables.values():
        for dim, length in zip(dims, values.shape, strict=True):
            used[dim] = coords.get(dim, np.arange(length))
    return xr.Dataset(dict(variables), coords=used)


def run_attributes(design: Design, raw: RawDraws, settings: SampleSettings) -> dict[str, Any]:
    """Return what makes a run repeatable, as attributes that netCDF can hold (text, numbers)."""
    packages = ("bayesglmm", "numpy", "numba", "nutpie", "pymc", "arviz", "xarray")
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "title": design.spec.title,
        "specification": json.dumps(design.spec.to_dict()),
        "data_fingerprint": design.fingerprint,
        "sampler": raw.sampler,
        "seed": settings.seed,
        "chains": settings.chains,
        "draws": settings.draws,
        "tune": raw.tune,
        "target_accept": settings.target_accept,
        "max_depth": settings.max_depth,
        "sampling_seconds": raw.seconds,
        "interrupted": int(raw.interrupted),
        "notes": json.dumps(list(raw.notes)),
        "versions": json.dumps({"python": platform.python_version(), **{p: installed_version(p) for p in packages}}),
    }
