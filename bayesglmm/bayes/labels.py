"""Every scalar of a posterior under the name that people read: cross[RR], sd(subject, days), sigma, female[12]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayesglmm.bayes.record import GroupRecord, ModelRecord
from bayesglmm.residual import COR_VARIABLE

__all__ = ["Labelled", "labelled_draws"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """One scalar parameter.

    Attributes
    ----------
    term : str
        ``fixed``, ``sd``, ``cor``, ``family`` or ``group``.
    name : str
        ``cross[RR]``, ``sd(female)``, ``cor(subject, Intercept, days)``, ``sigma``, ``female[12]``.
    draws : ndarray, shape (chains, draws)
        On the natural scale.
    """

    term: str
    name: str
    draws: np.ndarray


def labelled_draws(record: ModelRecord, posterior: xr.Dataset, group: bool = False) -> Iterator[Labelled]:
    """Yield coefficients, standard deviations, correlations, family scalars and, if ``group``, the group effects."""
    for k, name in enumerate(record.coefficients):
        yield Labelled("fixed", name, posterior["beta"].values[..., k])
    for term in record.groups:
        sd = posterior[f"sd_{term.label}"].values
        sd = sd[..., None] if term.scalar or term.common else sd
        for k, name in enumerate(term.sd_names):
            yield Labelled("sd", name, sd[..., k])
    for term in record.groups:
        if term.cor_names:
            cor = posterior[f"cor_{term.label}"].values
            cor = cor[..., None] if term.common else cor
            for k, name in enumerate(term.cor_names):
                yield Labelled("cor", name, cor[..., k])
    if record.residual is not None:
        cor = posterior[COR_VARIABLE].values
        for k, name in enumerate(record.residual.cor_names):
            yield Labelled("cor", name, cor[..., k] if record.residual.visits else cor)
    for part in record.family_parts:
        values = posterior[part.name].values
        for k, name in enumerate(part.names):
            yield Labelled("family", name, values if part.dim is None else values[..., k])
    if group:
        yield from _group_draws(record, posterior)


def _group_draws(record: ModelRecord, posterior: xr.Dataset) -> Iterator[Labelled]:
    for term in record.groups:
        u = _with_effects(posterior[f"u_{term.label}"].values, term)
        for j, level in enumerate(posterior[term.level_dim].values):
            for k, effect in enumerate(term.effects):
                yield Labelled("group", term.effect_name(str(level), effect), u[..., j, k])


def _with_effects(values: np.ndarray, term: GroupRecord) -> np.ndarray:
    return values[..., None] if term.scalar else values
