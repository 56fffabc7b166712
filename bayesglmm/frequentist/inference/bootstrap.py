"""The parametric bootstrap: simulate from the estimates, fit again, look at how the estimates vary."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesglmm.counting import count
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import BayesGLMMError, FitError, SpecificationError, nearest
from bayesglmm.frequentist.inference.draw_progress import DrawProgress
from bayesglmm.frequentist.inference.simulate import Simulator
from bayesglmm.schema import shown_names, tail_probabilities

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Bootstrap", "bootstrap", "bootstrap_ratio"]

_KINDS = ("percentile", "basic")
#: Fewer fitted draws than this, and tail quantiles are nothing but the largest and smallest draw.
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Estimates of simulated data sets (Davison & Hinkley 1997, chapters 2 and 5).

    Attributes
    ----------
    estimates : Series
        Those of the data, by name.
    draws : DataFrame, shape (draws, parameters)
        Those of each simulated data set; nan where the fit failed.
    failures : tuple of (int, str)
        Which draws failed, and why. Intervals and standard errors are of the others.
    seed : int
        Reproduces the draws.
    """

    estimates: pd.Series
    draws: pd.DataFrame
    failures: tuple[tuple[int, str], ...] = field(repr=False)
    seed: int

    @property
    def std_errors(self) -> pd.Series:
        """Standard deviations of the draws, by name."""
        return self.draws.std(ddof=1).rename("std_error")

    def interval(self, level: float = 0.95, kind: str = "percentile") -> pd.DataFrame:
        """Return ``lower`` and ``upper`` of every parameter.

        Parameters
        ----------
        level : float
            Level of the intervals.
        kind : {"percentile", "basic"}
            Quantiles of the draws, or those mirrored at the estimate (2 estimate - quantile), which may leave the
            parameter's range.

        Raises
        ------
        SpecificationError
            A level outside 0 to 1 or an unknown kind.
        FitError
            Fewer draws could be fitted than quantiles can be read from.
        """
        low, high = tail_probabilities(level)
        if kind not in _KINDS:
            raise SpecificationError(
                f"kind={kind!r} is unknown.{nearest(str(kind), _KINDS)} Allowed: {', '.join(map(repr, _KINDS))}."
            )
        fitted = len(self.draws) - len(self.failures)
        if fitted < FEWEST:
            failed = f"{len(self.failures)} of {len(self.draws)} simulated data sets could not be fitted; see failures."
            raise FitError(
                f"{failed if self.failures else ''} {fitted} draws have no quantiles in their tails to make an "
                f"interval of; it takes at least {FEWEST}, and for steady ends some 1000: bootstrap(1000).".lstrip()
            )
        quantiles = self.draws.quantile([low, high]).to_numpy()
        if kind == "basic":
            quantiles = 2.0 * self.estimates.to_numpy() - quantiles[::-1]
        return pd.DataFrame({"lower": quantiles[0], "upper": quantiles[1]}, index=self.estimates.index)

    def __repr__(self) -> str:
        table = self.estimates.to_frame().join(self.std_errors)
        words = f"Parametric bootstrap, {count(len(self.draws), 'draw')}, seed {self.seed}; "
        if len(self.draws) - len(self.failures) >= FEWEST:
            table = table.join(self.interval())
            words += "95% percentile intervals"
        else:
            words += f"no intervals, which take at least {FEWEST}"
        lines = [words, table.to_string(float_format=lambda v: f"{v:.4f}")]
        if self.failures:
            number, reason = self.failures[0]
            failed = count(len(self.failures), "draw")
            left = "is" if len(self.failures) == 1 else "are"
            lines.append(f"{failed} failed and {left} left out; the first, number {number}: {reason}")
        return "\n".join(lines)


