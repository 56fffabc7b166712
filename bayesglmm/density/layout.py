"""Where each parameter lives in the unconstrained vector x, and the integer table of group terms that kernels read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesglmm.density.known_precision import precision_rows
from bayesglmm.design import Design

__all__ = ["COR", "GAPS", "HAS_INTERCEPT", "LEVELS", "SD", "SDS", "SLOPE", "STRUCTURE", "Layout", "Q", "Z"]

#: Columns of ``Layout.terms``; distances between neighbouring effects stand in ``GAPS`` and after it.
STRUCTURE, Q, LEVELS, HAS_INTERCEPT, SLOPE, SD, COR, Z, SDS, GAPS = range(10)


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions in x = [coefficients | standard deviations | family scalars | correlations | z].

    Attributes
    ----------
    n_coefficients, n_sds, n_family, n_correlations, n_effects : int
        Length of each part. Behind the family's scalars stand the correlation coordinates of a residual structure,
        which the pass over the rows takes with them. ``z`` holds the standardised group effects: term after term, level
        after level.
    terms : ndarray of int64, shape (n_terms, 9 + widest)
        For each group term: structure code, effects q, levels J, whether the first effect is an intercept, first row in
        the stacked slope columns, the positions in x of its first sd, first correlation coordinate and first z, the
        number of its sds, and the distances between neighbouring effects.
    cells : ndarray of int64, shape (n_terms, 9 + widest)
        The same as rows see it: a term whose rows touch one effect of their level each has as many scalar levels.
    precision : tuple of ndarray
        Rows of A^-1 of all terms with a known covariance (see `known_precision`).
    """

    n_coefficients: int
    n_sds: int
    n_family: int
    n_correlations: int
    n_effects: int
    terms: np.ndarray
    cells: np.ndarray
    precision: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, design: Design) -> Layout:
        """Lay out the parameters of ``design``."""
        p = len(design.coefficients)
        n_sds = sum(g.n_sds for g in design.groups)
        n_family = len(design.family_names) + design.n_residual
        n_correlations = sum(g.n_correlations for g in design.groups)
        widest = max((g.n_effects for g in design.groups), default=1)
        terms = np.zeros((len(design.groups), GAPS + widest), dtype=np.int64)
        cells = np.zeros_like(terms)
        slope, sd, cor = 0, p, p + n_sds + n_family
        z, row = cor + n_correlations, 0
        for t, g in enumerate(design.groups):
            q = g.n_effects
            _, columns, touched = g.cells
            terms[t, :GAPS] = (g.structure.code, q, g.n_levels, g.has_intercept, slope, sd, cor, z, g.n_sds)
            terms[t, GAPS : GAPS + q - 1] = g.structure.gaps or 1
            if g.structure.relationship is not None:
                terms[t, GAPS] = row
                row += g.n_levels + 1
            cells[t] = terms[t]
            cells[t, [Q, LEVELS]] = touched, g.size // touched
            cells[t, HAS_INTERCEPT] = touched > len(columns)
            slope, sd, cor, z = slope + len(columns), sd + g.n_sds, cor + g.n_correlations, z + g.size
        return cls(p, n_sds, n_family, n_correlations, design.n_effects, terms, cells, precision_rows(design))

    @property
    def n_scalars(self) -> int:
        """Coefficients, standard deviations and family scalars: the parameters with a prior of their own."""
        return self.n_coefficients + self.n_sds + self.n_family

    @property
    def size(self) -> int:
        """Length of x."""
        return self.n_scalars + self.n_correlations + self.n_effects

    @property
    def family(self) -> slice:
        """Positions of the family scalars, in the order of `Design.family_parts`."""
        return slice(self.n_coefficients + self.n_sds, self.n_scalars)

    def sds(self, term: int) -> slice:
        """Positions of the standard deviations of a group term."""
        start = int(self.terms[term, SD])
        return slice(start, start + int(self.terms[term, SDS]))

    def correlations(self, term: int) -> slice:
        """Positions of the correlation coordinates of a group term."""
        start = int(self.terms[term, COR])
        stop = int(self.terms[term + 1, COR]) if term + 1 < len(self.terms) else self.n_scalars + self.n_correlations
        return slice(start, stop)

    def z(self, term: int) -> slice:
        """Positions of the standardised effects of a group term, (J, q) in C order."""
        start = int(self.terms[term, Z])
        return slice(start, start + int(self.terms[term, LEVELS] * self.terms[term, Q]))
