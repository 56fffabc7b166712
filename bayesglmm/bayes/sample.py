"""Model + settings -> posterior, by the sampler that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesglmm.bayes.graph import sample_graph
from bayesglmm.bayes.nuts import sample_density
from bayesglmm.bayes.posterior import Posterior
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.tree import tree_of
from bayesglmm.density import JointDensity

if TYPE_CHECKING:
    from bayesglmm.model import GLMM

__all__ = ["sample_posterior"]


def sample_posterior(model: GLMM, settings: SampleSettings) -> Posterior:
    """Sample the posterior of ``model``; see `GLMM.sample`."""
    if settings.sampler == "auto":
        raw = sample_density(JointDensity.of(model.design, model.parameters), settings)
    else:
        raw = sample_graph(model.pymc, model.design, settings)
    return Posterior(tree_of(model.design, model.parameters, raw, settings))
