"""Simulation from the prior: parameters, group effects and responses."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayesglmm.bayes.tree import dimensions_of
from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.errors import SpecificationError
from bayesglmm.naming import Names
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.registry import DISTRIBUTIONS
from bayesglmm.pymc_model import block_distribution, coords_of

__all__ = ["simulate_prior"]

_POWERS = {"sd": 1.0, "variance": 0.5, "precision": -0.5}


def simulate_prior(design: Design, parameters: Parameters, draws: int, seed: int | None) -> xr.DataTree:
    """Return ``prior``, ``prior_predictive`` and ``observed_data``; one chain of ``draws`` draws."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise SpecificationError(f"draws={draws!r} is not a whole number of at least 1; give one.")
    rng = np.random.default_rng(secrets.randbelow(2**31) if seed is None else seed)
    names, coords = Names.of(design), coords_of(design, Names.of(design))
    values: dict[str, np.ndarray] = {}
    beta = _draw_all(rng, parameters.coefficients, draws)
    if parameters.centered:
        beta[:, 0] -= beta[:, 1:] @ parameters.center[1:]
    if design.coefficients:
        values["beta"] = beta
    effects = []
    for t, (group, called) in enumerate(zip(design.groups, names.groups, strict=True)):
        q = group.n_effects
        sd = _draw_scales(rng, parameters.sds[t], draws)
        cor = np.broadcast_to(np.eye(q), (draws, q, q))
        prior = parameters.cors[t]
        if prior is not None:
            cor = DISTRIBUTIONS[prior.dist].draw(rng, prior.params, (draws, q, q))
            values[called.cor] = cor
        factor = sd[:, :, None] * np.linalg.cholesky(cor)
        u = np.einsum("dik,djk->dji", factor, rng.standard_normal((draws, group.n_levels, q)))
        values[called.sd] = sd[:, 0] if q == 1 else sd
        values[called.u] = u[..., 0] if q == 1 else u
        effects.append(u.reshape(draws, -1))
    phi = np.ones(draws)
    if design.dispersion is not None and parameters.dispersion is not None:
        phi = _draw_scales(rng, [parameters.dispersion], draws)[:, 0]
        values[design.dispersion] = phi
    replicated = _responses(rng, design, beta, np.concatenate(effects, axis=1) if effects else None, phi)

    dims = dimensions_of(design, names)
    prior_draws = {name: (("chain", "draw", *dims.get(name, ())), v[None]) for name, v in values.items()}
    used = {d for named, _ in prior_draws.values() for d in named} & set(coords)
    index = {"chain": [0], "draw": np.arange(draws)}
    rows = {"row": coords["row"]}
    return xr.DataTree.from_dict(
        {
            "prior": xr.Dataset(prior_draws, coords={**index, **{d: coords[d] for d in used}}),
            "prior_predictive": xr.Dataset(
                {names.response: (("chain", "draw", "row"), replicated[None])}, coords={**index, **rows}
            ),
            "observed_data": xr.Dataset({names.response: (("row",), design.y)}, coords=rows),
        }
    )


def _draw_all(rng: np.random.Generator, priors: Sequence[Prior], draws: int) -> np.ndarray:
    """Return independent draws of coefficients, shape (draws, p)."""
    columns = [block_distribution(p, "coefficient").draw(rng, p.params, draws) for p in priors]
    return np.column_stack(columns) if columns else np.empty((draws, 0))


def _draw_scales(rng: np.random.Generator, priors: Sequence[Prior], draws: int) -> np.ndarray:
    """Return independent draws of standard deviations, shape (draws, q), whatever their priors are on."""
    columns = [block_distribution(p, "scale").draw(rng, p.params, draws) ** _POWERS[p.on] for p in priors]
    return np.column_stack(columns)


def _responses(
    rng: np.random.Generator, design: Design, beta: np.ndarray, u: np.ndarray | None, phi: np.ndarray
) -> np.ndarray:
    columns = EffectColumns.of(design)
    inverse = design.family_link.link.inverse
    replicated = np.empty((len(beta), design.n_rows))
    for d in range(len(beta)):
        eta = design.offset + design.X @ beta[d] + (0.0 if u is None else columns.times(u[d]))
        replicated[d] = design.family.simulate(rng, inverse(eta), design.size, phi[d])
    return replicated
