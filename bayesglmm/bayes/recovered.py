"""From the parameters that people read back to unconstrained draws: the inverse of `JointDensity.natural`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from bayesglmm.covariance.correlation import factor_of
from bayesglmm.density import JointDensity
from bayesglmm.naming import Names
from bayesglmm.priors.scalar import ScalarPrior
from bayesglmm.priors.transforms import INTERVAL, LOG, ON_CODES, ORDERED
from bayesglmm.residual import COR_VARIABLE
from bayesglmm.residual.draws import coordinate_draws

__all__ = ["recovered_points"]

#: Beyond this a logarithm or logit is so near the end of floating point that the effects' z cannot be had back.
_FARTHEST = 300.0
#: A correlation is stored to 16 digits, and the last entry of a row of L is a square root of 1 - rho^2: below this it
#: is known to fewer than four.
_NARROWEST = 1e-6


def recovered_points(density: JointDensity, draws: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return unconstrained draws x, shape (k, size), and which of them can be relied on, boolean shape (k,).

    Parameters
    ----------
    density : JointDensity
        In non-centred coordinates, standard deviations sampled by their logarithms.
    draws : mapping of str to ndarray
        The tree's variables at k draws, each (k, ...).
    """
    layout, design, scalars = density.layout, density.design, density.parameters.scalars
    k = len(next(iter(draws.values())))
    x = np.full((k, layout.size), np.nan)
    with np.errstate(all="ignore"):
        below = np.zeros(k)
        for position, (prior, value) in enumerate(zip(scalars, _scalars(density, draws).T, strict=True)):
            x[:, position] = np.log(value - below) if prior.transform == ORDERED else _coordinate(prior, value)
            below = value
        for t, (group, called) in enumerate(zip(design.groups, Names.of(design).groups, strict=True)):
            q = group.n_effects
            L = np.broadcast_to(np.eye(q), (k, q, q))
            if group.structure.lower is not None:
                low = group.structure.lower(q)
                share = logit((draws[called.cor] - low) / (1.0 - low))
                x[:, layout.correlations(t)] = share[:, None]
                L = np.array([factor_of(group.structure, s[None], q) for s in share])
            elif group.structure.correlated:
                L = _factors(draws[called.cor], q)
                x[:, layout.correlations(t)] = _plane(L)
            spherical = draws[called.u].reshape(k, group.n_levels, q) / draws[called.sd].reshape(k, 1, -1)
            x[:, layout.z(t)] = _solved(L, spherical).reshape(k, -1)
    curved = [position for position, prior in enumerate(scalars) if prior.transform in (LOG, INTERVAL, ORDERED)]
    return x, np.isfinite(x).all(axis=1) & (np.abs(x[:, curved]) < _FARTHEST).all(axis=1)


def _scalars(density: JointDensity, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return coefficients (the intercept where its prior holds), standard deviations, family scalars, (k, scalars)."""
    design, parameters = density.design, density.parameters
    k = len(next(iter(draws.values())))
    parts = []
    if design.coefficients:
        beta = draws["beta"].copy()
        beta[:, 0] += beta @ parameters.center  # the centre of the intercept itself is 0
        parts.append(beta)
    parts += [draws[called.sd].reshape(k, -1) for called in Names.of(design).groups]
    parts += [draws[part.name].reshape(k, part.size) for part in design.family_parts]
    if design.residual is not None:
        parts.append(coordinate_draws(design.residual, draws[COR_VARIABLE]))
    return np.concatenate([np.zeros((k, 0)), *parts], axis=1)


def _coordinate(prior: ScalarPrior, value: np.ndarray) -> np.ndarray:
    """Invert `priors.transforms.to_value` and `scale_of`."""
    if prior.on == ON_CODES["variance"]:
        value = value**2
    elif prior.on == ON_CODES["precision"]:
        value = value**-2.0
    if prior.transform == LOG:
        return np.log(value)
    if prior.transform == INTERVAL:
        return np.log(value - prior.lower) - np.log(prior.upper - value)
    return value


def _factors(cor: np.ndarray, q: int) -> np.ndarray:
    """Return the Cholesky factors (k, q, q) of correlations (k, pairs); nan where one is too near singular."""
    rows, columns = np.tril_indices(q, -1)
    R = np.broadcast_to(np.eye(q), (len(cor), q, q)).copy()
    R[:, rows, columns] = R[:, columns, rows] = cor
    L = np.full_like(R, np.nan)
    for found, matrix in zip(L, R, strict=True):
        try:
            factor = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            continue
        if np.diag(factor).min() > _NARROWEST:
            found[:] = factor
    return L


def _plane(L: np.ndarray) -> np.ndarray:
    """Return LKJ's coordinates (k, q (q - 1) / 2): each row of L where it meets the plane of last entry 1."""
    rows, columns = np.tril_indices(L.shape[1], -1)
    return L[:, rows, columns] / L[:, rows, rows]


def _solved(L: np.ndarray, spherical: np.ndarray) -> np.ndarray:
    """Return z with L z_j = u_j / sd, shape (k, J, q); nan where L or the quotient is not finite."""
    z = np.full_like(spherical, np.nan)
    for found, factor, right in zip(z, L, spherical, strict=True):
        if np.isfinite(factor).all() and np.isfinite(right).all():
            found[:] = np.linalg.solve(factor, right.T).T
    return z
