"""Chains side by side in threads; Ctrl-C stops them at their next iteration and keeps what they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from bayesglmm.bayes.hamiltonian.chain import DIVERGENCES, DONE, NUMBERS, STOP, compile_chain
from bayesglmm.bayes.progress import ChainProgress, ChainState
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.density.native import NativeDensity
from bayesglmm.errors import SamplingError

__all__ = ["ChainRuns", "run_chains"]

_POLL_SECONDS = 0.1
#: Draws of a starting point before a chain gives up.
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class ChainRuns:
    """What chains left behind.

    Attributes
    ----------
    draws : tuple of ndarray, each shape (draws kept, n)
        Points after warm-up, one array a chain; shorter than asked for where the run was stopped.
    numbers : tuple of mapping of str to ndarray, each (draws kept,)
        Sampler statistics of each chain.
    places : ndarray, shape (chains, 2, n)
        Center and scale of each coordinate that warm-up found.
    warm_up : int
        Iterations of warm-up of the chain that came furthest.
    interrupted : bool
        Whether the run was stopped by hand.
    """

    draws: tuple[np.ndarray, ...]
    numbers: tuple[Mapping[str, np.ndarray], ...]
    places: np.ndarray
    warm_up: int
    interrupted: bool


def run_chains(
    native: NativeDensity, start: Callable[[int], np.ndarray], tune: int, settings: SampleSettings, longest: float = 0.6
) -> ChainRuns:
    """Run ``settings.chains`` chains, ``settings.cores`` at a time, with steps of at most ``longest``.

    Raises
    ------
    SamplingError
        A chain found no starting point with a finite density.
    """
    chain = compile_chain()
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(settings.chains)]
    progress = np.zeros((settings.chains, 3), dtype=np.int64)
    draws = np.empty((settings.chains, settings.draws, native.size))
    numbers = np.empty((settings.chains, settings.draws, len(NUMBERS)))
    starts = [_finite_start(native, start, rng) for rng in streams]

    def one(k: int) -> np.ndarray:
        address, data = native.log_density.address, native.data.ctypes.data
        limits = (tune, settings.target_accept, longest, settings.max_depth)
        found: np.ndarray = chain(address, data, starts[k], streams[k], *limits, draws[k], numbers[k], progress[k])
        return found

    with (
        ChainProgress(settings.draws + tune, settings.chains, settings.progress) as bar,
        ThreadPoolExecutor(settings.cores, thread_name_prefix="chain") as pool,
    ):
        futures = [pool.submit(one, k) for k in range(settings.chains)]
        interrupted = _wait(futures, progress, bar)
    kept = [max(int(done) - tune, 0) for done in progress[:, DONE]]
    return ChainRuns(
        draws=tuple(d[:m] for d, m in zip(draws, kept, strict=True)),
        numbers=tuple(dict(zip(NUMBERS, table[:m].T, strict=True)) for table, m in zip(numbers, kept, strict=True)),
        places=np.array([f.result() for f in futures]),
        warm_up=min(int(progress[:, DONE].max()), tune),
        interrupted=interrupted,
    )


def _wait(futures: Sequence[Future[np.ndarray]], progress: np.ndarray, bar: ChainProgress) -> bool:
    """Wait for all chains, return whether they were stopped by hand. No thread outlives the pool around this call."""
    try:
        while True:
            done, going = wait(futures, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
            bar.report([ChainState(int(p[DONE]), int(p[DIVERGENCES])) for p in progress])
            bar.refresh()
            if not going or any(f.exception() for f in done):
                return False
    except KeyboardInterrupt:
        progress[:, STOP] = 1
        return True
    except BaseException:
        progress[:, STOP] = 1
        raise


def _finite_start(native: NativeDensity, start: Callable[[int], np.ndarray], rng: np.random.Generator) -> np.ndarray:
    evaluate = native.evaluator()
    for _ in range(_ATTEMPTS):
        point = np.ascontiguousarray(start(int(rng.integers(2**31))), dtype=np.float64)
        value, gradient = evaluate(point)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return point
    raise SamplingError(
        f"none of {_ATTEMPTS} starting points of a chain has a finite log density: look at the scale of the columns "
        "and at the priors (printing the model shows both)."
    )
