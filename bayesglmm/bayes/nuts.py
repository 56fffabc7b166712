"""NUTS on a target: chains, then the natural scale of their draws."""

from __future__ import annotations

import time

import numpy as np

from bayesglmm.bayes.hamiltonian import ChainRuns, run_chains
from bayesglmm.bayes.raw import RawDraws, kept_chains, standard_statistics
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.target import Target
from bayesglmm.bayes.versions import installed_version
from bayesglmm.errors import SamplingError

__all__ = ["sample_target"]


def sample_target(target: Target, settings: SampleSettings) -> RawDraws:
    """Sample a density with NUTS (Hoffman & Gelman 2014; Betancourt 2017) and a diagonal metric.

    Of three transitions two follow the normal part of the density by a random angle (`hamiltonian.swing`). The third is
    NUTS; where the density is nearly normal, NUTS in turn with a swing in leapfrog steps (`hamiltonian.chain`).

    Raises
    ------
    SamplingError
        A chain found no starting point with a finite density, or the run was interrupted before the first draw.
    """
    settings = settings.completed(target.tune, target.accept)
    tune = settings.tune
    assert tune is not None
    started = time.perf_counter()
    runs = run_chains(target.native, target.start, tune, settings, target.longest)
    v, statistics = _kept(runs, tune)
    values = target.finish(v, settings.seed)
    return RawDraws(
        values=values,
        statistics=standard_statistics(statistics, settings.max_depth),
        sampler=f"nuts and swings on the compiled density (bayesglmm {installed_version('bayesglmm')})",
        seconds=time.perf_counter() - started,
        tune=tune,
        interrupted=runs.interrupted,
        coordinates=target.coordinates,
        fallback=target.reason,
    )


def _kept(runs: ChainRuns, tune: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return draws (chains, draws, n) and statistics (chains, draws), chains cut to equal length."""
    chains, n = kept_chains([len(d) for d in runs.draws])
    if n < 1:
        raise SamplingError(
            f"interrupted during warm-up ({runs.warm_up} of {tune} iterations in the furthest chain): no draw was "
            "kept. Start again, with a smaller tune= if time is short."
        )
    names = runs.numbers[0]
    return np.stack([runs.draws[k][:n] for k in chains]), {
        name: np.stack([runs.numbers[k][name][:n] for k in chains]) for name in names
    }
