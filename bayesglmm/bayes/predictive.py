"""Replicated data: responses drawn from the family at the draws of a posterior or of the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayesglmm.bayes.family_rows import FamilyRows
from bayesglmm.bayes.predictor import check_memory, linear_predictor_chunks
from bayesglmm.bayes.residual import residuals_at, whitenings

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["posterior_predictive_group"]


def posterior_predictive_group(posterior: Posterior, seed: int, memory: float) -> xr.Dataset:
    """Return one replicated response a draw and row, given the group effects of the data, dims (chain, draw, row)."""
    record = posterior.record
    chains, draws, n = check_memory(posterior, memory, "the posterior predictive")
    data = posterior.tree["constant_data"].to_dataset()
    rows = FamilyRows.of(record, data)
    rng = np.random.default_rng(seed)
    values = np.empty((chains * draws, n))
    whitened = None if record.residual is None else whitenings(record, posterior.tree)
    for part, eta, family in linear_predictor_chunks(posterior):
        if whitened is None:
            values[part] = rows.simulate(rng, eta, family)
            continue
        residuals = [residuals_at(*next(whitened), rng) for _ in range(len(eta))]
        values[part] = eta + rows.sigmas(family) * np.array(residuals)
    sampled = posterior.tree["posterior"]
    coords = {"chain": sampled["chain"].values, "draw": sampled["draw"].values, "row": data["row"].values}
    dims = ("chain", "draw", "row")
    return xr.Dataset({record.response: (dims, values.reshape(chains, draws, n))}, coords=coords)
