"""Figures from the literature as a result among results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.errors import nearest
from bayesglmm.residual import structure_of
from bayesglmm.schema import tidy_frame

__all__ = ["Published", "misnamed"]


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
    # Of which model and data they are is not known here.
    formula: ClassVar[str] = ""
    beside: ClassVar[Mapping[str, str]] = MappingProxyType({})
    family: ClassVar[str] = ""
    fingerprint: ClassVar[str] = ""

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


def misnamed(columns: Sequence[Published], design: Design) -> Iterator[str]:
    """Yield a sentence for every name in ``columns`` that no parameter of the model has."""
    names = list(design.coefficients)
    names += [name for group in design.groups for name in group.sd_names()]
    names += [name for group in design.groups for name in group.cor_names()]
    names += design.family_names
    names += structure_of(design.residual).names(design.residual) if design.residual is not None else ()
    for column in columns:
        for name in column.estimates:
            if name not in names:
                hint = nearest(name, names) or f" Parameters: {', '.join(names)}."
                yield f"published, {column.method}: {name!r} is no parameter of this model.{hint}"


def _term_of(name: str) -> str:
    for term in ("sd", "cor"):
        if name.startswith(f"{term}("):
            return term
    return "family" if name in ("sigma", "phi") else "fixed"
