"""Joint Wald tests of several contrasts: chi-square, or F with approximate denominator degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from bayesglmm.frequentist.inference.combinations import Combinations, Given
from bayesglmm.frequentist.inference.reference import reference_for

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["WaldTest", "wald"]


@dataclass(frozen=True)
class WaldTest:
    """A joint test that combinations of coefficients are all 0.

    Attributes
    ----------
    contrasts : tuple of str
        What is tested.
    statistic : float
        Chi-square, or F where there are denominator degrees of freedom.
    df : int
        Number of independent contrasts: those that repeat what others say do not count.
    denominator_df : float
        nan for a chi-square.
    p_value : float
        Probability of a statistic as large.
    ddf : str or None
        How the denominator degrees of freedom were found.
    """

    contrasts: tuple[str, ...]
    statistic: float
    df: int
    denominator_df: float
    p_value: float
    ddf: str | None

    def __repr__(self) -> str:
        tested = "; ".join(f"{c} = 0" for c in self.contrasts)
        if self.ddf is None:
            return f"Wald test of {tested}: chi-square({self.df}) = {self.statistic:.4f}, p = {self.p_value:.4g}"
        degrees = f"F({self.df}, {self.denominator_df:.2f})"
        return f"Wald test of {tested}: {degrees} = {self.statistic:.4f}, p = {self.p_value:.4g} ({self.ddf})"


def wald(fit: Fit, given: Given, ddf: str | None = None) -> WaldTest:
    """Test that all given contrasts are 0.

    Parameters
    ----------
    fit : Fit
        A classical fit.
    given : str, mapping or sequence of these
        As in `contrasts.contrast`.
    ddf : {"satterthwaite", "kenward-roger"} or None
        Denominator degrees of freedom of F; None for a chi-square.

    Raises
    ------
    SpecificationError
        An unknown name or ``ddf``, or degrees of freedom that this fit does not have.
    FitError
        The coefficients have no standard errors.
    """
    combinations = Combinations.of(given, tuple(fit.coefficients.index))
    L = combinations.matrix
    test = reference_for(fit, ddf).joint(L, fit.coefficients["estimate"].to_numpy())
    if np.isnan(test.denominator):
        p_value = float(stats.chi2.sf(test.statistic, test.df))
    else:
        p_value = float(stats.f.sf(test.statistic, test.df, test.denominator))
    return WaldTest(combinations.labels, test.statistic, test.df, test.denominator, p_value, ddf)
