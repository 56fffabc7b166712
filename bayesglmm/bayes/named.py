"""Draws of the density's coordinates as the model's parameters, under the tree's variable names."""

from __future__ import annotations

import numpy as np

from bayesglmm.density import JointDensity
from bayesglmm.naming import Names
from bayesglmm.residual import COR_VARIABLE
from bayesglmm.residual.draws import correlation_draws

__all__ = ["named_values"]


def named_values(density: JointDensity, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the natural parameters at draws ``x`` (chains, draws, size), each (chains, draws, ...)."""
    natural = density.natural(x)
    names = Names.of(density.design)
    values = {"beta": natural.beta} if natural.beta.shape[-1] else {}
    for t, (group, called) in enumerate(zip(density.design.groups, names.groups, strict=True)):
        scalar = group.n_effects == 1
        values[called.sd] = natural.sd[t][..., 0] if group.n_sds == 1 else natural.sd[t]
        if group.structure.correlated:
            values[called.cor] = natural.cor[t]
        values[called.u] = natural.u[t][..., 0] if scalar else natural.u[t]
    at = 0
    for part in density.design.family_parts:
        own = natural.family[..., at : at + part.size]
        values[part.name] = own[..., 0] if part.dim is None else own
        at += part.size
    rows = density.design.residual
    if rows is not None:
        values[COR_VARIABLE] = correlation_draws(rows, natural.family[..., at:])
    return values
