"""Simulation-based calibration (Talts et al. 2018): parameters from the prior, data from the parameters, uniform ranks.

If the sampler draws from the posterior, the rank of the true value among thinned draws is uniform on 0, ..., L. Data
that validation refuses (a category that nobody chose) are left out: ranks stay uniform under any rule that looks at the
data alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import bayesglmm as bg

__all__ = ["CHAINS", "DRAWS", "REPLICATIONS", "THIN", "Study", "drift", "p_value", "ranks"]

REPLICATIONS, CHAINS, DRAWS, THIN, BINS = 200, 2, 250, 5, 10


@dataclass(frozen=True)
class Study:
    """A model and its columns without the response; ``placeholder`` is any response that the family takes."""

    formula: str
    family: str
    columns: Mapping[str, np.ndarray]
    placeholder: np.ndarray
    priors: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def model(self, y: np.ndarray) -> bg.GLMM:
        data = pd.DataFrame({**self.columns, "y": y})
        return bg.GLMM(self.formula, data, family=self.family, priors=self.priors, **self.options)


def parameters_of(draws: Any) -> dict[str, np.ndarray]:
    """Return each parameter but the group effects, flat over chains and draws; of a correlation matrix one entry."""
    found = {}
    for name, variable in draws.data_vars.items():
        if str(name).startswith("u_"):
            continue
        values = variable.values.reshape(variable.shape[0] * variable.shape[1], -1)
        if str(name).startswith("cor_"):
            values = values[:, [1]] if values.shape[1] == 4 else values
        found |= {f"{name}[{k}]": values[:, k] for k in range(values.shape[1])}
    return found


def ranks(study: Study, seed: int, replications: int = REPLICATIONS) -> pd.DataFrame:
    """Return the rank of every parameter's true value among thinned draws, one row a replication."""
    simulated = study.model(study.placeholder).prior_predictive(draws=replications, seed=seed)
    truths = parameters_of(simulated["prior"].to_dataset())
    responses = simulated["prior_predictive"]["y"].values[0]
    if np.issubdtype(study.placeholder.dtype, np.integer):
        responses = responses.astype(np.int64)
    rows = []
    for k, y in enumerate(responses):
        try:
            model = study.model(y)
        except bg.DataError:
            continue
        posterior = model.sample(draws=DRAWS, chains=CHAINS, cores=1, seed=k, progress=False)
        draws = parameters_of(posterior.tree["posterior"].to_dataset())
        if {name: values.shape[1:] for name, values in draws.items()} != {
            name: values.shape[1:] for name, values in truths.items()
        }:
            continue  # fewer categories than the prior has cutpoints for
        rows.append({name: int((values[::THIN] < truths[name][k]).sum()) for name, values in draws.items()})
    return pd.DataFrame(rows)


def p_value(counted: np.ndarray) -> float:
    """Return the chi-square probability of ranks 0, ..., L that fill the bins so unevenly."""
    places = CHAINS * DRAWS // THIN + 1
    edges = np.linspace(0, places, BINS + 1).round()
    expected = np.diff(edges) / places * len(counted)
    return float(stats.chisquare(np.histogram(counted, bins=edges)[0], expected).pvalue)


def drift(counted: np.ndarray) -> float:
    """Return how far the mean rank is from the middle, in standard errors: finds a bias that bins do not."""
    middle = CHAINS * DRAWS // THIN / 2
    return float((counted.mean() - middle) / (counted.std() / np.sqrt(len(counted))))
