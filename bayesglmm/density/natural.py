"""From unconstrained draws to the parameters that people read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from bayesglmm.compiled import compiled, source_stamp
from bayesglmm.covariance.autoregressive import AUTOREGRESSIVE_CODE
from bayesglmm.density.centring import Centring
from bayesglmm.density.kernel import fill_effects, group_factor, natural_scalars, spread_effects, work_space
from bayesglmm.density.layout import LEVELS, STRUCTURE, Layout, Q
from bayesglmm.design import Design
from bayesglmm.parameters import Parameters

__all__ = ["Natural", "natural_draws"]


@dataclass(frozen=True, eq=False)
class Natural:
    """Draws on the scale of the model; leading dimensions are those of the draws.

    Attributes
    ----------
    beta : ndarray, shape (..., p)
        Coefficients as the formula codes them (raw intercept).
    sd : tuple of ndarray, each shape (..., q)
        Standard deviations of each group term; (..., 1) where its effects have one in common.
    cor : tuple of ndarray, each shape (..., q, q)
        Correlation matrices of each group term; (...) where its effects have one correlation.
    u : tuple of ndarray, each shape (..., J, q)
        Group effects.
    family : ndarray, shape (..., K)
        Family scalars, in the order of `Design.family_parts`.
    """

    beta: np.ndarray
    sd: tuple[np.ndarray, ...]
    cor: tuple[np.ndarray, ...]
    u: tuple[np.ndarray, ...]
    family: np.ndarray


@functools.cache
def _kernels() -> tuple[Callable[..., None], ...]:
    """Return the loops over draws; they close over the stamp of the sources they are made of (see compiled.py)."""
    stamp = source_stamp()

    @compiled
    def scalar_draws(x, table, center, out):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = table.shape[0]
        derivatives, grad = np.empty(n), np.empty(n)
        for draw in range(x.shape[0]):
            natural_scalars(x[draw], table, center, out[draw], derivatives, grad)

    @compiled
    def effect_draws(x, values, terms, lkj, centring, known, u):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        z = np.empty(u.shape[1])
        work = work_space(terms, centring)
        for draw in range(x.shape[0]):
            fill_effects(x[draw], values[draw], terms, lkj, centring, known, work, z, u[draw])

    @compiled
    def spherical_draws(x, values, terms, lkj, u):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        z = x[:, x.shape[1] - u.shape[1] :]
        for draw in range(x.shape[0]):
            at = 0
            for t in range(terms.shape[0]):
                q = terms[t, Q]
                size = q * terms[t, LEVELS]
                L, Lambda = np.zeros((q, q)), np.zeros((q, q))
                group_factor(terms[t], x[draw], values[draw], lkj[t], L, Lambda)
                spread_effects(terms[t], z[draw, at : at + size], Lambda, u[draw, at : at + size])
                at += size

    @compiled
    def factor_draws(x, values, term, L_draws):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        Lambda = np.zeros((term[Q], term[Q]))
        for draw in range(x.shape[0]):
            group_factor(term, x[draw], values[draw], 1.0, L_draws[draw], Lambda)

    return scalar_draws, effect_draws, spherical_draws, factor_draws


def _serial(layout: Layout) -> bool:
    """Whether effects of one level follow one another in time: their u is not a product with a small matrix."""
    return bool((layout.terms[:, STRUCTURE] == AUTOREGRESSIVE_CODE).any())


def natural_draws(design: Design, parameters: Parameters, layout: Layout, centring: Centring, x: np.ndarray) -> Natural:
    """Map draws ``x`` (..., size) to the natural scale."""
    scalar_draws, effect_draws, spherical_draws, factor_draws = _kernels()
    lead = x.shape[:-1]
    flat = np.ascontiguousarray(x.reshape(-1, layout.size), dtype=np.float64)
    values = np.empty((len(flat), layout.n_scalars))
    scalar_draws(flat, parameters.table, parameters.center, values)
    effects = np.empty((len(flat), layout.n_effects))
    if centring.absent and not _serial(layout):
        spherical_draws(flat, values, layout.terms, parameters.lkj, effects)
    else:
        effect_draws(flat, values, layout.terms, parameters.lkj, centring.arrays, layout.precision, effects)
    sd, cor, u, at = [], [], [], 0
    for t, group in enumerate(design.groups):
        q = group.n_effects
        sd.append(values[:, layout.sds(t)].reshape(*lead, group.n_sds))
        if group.structure.lower is not None:
            low = group.structure.lower(q)
            cor.append((low + (1.0 - low) * expit(flat[:, layout.correlations(t)])).reshape(lead))
        else:
            L = np.zeros((len(flat), q, q))
            factor_draws(flat, values, layout.terms[t], L)
            cor.append((L @ L.transpose(0, 2, 1)).reshape(*lead, q, q))
        u.append(effects[:, at : at + group.size].reshape(*lead, group.n_levels, q))
        at += group.size
    return Natural(
        beta=values[:, : layout.n_coefficients].reshape(*lead, layout.n_coefficients),
        sd=tuple(sd),
        cor=tuple(cor),
        u=tuple(u),
        family=values[:, layout.family].reshape(*lead, layout.n_family),
    )
