"""NUTS on the PyMC graph: PyMC's, nutpie's or numpyro's, for checking one sampler against another."""

from __future__ import annotations

import importlib.util
import time
import warnings
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm.bayes.raw import STATISTICS, RawDraws
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.design import Design
from bayesglmm.errors import NotAvailableError, SamplingError
from bayesglmm.naming import Names

__all__ = ["sample_graph"]


def sample_graph(model: Any, design: Design, settings: SampleSettings) -> RawDraws:
    """Sample a `pm.Model` through `pm.sample`.

    Raises
    ------
    NotAvailableError
        The sampler needs a package that is not installed.
    SamplingError
        PyMC could not start, or the run was interrupted before the first draw.
    """
    import pymc as pm

    if settings.sampler == "numpyro" and importlib.util.find_spec("numpyro") is None:
        raise NotAvailableError(
            'sampler="numpyro" needs numpyro, which is not installed: pip install "bayesglmm[numpyro]", or use "nutpie".'
        )
    started = time.perf_counter()
    try:
        with model, warnings.catch_warnings():
            # PyMC's own convergence warnings repeat what check() says, its future warnings are not the user's.
            warnings.simplefilter("ignore")
            tree = pm.sample(**_arguments(settings))
    except KeyboardInterrupt as stop:
        raise SamplingError("interrupted: no draw of this sampler could be kept; sample again.") from stop
    except pm.exceptions.SamplingError as error:
        raise SamplingError(
            f"PyMC could not start: {error}. Look at the scale of the columns and at the priors."
        ) from error
    kept = tree["sample_stats"].sizes["draw"]
    return RawDraws(
        values=_values(tree["posterior"].to_dataset(), design),
        statistics=_statistics(tree["sample_stats"].to_dataset()),
        sampler=f"{settings.sampler} on the PyMC graph (pymc {pm.__version__})",
        seconds=time.perf_counter() - started,
        tune=settings.tune,
        interrupted=kept < settings.draws,
    )


def _arguments(settings: SampleSettings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "draws": settings.draws,
        "tune": settings.tune,
        "chains": settings.chains,
        "cores": settings.cores,
        "random_seed": settings.seed,
        "target_accept": settings.target_accept,
        "nuts_sampler": settings.sampler,
        "progressbar": settings.progress,
        "compute_convergence_checks": False,
    }
    if settings.sampler == "pymc":
        arguments["nuts"] = {"target_accept": arguments.pop("target_accept"), "max_treedepth": settings.max_depth}
        # forkserver children would import the caller's script again; forked ones deadlock with threads around.
        arguments["mp_ctx"] = "forkserver"
    if settings.sampler == "nutpie":
        arguments["nuts_sampler_kwargs"] = {"maxdepth": settings.max_depth}
    if settings.sampler == "numpyro":
        arguments["nuts_sampler_kwargs"] = {"nuts_kwargs": {"max_tree_depth": settings.max_depth}}
    return arguments


def _values(posterior: xr.Dataset, design: Design) -> dict[str, np.ndarray]:
    names = Names.of(design)
    wanted = ["beta"] if design.coefficients else []
    for group, called in zip(design.groups, names.groups, strict=True):
        wanted += [called.sd, *([called.cor] if group.structure.correlated else []), called.u]
    if design.dispersion is not None:
        wanted.append(design.dispersion)
    return {name: np.asarray(posterior[name].values, dtype=np.float64) for name in wanted}


def _statistics(statistics: xr.Dataset) -> dict[str, np.ndarray]:
    found = {}
    for name, ours in STATISTICS.items():
        if name in statistics and statistics[name].ndim == 2:
            found.setdefault(ours, np.asarray(statistics[name].values))
    return found
