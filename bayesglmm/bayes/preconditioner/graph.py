"""The PyMC graph's unconstrained vector against `Layout`'s, and its compiled function in the order of the latter."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.bayes.preconditioner.affine import call_density
from bayesglmm.compiled import compiled_pointer, source_stamp
from bayesglmm.density import JointDensity
from bayesglmm.density.addresses import int64_vector
from bayesglmm.density.native import LOG_DENSITY, NativeDensity, compile_expand
from bayesglmm.errors import SamplingError
from bayesglmm.naming import Names
from bayesglmm.residual import COR_VARIABLE

__all__ = ["graph_order", "graph_positions", "in_layout_order", "in_pieces", "spiral"]

_SOURCES = (
    "bayes/preconditioner/graph.py",
    "bayes/preconditioner/affine.py",
    "density/native.py",
    "density/addresses.py",
)
_DOUBLES = ctypes.POINTER(ctypes.c_double)
_BAD_GRADIENT = 3


def graph_positions(model: Any, density: JointDensity) -> dict[str, np.ndarray]:
    """Return each of PyMC's value variables -> positions in x of its entries, an integer array of its shape.

    Parameters
    ----------
    model : pm.Model
        The graph of ``density``'s design and priors, or one with the same free variables.
    density : JointDensity
        In non-centred coordinates.
    """
    values = {rv.name: model.rvs_to_values[rv].name for rv in model.free_RVs}
    found = dict(_by_variable(values, density))
    assert found.keys() == values.keys(), f"unplaced: {values.keys() ^ found.keys()}"
    placed = [position for at in found.values() for position in np.ravel(at)]
    assert sorted(placed) == list(range(density.size)), "every coordinate has one place"
    return {values[name]: np.asarray(at) for name, at in found.items()}


def graph_order(model: Any, density: JointDensity) -> np.ndarray:
    """Return the order with which x[order] is the graph's flat vector: free variables as they were made, in C order."""
    positions = graph_positions(model, density)
    laid = [positions[model.rvs_to_values[rv].name].ravel() for rv in model.free_RVs]
    return np.concatenate([np.zeros(0, dtype=np.int64), *laid]).astype(np.int64)


def _by_variable(free: dict[str, str], density: JointDensity) -> Iterator[tuple[str, np.ndarray]]:
    layout, design = density.layout, density.design
    at = np.arange(layout.size)
    coefficients = at[: layout.n_coefficients]
    if "beta" in free:
        yield "beta", coefficients
    elif len(coefficients):
        yield ("Intercept_centered" if "Intercept_centered" in free else "beta_0"), coefficients[0]
        if "slopes" in free:
            yield "slopes", coefficients[1:]
        else:
            yield from ((f"beta_{k}", coefficients[k]) for k in range(1, len(coefficients)))
    for t, (group, called) in enumerate(zip(design.groups, Names.of(design).groups, strict=True)):
        scalar = group.n_effects == 1
        sds = at[layout.sds(t)]
        yield from _scales(free, called.label, sds[0] if group.n_sds == 1 else sds)
        if group.structure.lower is not None:
            yield f"{called.cor}_share", at[layout.correlations(t)][0]
        elif group.structure.correlated:
            yield f"{called.cor}_cholesky", at[layout.correlations(t)][spiral(group.n_effects)]
        z = at[layout.z(t)]
        yield called.z, z if scalar else z.reshape(group.n_levels, group.n_effects)
    position = layout.family.start
    for part in design.family_parts:
        candidates = (part.name, f"{part.name}_variance", f"{part.name}_precision")
        own = at[position : position + part.size]
        whole = [c for c in candidates if c in free]
        if whole:
            yield whole[0], own[0] if part.dim is None else own
        else:
            yield from ((f"{part.name}_{k}", own[k]) for k in range(part.size))
        position += part.size
    if design.residual is not None:
        own = at[position : layout.family.stop]
        share, cholesky = f"{COR_VARIABLE}_share", f"{COR_VARIABLE}_cholesky"
        yield (share, own[0]) if share in free else (cholesky, own[spiral(len(design.residual.visits))])


