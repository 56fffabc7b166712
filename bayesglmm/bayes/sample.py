"""Model + settings -> posterior, by the sampler that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.given_graph import check_given_graph, other_coordinates
from bayesglmm.bayes.graph import sample_graph, sample_mapped_graph, stored_variables
from bayesglmm.bayes.nuts import sample_target
from bayesglmm.bayes.posterior import Posterior
from bayesglmm.bayes.raw import RawDraws
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.tree import tree_of
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.engine.pattern import dense_width
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import Problem, SpecificationError
from bayesglmm.parameters import Parameters
from bayesglmm.pymc_model import build_pymc_model

__all__ = ["sample_posterior"]


def sample_posterior(
    design: Design,
    parameters: Parameters,
    settings: SampleSettings,
    graph: Callable[[], Any],
    given: Any = None,
) -> Posterior:
    """Sample a posterior (see `GLMM.sample`).

    Parameters
    ----------
    design, parameters : Design, Parameters
        The model.
    settings : SampleSettings
        Checked settings.
    graph : callable
        Builds the model's `pm.Model`, for the samplers that need it.
    given : pm.Model, optional
        A graph of the user's own, sampled in its place.
    """
    density = JointDensity.of(design, parameters)
    if given is not None:
        raw = _sample_given(given, density, settings)
        tree = tree_of(design, parameters, raw, settings)
        # The tree's record of priors and family is the unchanged model's; this says that it does not hold.
        tree.attrs["graph"] = "given"
        return Posterior(tree)
    if settings.sampler == "auto":
        started = time.perf_counter()
        with blas_threads(dense_width(design)):
            target = choose_target(density)
        settings = settings.completed(target.tune, target.accept)
        with blas_threads(0):  # chains have the processors; threads of BLAS under them would wait for one another
            raw = sample_target(target, settings)
        raw = replace(raw, seconds=time.perf_counter() - started)  # finding the coordinates is part of sampling
    else:
        raw = _sample_graph(graph(), density, settings)
    return Posterior(tree_of(design, parameters, raw, settings))


def _sample_graph(model: Any, density: JointDensity, settings: SampleSettings) -> RawDraws:
    if settings.sampler == "nutpie":
        return sample_mapped_graph(model, density, settings)
    return sample_graph(model, density.design, settings)


def _sample_given(model: Any, density: JointDensity, settings: SampleSettings) -> RawDraws:
    """Check a graph of the user's own against the model's, and sample it."""
    if settings.sampler == "auto":
        message = (
            'a graph is sampled by PyMC\'s samplers only; write sampler="nutpie" ("pymc", "numpyro", "blackjax") '
            "beside it."
        )
        raise SpecificationError([Problem("graph", message)])
    # Built afresh: what was changed may be the very object that GLMM.pymc keeps.
    reference = build_pymc_model(density.design, density.parameters)
    check_given_graph(model, reference, stored_variables(density.design))
    reason = other_coordinates(model, reference)
    if reason:
        raw = replace(sample_graph(model, density.design, settings), fallback=reason)
    else:
        raw = _sample_graph(model, density, settings)
    return replace(raw, sampler=raw.sampler.replace("the PyMC graph", "a PyMC graph that was given"))
