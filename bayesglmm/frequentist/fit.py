"""The result of a classical fit."""

from __future__ import annotations

import functools
import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtr

from bayesglmm.design import Design
from bayesglmm.frequentist.components import Estimate
from bayesglmm.frequentist.optimum import Optimum
from bayesglmm.schema import number, tidy_frame

if TYPE_CHECKING:
    from bayesglmm.frequentist.estimator import Prepared

__all__ = ["Fit"]


@dataclass(frozen=True, eq=False)
class Fit:
    """Estimates of one classical method.

    Attributes
    ----------
    design : Design
        Data and coding.
    method : str
        Name of the method, as ``model.fit`` takes it.
    label : str
        What stands above its column in a comparison: ``Laplace``.
    description : str
        What the method is, in a sentence.
    estimand : str
        ``conditional`` (given the group effects) or ``marginal``.
    estimates : tuple of Estimate
        Coefficients, standard deviations, correlations, dispersion.
    covariance : ndarray, shape (p, p)
        Covariance of the coefficients.
    modes : DataFrame
        ``name``, ``factor``, ``level``, ``effect``, ``mode`` (BLUP / conditional mode) and ``std_error`` (prediction
        error sd: its own uncertainty and that of the coefficients, at the estimated variances).
    loglik : float
        Log-likelihood, every constant included.
    optimum : Optimum
        How the maximum was found.
    notes : tuple of str
        What must be said beside the figures.
    prepared : Prepared
        The method laid out for these data; `refit` starts from it.
    caveat : str
        What the method is known to do to these estimates with such data; empty if nothing.
    """

    design: Design = field(repr=False)
    method: str
    label: str
    description: str
    estimand: str
    estimates: tuple[Estimate, ...]
    covariance: np.ndarray
    modes: pd.DataFrame
    loglik: float
    optimum: Optimum
    notes: tuple[str, ...]
    prepared: Prepared = field(repr=False)
    caveat: str = ""
    reference: ClassVar[str] = ""

    @property
    def heading(self) -> str:
        """What stands above its column in a comparison."""
        return f"{self.label} (se)"

    @property
    def formula(self) -> str:
        """The model's formula."""
        return str(self.design.spec.formula)

    @property
    def family(self) -> str:
        """The response's family."""
        return self.design.spec.family

    @property
    def fingerprint(self) -> str:
        """What tells one data set from another: SHA-256 of the values that the model uses."""
        return self.design.fingerprint

    @functools.cached_property
    def coefficients(self) -> pd.DataFrame:
        """Estimate, std_error, Wald z and two-sided p value of each coefficient, by name."""
        frame = self._frame(("fixed",))
        frame["z"] = frame["estimate"] / frame["std_error"]
        frame["p_value"] = 2.0 * ndtr(-frame["z"].abs().to_numpy())
        return frame

    @functools.cached_property
    def variance_components(self) -> pd.DataFrame:
        """Estimate and std_error of standard deviations, correlations and the dispersion, by name."""
        return self._frame(("sd", "cor", "family"))

    def _frame(self, terms: tuple[str, ...]) -> pd.DataFrame:
        rows = [e for e in self.estimates if e.term in terms]
        index = pd.Index([e.name for e in rows], name="name", dtype="str")
        columns = {"estimate": [e.estimate for e in rows], "std_error": [e.std_error for e in rows]}
        return pd.DataFrame(columns, index=index, dtype=np.float64)

    @property
    def n_parameters(self) -> int:
        """Number of estimated parameters."""
        return len(self.optimum.x)

    @property
    def aic(self) -> float:
        """Akaike's information criterion, -2 log L + 2 k."""
        return -2.0 * self.loglik + 2.0 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, -2 log L + k log n with n rows."""
        return -2.0 * self.loglik + self.n_parameters * float(np.log(self.design.n_rows))

    @property
    def converged(self) -> bool:
        """Whether the estimates are a maximum."""
        return self.optimum.status.usable

    def refit(self, y: np.ndarray) -> Fit:
        """Fit the same model by the same method to another response, reusing all that does not depend on it.

        Parameters
        ----------
        y : ndarray, shape (n,)
            As ``design.y``: 0 and 1 for two labels, successes for a binomial; in the order of the rows that were used.

        Raises
        ------
        DataError
            A response of another length, not finite, or outside the family's support.
        FitError
            The fit has no answer.
        """
        return self.prepared.with_response(self.design.checked_response(y)).fit(self.optimum.x)

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return one row a parameter in the schema that every result shares.

        Parameters
        ----------
        level : float
            Level of the Wald intervals; symmetric on the log scale for standard deviations that are clear of 0 (else
            from 0 to estimate + z se), on Fisher's z for correlations.
        group : bool
            Whether conditional modes are listed too.
        """
        rows = list(self.estimates)
        if group:
            figures = self.modes[["mode", "std_error"]].to_numpy(dtype=np.float64).tolist()
            names = map(str, self.modes["name"])
            rows += [Estimate("group", name, *pair) for name, pair in zip(names, figures, strict=True)]
        intervals = [e.interval(level) for e in rows]
        return tidy_frame(
            terms=[e.term for e in rows],
            names=[e.name for e in rows],
            estimates=[e.estimate for e in rows],
            std_errors=[e.std_error for e in rows],
            lower=[i[0] for i in intervals],
            upper=[i[1] for i in intervals],
            level=level,
            method=self.method,
            estimand=self.estimand,
        )

    def _words(self) -> str:
        lines = [
            f"{self.description}",
            f"log-likelihood {self.loglik:.4f}, AIC {self.aic:.2f}, BIC {self.bic:.2f}, {self.design.n_rows} rows",
            self.optimum.message,
        ]
        return "\n".join([*lines, *(f"  - {note}" for note in self.notes)])

    def __repr__(self) -> str:
        def show(frame: pd.DataFrame) -> str:
            return frame.to_string(float_format=lambda v: number(v, 4))

        parts = [f"Fit of {self.design.spec.formula}", self._words(), "", show(self.coefficients)]
        if len(self.variance_components):
            parts += ["", show(self.variance_components)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        tables = [self.coefficients, self.variance_components]
        shown = "".join(t.to_html(float_format=lambda v: number(v, 4), border=0) for t in tables if len(t))
        formula = html.escape(str(self.design.spec.formula))
        return f"<p><code>{formula}</code></p><pre>{html.escape(self._words())}</pre>{shown}"
