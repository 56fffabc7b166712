"""Simulation from the prior: parameters, group effects and responses."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from scipy.special import logit

from bayesglmm.bayes.family_rows import sigmas_of, simulated
from bayesglmm.bayes.residual import residuals_at
from bayesglmm.bayes.settings import checked_seed, fresh_seed
from bayesglmm.bayes.tree import coordinates_of, dimensions_of, stored_values
from bayesglmm.covariance.correlation import factor_of
from bayesglmm.design import Design
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.errors import NotAvailableError, Problem, SpecificationError
from bayesglmm.naming import Names
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.registry import DISTRIBUTIONS
from bayesglmm.pymc_model import block_distribution
from bayesglmm.residual import COR_VARIABLE, ResidualRows, structure_of
from bayesglmm.residual.draws import coordinate_draws

__all__ = ["simulate_prior"]

#: Rounds in which draws that are out of order are drawn again.
_ROUNDS = 10_000
_POWERS = {"sd": 1.0, "variance": 0.5, "precision": -0.5}


def simulate_prior(design: Design, parameters: Parameters, draws: int, seed: int | None) -> xr.DataTree:
    """Return ``prior``, ``prior_predictive`` and ``observed_data``; one chain of ``draws`` draws.

    Raises
    ------
    SpecificationError
        A number of draws or a seed out of range.
    NotAvailableError
        A parameter has a flat prior.
    """
    if isinstance(draws, bool) or not isinstance(draws, numbers.Integral) or draws < 1:
        raise SpecificationError([Problem("draws", f"{draws!r} is not a whole number of at least 1; give one.")])
    seed = fresh_seed() if seed is None else checked_seed(seed)
    flat = list(_flat(design, parameters))
    if flat:
        raise NotAvailableError(
            f"nothing can be drawn from the flat prior of {', '.join(flat)}: it is not a probability distribution. "
            "Give a proper one, for instance Normal for a coefficient, HalfNormal for a standard deviation."
        )
    rng = np.random.default_rng(seed)
    values, u = _parameters(rng, design, parameters, int(draws))
    scalars = [values[part.name].reshape(int(draws), -1) for part in design.family_parts]
    family = np.concatenate([np.empty((int(draws), 0)), *scalars], axis=1)
    beta = values.get("beta", np.empty((int(draws), 0)))
    names = Names.of(design)
    coords = coordinates_of(design, names)
    dims = dimensions_of(design, names)
    stored = stored_values(design, names, values)
    prior_draws = {name: (("chain", "draw", *dims.get(name, ())), v[None]) for name, v in stored.items()}
    used = {d for named, _ in prior_draws.values() for d in named} & set(coords)
    index = {"chain": [0], "draw": np.arange(int(draws))}
    rows = {"row": coords["row"]}
    responses = _responses(rng, design, beta, u, family, values.get(COR_VARIABLE))
    replicated = {names.response: (("chain", "draw", "row"), responses[None])}
    observed = {names.response: (("row",), design.y)}
    tree = xr.DataTree.from_dict(
        {
            "prior": xr.Dataset(prior_draws, coords={**index, **{d: coords[d] for d in used}}),
            "prior_predictive": xr.Dataset(replicated, coords={**index, **rows}),
            "observed_data": xr.Dataset(observed, coords=rows),
        }
    )
    tree.attrs = {"title": design.spec.title, "seed": seed, "data_fingerprint": design.fingerprint}
    return tree


def _flat(design: Design, parameters: Parameters) -> Iterator[str]:
    """Yield the names of the parameters whose prior is no probability distribution."""
    named = list(zip(design.coefficients, parameters.coefficients, strict=True))
    for group, priors in zip(design.groups, parameters.sds, strict=True):
        named += list(zip(group.sd_names(), priors, strict=True))
    named += zip(design.family_names, (p for part in parameters.family for p in part), strict=True)
    yield from (name for name, prior in named if not prior.distribution.is_proper)


def _parameters(
    rng: np.random.Generator, design: Design, parameters: Parameters, draws: int
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Draw all parameters under the tree's names, and the group effects once more, flat (draws, Q) in Z's order."""
    values: dict[str, np.ndarray] = {}
    if design.coefficients:
        beta = _draw_all(rng, parameters.coefficients, draws)
        if parameters.centered:
            beta[:, 0] -= beta[:, 1:] @ parameters.center[1:]
        values["beta"] = beta
    effects = []
    for t, (group, called) in enumerate(zip(design.groups, Names.of(design).groups, strict=True)):
        q = group.n_effects
        sd = _draw_scales(rng, parameters.sds[t], draws)
        L = np.broadcast_to(np.eye(q), (draws, q, q))
        prior, structure = parameters.cors[t], group.structure
        if prior is not None and structure.lower is not None:
            share = rng.beta(prior.params["eta"], prior.params["eta"], draws)
            values[called.cor] = structure.lower(q) + (1.0 - structure.lower(q)) * share
            L = np.array([factor_of(structure, logit(s)[None], q) for s in share])
        elif prior is not None:
            cor = DISTRIBUTIONS[prior.dist].draw(rng, prior.params, (draws, q, q))
            values[called.cor] = cor
            L = np.linalg.cholesky(cor)
        z = rng.standard_normal((draws, group.n_levels, q))
        if structure.relationship is not None:
            z = (structure.relationship.factor @ z[:, :, 0].T).T[:, :, None]
        u = np.einsum("dik,djk->dji", sd[:, :, None] * L, z)
        values[called.sd] = sd[:, 0] if group.n_sds == 1 else sd
        values[called.u] = u[..., 0] if q == 1 else u
        effects.append(u.reshape(draws, -1))
    for part, priors in zip(design.family_parts, parameters.family, strict=True):
        own = _draw_scales(rng, priors, draws) if part.kind == "scale" else _draw_all(rng, priors, draws)
        own = _ordered(rng, priors, own) if part.kind == "ordered" else own
        values[part.name] = own[:, 0] if part.dim is None else own
    if design.residual is not None and parameters.residual is not None:
        values[COR_VARIABLE] = _draw_residual(rng, design.residual, parameters.residual, draws)
    return values, np.concatenate(effects, axis=1) if effects else None


