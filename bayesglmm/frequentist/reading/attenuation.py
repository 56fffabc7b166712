"""From coefficients within a group to those of the population's average, which are nearer to 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bayesglmm.design import Design
from bayesglmm.errors import FitError, SpecificationError
from bayesglmm.families import FamilyLink, Link, compile_rows, get_family
from bayesglmm.families.record import Array
from bayesglmm.frequentist.fixed.newton import GLMRows, climb
from bayesglmm.frequentist.reading.conditional import ConditionalModel
from bayesglmm.frequentist.reading.noted_table import NotedTable

__all__ = ["Attenuation", "attenuation"]

#: (16 sqrt(3) / (15 pi))^2 = 0.346: a logistic curve is nearly a normal one (Zeger, Liang & Albert 1988, section 3).
LOGISTIC = (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2

#: E[g^-1(eta + u)], u ~ N(0, v), where it has a closed form: (eta, v) -> mean.
_CLOSED: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        "identity": lambda eta, v: eta + 0.0 * v,
        "log": lambda eta, v: np.exp(eta + 0.5 * v),
        "sqrt": lambda eta, v: eta**2 + v,
        "probit": lambda eta, v: special.ndtr(eta / np.sqrt(1.0 + v)),
    }
)

# The trapezoid rule: the integrands have poles near the axis (pi / sd away for the logit, 1 / sd for the cauchit),
# which slow Gauss-Hermite down; its error is exp(-2 pi distance / step).
_STEP, _END = 0.025, 8.0
_NODES = np.arange(-_END, _END + _STEP / 2, _STEP)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False, repr=False)
class Attenuation(NotedTable):
    """Conditional coefficients and the marginal ones that they imply.

    Attributes
    ----------
    frame : DataFrame
        By coefficient: ``conditional``, ``marginal``, ``ratio`` (marginal / conditional) and ``approximation``, which
        for the logit is conditional / sqrt(1 + 0.346 v) and nan for other links.
    notes : tuple of str
        How ``marginal`` is defined here.
    """


def attenuation(fit: Any) -> Attenuation:
    """Return the coefficients of the population's average that a conditional fit implies.

    Parameters
    ----------
    fit : Fit
        A classical fit with standard deviations of group effects.

    Returns
    -------
    Attenuation
        Table and notes.

    Raises
    ------
    SpecificationError
        Something else than a fit, one without such standard deviations, or without coefficients.
    FitError
        The marginal coefficients could not be found.

    Notes
    -----
    A row's marginal mean is E[g^-1(x'beta + offset + z'u)] over u ~ N(0, G), the variance of z'u being z'G z, row by
    row. The marginal coefficients are those of the model g(mean) = x'beta + offset nearest to these means in the sense
    of Kullback and Leibler over the rows: the limit of the estimating equations with independence (for the canonical
    link, X'(means - fitted) = 0). Where the marginal model has the same link they are exact: the same for the identity;
    for the log, with a random intercept of variance s^2, the intercept moves by s^2/2 and slopes stay; for the probit
    all are divided by sqrt(1 + s^2) (without an offset). For the logit no marginal model is logistic, and the
    coefficients depend, a little, on which rows there are (Zeger, Liang & Albert 1988, Biometrics 44:1049).
    """
    model = ConditionalModel.of(fit, "attenuation")
    design = model.design
    if design.auxiliary is not None:
        raise SpecificationError(
            f"attenuation() knows means that depend on the linear predictor alone, and responses of this "
            f"{design.spec.family} model depend on {', '.join(design.family_names)} as well."
        )
    if not design.coefficients:
        raise SpecificationError("attenuation() compares coefficients, and this model has none; add an intercept.")
    v = model.row_variances()
    link = design.family_link.link
    means = _marginal_means(link, model.fixed, v)
    expected = np.ascontiguousarray(design.family.mean_of(means, design.size), dtype=np.float64)
    kernels = compile_rows(_linear_in_response(design).row)
    rows = GLMRows(kernels, design.X, expected, design.size, design.weights, design.offset, model.phi)
    found = climb(rows, model.beta)
    if not found.converged or not np.isfinite(found.point.x).all():
        raise FitError(
            "the marginal coefficients could not be found: the marginal means are at the edge of what they can be. "
            "Look for coefficients or standard deviations that run to infinity (separation)."
        )
    beta = model.beta
    ratio = np.divide(found.point.x, beta, out=np.full_like(beta, np.nan), where=beta != 0.0)
    logit = np.full_like(beta, np.nan) if link.name != "logit" else beta / np.sqrt(1.0 + LOGISTIC * v.mean())
    columns = {"conditional": beta, "marginal": found.point.x, "ratio": ratio, "approximation": logit}
    index = pd.Index(design.coefficients, name="name", dtype="str")
    fitted = link.inverse(design.offset + design.X @ found.point.x)
    exact = bool(np.allclose(fitted, means, rtol=1e-8, atol=1e-12))
    return Attenuation(pd.DataFrame(columns, index=index), _notes(link, v, exact))


def _linear_in_response(design: Design) -> FamilyLink:
    """Return the link of a family with this mean whose score takes a response and its expectation alike."""
    rule = design.family.phi
    return get_family(rule.mean_family).links[design.spec.link] if rule and rule.mean_family else design.family_link


def _marginal_means(link: Link, eta: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return E[g^-1(eta + u)], u ~ N(0, v), shape (n,)."""
    if link.name in _CLOSED:
        return np.asarray(_CLOSED[link.name](eta, v))
    means = np.empty_like(eta)
    for start in range(0, len(eta), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        means[part] = link.inverse(eta[part, None] + np.sqrt(v[part, None]) * _NODES) @ _WEIGHTS
    return means


def _notes(link: Link, v: np.ndarray, exact: bool) -> tuple[str, ...]:
    constant = bool(np.ptp(v) <= 1e-12 * v.max(initial=0.0))
    spread = f"{v[0]:.4g}" if constant else f"{v.min():.4g} to {v.max():.4g}, by row"
    how = (
        f"The marginal means follow a model with the same link ({link.name}): its coefficients are exact."
        if exact
        else f"The marginal means follow no model with the link {link.name} exactly: marginal is the nearest one over "
        "these rows, the limit of the estimating equations with independence."
    )
    notes = [how, f"The group effects' variance on the linear predictor is {spread}."]
    if link.name == "logit":
        notes.append("approximation: conditional / sqrt(1 + 0.346 v) with v the mean of that variance.")
    return tuple(notes)
