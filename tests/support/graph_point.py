"""The PyMC graph, and its gradient, at a point x of `Layout`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable

import numpy as np

from bayesglmm.bayes.preconditioner.graph import graph_positions, spiral
from bayesglmm.density import JointDensity

__all__ = ["graph_density", "graph_point", "graph_value", "spiral"]

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def graph_point(model, density: JointDensity, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return PyMC's point at the coordinates x."""
    return {name: x[at] for name, at in graph_positions(model, density).items()}


def graph_value(model, density: JointDensity, x: np.ndarray) -> float:
    """Return the log density at x of the graph as it was written, evaluated operation by operation."""
    point = graph_point(model, density, x)
    return float(_function(model, [_total(model)])(*(point[v.name] for v in model.value_vars))[0])


def graph_density(model, density: JointDensity) -> Evaluate:
    """Return x -> (log density, gradient in x) of the graph as it was written."""
    import pytensor

    places = graph_positions(model, density)
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