def _scales(free: dict[str, str], label: str, at: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    kinds = ("sd", "variance", "precision")
    whole = [f"{kind}_{label}" for kind in kinds if f"{kind}_{label}" in free]
    if whole:
        yield whole[0], at
        return
    for k, position in enumerate(at):
        yield next(name for kind in kinds if (name := f"{kind}_{label}_{k}") in free), position


def spiral(q: int) -> np.ndarray:
    """Return the order in which PyMC's `CholeskyCorr` takes the strict lower triangle, read row by row.

    Its vector v fills a (q - 1, q - 1) triangle with the reshaped [v[q-1:], reversed v].
    """
    v = np.arange(q * (q - 1) // 2)
    square = np.concatenate([v[q - 1 :], v[::-1]]).reshape(q - 1, q - 1)
    order = np.empty_like(v)
    rows, columns = np.tril_indices(q - 1)
    order[square[rows, columns]] = np.arange(v.size)
    return order


@functools.cache
def _compile() -> Any:
    stamp = source_stamp(*_SOURCES)

    def reordered(n, x_, gradient_, value_, data_):  # type: ignore[no-untyped-def]  # compiled
        stamp  # noqa: B018  a free variable is part of numba's cache key (see compiled.py)
        t = nb.carray(data_, (2, 3), np.int64)
        x, gradient, value = nb.carray(x_, (n,)), nb.carray(gradient_, (n,)), nb.carray(value_, (1,))
        order = int64_vector(t, 0)
        laid, slope = np.empty(n), np.empty(n)
        for k in range(n):
            laid[k] = x[order[k]]
        status = call_density(t[1, 0], n, laid.ctypes.data, slope.ctypes.data, value.ctypes.data, t[1, 1])
        if status != 0:
            # A graph that stopped halfway (a parameter out of its range) has written no value.
            if status != _BAD_GRADIENT:
                value[0] = -np.inf
            return status
        for k in range(n):
            gradient[order[k]] = slope[k]
        return status

    return compiled_pointer(LOG_DENSITY)(reordered)


def in_layout_order(compiled: Any, order: np.ndarray) -> NativeDensity:
    """Return nutpie's compiled graph as a C function of x in `Layout`'s order.

    Parameters
    ----------
    compiled : nutpie.compile_pymc.CompiledPyMCModel
        It must outlive what is returned: it owns the machine code.
    order : ndarray of int64, shape (size,)
        See `graph_order`.
    """
    table = np.zeros((2, 3), dtype=np.int64)
    table[0] = order.ctypes.data, len(order), 0
    # nutpie's data is one record: address, size and shape of every array that the graph shares.
    table[1] = compiled.compiled_logp_func.address, compiled.user_data.ctypes.data, 0
    arrays = (order, compiled.user_data, *compiled.shared_data.values())
    return NativeDensity(_compile(), compile_expand(), table, arrays, len(order))


def in_pieces(compiled: Any, x: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the graph's variables at draws x (chains, draws, size) in `Layout`'s order, each (chains, draws, ...).

    Raises
    ------
    SamplingError
        A quantity of the graph could not be computed at a draw.
    """
    laid = np.ascontiguousarray(x.reshape(-1, x.shape[-1])[:, order], dtype=np.float64)
    out = np.empty((len(laid), int(compiled.n_expanded)))
    expand, data = compiled.compiled_expand_func.ctypes, compiled.user_data.ctypes.data_as(ctypes.c_void_p)
    for point, filled in zip(laid, out, strict=True):
        status = expand(len(point), len(filled), point.ctypes.data_as(_DOUBLES), filled.ctypes.data_as(_DOUBLES), data)
        if status != 0:
            raise SamplingError(
                "a quantity of the PyMC graph cannot be computed at a draw: look at what was added to the graph."
            )
    names, slices, shapes = compiled.shape_info
    return {
        name: out[:, at].reshape(*x.shape[:-1], *(int(n) for n in shape))
        for name, at, shape in zip(names, slices, shapes, strict=True)
    }
