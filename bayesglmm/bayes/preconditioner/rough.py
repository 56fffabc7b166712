"""What rows say of group effects before anything is fitted: the information at the start."""

from __future__ import annotations

import numpy as np

from bayesglmm.bayes.start import start_box
from bayesglmm.covariance import AUTOREGRESSIVE
from bayesglmm.density import Centring, JointDensity
from bayesglmm.density.nesting import Nesting
from bayesglmm.engine.row_kernels import row_kernels

__all__ = ["rough_centring", "rough_information"]


def rough_information(density: JointDensity) -> np.ndarray:
    """Return the expected information of each row along eta where chains would start without group effects, (n,)."""
    design = density.design
    center, _ = start_box(density)
    natural = density.natural(center)
    eta = design.offset + design.X @ natural.beta
    if design.auxiliary is not None:
        return _observed(density, eta, natural.family[: len(design.family_names)])
    phi = float(natural.family[0]) if len(natural.family) else 1.0
    information = design.weights * design.family_link.information(eta, design.size, phi)
    return np.where(np.isfinite(information), information, 0.0)


def _observed(density: JointDensity, eta: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return the observed information of each row, where it is not negative: no expectation is known."""
    design = density.design
    assert design.auxiliary is not None
    kernels = row_kernels(design)
    table = np.empty((kernels.height, design.n_rows))
    known = design.auxiliary.known(design.size, design.auxiliary.working(family))
    kernels.derivatives(design.y, known, design.weights, eta, 1.0, table)
    return np.where(np.isfinite(table[2]), np.maximum(-table[2], 0.0), 0.0)


def rough_centring(density: JointDensity, information: np.ndarray) -> Centring:
    """Return a partial centring from the rows' rough ``information``, effects centred at 0."""
    blocks = [np.zeros(0)]
    for group in density.design.groups:
        columns = group.columns()
        if group.structure.relationship is not None:
            blocks.append(np.zeros(group.n_levels))
            continue
        if group.structure.keyword == AUTOREGRESSIVE.keyword:
            C = [[np.bincount(group.codes, information * a * a, minlength=group.n_levels)] for a in columns]
            blocks.append(np.ascontiguousarray(np.array(C).transpose(2, 0, 1)).ravel())
            continue
        C = [
            [np.bincount(group.codes, information * a * b, minlength=group.n_levels) for a in columns] for b in columns
        ]
        blocks.append(np.ascontiguousarray(np.array(C).transpose(2, 0, 1)).ravel())
    none = Centring.none(density.layout)
    return Centring(np.concatenate(blocks), np.zeros(density.layout.n_effects), Nesting.none(), none.beside)
