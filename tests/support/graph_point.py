"""The PyMC graph at a point x of `Layout`: which entry of x each of PyMC's value variables takes."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator

import numpy as np

from bayesglmm.density import JointDensity
from bayesglmm.naming import Names

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def positions(model, density: JointDensity) -> dict[str, np.ndarray]:
    """Return PyMC's value variable -> the positions in x of its entries, an integer array of its shape."""
    values = {rv.name: model.rvs_to_values[rv].name for rv in model.free_RVs}
    found = dict(_by_variable(values, density))
    assert found.keys() == values.keys(), f"unplaced: {values.keys() ^ found.keys()}"
    placed = [position for at in found.values() for position in np.ravel(at)]
    assert sorted(placed) == list(range(density.size)), "every coordinate has one place"
    return {values[name]: np.asarray(at) for name, at in found.items()}


def graph_point(model, density: JointDensity, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return PyMC's point at the coordinates x."""
    return {name: x[at] for name, at in positions(model, density).items()}


def graph_value(model, density: JointDensity, x: np.ndarray) -> float:
    """Return the log density at x of the graph as it was written, evaluated operation by operation."""
    point = graph_point(model, density, x)
    return float(_function(model, [_total(model)])(*(point[v.name] for v in model.value_vars))[0])


def graph_density(model, density: JointDensity) -> Evaluate:
    """Return x -> (log density, gradient in x) of the graph as it was written."""
    import pytensor

    places = positions(model, density)
    total = _total(model)
    function = _function(model, [total, *pytensor.grad(total, model.value_vars)])

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, *gradients = function(*(x[places[v.name]] for v in model.value_vars))
        gradient = np.empty_like(x)
        for variable, part in zip(model.value_vars, gradients, strict=True):
            gradient[places[variable.name]] = part
        return float(value), gradient

    return evaluate


def _total(model):
    # One addition at a time, since NumPy's loops take no more than 32 arrays.
    return functools.reduce(operator.add, [term.sum() for term in model.logp(sum=False)])


def _function(model, outputs):
    import pytensor
    from pytensor.compile.mode import Mode

    # Compiling takes longer than one evaluation in Python, operation by operation.
    return pytensor.function(model.value_vars, outputs, mode=Mode(linker="py", optimizer=None))


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
        yield from _scales(free, called.label, sds[0] if scalar else sds)
        if group.structure.correlated:
            yield f"{called.cor}_cholesky", at[layout.correlations(t)][spiral(group.n_effects)]
        z = at[layout.z(t)]
        yield called.z, z if scalar else z.reshape(group.n_levels, group.n_effects)
    if design.dispersion is not None:
        name = design.dispersion
        candidates = (name, f"{name}_variance", f"{name}_precision")
        yield next(c for c in candidates if c in free), at[layout.n_scalars - 1]


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
