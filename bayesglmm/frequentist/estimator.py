"""What a classical method is: an estimator with its options, and the estimator laid out for one design."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from bayesglmm.design import Design
from bayesglmm.frequentist.fit import Fit

__all__ = ["Estimator", "Prepared"]


class Prepared(Protocol):
    """An estimator that has laid out what does not change from one response to another."""

    @property
    def design(self) -> Design:
        """Data."""
        ...

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Estimate, from ``start`` (k,) in the working parameters (beta, theta, log phi) if it is given."""
        ...

    def with_response(self, y: np.ndarray) -> Prepared:
        """Return the same for another response y (n,)."""
        ...


class Estimator(Protocol):
    """A classical method. Each is a frozen dataclass whose fields are its options, checked when it is made."""

    method: ClassVar[str]

    def prepare(self, design: Design) -> Prepared:
        """Lay the method out for a design; FitError or SpecificationError where it does not apply."""
        ...
