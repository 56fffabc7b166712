"""Profile likelihoods of parameters and their intervals (as lme4's profile; Bates et al. 2015, section 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError, SpecificationError, nearest
from bayesglmm.frequentist.components import Estimate
from bayesglmm.frequentist.inference.curve import Curve, trace
from bayesglmm.frequentist.inference.held import held_parameter
from bayesglmm.frequentist.inference.held_search import HeldSearch
from bayesglmm.frequentist.likelihood import Likelihood
from bayesglmm.schema import number, shown_names, tail_probabilities

if TYPE_CHECKING:
    from bayesglmm.frequentist.fit import Fit

__all__ = ["Profile", "profile"]


@dataclass(frozen=True, eq=False)
class Profile:
    """Profile likelihoods of one or more parameters.

    Attributes
    ----------
    curves : tuple of Curve
        One a parameter.
    estimates : tuple of Estimate
        The fit's own, in the order of the curves.
    level : float
        Highest level of the intervals.
    notes : tuple of str
        What must be said beside the figures.
    """

    curves: tuple[Curve, ...]
    estimates: tuple[Estimate, ...] = field(repr=False)
    level: float
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Curve:
        """Return the curve of a parameter.

        Raises
        ------
        SpecificationError
            The parameter was not profiled.
        """
        for curve in self.curves:
            if curve.name == name:
                return curve
        names = [c.name for c in self.curves]
        raise SpecificationError(f"{name!r} was not profiled.{nearest(str(name), names)} Profiled: {', '.join(names)}.")

    @property
    def frame(self) -> pd.DataFrame:
        """All curves below each other: ``name``, ``value``, ``zeta``, ``deviance``."""
        parts = [
            pd.DataFrame({"name": c.name, "value": c.values, "zeta": c.zeta, "deviance": c.deviance})
            for c in self.curves
        ]
        return pd.concat(parts, ignore_index=True)

    def interval(self, level: float = 0.95) -> pd.DataFrame:
        """Return ``lower`` and ``upper`` of every parameter: where 2 (l_max - l) is the quantile of chi-square(1).

        An end is that of the parameter's range (0 for a standard deviation, -1 or 1 for a correlation) where the
        likelihood does not fall so far before it, and infinite where it falls so far nowhere.

        Raises
        ------
        SpecificationError
            A level outside 0 to 1, or above that of the profile.
        """
        tail_probabilities(level)
        if level > self.level + 1e-12:
            raise SpecificationError(
                f"this profile goes as far as intervals of {self.level:.4g}; for {level:.4g} ask for "
                f"profile(level={level:.4g})."
            )
        z = float(ndtri(0.5 + level / 2))
        ends = [(c.at(-z), c.at(z)) for c in self.curves]
        index = pd.Index([c.name for c in self.curves], name="name", dtype="str")
        return pd.DataFrame(ends, columns=["lower", "upper"], index=index, dtype=np.float64)

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Return ``estimate``, Wald ``std_error`` and the profile's ``lower`` and ``upper`` of every parameter."""
        ends = self.interval(level)
        ends.insert(0, "estimate", [e.estimate for e in self.estimates])
        ends.insert(1, "std_error", [e.std_error for e in self.estimates])
        return ends

    def __repr__(self) -> str:
        level = min(0.95, self.level)
        table = self.table(level).to_string(float_format=lambda v: number(v, 4))
        return "\n".join([f"Profile likelihood, {100 * level:g}% intervals", table, *(f"  - {n}" for n in self.notes)])


