"""A PyMC graph of the user's own: what it must share with the model that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bayesglmm.errors import Problem, SpecificationError, nearest

__all__ = ["check_given_graph", "other_coordinates"]


def check_given_graph(graph: Any, reference: Any, wanted: Sequence[str]) -> None:
    """Check that a given graph has the free variables of the model, and what the posterior is read from.

    Parameters
    ----------
    graph : pm.Model
        What the user gave; its priors, likelihood and data may be any.
    reference : pm.Model
        The model's own graph.
    wanted : sequence of str
        Variables that the posterior holds.

    Raises
    ------
    SpecificationError
        Every free variable that is missing, new or of another shape, and every variable to be stored that is missing.
    """
    import pymc as pm

    if not isinstance(graph, pm.Model):
        raise SpecificationError(
            [Problem("graph", f"a pm.Model is needed (change model.pymc or model.to_pymc_code()), not {type(graph)}.")]
        )
    problems = [*_free_problems(_shapes(graph), _shapes(reference))]
    stored = graph.named_vars
    problems += [
        Problem("graph", f"{name} is not in the graph; the posterior holds it: keep it as a variable or Deterministic.")
        for name in wanted
        if name not in stored and name in reference.named_vars and not _is_free(name, reference)
    ]
    if problems:
        raise SpecificationError(problems)


def _is_free(name: str, model: Any) -> bool:
    return name in {rv.name for rv in model.free_RVs}


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    shapes = model.eval_rv_shapes()
    return {rv.name: tuple(int(n) for n in shapes[rv.name]) for rv in model.free_RVs}


def _free_problems(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> Iterator[Problem]:
    advice = "Priors, likelihood and data may change, the free variables may not; sample other models with pm.sample."
    for name in (n for n in expected if n not in found):
        yield Problem("graph", f"the free variable {name} of the model is missing.{nearest(name, found)} {advice}")
    for name in (n for n in found if n not in expected):
        yield Problem("graph", f"the free variable {name} is new: the model has none of this name. {advice}")
    for name in (n for n in expected if n in found):
        if found[name] != expected[name]:
            yield Problem("graph", f"{name} has shape {found[name]}, in the model {expected[name]}. {advice}")


def other_coordinates(graph: Any, reference: Any) -> str:
    """Say which free variables a graph samples in other coordinates than the model does; empty if there are none.

    Bounds of an interval may differ: the map is less apt then, and as valid as any.
    """
    expected = {rv.name: reference.rvs_to_values[rv].name for rv in reference.free_RVs}
    moved = [rv.name for rv in graph.free_RVs if graph.rvs_to_values[rv].name != expected[rv.name]]
    if not moved:
        return ""
    return f"the graph that was given transforms {', '.join(moved)} otherwise than the model does"
