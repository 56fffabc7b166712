"""Linear combinations of coefficients, given by name."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm.errors import SpecificationError, nearest

__all__ = ["Combinations", "Given"]

#: A coefficient's name, a combination {name: multiplier}, or several of either.
type Given = str | Mapping[str, float] | Sequence[str | Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Combinations:
    """k linear combinations L beta of p coefficients.

    Attributes
    ----------
    labels : tuple of str
        How each is written: ``cross[RR] - cross[WR]``.
    matrix : ndarray, shape (k, p)
        L.
    """

    labels: tuple[str, ...]
    matrix: np.ndarray

    @classmethod
    def of(cls, given: Given, coefficients: Sequence[str]) -> Combinations:
        """Read combinations of ``coefficients`` (p names).

        Raises
        ------
        SpecificationError
            An unknown name, a multiplier that is not a finite number, nothing at all.
        """
        several = [given] if isinstance(given, str | Mapping) else list(_sequence(given))
        if not several:
            raise SpecificationError(
                'no contrast was given; name coefficients, or give a mapping such as {"cross[RR]": 1, "cross[WR]": -1}.'
            )
        mappings = [_mapping(one) for one in several]
        matrix = np.array([_row(one, coefficients) for one in mappings])
        return cls(tuple(_label(one) for one in mappings), matrix)

    @classmethod
    def each(cls, coefficients: Sequence[str]) -> Combinations:
        """Return every coefficient by itself."""
        return cls(tuple(coefficients), np.eye(len(coefficients)))


def _sequence(given: Any) -> Sequence[Any]:
    if isinstance(given, Sequence):
        return given
    raise SpecificationError(
        f"contrasts are given as names or mappings of names to numbers, not as {type(given).__name__}; "
        'for instance {"cross[RR]": 1, "cross[WR]": -1}.'
    )


def _mapping(one: Any) -> Mapping[str, float]:
    if isinstance(one, str):
        return {one: 1.0}
    if isinstance(one, Mapping):
        return one
    raise SpecificationError(
        f"a contrast is a coefficient's name or a mapping of names to numbers, not {one!r}; "
        'for instance {"cross[RR]": 1, "cross[WR]": -1}.'
    )


def _row(mapping: Mapping[str, Any], coefficients: Sequence[str]) -> np.ndarray:
    row = np.zeros(len(coefficients))
    for name, multiplier in mapping.items():
        if name not in coefficients:
            raise SpecificationError(
                f"{name!r} is not a coefficient of this fit.{nearest(str(name), coefficients)} "
                f"Coefficients: {', '.join(coefficients)}."
            )
        number = isinstance(multiplier, numbers.Real) and not isinstance(multiplier, bool)
        if not number or not np.isfinite(float(multiplier)):
            raise SpecificationError(f"the multiplier of {name!r} is {multiplier!r}; give a finite number.")
        row[list(coefficients).index(name)] = float(multiplier)
    if not row.any():
        raise SpecificationError(f"the contrast {dict(mapping)!r} multiplies every coefficient by 0; nothing is left.")
    return row


def _label(mapping: Mapping[str, float]) -> str:
    words = ""
    for name, multiplier in mapping.items():
        if multiplier == 0:
            continue
        sign = "-" if multiplier < 0 else "+" if words else ""
        size = "" if abs(multiplier) == 1 else f"{abs(float(multiplier)):g} "
        words += f" {sign} {size}{name}" if words else f"{sign}{size}{name}"
    return words