def bootstrap(
    fit: Fit, draws: int = 1000, *, seed: int | None = None, cores: int = 1, progress: bool = True
) -> Bootstrap:
    """Simulate ``draws`` data sets from ``fit`` and fit each by the same method, starting at the same estimates.

    Raises
    ------
    SpecificationError
        Settings out of range, weighted rows, or a fit that defines no distribution of the data.
    FitError
        The fit is no maximum.
    """
    draws = _checked(draws, "draws", 2)
    simulator = Simulator.of(fit)
    if not fit.converged:
        raise FitError(
            f"only a maximum can be simulated from and found again, and this fit is none: {fit.optimum.message}"
        )
    names = shown_names([e.term for e in fit.estimates], [e.name for e in fit.estimates])

    def one(rng: np.random.Generator) -> list[float]:
        again = _refit(fit, simulator.draw(rng))
        return [e.estimate for e in again.estimates]

    seed, found, failures = _repeat(fit, one, (draws, seed, _checked(cores, "cores", 1)), progress)
    table = np.full((draws, len(names)), np.nan)
    for k, values in found.items():
        table[k] = values
    columns = pd.Index(names, name="name", dtype="str")
    frame = pd.DataFrame(table, columns=columns, index=pd.RangeIndex(draws, name="draw"))
    estimates = pd.Series([e.estimate for e in fit.estimates], index=columns, name="estimate")
    return Bootstrap(estimates, frame, failures, seed)


def bootstrap_ratio(
    small: Fit, large: Fit, statistic: float, draws: int, *, seed: int | None, progress: bool
) -> tuple[float, tuple[tuple[int, str], ...]]:
    """Return the p value of a likelihood ratio by simulation from ``small``, and which draws failed."""
    draws = _checked(draws, "bootstrap", 1)
    simulator = Simulator.of(small)

    def one(rng: np.random.Generator) -> float:
        y = simulator.draw(rng)
        return 2.0 * (_refit(large, y).loglik - _refit(small, y).loglik)

    _, found, failures = _repeat(large, one, (draws, seed, 1), progress)
    # Ties (both fits at the boundary) count as reached, up to rounding of the two maxima.
    reached = sum(value >= statistic - 1e-7 for value in found.values())
    return (1.0 + reached) / (1.0 + len(found)), failures


def _refit(fit: Fit, y: np.ndarray) -> Fit:
    again = fit.refit(y)
    if not again.converged:
        raise FitError(again.optimum.message)
    return again


def _repeat[T](
    fit: Fit, one: Callable[[np.random.Generator], T], settings: tuple[int, int | None, int], progress: bool
) -> tuple[int, dict[int, T], tuple[tuple[int, str], ...]]:
    """Return the seed, results by number of the draw, and failures with their reasons."""
    draws, seed, cores = settings
    sequence = np.random.SeedSequence(None if seed is None else _checked(seed, "seed", 0))
    entropy: Any = sequence.entropy

    def attempt(k: int, child: np.random.SeedSequence) -> tuple[int, T | None, str]:
        try:
            return k, one(np.random.default_rng(child)), ""
        except BayesGLMMError as error:  # of this data set alone; the others go on
            return k, None, str(error)

    found: dict[int, T] = {}
    failures: list[tuple[int, str]] = []
    with blas_threads(fit.design.n_effects), DrawProgress("bootstrap", draws, progress) as bar:
        for k, value, reason in _run(attempt, sequence.spawn(draws), cores):
            if value is None:
                failures.append((k, reason))
            else:
                found[k] = value
            bar.advance(failed=value is None)
    return int(entropy), found, tuple(failures)


def _run[T](
    attempt: Callable[[int, np.random.SeedSequence], T], children: list[np.random.SeedSequence], cores: int
) -> Iterator[T]:
    if cores == 1:
        yield from map(attempt, range(len(children)), children)
        return
    with ThreadPoolExecutor(cores) as pool:  # compiled kernels release the interpreter lock
        yield from pool.map(attempt, range(len(children)), children)


def _checked(value: Any, name: str, smallest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < smallest:
        raise SpecificationError(f"{name}={value!r}: give a whole number of at least {smallest}.")
    return int(value)
