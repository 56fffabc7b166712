"""Which rows lie outside a family's support."""

from __future__ import annotations

import numpy as np

from bayesglmm.families.record import Array, Violation

__all__ = ["not_whole", "occurring"]


def not_whole(values: Array) -> np.ndarray:
    """Return where finite values are not whole numbers, shape of ``values``."""
    return np.isfinite(values) & (values != np.floor(values))


def occurring(*violations: Violation) -> tuple[Violation, ...]:
    """Keep the violations that have a row."""
    return tuple(violation for violation in violations if violation.mask.any())
