"""Figures from the literature as a result among results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm.schema import tidy_frame

__all__ = ["Published"]


@dataclass(frozen=True)
class Published:
    """Figures from the literature as a column of their own.

    Attributes
    ----------
    method, reference : str
        How they were obtained, and where they are printed.
    estimates : mapping of str to float
        By parameter name.
    estimand : str
        Conditional or marginal.
    """

    method: str
    reference: str
    estimates: Mapping[str, float]
    estimand: str = "conditional"

    @property
    def heading(self) -> str:
        """The method without what stands in brackets after it."""
        return self.method.split(" (")[0]

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:  # noqa: ARG002
        """Return the printed estimates; nothing is known of their spread."""
        unknown = [np.nan] * len(self.estimates)
        return tidy_frame(
            terms=[_term_of(name) for name in self.estimates],
            names=list(self.estimates),
            estimates=[float(v) for v in self.estimates.values()],
            std_errors=unknown,
            lower=unknown,
            upper=unknown,
            level=level,
            method=self.method,
            estimand=self.estimand,
        )


def _term_of(name: str) -> str:
    for term in ("sd", "cor"):
        if name.startswith(f"{term}("):
            return term
    return "family" if name in ("sigma", "phi") else "fixed"
