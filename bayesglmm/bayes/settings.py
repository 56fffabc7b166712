"""How a posterior is to be sampled: the numbers a user may choose, checked once."""

from __future__ import annotations

import numbers
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bayesglmm.errors import Problem, SpecificationError, nearest

__all__ = ["SAMPLERS", "SampleSettings", "checked_seed", "fresh_seed"]

#: Samplers by the name that ``sample(sampler=...)`` takes.
SAMPLERS = {
    "auto": "the compiled density with NUTS of this package",
    "pymc": "the PyMC graph with PyMC's NUTS",
    "nutpie": "the PyMC graph with nutpie's NUTS",
    "numpyro": "the PyMC graph with numpyro's NUTS (needs the extra bayesglmm[numpyro])",
    "blackjax": "the PyMC graph with blackjax's NUTS (needs the extra bayesglmm[blackjax])",
}

#: Warm-up iterations of the graph's samplers; "auto" decides by the coordinates that it finds (see `target`).
_ACCEPT = {"auto": None, "nutpie": 0.8, "pymc": 0.8, "numpyro": 0.8, "blackjax": 0.8}
_WARM_UP = {"auto": None, "nutpie": 400, "pymc": 1000, "numpyro": 1000, "blackjax": 1000}


@dataclass(frozen=True)
class SampleSettings:
    """Checked settings of one run.

    Attributes
    ----------
    draws, chains, cores : int
        Draws kept of each chain; chains; chains that run at a time (PyMC's own sampler runs them one after another).
    tune : int or None
        Warm-up iterations of each chain; None for what the coordinates need (``"auto"``).
    seed : int
        Seed of every random choice of the run.
    target_accept : float or None
        Acceptance rate that the step size is tuned to; None for what the density needs (``"auto"``).
    max_depth : int
        A trajectory has at most 2**max_depth leapfrog steps.
    sampler : str
        One of `SAMPLERS`.
    progress : bool
        Whether a progress bar is shown (on standard error).
    """

    draws: int = 1000
    tune: int | None = None
    chains: int = 4
    cores: int = 1
    seed: int = 0
    target_accept: float | None = None
    max_depth: int = 10
    sampler: str = "auto"
    progress: bool = True

    @classmethod
    def checked(
        cls,
        *,
        draws: int = 1000,
        tune: int | None = None,
        chains: int = 4,
        cores: int | None = None,
        seed: int | None = None,
        target_accept: float | None = None,
        max_depth: int = 10,
        sampler: str = "auto",
        progress: bool = True,
    ) -> SampleSettings:
        """Check what a user gave; fill in cores (all, at most one a chain), warm-up and a fresh seed.

        Raises
        ------
        SpecificationError
            Every setting that is out of range, with what is allowed.
        """
        counts = {"draws": draws, "chains": chains, "tune": tune, "cores": cores}
        given = {"max_depth": max_depth, "seed": seed, "target_accept": target_accept, "progress": progress}
        problems = [*_count_problems(counts), *_other_problems(**given), *_sampler_problems(sampler)]
        if problems:
            raise SpecificationError(problems)
        available = os.cpu_count() or 1
        return cls(
            draws=int(draws),
            tune=_WARM_UP[sampler] if tune is None else int(tune),
            chains=int(chains),
            cores=min(int(chains), available if cores is None else int(cores)),
            seed=fresh_seed() if seed is None else int(seed),
            target_accept=_ACCEPT[sampler] if target_accept is None else float(target_accept),
            max_depth=int(max_depth),
            sampler=sampler,
            progress=progress,
        )

    def completed(self, tune: int, target_accept: float) -> SampleSettings:
        """Return the same settings with what the density needs in the place of what nobody gave."""
        return replace(
            self,
            tune=tune if self.tune is None else self.tune,
            target_accept=target_accept if self.target_accept is None else self.target_accept,
        )


def fresh_seed() -> int:
    """Return a seed that nobody chose."""
    return secrets.randbelow(2**31)


def checked_seed(seed: Any) -> int:
    """Return a seed, or raise SpecificationError saying what it must be."""
    problems = [*_seed_problems(seed)]
    if problems:
        raise SpecificationError(problems)
    return int(seed)


def _seed_problems(seed: Any) -> Iterator[Problem]:
    if not _whole(seed) or not 0 <= seed < 2**63:
        yield Problem("seed", f"{seed!r} is not a whole number from 0 to 2**63 - 1; give one or leave it out.")


def _count_problems(counts: dict[str, Any]) -> Iterator[Problem]:
    for name, value in counts.items():
        left_out = value is None and name in ("tune", "cores")
        if not left_out and (not _whole(value) or value < 1):
            yield Problem(name, f"{value!r} is not a whole number of at least 1; give one.")


def _other_problems(max_depth: Any, seed: Any, target_accept: Any, progress: Any) -> Iterator[Problem]:
    if not _whole(max_depth) or not 1 <= max_depth <= 20:
        yield Problem("max_depth", f"{max_depth!r} is not a whole number from 1 to 20; 10 is the usual choice.")
    if seed is not None:
        yield from _seed_problems(seed)
    number = isinstance(target_accept, numbers.Real) and not isinstance(target_accept, bool)
    if target_accept is not None and (not number or not 0.5 <= target_accept < 1.0):
        yield Problem(
            "target_accept", f"{target_accept!r} is not a number from 0.5 to below 1; 0.8 is the usual choice."
        )
    if not isinstance(progress, bool):
        yield Problem("progress", f"{progress!r} is neither True nor False; give one of them.")


def _sampler_problems(sampler: Any) -> Iterator[Problem]:
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        hint = nearest(sampler, SAMPLERS) if isinstance(sampler, str) else ""
        yield Problem("sampler", f"{sampler!r} is not one of {', '.join(SAMPLERS)}.{hint}")


def _whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
