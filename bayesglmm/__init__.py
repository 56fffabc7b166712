"""bayesglmm: generalized linear mixed models: one specification, every way to fit it, one honest table.

Names are imported when they are first used, so that ``import bayesglmm`` costs nothing and a classical fit never
imports PyMC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.bayes.store import load_posterior
    from bayesglmm.comparison import compare
    from bayesglmm.datasets import list_datasets, load_dataset
    from bayesglmm.errors import (
        BayesGLMMError,
        ConvergenceWarning,
        DataError,
        DataWarning,
        FitError,
        FormulaError,
        NotAvailableError,
        SamplingError,
        SpecificationError,
    )
    from bayesglmm.frequentist.fit import Fit
    from bayesglmm.frequentist.inference.likelihood_ratio import likelihood_ratio
    from bayesglmm.frequentist.reading.attenuation import attenuation
    from bayesglmm.frequentist.reading.shrinkage import shrinkage
    from bayesglmm.model import GLMM, read_model
    from bayesglmm.priors.prior import Prior
    from bayesglmm.spec import ModelSpec

__version__ = "0.1.0"

_HOMES = {
    "GLMM": "model",
    "Fit": "frequentist.fit",
    "ModelSpec": "spec",
    "Posterior": "bayes.posterior",
    "Prior": "priors.prior",
    "attenuation": "frequentist.reading.attenuation",
    "compare": "comparison",
    "likelihood_ratio": "frequentist.inference.likelihood_ratio",
    "list_datasets": "datasets",
    "load_dataset": "datasets",
    "load_posterior": "bayes.store",
    "read_model": "model",
    "shrinkage": "frequentist.reading.shrinkage",
    "BayesGLMMError": "errors",
    "ConvergenceWarning": "errors",
    "DataError": "errors",
    "DataWarning": "errors",
    "FitError": "errors",
    "FormulaError": "errors",
    "NotAvailableError": "errors",
    "SamplingError": "errors",
    "SpecificationError": "errors",
}

__all__ = [
    "GLMM",
    "BayesGLMMError",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "Fit",
    "FitError",
    "FormulaError",
    "ModelSpec",
    "NotAvailableError",
    "Posterior",
    "Prior",
    "SamplingError",
    "SpecificationError",
    "attenuation",
    "compare",
    "likelihood_ratio",
    "list_datasets",
    "load_dataset",
    "load_posterior",
    "read_model",
    "shrinkage",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'bayesglmm' has no attribute {name!r}; its public names are {', '.join(__all__)}."
        )
    return getattr(importlib.import_module(f"bayesglmm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
