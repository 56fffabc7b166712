"""What a residual structure is: a record that design, classical fits, density and PyMC model read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bayesglmm.residual.rows import ResidualRows

__all__ = ["ResidualStructure", "Whitening"]


class Whitening(Protocol):
    """L^-1 with L L' = R at given correlation coordinates x, for rows in the order of `ResidualRows`."""

    @property
    def rows(self) -> ResidualRows:
        """Groups and times."""
        ...

    @property
    def log_determinant(self) -> float:
        """log|R|."""
        ...

    @property
    def correlations(self) -> np.ndarray:
        """The correlations that results name, shape (m,)."""
        ...

    @property
    def jacobian(self) -> np.ndarray:
        """Their derivatives in x, shape (m, c)."""
        ...

    @property
    def sds(self) -> np.ndarray:
        """Diagonal of L: standard deviation of each row given those before it, over sigma, shape (n,)."""
        ...

    def columns(self, e: np.ndarray) -> np.ndarray:
        """Return L^-1 e, shape (n, k) as e."""
        ...

    def times(self, w: np.ndarray) -> np.ndarray:
        """Return L w, shape (n, k) as w."""
        ...

    def pull_back(self, e: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the gradient in x of the sum of g times L^-1 e, both (n, k), shape (c,)."""
        ...

    def log_determinant_gradient(self) -> np.ndarray:
        """Return the gradient of log|R| in x, shape (c,)."""
        ...

    def matrix(self, group: int) -> np.ndarray:
        """Return R of one group, its rows in the order of their times."""
        ...


@dataclass(frozen=True)
class ResidualStructure:
    """A family of correlation matrices of the residuals of one group.

    Attributes
    ----------
    name : str
        As a specification says it: ``ar1``.
    code : int
        Word by which compiled kernels call it.
    words : str
        What it is, in the print-out.
    coordinates : callable
        rows -> number c of unconstrained correlation coordinates.
    lower : callable
        rows -> least value of its one correlation (`covariance.stretched`); -1 where there are several.
    between : callable
        rows -> what tells the innovations of two rows apart, gap or number of rows before, (n,); 0 for `us`.
    names : callable
        rows -> names of the correlations in results: ``cor(residual)``.
    whitening : callable
        (rows, x) -> `Whitening`.
    constant : callable
        (rows, eta) -> the part of the prior's log density that does not depend on x.
    latex : str
        Entry of R for rows i and k of one group.
    arrays : callable
        rows -> what the PyMC form reads of the data, by the names that ``code_lines`` uses.
    graph : callable
        (pm, pt, rows, eta, r) -> mean and standard deviation, over sigma, of each r = (y - eta) / sigma given the rows
        before it in its group, as PyMC variables in the order of the data. The modules are passed in.
    code_lines : callable
        (rows, eta) -> source lines that define the two as ``mean`` and ``s``.
    """

    name: str
    code: int
    words: str
    coordinates: Callable[[ResidualRows], int]
    lower: Callable[[ResidualRows], float]
    between: Callable[[ResidualRows], np.ndarray]
    names: Callable[[ResidualRows], tuple[str, ...]]
    whitening: Callable[[ResidualRows, np.ndarray], Whitening]
    constant: Callable[[ResidualRows, float], float]
    latex: str
    arrays: Callable[[ResidualRows], dict[str, np.ndarray]]
    graph: Callable[..., Any]
    code_lines: Callable[..., list[str]]
