"""nutpie's NUTS on a C function: what `sampler="nutpie"` runs on the PyMC graph through a linear map."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesglmm.bayes.progress import ChainProgress
from bayesglmm.bayes.raw import SAMPLER_NAMES, RawDraws, kept_chains, standard_statistics
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.target import Target
from bayesglmm.density.native import NativeDensity
from bayesglmm.errors import SamplingError

__all__ = ["sample_with_nutpie"]

_POLL_SECONDS = 0.1


def sample_with_nutpie(target: Target, settings: SampleSettings) -> RawDraws:
    """Sample a density with NUTS (Hoffman & Gelman 2014) and a diagonal metric tuned by nutpie.

    Raises
    ------
    SamplingError
        No chain found a starting point with a finite density, or the run was interrupted before the first draw.
    """
    import nutpie

    tune = target.tune if settings.tune is None else settings.tune
    model = _nutpie_model(target.native, target.start)
    started = time.perf_counter()
    with ChainProgress(settings.draws + tune, settings.chains, settings.progress) as progress:
        try:
            running = nutpie.sample(
                model,
                draws=settings.draws,
                tune=tune,
                chains=settings.chains,
                cores=settings.cores,
                seed=settings.seed,
                target_accept=settings.target_accept or target.accept,
                maxdepth=settings.max_depth,
                progress_bar=False,
                progress_callback=progress.report,
                return_raw_trace=True,
                blocking=False,
            )
            trace, interrupted = _wait(running, progress)
        except RuntimeError as error:
            raise SamplingError(_reason(error)) from error
    v, statistics = _arrays(trace, tune, target.native.size)
    values = target.finish(v, settings.seed)
    return RawDraws(
        values=values,
        statistics=standard_statistics(statistics, settings.max_depth),
        sampler=f"nuts on the compiled density (nutpie {nutpie.__version__})",
        seconds=time.perf_counter() - started,
        tune=tune,
        interrupted=interrupted,
        coordinates=target.coordinates,
        fallback=target.reason,
    )


def _nutpie_model(native: NativeDensity, start: Callable[[int], np.ndarray]) -> Any:
    """Return what nutpie samples: C functions and the address of their data, no Python in a chain.

    Draws are kept as they are; the natural scale is computed for all of them at once, afterwards.
    """
    from nutpie.compile_pymc import CompiledPyMCModel

    shape = (native.size,)
    return CompiledPyMCModel(
        dims={},
        compiled_logp_func=native.log_density,
        compiled_expand_func=native.expand,
        initial_point_func=start,
        shared_data=dict(enumerate(native.arrays)),
        shared_var_keys={},
        user_data=native.data,
        n_expanded=native.size,
        shape_info=(["x"], [slice(0, native.size)], [shape]),
        logp_func=None,
        expand_func=None,
        _n_dim=native.size,
        _shapes={"x": shape},
        _coords={},
    )


def _wait(running: Any, progress: ChainProgress) -> tuple[Any, bool]:
    """Wait for all chains; Ctrl-C stops them and returns what they have. No thread outlives this call."""
    try:
        while True:
            try:
                return running.wait(timeout=_POLL_SECONDS), False
            except TimeoutError:
                progress.refresh()
    except KeyboardInterrupt:
        return running.abort(), True
    except BaseException:
        running.cancel()
        raise


def _reason(error: RuntimeError) -> str:
    # nutpie appends a stack of addresses to its words.
    words = " ".join(str(error).split("Stack backtrace")[0].split())
    return (
        f"the sampler stopped: {words.rstrip('.')}. Most often the log density is not finite at any starting point: "
        "look at the scale of the columns and at the priors (printing the model shows both)."
    )


def _arrays(trace: Any, tune: int, size: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return draws (chains, draws, size) and statistics (chains, draws) after warm-up, chains cut to equal length."""
    draw_batches, stat_batches = trace.get_arrow_trace()
    starts = [int(_numbers(batch, "tuning").sum()) for batch in stat_batches]
    chains, n = kept_chains([b.num_rows - start for b, start in zip(draw_batches, starts, strict=True)])
    if n < 1:
        done = max((batch.num_rows for batch in draw_batches), default=0)
        raise SamplingError(
            f"interrupted during warm-up ({done} of {tune} iterations in the furthest chain): no draw was "
            "kept. Start again, with a smaller tune= if time is short."
        )
    x = np.stack([_numbers(draw_batches[k].slice(starts[k], n), "x").reshape(n, size) for k in chains])
    stats = [stat_batches[k].slice(starts[k], n) for k in chains]
    names = [name for name in stats[0].column_names if name in SAMPLER_NAMES]
    return x, {name: np.stack([_numbers(batch, name) for batch in stats]) for name in names}


def _numbers(batch: Any, name: str) -> np.ndarray:
    """Return a column of an Arrow batch as a flat array; a column of vectors is laid end to end."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    return (column.flatten() if hasattr(column, "flatten") else column).to_numpy(zero_copy_only=False)