def _draw_residual(rng: np.random.Generator, rows: ResidualRows, prior: Prior, draws: int) -> np.ndarray:
    """Return draws of rho (draws,), or of the correlation matrix of the visits (draws, T, T)."""
    if rows.patterned:
        T = len(rows.visits)
        return np.asarray(DISTRIBUTIONS[prior.dist].draw(rng, prior.params, (draws, T, T)))
    eta, lower = prior.params["eta"], structure_of(rows).lower(rows)
    return lower + (1.0 - lower) * rng.beta(eta, eta, draws)


def _draw_all(rng: np.random.Generator, priors: Sequence[Prior], draws: int) -> np.ndarray:
    """Return independent draws of coefficients, shape (draws, p)."""
    return np.column_stack([block_distribution(p, "coefficient").draw(rng, p.params, draws) for p in priors])


def _ordered(rng: np.random.Generator, priors: Sequence[Prior], draws: np.ndarray) -> np.ndarray:
    """Return increasing draws: independent ones given that they are in order. Those of one prior need only sorting."""
    if len(set(priors)) == 1:
        return np.sort(draws, axis=1)
    for _ in range(_ROUNDS):
        unordered = ~(np.diff(draws, axis=1) > 0.0).all(axis=1)
        if not unordered.any():
            return draws
        draws[unordered] = _draw_all(rng, priors, int(unordered.sum()))
    raise NotAvailableError(
        "draws from the priors of ordered parameters are hardly ever in order; give priors whose centres increase."
    )


def _draw_scales(rng: np.random.Generator, priors: Sequence[Prior], draws: int) -> np.ndarray:
    """Return independent draws of standard deviations, shape (draws, q), whatever their priors are on."""
    columns = [block_distribution(p, "scale").draw(rng, p.params, draws) ** _POWERS[p.on] for p in priors]
    return np.column_stack(columns)


def _responses(
    rng: np.random.Generator,
    design: Design,
    beta: np.ndarray,
    u: np.ndarray | None,
    family: np.ndarray,
    correlations: np.ndarray | None,
) -> np.ndarray:
    columns = EffectColumns.of(design)
    record, link = design.family, design.family_link
    replicated = np.empty((len(beta), design.n_rows))
    rows = design.residual
    if rows is not None and correlations is not None:
        stored = correlations[(..., *np.tril_indices(correlations.shape[-1], -1))] if rows.patterned else correlations
        x = coordinate_draws(rows, stored)
    for d in range(len(beta)):
        eta = design.offset + design.X @ beta[d] + (0.0 if u is None else columns.times(u[d]))
        if rows is not None:
            sigma = sigmas_of(design.auxiliary, family[d : d + 1])[0]
            replicated[d] = eta + sigma * residuals_at(rows, structure_of(rows).whitening(rows, x[d]), rng)
            continue
        drawn = simulated(rng, record, link, design.auxiliary, eta[None], design.size, family[d : d + 1])
        replicated[d] = drawn[0]
    return replicated
