"""Design + priors -> pm.Model: the definition of the model that people read, extend and export.

Free variables, in the coordinates of the compiled density: the coefficients (``beta``; or
``Intercept_centered`` and ``slopes`` where the default prior of the intercept holds at the columns' means),
``sd_<label>`` (or ``variance_<label>``, ``precision_<label>`` where the prior is put there), correlations,
``z_<label>`` with u = Lambda z, and the dispersion (or ``sigma_variance``, ``sigma_precision``).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from bayesglmm.design import Design
from bayesglmm.grouping import GroupEffects
from bayesglmm.naming import GroupNames, Names
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.registry import DISTRIBUTIONS, Distribution
from bayesglmm.pymc_family import auxiliary_graph

__all__ = [
    "block_distribution",
    "build_pymc_model",
    "coefficient_blocks",
    "coords_of",
    "free_scale_name",
    "stacked_params",
]

type Role = Literal["coefficient", "scale"]


def block_distribution(prior: Prior, role: Role) -> Distribution:
    """Return the distribution that PyMC gets: a flat prior of a scale is flat on the half line."""
    distribution = DISTRIBUTIONS[prior.dist]
    if role == "scale" and distribution.half_line is not None:
        return DISTRIBUTIONS[distribution.half_line]
    return distribution


def stacked_params(priors: Sequence[Prior]) -> dict[str, Any] | None:
    """Return the parameters of priors of one kind, numbers (all equal) or lists; None if the kinds differ."""
    first = priors[0]
    if any((p.dist, p.on) != (first.dist, first.on) for p in priors):
        return None
    stacked: dict[str, Any] = {}
    for name in DISTRIBUTIONS[first.dist].parameters:
        values = [float(p.params[name]) for p in priors]
        stacked[name] = values[0] if len(set(values)) == 1 else values
    return stacked


def free_scale_name(name: str, on: str) -> str:
    """Return the name of the free variable of the standard deviations ``name`` with a prior on ``on``."""
    if on == "sd":
        return name
    # "variance_sigma" would be that of a grouping factor called sigma.
    return f"{on}_{name.removeprefix('sd_')}" if name.startswith("sd_") else f"{name}_{on}"


def coefficient_blocks(parameters: Parameters) -> bool:
    """Return whether all coefficients are one random vector: one kind of prior, and no centred intercept."""
    return not parameters.centered and stacked_params(parameters.coefficients) is not None


def coords_of(design: Design, names: Names) -> dict[str, np.ndarray]:
    """Return the coordinates of every dimension of the model, as arrays of text or of row positions."""
    coords: dict[str, np.ndarray] = {"row": np.arange(design.n_rows)}
    if design.coefficients:
        coords["coefficient"] = np.array(design.coefficients, dtype=str)
    for group, called in zip(design.groups, names.groups, strict=True):
        coords[called.level_dim] = np.array(group.factor.levels, dtype=str)
        if group.n_effects > 1:
            coords[called.effect_dim] = np.array(group.effects, dtype=str)
            coords[called.effect_dim_bis] = np.array(group.effects, dtype=str)
    for part in design.family_parts:
        if part.dim is not None:
            coords[part.dim] = np.array(part.labels, dtype=str)
    return coords


def build_pymc_model(design: Design, parameters: Parameters) -> Any:
    """Return the `pm.Model` of ``design`` under ``parameters``' priors.

    Its log density equals the compiled density at the same point, every constant included.
    """
    import pymc as pm
    import pytensor.tensor as pt

    names = Names.of(design)
    coords = {name: list(values) for name, values in coords_of(design, names).items()}
    with pm.Model(coords=coords) as model:
        eta = pt.as_tensor_variable(_offset(pm, design))
        if design.coefficients:
            X = pm.Data("X", design.X, dims=("row", "coefficient"))
            eta = eta + X @ _coefficients(pm, pt, design, parameters)
        for t, (group, called) in enumerate(zip(design.groups, names.groups, strict=True)):
            eta = eta + _group_part(pm, pt, group, called, parameters.sds[t], parameters.lkj[t])
        phi: Any = 1.0
        if design.dispersion is not None:
            phi = _scale(pm, pt, design.dispersion, parameters.family[0], None)
        elif design.auxiliary is not None:
            phi = auxiliary_graph(pm, pt, design.auxiliary, parameters, _scale, _block)
        size = pm.Data("size", design.size, dims="row") if (design.size != 1.0).any() else design.size
        observed = pm.Data("response", design.y, dims="row")
        graph = design.family_link.graph
        y = graph(pm, pt, names.response, eta, size, phi, observed, "row")
        if (design.weights != 1.0).any():
            # PyMC has no weighted rows: add (w - 1) times each row's log density to the one already there.
            weights = pm.Data("weights", design.weights, dims="row")
            pm.Potential("weighted_rows", pt.sum((weights - 1.0) * pm.logp(y, model.rvs_to_values[y])))
    return model


def _offset(pm: Any, design: Design) -> Any:
    return pm.Data("offset", design.offset, dims="row") if design.offset.any() else np.zeros(design.n_rows)


def _coefficients(pm: Any, pt: Any, design: Design, parameters: Parameters) -> Any:
    priors = parameters.coefficients
    if coefficient_blocks(parameters):
        return _block(pm, pt, "beta", priors, "coefficient", "coefficient")
    first = "Intercept_centered" if parameters.centered else "beta_0"
    intercept = _block(pm, pt, first, priors[:1], None, "coefficient")
    parts = [pt.atleast_1d(intercept)]
    if len(priors) > 1:
        rest = priors[1:]
        if stacked_params(rest) is not None:
            pm.modelcontext(None).add_coord("slope", list(design.coefficients[1:]))
            slopes = _block(pm, pt, "slopes", rest, "slope", "coefficient")
        else:
            one = functools.partial(_block, pm, pt, dims=None, role="coefficient")
            slopes = pt.stack([one(f"beta_{k}", [prior]) for k, prior in enumerate(rest, 1)])
        parts = [pt.atleast_1d(intercept - parameters.center[1:] @ slopes), slopes]
    return pm.Deterministic("beta", pt.concatenate(parts), dims="coefficient")


def _block(pm: Any, pt: Any, name: str, priors: Sequence[Prior], dims: str | None, role: Role, **options: Any) -> Any:
    params = stacked_params(priors)
    assert params is not None
    return block_distribution(priors[0], role).graph(pm, pt, name, params, dims, **options)


def _scale(pm: Any, pt: Any, name: str, priors: Sequence[Prior], dims: str | None) -> Any:
    """Return standard deviations called ``name``, whatever scale their prior is on."""
    if dims is None or stacked_params(priors) is not None:
        on = priors[0].on
        if on == "sd":
            return _block(pm, pt, name, priors, dims, "scale")
        free = _block(pm, pt, free_scale_name(name, on), priors, dims, "scale")
        return pm.Deterministic(name, free**0.5 if on == "variance" else free**-0.5, dims=dims)
    each = [_scale(pm, pt, f"{name}_{k}", [prior], None) for k, prior in enumerate(priors)]
    return pm.Deterministic(name, pt.stack(each), dims=dims)


def _group_part(
    pm: Any, pt: Any, group: GroupEffects, called: GroupNames, priors: Sequence[Prior], eta_lkj: float
) -> Any:
    """Return the rows' share of one group term, Z u."""
    codes = pm.Data(f"{called.label}_index", group.codes, dims="row")
    if group.n_effects == 1:
        sd = _scale(pm, pt, called.sd, priors, None)
        z = pm.Normal(called.z, 0.0, 1.0, dims=called.level_dim)
        u = pm.Deterministic(called.u, sd * z, dims=called.level_dim)
        share = u[codes]
        return share if group.has_intercept else share * _column(pm, called, group, 0)
    sd = _scale(pm, pt, called.sd, priors, called.effect_dim)
    z = pm.Normal(called.z, 0.0, 1.0, dims=(called.level_dim, called.effect_dim))
    square = (called.effect_dim, called.effect_dim_bis)
    L = group.structure.graph(pm, pt, called.label, square, group.n_effects, eta_lkj)
    mixed = z if L is None else z @ L.T
    u = pm.Deterministic(called.u, mixed * sd, dims=(called.level_dim, called.effect_dim))
    columns = pm.Data(f"Z_{called.label}", group.columns().T, dims=("row", called.effect_dim))
    return pt.sum(u[codes] * columns, axis=1)


def _column(pm: Any, called: GroupNames, group: GroupEffects, k: int) -> Any:
    return pm.Data(f"Z_{called.label}", group.slopes[k], dims="row")