def profile(fit: Fit, names: str | Sequence[str] | None = None, level: float = 0.99) -> Profile:
    """Profile parameters of a fit.

    Parameters
    ----------
    fit : Fit
        A fit by a method that maximises a likelihood of all parameters.
    names : str or sequence of str, optional
        Parameters, all if left out. Where a column of the data is called like another parameter, ``sigma`` say, its
        coefficient is ``sigma (coefficient)``.
    level : float
        How far the curves go.

    Raises
    ------
    SpecificationError
        No name or an unknown one, or a method without such a likelihood.
    FitError
        The fit is no maximum, or a held fit is better.
    """
    tail_probabilities(level)
    shown = shown_names([e.term for e in fit.estimates], [e.name for e in fit.estimates])
    by_name = dict(zip(shown, fit.estimates, strict=True))
    wanted = list(by_name) if names is None else _wanted(names, list(by_name))
    likelihood = _likelihood(fit)
    undefined = [n for n in wanted if not np.isfinite(by_name[n].estimate)]
    notes = [f"{n} is not defined, since a standard deviation is 0; it has no profile." for n in undefined]
    levels = sorted({min(0.95, level), level})
    targets = tuple(float(ndtri(0.5 + at / 2)) for at in levels)
    with blas_threads(fit.design.n_effects):
        curves = tuple(_curve(fit, likelihood, n, by_name[n], targets) for n in wanted if n not in undefined)
    for curve in curves:
        notes += _notes(curve, targets[-1], level)
    return Profile(curves, tuple(by_name[c.name] for c in curves), level, tuple(notes))


def _wanted(names: Any, parameters: list[str]) -> list[str]:
    """Return the names as a list, each of them a parameter's."""
    allowed = f"Parameters: {', '.join(parameters)}."
    if isinstance(names, str):
        names = [names]
    elif isinstance(names, Mapping) or not isinstance(names, Iterable):
        raise SpecificationError(f"profile() takes a name or a list of names, not {names!r}. {allowed}")
    wanted = list(names)
    if not wanted:
        raise SpecificationError(f"profile() was given no name; leave names out for all parameters. {allowed}")
    for name in wanted:
        if not isinstance(name, str) or name not in parameters:
            close = nearest(str(name), parameters)
            raise SpecificationError(f"{name!r} is not a parameter of this fit.{close} {allowed}")
    return wanted


def _likelihood(fit: Fit) -> Likelihood:
    if fit.design.residual is not None:
        raise SpecificationError(
            f"fits with residuals {fit.design.spec.residual} have no profile yet; use fit.tidy() or fit.bootstrap()."
        )
    likelihood: Likelihood | None = getattr(fit.prepared, "likelihood", None)
    if fit.method == "reml" or likelihood is None or not np.isfinite(fit.loglik):
        raise SpecificationError(
            f"a fit by {fit.method!r} offers no likelihood that can be evaluated with a parameter held, so there is no "
            'profile; fit by "ml", "laplace" or "agq".'
        )
    if not fit.converged:
        raise FitError(f"only a maximum has a profile around it, and this fit is none: {fit.optimum.message}")
    return likelihood


def _curve(fit: Fit, likelihood: Likelihood, shown: str, estimate: Estimate, targets: tuple[float, ...]) -> Curve:
    held = held_parameter(likelihood.working, estimate.term, estimate.name)
    bounds = held.local.bounds
    at = min(max(estimate.estimate, bounds[0]), bounds[1])
    search = HeldSearch.of(fit, held, at, likelihood.evaluator())
    guess = estimate.std_error
    if not np.isfinite(guess) or guess <= 0.0:
        guess = 0.1 if np.isfinite(bounds[1]) else 0.3 * likelihood.working.scales.scale
    return trace(shown, search.maximum, (at, guess, fit.loglik), held.start(fit.optimum.x), bounds, targets)


def _notes(curve: Curve, far: float, level: float) -> list[str]:
    notes = []
    for at, end, word in ((0, curve.bounds[0], "lower"), (-1, curve.bounds[1], "upper")):
        fallen = abs(float(curve.zeta[at]))
        if fallen >= far - 1e-3:
            continue
        if curve.estimate == end:
            notes.append(f"{curve.name} is estimated as {end:g}, the end of its range: its intervals end there.")
        elif np.isfinite(end):
            reach = 100 * (2 * float(ndtr(fallen)) - 1)
            notes.append(
                f"Intervals of {curve.name} above {reach:.3g}% end at {end:g}, the {word} end of its range: the "
                f"deviance there is {fallen**2:.3g}."
            )
        else:
            notes.append(
                f"The likelihood of {curve.name} does not fall as far as intervals of {100 * level:g}% ask on its "
                f"{word} side, as far as was looked: they have no {word} end."
            )
    return notes
