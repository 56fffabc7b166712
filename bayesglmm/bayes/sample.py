"""Model + settings -> posterior, by the sampler that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesglmm.bayes.graph import sample_graph
from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.nuts import sample_target
from bayesglmm.bayes.posterior import Posterior
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.tree import tree_of
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.parameters import Parameters

__all__ = ["sample_posterior"]


def sample_posterior(
    design: Design, parameters: Parameters, settings: SampleSettings, graph: Callable[[], Any]
) -> Posterior:
    """Sample a posterior; ``graph`` builds the `pm.Model` for the samplers that need it (see `GLMM.sample`)."""
    if settings.sampler == "auto":
        raw = sample_target(choose_target(JointDensity.of(design, parameters)), settings)
    else:
        raw = sample_graph(graph(), design, settings)
    return Posterior(tree_of(design, parameters, raw, settings))
