"""The result of a classical fit."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtr

from bayesglmm.design import Design
from bayesglmm.frequentist.components import Estimate
from bayesglmm.frequentist.search.optimum import Optimum
from bayesglmm.left_out import rows_words
from bayesglmm.schema import number, tail_probabilities, tidy_frame

if TYPE_CHECKING:
    from bayesglmm.frequentist.estimator import Prepared
    from bayesglmm.frequentist.inference.bootstrap import Bootstrap
    from bayesglmm.frequentist.inference.combinations import Given
    from bayesglmm.frequentist.inference.profile import Profile
    from bayesglmm.frequentist.inference.wald import WaldTest
    from bayesglmm.frequentist.reading.equations import MixedModelEquations
    from bayesglmm.frequentist.simulation.monte_carlo import MonteCarlo

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
    mode_source : callable
        Makes the table `modes` when it is first asked for.
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
    simulation : MonteCarlo or None
        Draws, seed and Monte Carlo errors of a method that simulates.
    """

    design: Design = field(repr=False)
    method: str
    label: str
    description: str
    estimand: str
    estimates: tuple[Estimate, ...]
    covariance: np.ndarray
    mode_source: Callable[[], pd.DataFrame] = field(repr=False)
    loglik: float
    optimum: Optimum
    notes: tuple[str, ...]
    prepared: Prepared = field(repr=False)
    caveat: str = ""
    simulation: MonteCarlo | None = None
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
    def residual(self) -> str:
        """The residual structure; empty where residuals are independent."""
        return "" if self.design.spec.residual is None else str(self.design.spec.residual)

    @property
    def beside(self) -> Mapping[str, str]:
        """What was specified beside the formula: texts of ``residuals``, ``dispersion`` and ``zero``, where given."""
        return self.design.spec.beside

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
    def modes(self) -> pd.DataFrame:
        """Group effects: ``name``, ``factor``, ``level``, ``effect``, ``mode`` and ``std_error``.

        The mode is the BLUP or conditional mode, its standard error the prediction error sd: its own uncertainty and
        that of the coefficients, at the estimated variances.
        """
        return self.mode_source()

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

    def contrast(self, contrasts: Given, *, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Return estimate, standard error, test and interval of linear combinations of coefficients.

        Parameters
        ----------
        contrasts : str, mapping or sequence of these
            ``{"cross[RR]": 1, "cross[WR]": -1}``, a coefficient's name, or several of either.
        ddf : {"satterthwaite", "kenward-roger"} or None
            Degrees of freedom of t, for gaussian responses with the identity link; None for z.
        level : float
            Level of the intervals.

        Returns
        -------
        DataFrame
            ``estimate``, ``std_error``, ``df`` (nan for z), ``statistic``, ``p_value``, ``lower``, ``upper``.

        Raises
        ------
        SpecificationError
            An unknown name or ``ddf``, or degrees of freedom that this fit does not have.
        FitError
            The coefficients have no standard errors.
        """
        from bayesglmm.frequentist.inference.contrasts import contrast

        return contrast(self, contrasts, ddf, level)

    def tests(self, *, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Return the table of `contrast` for every coefficient: with ``ddf``, t and its degrees of freedom."""
        from bayesglmm.frequentist.inference.contrasts import coefficient_tests

        return coefficient_tests(self, ddf, level)

    def wald(self, contrasts: Given, *, ddf: str | None = None) -> WaldTest:
        """Test that several contrasts (as in `contrast`) are all 0: chi-square, or F with ``ddf``.

        Raises
        ------
        SpecificationError
            An unknown name or ``ddf``, or degrees of freedom that this fit does not have.
        FitError
            The coefficients have no standard errors.
        """
        from bayesglmm.frequentist.inference.wald import wald

        return wald(self, contrasts, ddf)

    def profile(self, names: str | Sequence[str] | None = None, *, level: float = 0.99) -> Profile:
        """Return the profile likelihood of some parameters, or of all.

        Parameters
        ----------
        names : str or sequence of str, optional
            ``"sd(female)"``, ``"cor(subject, Intercept, days)"``, ``"sigma"``, coefficients; all if left out.
        level : float
            Highest level of the intervals that are wanted: how far the profile goes.

        Raises
        ------
        SpecificationError
            An unknown name, or a method that has no likelihood of all parameters (REML, PQL, GEE).
        FitError
            The fit has no maximum, or a constrained fit is better than it.
        """
        from bayesglmm.frequentist.inference.profile import profile

        return profile(self, names, level)

    def marginal_covariance(self, by: str | None = None) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Return V = Z G Z' + R of a linear mixed model, or its blocks by a grouping factor.

        Parameters
        ----------
        by : str, optional
            A grouping factor; a block for each of its levels is returned.

        Raises
        ------
        SpecificationError
            Another family or link, a method without variances of group effects, an unknown factor, or too many rows.
        """
        from bayesglmm.frequentist.reading.marginal_covariance import marginal_covariance

        return marginal_covariance(self, by)

    def mixed_model_equations(self) -> MixedModelEquations:
        """Return Henderson's equations that coefficients and group effects solve, written out with names.

        Raises
        ------
        SpecificationError
            A method whose estimates solve no such equations.
        FitError
            A covariance matrix of group effects that has no inverse, or more unknowns than can be looked at.
        """
        from bayesglmm.frequentist.reading.equations import mixed_model_equations

        return mixed_model_equations(self)

    def bootstrap(
        self, draws: int = 1000, *, seed: int | None = None, cores: int = 1, progress: bool = True
    ) -> Bootstrap:
        """Return a parametric bootstrap: the model simulated from these estimates, and fitted again.

        Parameters
        ----------
        draws : int
            Number of simulated data sets.
        seed : int, optional
            The same seed gives the same draws, however many cores; a fresh one is drawn and recorded if left out.
        cores : int
            Fits that run at a time.
        progress : bool
            Whether a progress bar is shown where it takes over a second.

        Raises
        ------
        SpecificationError
            Settings out of range, weighted rows, or a method whose estimates define no distribution of the data (GEE).
        FitError
            The fit is no maximum.
        """
        from bayesglmm.frequentist.inference.bootstrap import bootstrap

        return bootstrap(self, draws, seed=seed, cores=cores, progress=progress)

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return one row a parameter in the schema that every result shares.

        Parameters
        ----------
        level : float
            Level of the Wald intervals; symmetric on the log scale for standard deviations that are clear of 0 (else
            from 0 to estimate + z se), on Fisher's z for correlations.
        group : bool
            Whether conditional modes are listed too.

        Raises
        ------
        SpecificationError
            The level is no number between 0 and 1.
        """
        tail_probabilities(level)
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
        criteria = f"log-likelihood {self.loglik:.4f}, AIC {self.aic:.2f}, BIC {self.bic:.2f}, "
        known = criteria if np.isfinite(self.loglik) else "no log-likelihood, "
        known += "coefficients of the population's average, " if self.estimand == "marginal" else ""
        lines = [self.description, known + rows_words(self.design.n_rows, self.design.dropped), self.optimum.message]
        said = [*self.notes, self.caveat] if self.caveat else self.notes
        return "\n".join([*lines, *(f"  - {note}" for note in said)])

    def __repr__(self) -> str:
        def show(frame: pd.DataFrame) -> str:
            return frame.to_string(float_format=lambda v: number(v, 4))

        parts = [f"Fit of {self.design.spec.title}", self._words(), "", show(self.coefficients)]
        if len(self.variance_components):
            parts += ["", show(self.variance_components)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        tables = [self.coefficients, self.variance_components]
        shown = "".join(t.to_html(float_format=lambda v: number(v, 4), border=0) for t in tables if len(t))
        title = html.escape(self.design.spec.title)
        return f"<p><code>{title}</code></p><pre>{html.escape(self._words())}</pre>{shown}"
