"""Likelihood ratio tests of nested fits, variances on the boundary included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scipy import stats

from bayesglmm.counting import count
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.frequentist.inference.nesting import added_effects, require_comparable

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["LikelihoodRatio", "likelihood_ratio"]

#: A difference of log-likelihoods below this is rounding.
_ROUNDING, _NOTHING = 1e-6, 1e-10


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood ratio test of a smaller model against a larger one.

    Attributes
    ----------
    statistic : float
        Twice the difference of log-likelihoods.
    df : int
        Difference in the number of parameters.
    p_value : float
        ``p_mixture`` where it is known, else ``p_naive``.
    p_naive : float
        From chi-square(df), as if nothing lay on a boundary.
    p_mixture : float
        From 0.5 chi-square(df - 1) + 0.5 chi-square(df), where the smaller model sets one variance to 0 (Self & Liang
        1987, case 5 to 6; Stram & Lee 1994); nan where that is not the null distribution, or none is needed.
    p_bootstrap : float
        Share of data sets, simulated from the smaller model, with a statistic as large, (1 + k) / (1 + draws); nan if
        there was no bootstrap.
    bootstrap_failures : tuple of (int, str)
        Simulated data sets that could not be fitted, and why; they do not count as draws.
    zeroed : tuple of str
        Standard deviations that the smaller model sets to 0.
    words : str
        The test in words.
    """

    statistic: float
    df: int
    p_value: float
    p_naive: float
    p_mixture: float
    p_bootstrap: float
    bootstrap_failures: tuple[tuple[int, str], ...] = field(repr=False)
    zeroed: tuple[str, ...]
    words: str

    def __repr__(self) -> str:
        return self.words


def likelihood_ratio(
    small: Fit, large: Fit, *, bootstrap: int = 0, seed: int | None = None, progress: bool = True
) -> LikelihoodRatio:
    """Test a smaller model against a larger one that contains it.

    Parameters
    ----------
    small, large : Fit
        Fits of the same data by the same method: maximum likelihood, or REML if they differ in variances alone.
    bootstrap : int
        Number of data sets simulated from ``small`` for a p value that needs no theory; 0 for none.
    seed : int, optional
        Seed of the simulation.
    progress : bool
        Whether a progress bar is shown where it takes over a second.

    Raises
    ------
    SpecificationError
        Methods without a likelihood or of different kinds, different data, REML fits with different coefficients, or
        models of which the smaller is not contained in the larger.
    FitError
        A fit is not a maximum, or the larger model fits worse.

    Notes
    -----
    Whether one model contains the other is decided on the columns of X and on the effects of each grouping factor.
    """
    require_comparable(small, large)
    zeroed, single = added_effects(small.design, large.design)
    df = large.n_parameters - small.n_parameters
    if df <= 0:
        raise SpecificationError(
            f"the larger model has {count(large.n_parameters, 'parameter')} and the smaller {small.n_parameters}; give "
            "the smaller fit first, and models that differ."
        )
    statistic = _statistic(small, large)
    p_naive = float(stats.chi2.sf(statistic, df))
    p_mixture = 0.5 * (_chi2_sf(statistic, df - 1) + p_naive) if single else float("nan")
    p_bootstrap = float("nan")
    failures: tuple[tuple[int, str], ...] = ()
    if bootstrap:
        from bayesglmm.frequentist.inference.bootstrap import bootstrap_ratio

        p_bootstrap, failures = bootstrap_ratio(small, large, statistic, bootstrap, seed=seed, progress=progress)
    p_value = p_mixture if single else p_naive
    words = _words(statistic, df, p_naive, p_mixture, zeroed, single)
    if small.simulation is not None or large.simulation is not None:
        words += " The log-likelihoods are simulated, and so the statistic has a Monte Carlo error (fit.simulation)."
    if bootstrap:
        words += f" Bootstrap: p = {p_bootstrap:.4g} ({bootstrap - len(failures)} of {bootstrap} data sets fitted)."
    return LikelihoodRatio(statistic, df, p_value, p_naive, p_mixture, p_bootstrap, failures, zeroed, words)


def _statistic(small: Fit, large: Fit) -> float:
    difference = large.loglik - small.loglik
    if difference < -_ROUNDING * (1.0 + abs(small.loglik) * 1e-3):
        raise FitError(
            f"the larger model's log-likelihood, {large.loglik:.6f}, is below the smaller's, {small.loglik:.6f}: its "
            "search stopped early, or its likelihood is approximated less well. Refit the larger model, or use a "
            "method that is exact."
        )
    # What rounding makes of 0, on either side: the mixture gives exactly 0 a p value of its own.
    return 2.0 * difference if difference > _NOTHING * (1.0 + abs(small.loglik)) else 0.0


def _chi2_sf(statistic: float, df: int) -> float:
    """Return P(chi-square(df) >= statistic), the constant 0 for df = 0."""
    return float(stats.chi2.sf(statistic, df)) if df else float(statistic <= 0.0)


def _words(statistic: float, df: int, p_naive: float, p_mixture: float, zeroed: tuple[str, ...], single: bool) -> str:
    head = f"Likelihood ratio {statistic:.4f} on {df} df"
    if not zeroed:
        return f"{head}: p = {p_naive:.4g}."
    where = ", ".join(zeroed)
    if single:
        mixture = f"0.5 chi-square({df - 1}) + 0.5 chi-square({df})"
        return (
            f"{head}: p = {p_mixture:.4g} from {mixture}, since the smaller model sets {where} to 0, the end of its "
            f"range; chi-square({df}) alone gives {p_naive:.4g}, which is too large."
        )
    return (
        f"{head}: p <= {p_naive:.4g}. The smaller model sets {where} to 0, the end of their range; chi-square({df}) is "
        "conservative, and the mixture for several at once depends on the data: use bootstrap=1000."
    )
