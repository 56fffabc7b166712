"""The estimating equations of one design, solved by statsmodels."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from bayesglmm.counting import count
from bayesglmm.design import Design
from bayesglmm.errors import FitError
from bayesglmm.families import compile_rows
from bayesglmm.frequentist.components import Estimate
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.fixed.newton import GLMRows, climb
from bayesglmm.frequentist.modes import mode_table
from bayesglmm.frequentist.population.separation import require_finite_maximum
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.grouping import INTERCEPT, GroupEffects

__all__ = ["STATSMODELS", "PreparedGEE"]

#: Fewer clusters than this, and the sandwich is too small by an amount that shows (Mancl & DeRouen 2001).
_FEW_CLUSTERS = 40

#: (family, link) -> statsmodels' classes of the same.
STATSMODELS: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        ("gaussian", "identity"): ("Gaussian", "Identity"),
        ("gaussian", "log"): ("Gaussian", "Log"),
        **{
            (family, link): ("Binomial", theirs)
            for family in ("bernoulli", "binomial")
            for link, theirs in (
                ("logit", "Logit"),
                ("probit", "Probit"),
                ("cloglog", "CLogLog"),
                ("cauchit", "Cauchy"),
            )
        },
        ("poisson", "log"): ("Poisson", "Log"),
        ("poisson", "sqrt"): ("Poisson", "Sqrt"),
        ("gamma", "log"): ("Gamma", "Log"),
        ("gamma", "inverse"): ("Gamma", "InversePower"),
    }
)
_MAX_ITERATIONS = 200
#: A sandwich variance this much smaller than the model's is rounding error.
_NO_VARIANCE = 1e-16
_TOLERANCE = 1e-9
_WORDS = MappingProxyType(
    {
        "sandwich": "the sandwich's, which holds whatever the correlation",
        "model": "the model's, which trusts the working correlation",
    }
)


@dataclass(frozen=True, eq=False)
class PreparedGEE:
    """The equations laid out for one design.

    Attributes
    ----------
    design : Design
        Data.
    correlation, covariance : str
        As in `gee.GEE`.
    cluster : GroupEffects
        A group term of the factor that names the clusters.
    time : ndarray, shape (n,)
        When each row was observed.
    by_row : bool
        Whether a row is one observation (its trials a proportion), or its trials and copies are so many.
    in_order : bool
        Whether the order of the rows stands for their time.
    """

    design: Design
    correlation: str
    covariance: str
    cluster: GroupEffects
    time: np.ndarray
    by_row: bool
    in_order: bool

    def with_response(self, y: np.ndarray) -> PreparedGEE:
        """Return the same for another response y (n,)."""
        return replace(self, design=self.design.with_response(y))

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Solve the equations from ``start`` (p,), or from the fit of independent rows."""
        independent = self._independent()
        beta = independent if start is None else np.asarray(start, dtype=np.float64)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                solved = self._solve(beta)
            except FitError:
                raise
            except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
                raise FitError(
                    f"the estimating equations broke down ({' '.join(str(error).split())}); look for separation (a "
                    "predictor that determines the response) or collinear columns, or use correlation='independence'."
                ) from error
        said = tuple(dict.fromkeys(f"statsmodels: {' '.join(str(w.message).split())}" for w in caught))
        if solved is None or not np.isfinite(solved[0].params).all() or not np.isfinite(solved[0].cov_robust).all():
            raise FitError(
                "the estimating equations have no finite solution; look for separation (a predictor that determines "
                f"the response) or collinear columns. {' '.join(said)}"
            )
        return self._assemble(beta, *solved, said)

    def _independent(self) -> np.ndarray:
        """Return the fit of independent rows (p,); FitError where it is not finite or leaves no residual."""
        design = self.design
        rows = self._rows()
        # In orthonormal columns the origin and the scale of a covariate do not matter.
        R = np.linalg.qr(design.X, mode="r")
        Q = np.ascontiguousarray(np.linalg.solve(R.T, design.X.T).T)
        target = design.family.location(design.y, design.size, design.spec.link) - design.offset
        orthonormal = replace(rows, X=Q)
        # The second climb takes Newton's last steps to rounding.
        found = climb(orthonormal, climb(orthonormal, np.linalg.lstsq(Q, target, rcond=None)[0]).point.x)
        beta = np.linalg.solve(R, found.point.x)
        require_finite_maximum(design, rows, beta)
        return np.asarray(beta)

    def _rows(self) -> GLMRows:
        design = self.design
        kernels = compile_rows(design.family_link.row)
        return GLMRows(kernels, design.X, design.y, design.size, design.weights, design.offset)

    def _solve(self, start: np.ndarray) -> tuple[Any, np.ndarray, Any] | None:
        """Return statsmodels' results in the columns X U, the matrix U (p, p), and the structure with its estimates."""
        from statsmodels.genmod import families
        from statsmodels.genmod.generalized_estimating_equations import GEE as Equations  # noqa: N811

        from bayesglmm.frequentist.population.working_correlation import STRUCTURES

        design = self.design
        row, endog, units = self._units()
        # statsmodels stops by the size of the score: in columns of equal length and no correlation it means something.
        n = len(endog)
        U = np.linalg.inv(np.linalg.qr(design.X[row], mode="r")) * np.sqrt(n)
        family, link = STATSMODELS[design.spec.family, design.spec.link]
        structure = STRUCTURES[self.correlation](units)
        equations = Equations(
            endog,
            design.X[row] @ U,
            groups=self.cluster.codes[row],
            family=getattr(families, family)(link=getattr(families.links, link)()),
            cov_struct=structure,
            offset=design.offset[row],
        )
        structure.require_pairs(self.cluster.name)
        equations.update_cached_means(np.linalg.solve(U, start))
        width = np.sqrt(max(structure.dispersion(), np.finfo(float).tiny)) * float(units.copies.sum())
        results = equations.fit(
            start_params=np.linalg.solve(U, start), maxiter=_MAX_ITERATIONS, ctol=_TOLERANCE * width, scale=1.0
        )
        return None if results is None else (results, U, structure)

    def _units(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Return, for each unit: its row, its response, and copies, precision and time."""
        from bayesglmm.frequentist.population.working_correlation import Units

        design = self.design
        row, y, ones = np.arange(design.n_rows), design.y, np.ones(design.n_rows)
        copies, precision = design.weights, ones
        if design.family.size == "se":
            precision = design.size**-2.0
        elif design.family.size == "trials" and self.by_row:
            y, precision = design.y / design.size, design.size
        elif design.family.size == "trials":
            # Trials are 0 and 1: so many of each, copies of one another.
            copies = np.concatenate([design.weights * design.y, design.weights * (design.size - design.y)])
            row, y, precision = np.tile(row, 2), np.repeat([1.0, 0.0], design.n_rows), np.tile(ones, 2)
        if self.by_row:
            copies, precision = ones, precision * design.weights
        kept = (copies > 0.0) & (precision > 0.0)
        return row[kept], y[kept], Units(copies[kept], precision[kept], self.time[row][kept])

    def _assemble(self, start: np.ndarray, results: Any, U: np.ndarray, structure: Any, said: tuple[str, ...]) -> Fit:
        design, phi = self.design, structure.dispersion()
        beta = U @ results.params
        inner = results.cov_robust if self.covariance == "sandwich" else phi * results.cov_naive
        covariance = U @ inner @ U.T
        require_finite_maximum(design, self._rows(), beta)
        self._require_errors(covariance, phi * U @ results.cov_naive @ U.T)
        fixed = [
            Estimate("fixed", name, float(b), float(se))
            for name, b, se in zip(design.coefficients, beta, np.sqrt(np.diagonal(covariance)), strict=True)
        ]
        correlations = [Estimate("cor", name, value, np.nan) for name, value in structure.named().items()]
        p, iterations = len(beta), len(results.fit_history["score"])
        optimum = Optimum(
            start=start,
            x=beta,
            value=np.nan,
            gradient_norm=float(results.score_norm) * _TOLERANCE / results.ctol,
            iterations=iterations,
            evaluations=iterations,
            pinned=np.zeros(p, dtype=bool),
            hessian=np.full((p, p), np.nan),
            status=OptimumStatus.CONVERGED if results.converged else OptimumStatus.STOPPED_EARLY,
        )
        return Fit(
            design=design,
            method="gee",
            label=f"GEE {self.correlation}",
            description=f"generalized estimating equations, working correlation {self.correlation}",
            estimand="marginal",
            estimates=(*fixed, *correlations, Estimate("family", "phi", phi, np.nan)),
            covariance=covariance,
            mode_source=functools.partial(mode_table, replace(design, groups=()), np.zeros(0), np.zeros(0)),
            loglik=np.nan,
            optimum=optimum,
            notes=(*self._notes(), *said),
            prepared=self,
        )

    def _require_errors(self, covariance: np.ndarray, trusting: np.ndarray) -> None:
        """Raise FitError where a standard error is none, or 0 (to rounding) beside the model's."""
        variance, usual = np.diagonal(covariance), np.diagonal(trusting)
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(variance) | ~(variance > _NO_VARIANCE * np.abs(usual))
        if bad.any():
            names = ", ".join(name for name, gone in zip(self.design.coefficients, bad, strict=True) if gone)
            raise FitError(
                f"the standard errors of these coefficients are 0 or not finite: {names}. Look for a coefficient that "
                f"is fitted to a single cluster of {self.cluster.name} (there the sandwich is 0; covariance='model' "
                "is not), for separation (a predictor that determines the response), or for collinear columns."
            )

    def _notes(self) -> tuple[str, ...]:
        sizes = np.bincount(self.cluster.codes, minlength=self.cluster.n_levels)
        equal = sizes.min() == sizes.max()
        between = f"of {count(int(sizes[0]), 'row')}" if equal else f"of {sizes.min()} to {sizes.max()} rows"
        notes = [
            "Coefficients are of the population's average, not within a group (bayesglmm.attenuation says how the two "
            "go together). There is no likelihood: no AIC, no likelihood-ratio test.",
            f"Standard errors are {_WORDS[self.covariance]}; {self.cluster.n_levels} clusters of "
            f"{self.cluster.name}, {between}.",
        ]
        if self.cluster.n_levels < _FEW_CLUSTERS and self.covariance == "sandwich":
            notes.append(
                f"With fewer than {_FEW_CLUSTERS} clusters the sandwich is too small, tests reject too often "
                "(Mancl & DeRouen 2001)."
            )
        slopes = [g.label for g in self.design.groups if g.effects != (INTERCEPT,)]
        if slopes or len(self.design.groups) > 1:
            what = f"the slopes of {', '.join(slopes)}" if slopes else "their several terms"
            notes.append(
                f"Of the group terms only the clusters are used; {what} play no part: the fit is that of "
                f"(1 | {self.cluster.name})."
            )
        if self.design.family.size == "se" and self.design.dispersion is None:
            notes.append(
                "The rows' variances are known, se(...)^2, and phi multiplies them: it is estimated beside the known "
                "standard errors, is 1 where they are right and there is nothing else, and takes in the variation "
                "between clusters."
            )
        if self.in_order:
            notes.append("Rows of a cluster are taken to be one step apart, in the order of the data; time= says else.")
        return tuple(notes)
