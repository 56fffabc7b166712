"""What a family is: a frozen record of functions, one for each thing that the package asks of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.families.parts import Predictor

__all__ = [
    "Array",
    "Dispersion",
    "Encoded",
    "Family",
    "FamilyLink",
    "Graph",
    "Information",
    "Link",
    "Row",
    "RowValues",
    "Violation",
]

type Array = np.ndarray[Any, np.dtype[np.float64]]
type RowValues = tuple[float, float, float, float, float, float, float]
type Row = Callable[[float, float, float, float], RowValues]
type Graph = Callable[..., Any]
type Information = Callable[[Array, Array, float], Array]


@dataclass(frozen=True)
class Link:
    r"""A link function g, eta = g(mu), and its inverse.

    Attributes
    ----------
    name : str
        The word that a specification uses.
    forward : callable
        ``mu -> eta``, elementwise on arrays; mu at the edge of its range gives an infinity without a
        warning.
    inverse : callable
        ``eta -> mu``, elementwise on arrays; accurate in both tails, no overflow warnings.
    latex : str
        g(mu) in LaTeX with one ``%s`` in the place of mu: ``link.latex % r"\mu_i"``.
    """

    name: str
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    latex: str


@dataclass(frozen=True)
class FamilyLink:
    """A family seen through one link: its density along the linear predictor, and its PyMC form.

    Attributes
    ----------
    link : Link
        The link.
    row : callable
        An extended row (`extended`) where the family has predictors; else
        ``row(y, size, eta, phi) -> (l, d1, d2, d3, lp, d1p, d2p)``, a scalar function for compiled loops
        (see `rows.compile_rows`; not every one runs as Python). ``l`` is the log density (natural logarithm)
        of one row without the terms that depend on y and size alone (those are `Family.log_constant`); ``d1``,
        ``d2``, ``d3`` are its derivatives in eta; ``lp``, ``d1p``, ``d2p`` those of ``l``, ``d1``, ``d2`` in
        log(phi), 0 where a family has no dispersion.
    graph : callable
        ``graph(pm, pt, name, eta, size, phi, observed, dims)`` adds the observed variable to the PyMC model
        in context and returns it; ``pm`` and ``pt`` are the modules ``pymc`` and ``pytensor.tensor``, so
        that a family imports neither.
    code : str
        Python source of the same statements over the names ``pm``, ``pt``, ``eta``, ``size``, ``phi`` and
        ``observed``. The variable is called ``"y"``, and ``observed=observed`` is its last argument.
    information : callable
        ``information(eta, size, phi) -> ndarray (n,)``: expected information of each row along eta, the mean of
        ``-d2`` over the family's distribution at eta; not weighted, never negative, 0 where it underflows.
    linear : bool
        Whether ``l`` is a parabola in eta with its top at y, of curvature 1 / (phi size)^2: what mixed model
        equations and REML are for.
    simulate : callable or None
        Stands in for `Family.simulate` where responses depend on the link in another way than through mu.
    """

    link: Link
    row: Callable[..., Any]
    graph: Graph
    code: str
    information: Information
    linear: bool = False
    simulate: Callable[..., Array] | None = None


@dataclass(frozen=True)
class Encoded:
    """A response column as numbers.

    Attributes
    ----------
    values : ndarray, shape (n,)
        The response; a missing value is nan.
    labels : tuple of str or None
        For a column of labels, what was coded as 0, as 1, ...
    """

    values: Array
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Violation:
    """Rows whose response (or size) lies outside a family's support.

    Attributes
    ----------
    mask : ndarray of bool, shape (n,)
        True at the offending rows; never at a missing value.
    words : str
        What is wrong with them, to follow "2 of 60 values": ``"below 0"``.
    """

    mask: np.ndarray
    words: str


@dataclass(frozen=True)
class Dispersion:
    """What the package asks of a family's dispersion parameter phi.

    Attributes
    ----------
    prior : callable
        ``prior(scale) -> (name, params)``: its default prior, for a linear predictor that varies by ``scale``.
    start : callable
        ``start(scale) -> float``: where a search begins.
    residual_sd : bool
        Whether phi is the standard deviation of rows about a linear predictor with the identity link: then it cannot be
        told from effects with a level for every row, and least squares estimates it.
    power : float
        k where the variance of a row is in proportion to phi^k, as quasi-likelihood needs; 0 where it is not.
    exact_at : float
        0 or infinity, the phi at which rows have no variance left; nan where chance remains at any phi.
    limit : str
        What phi growing without bound says, a sentence without its subject: ``"the data show no ..."``; empty where
        rows have no variance left there.
    mean_family : str
        A family with the same mean and links whose score is linear in the response; empty where this one's is.
    """

    prior: Callable[[float], tuple[str, Mapping[str, float]]]
    start: Callable[[float], float]
    residual_sd: bool = False
    power: float = 0.0
    exact_at: float = math.nan
    limit: str = ""
    mean_family: str = ""


@dataclass(frozen=True)
class Family:
    """A response distribution.

    Throughout, ``size`` is a row's known size: the number of trials (binomial), the known standard error that
    multiplies sigma (gaussian, 1 without one), and 1 elsewhere; ``phi`` is the dispersion parameter on its
    own scale (sigma for gaussian), ignored by families without one.

    Attributes
    ----------
    name : str
        The word that a specification uses.
    links : mapping of str to FamilyLink
        The links that the family can be used with.
    default_link : str
        The one taken when none is named.
    dispersion : str or None
        Name of the dispersion parameter, None without one.
    size : {"trials", "se"} or None
        What a formula may say of a row's size: ``y | trials(n)``, ``y | se(s)``, or nothing.
    needs : str
        What the response must be, in short words: ``"counts >= 0"``.
    remedy : str
        A sentence on what to do with a response that is not.
    latex : str
        The distribution of a row in LaTeX, in mu_i, n_i and the dispersion.
    laplace_caveat : str
        A sentence on what Laplace's method does to variance components with such rows; empty where it is exact or good.
    encode : callable
        ``encode(column: pd.Series) -> Encoded``; raises DataError for a column that cannot be read
        as a response.
    violations : callable
        ``violations(y, size) -> tuple[Violation, ...]``, only those that occur.
    log_constant : callable
        ``log_constant(y, size) -> ndarray (n,)``: the terms of the log density that `FamilyLink.row`
        leaves out.
    simulate : callable
        ``simulate(rng, mu, size, phi) -> ndarray``: independent responses with inverse link mu; arguments
        broadcast.
    mean_of : callable
        ``mean_of(mu, size) -> ndarray``: expected response.
    location : callable
        ``location(y, size, link) -> float``: about where eta lies, for the link called ``link``.
    scale : callable
        ``scale(y, size, link) -> float``: by how much eta can be expected to vary, positive.
    latex_se : str
        The distribution of a row whose standard error is known, ``%s`` in its place; empty for families without.
    phi : Dispersion or None
        What else there is to know of the dispersion parameter; None without one.
    predictors : tuple of Predictor
        Auxiliary predictors a and b of a family whose rows are extended ones (`extended`); then, in the place of phi,
        ``simulate(rng, mu, size, first, second)`` and the links' ``graph`` take what each predictor stands for: the
        scalar (or its value row by row), the linear predictor of a formula, the cutpoints.
    """

    name: str
    links: Mapping[str, FamilyLink]
    default_link: str
    dispersion: str | None
    size: str | None
    needs: str
    remedy: str
    latex: str
    laplace_caveat: str
    encode: Callable[[pd.Series], Encoded]
    violations: Callable[[Array, Array], tuple[Violation, ...]]
    log_constant: Callable[[Array, Array], Array]
    simulate: Callable[..., Array]
    mean_of: Callable[[Array, Array], Array]
    location: Callable[[Array, Array, str], float]
    scale: Callable[[Array, Array, str], float]
    latex_se: str = ""
    phi: Dispersion | None = None
    predictors: tuple[Predictor, ...] = ()
