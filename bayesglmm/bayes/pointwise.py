"""Log-likelihood of every row and log prior of every parameter: what cross-validation and sensitivity need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from bayesglmm.bayes.family_rows import FamilyRows
from bayesglmm.bayes.predictor import check_memory, linear_predictor_chunks
from bayesglmm.bayes.record import prior_of
from bayesglmm.bayes.residual import log_prior_of_correlations, row_densities, whitenings
from bayesglmm.priors.densities import log_density
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.scalar import scalar_prior
from bayesglmm.residual import COR_VARIABLE

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["log_likelihood_group", "log_prior_group"]


def log_likelihood_group(posterior: Posterior, memory: float) -> xr.Dataset:
    """Return the log density of every row (times its weight, constants included), dims (chain, draw, row).

    Where residuals correlate, that of a row given the rows before it in its residual group: they still add up to the
    density of all rows.
    """
    record = posterior.record
    chains, draws, n = check_memory(posterior, memory, "the log-likelihood")
    data = posterior.tree["constant_data"].to_dataset()
    y = posterior.tree["observed_data"].to_dataset()[record.response].values
    rows = FamilyRows.of(record, data)
    values = np.empty((chains * draws, n))
    whitened = None if record.residual is None else whitenings(record, posterior.tree)
    for part, eta, family in linear_predictor_chunks(posterior):
        if whitened is None:
            values[part] = rows.log_densities(y, eta, family)
            continue
        sigmas = rows.sigmas(family)
        for k, draw in enumerate(range(part.start, part.stop)):
            values[draw] = row_densities(*next(whitened), y - eta[k], sigmas[k])
    dims = ("chain", "draw", "row")
    sampled = posterior.tree["posterior"]
    coords = {"chain": sampled["chain"].values, "draw": sampled["draw"].values, "row": data["row"].values}
    return xr.Dataset({record.response: (dims, values.reshape(chains, draws, n))}, coords=coords)


def log_prior_group(posterior: Posterior) -> xr.Dataset:
    """Return the log prior density of the coefficients, standard deviations, correlations and family scalars.

    Densities are those of the quantity on which the prior was put (a variance, a precision, the centred intercept);
    the group effects are part of the model, not of the prior.
    """
    record = posterior.record
    draws = posterior.tree["posterior"].to_dataset()
    groups: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    if record.coefficients:
        beta = draws["beta"].values.copy()
        if record.centered:
            beta[..., 0] += beta[..., 1:] @ np.array(record.center[1:])
        each = [_log_density(prior_of(p), beta[..., k], "coefficient") for k, p in enumerate(record.priors)]
        groups["beta"] = (("chain", "draw", "coefficient"), np.stack(each, axis=-1))
    for term in record.groups:
        sd = draws[f"sd_{term.label}"]
        values = sd.values[..., None] if term.scalar else sd.values
        each = [_log_density(prior_of(p), values[..., k], "scale") for k, p in enumerate(term.sds)]
        groups[f"sd_{term.label}"] = (tuple(map(str, sd.dims)), each[0] if term.scalar else np.stack(each, axis=-1))
        if term.cor is not None:
            cor = _matrices(draws[f"cor_{term.label}"].values, len(term.effects))
            eta = float(term.cor["eta"])
            # LKJ: det(R)^(eta - 1), up to a constant that power scaling does not see.
            groups[f"cor_{term.label}"] = (("chain", "draw"), (eta - 1.0) * np.linalg.slogdet(cor)[1])
    if record.residual is not None:
        values = log_prior_of_correlations(record, draws[COR_VARIABLE].values)
        groups[COR_VARIABLE] = (("chain", "draw"), values)
    for part in record.family_parts:
        values = draws[part.name].values.reshape(draws.sizes["chain"], draws.sizes["draw"], len(part.names))
        each = [_log_density(prior_of(p), values[..., k], part.role) for k, p in enumerate(part.priors)]
        several = () if part.dim is None else (part.dim,)
        groups[part.name] = (("chain", "draw", *several), np.stack(each, axis=-1) if several else each[0])
    coords = {name: draws[name].values for dims, _ in groups.values() for name in dims}
    return xr.Dataset(groups, coords=coords)


def _matrices(lower: np.ndarray, q: int) -> np.ndarray:
    """Return correlation matrices (..., q, q) from their strict lower triangles."""
    rows, columns = np.tril_indices(q, -1)
    R = np.broadcast_to(np.eye(q), (*lower.shape[:-1], q, q)).copy()
    R[..., rows, columns] = lower
    R[..., columns, rows] = lower
    return R


def _log_density(prior: Prior, values: np.ndarray, role: Literal["coefficient", "scale"]) -> np.ndarray:
    coded = scalar_prior(prior, role)
    on = {"sd": values, "variance": values**2, "precision": values**-2}[prior.on]
    flat = [log_density(coded.distribution, v, coded.a, coded.b, coded.c)[0] for v in on.ravel().tolist()]
    return np.array(flat).reshape(values.shape)
