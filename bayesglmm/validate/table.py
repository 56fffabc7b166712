"""The columns that a model uses, and which of them can be worked with while problems are being collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns under examination.

    Attributes
    ----------
    frame : DataFrame
        The columns that were found, without a copy of their values.
    missing : dict of str to ndarray of bool, each shape (n,)
        Where a column has missing values; columns without any are left out.
    unsound : frozenset of str
        Columns whose values cannot be computed with.
    """

    frame: pd.DataFrame
    missing: dict[str, np.ndarray]
    unsound: frozenset[str] = frozenset()

    def without(self, names: Iterable[str]) -> Table:
        """Return the same columns with more of them known to be unsound."""
        return Table(self.frame, self.missing, self.unsound | frozenset(names))

    def sound(self, names: Iterable[str]) -> bool:
        """Whether all these columns are there and can be computed with, in one row at least."""
        names = tuple(names)
        known = all(name in self.frame.columns and name not in self.unsound for name in names)
        return known and bool(self.present(names).any())

    def present(self, names: Iterable[str]) -> np.ndarray:
        """Return where none of these columns has a missing value, shape (n,)."""
        present = np.ones(len(self.frame), dtype=bool)
        for name in names:
            if name in self.missing:
                present &= ~self.missing[name]
        return present

    def complete(self, names: Iterable[str]) -> pd.DataFrame:
        """Return the rows without a missing value in these columns; without a copy if that is all."""
        present = self.present(names)
        return self.frame if present.all() else self.frame.loc[present]
