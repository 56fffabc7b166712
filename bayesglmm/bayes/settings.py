"""How a posterior is to be sampled: the numbers a user may choose, checked once."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from bayesglmm.errors import Problem, SpecificationError, nearest

__all__ = ["SAMPLERS", "SampleSettings"]

#: Samplers by the name that ``sample(sampler=...)`` takes.
SAMPLERS = {
    "auto": "the compiled density with nutpie's NUTS",
    "pymc": "the PyMC graph with PyMC's NUTS",
    "nutpie": "the PyMC graph with nutpie's NUTS",
    "numpyro": "the PyMC graph with numpyro's NUTS (needs the extra bayesglmm[numpyro])",
}

#: Warm-up iterations: nutpie's own default for its graph sampler, a longer one where an iteration costs next to nothing.
_WARM_UP = {"auto": 1000, "nutpie": 400, "pymc": 1000, "numpyro": 1000}


@dataclass(frozen=True)
class SampleSettings:
    """Checked settings of one run.

    Attributes
    ----------
    draws, tune, chains, cores : int
        Draws kept and warm-up iterations of each chain; chains; chains that run at a time.
    seed : int
        Seed of every random choice of the run.
    target_accept : float
        Acceptance rate that the step size is tuned to.
    max_depth : int
        A trajectory has at most 2**max_depth leapfrog steps.
    sampler : str
        One of `SAMPLERS`.
    progress : bool
        Whether a progress bar is shown (on standard error).
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 1
    seed: int = 0
    target_accept: float = 0.8
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
        target_accept: float = 0.8,
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
        problems = []
        counts = {"draws": draws, "chains": chains, "tune": 1 if tune is None else tune, "cores": cores or 1}
        for name, value in counts.items():
            if not _whole(value) or value < 1:
                problems.append(Problem(name, f"{value!r} is not a whole number of at least 1; give one."))
        if not _whole(max_depth) or not 1 <= max_depth <= 20:
            problems.append(Problem("max_depth", f"{max_depth!r} is outside 1 to 20; 10 is the usual choice."))
        if seed is not None and (not _whole(seed) or not 0 <= seed < 2**63):
            problems.append(Problem("seed", f"{seed!r} is not a whole number from 0 to 2**63 - 1; give one or leave it out."))
        if not isinstance(target_accept, (int, float)) or not 0.5 <= target_accept < 1.0:
            problems.append(Problem("target_accept", f"{target_accept!r} is outside 0.5 to 1; 0.8 is the usual choice."))
        if sampler not in SAMPLERS:
            allowed = ", ".join(SAMPLERS)
            problems.append(Problem("sampler", f"{sampler!r} is not one of {allowed}.{nearest(str(sampler), SAMPLERS)}"))
        if problems:
            raise SpecificationError(problems)
        available = os.cpu_count() or 1
        return cls(
            draws=draws,
            tune=_WARM_UP[sampler] if tune is None else tune,
            chains=chains,
            cores=min(chains, cores or available),
            seed=secrets.randbelow(2**31) if seed is None else seed,
            target_accept=float(target_accept),
            max_depth=max_depth,
            sampler=sampler,
            progress=progress,
        )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
