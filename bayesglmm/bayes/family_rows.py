"""Rows of a family at draws of its parameters: their log densities, and replicated responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayesglmm.auxiliary import Auxiliary, AuxiliaryPredictor
from bayesglmm.bayes.record import ModelRecord, prior_of
from bayesglmm.families import Family, FamilyLink, compile_rows, get_family
from bayesglmm.families.extended import adapted_row, compile_extended_rows, extended_row
from bayesglmm.families.parts import FamilyPart

__all__ = ["AUXILIARY", "FamilyRows", "sigmas_of", "simulated"]

#: Variables of the tree that hold the columns of a and b.
AUXILIARY = ("auxiliary_a", "auxiliary_b")


@dataclass(frozen=True, eq=False)
class FamilyRows:
    """The rows of a saved posterior.

    Attributes
    ----------
    family : Family
        The family's record.
    link : FamilyLink
        Its link.
    size, weights : ndarray, shape (n,)
        As in `Design`.
    auxiliary : Auxiliary or None
        Auxiliary predictors.
    """

    family: Family
    link: FamilyLink
    size: np.ndarray
    weights: np.ndarray
    auxiliary: Auxiliary | None

    @classmethod
    def of(cls, record: ModelRecord, data: xr.Dataset) -> FamilyRows:
        """Read the rows of a posterior's ``constant_data``."""
        family = get_family(record.family)
        auxiliary = _auxiliary_of(record, data)
        return cls(family, family.links[record.link], data["size"].values, data["weights"].values, auxiliary)

    def log_densities(self, y: np.ndarray, eta: np.ndarray, family: np.ndarray) -> np.ndarray:
        """Return the weighted log density of every row, shape (draws, n), at eta (draws, n) and family (draws, K)."""
        constants = self.weights * self.family.log_constant(y, self.size)
        values = np.empty(eta.shape)
        if self.auxiliary is None:
            kernels = compile_rows(self.link.row)
        else:
            kernels = compile_extended_rows(self.link.row, adapted_row if self.auxiliary.adapted else extended_row)
        out = np.empty((kernels.height, len(y)))
        for k, predictor in enumerate(eta):
            known, phi = self.size, float(family[k, 0]) if family.shape[1] else 1.0
            if self.auxiliary is not None:
                known, phi = self.auxiliary.known(self.size, self.auxiliary.working(family[k])), 1.0
            kernels.derivatives(y, known, self.weights, np.ascontiguousarray(predictor), phi, out)
            values[k] = out[0] + constants
        return values

    def sigmas(self, family: np.ndarray) -> np.ndarray:
        """Return the standard deviation of gaussian residuals at family (draws, K), shape (draws, 1) or (draws, n)."""
        return sigmas_of(self.auxiliary, family)

    def simulate(self, rng: np.random.Generator, eta: np.ndarray, family: np.ndarray) -> np.ndarray:
        """Return one response a row and draw, shape (draws, n)."""
        return simulated(rng, self.family, self.link, self.auxiliary, eta, self.size, family)


def sigmas_of(auxiliary: Auxiliary | None, family: np.ndarray) -> np.ndarray:
    """Return the standard deviation of gaussian residuals at family (draws, K), shape (draws, 1) or (draws, n)."""
    return family[:, :1] if auxiliary is None else auxiliary.simulation(auxiliary.working(family))[0]


def simulated(
    rng: np.random.Generator,
    family: Family,
    link: FamilyLink,
    auxiliary: Auxiliary | None,
    eta: np.ndarray,
    size: np.ndarray,
    scalars: np.ndarray,
) -> np.ndarray:
    """Return responses at eta (draws, n) and natural family scalars (draws, K), shape (draws, n)."""
    if auxiliary is not None:
        given = auxiliary.simulation(auxiliary.working(scalars))
    else:
        given = (scalars[:, :1] if scalars.shape[1] else np.ones((len(eta), 1)),)
    draw = family.simulate if link.simulate is None else link.simulate
    return np.asarray(draw(rng, link.link.inverse(eta), size, *given), dtype=np.float64)


def _auxiliary_of(record: ModelRecord, data: xr.Dataset) -> Auxiliary | None:
    if record.auxiliary is None:
        return None
    parts = tuple(
        FamilyPart(
            p.name, p.kind, (0.0,) * len(p.names), tuple(map(prior_of, p.priors)), None if p.dim is None else p.names
        )
        for p in record.family_parts
    )
    n = data.sizes["row"]
    first, second = (
        AuxiliaryPredictor(
            np.ascontiguousarray(data[name].values.T) if name in data else np.empty((0, n)),
            start,
            data[f"{name}_offset"].values,
        )
        for name, start in zip(AUXILIARY, record.auxiliary.starts, strict=True)
    )
    return Auxiliary(parts, (first, second), record.auxiliary.forms, record.auxiliary.adapted)
