"""Residual structures of a posterior: groups and times from its tree, row densities and residuals at its draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.bayes.record import ModelRecord
from bayesglmm.factor import Factor
from bayesglmm.formula import parse_residual
from bayesglmm.residual import COR_VARIABLE, RESIDUAL, ResidualRows, Whitening, structure_of
from bayesglmm.residual.draws import coordinate_draws

__all__ = ["log_prior_of_correlations", "residuals_at", "row_densities", "whitenings"]


def _rows(record: ModelRecord, data: xr.Dataset) -> ResidualRows:
    """Return groups and times as the tree holds them; levels are called by their number."""
    assert record.residual is not None
    term = parse_residual(record.residual.text)
    assert term is not None
    codes = data[f"{RESIDUAL}_group"].values
    levels = tuple(map(str, range(int(codes.max()) + 1)))
    factor = Factor(term.factor.columns, levels, pd.Index(levels))
    return ResidualRows(term, factor, codes, data[f"{RESIDUAL}_time"].values, record.residual.visits)


def whitenings(record: ModelRecord, tree: xr.DataTree) -> Iterator[tuple[ResidualRows, Whitening]]:
    """Yield rows and whitening at every draw, chain by chain."""
    rows = _rows(record, tree["constant_data"].to_dataset())
    draws = tree["posterior"].to_dataset()[COR_VARIABLE].values
    x = coordinate_draws(rows, draws.reshape(-1, *draws.shape[2:]))
    structure = structure_of(rows)
    yield from ((rows, structure.whitening(rows, one)) for one in x)


def row_densities(rows: ResidualRows, whitening: Whitening, r: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return the log density of each row given those before it in its group, shape (n,).

    r = y - eta (n,) and sigma, one for all rows (1,) or one each (n,), are in the order of the data.
    """
    w = whitening.columns(rows.sorted(r / sigma)[:, None])[:, 0]
    return rows.unsorted(-0.5 * w**2 - np.log(whitening.sds)) - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)


def residuals_at(rows: ResidualRows, whitening: Whitening, rng: np.random.Generator) -> np.ndarray:
    """Return residuals over sigma drawn anew, shape (n,)."""
    return rows.unsorted(whitening.times(rng.standard_normal((len(rows.codes), 1)))[:, 0])


def log_prior_of_correlations(record: ModelRecord, draws: np.ndarray) -> np.ndarray:
    """Return log prior densities of the correlations at draws (chains, draws, ...), up to a constant."""
    assert record.residual is not None
    eta, lower = float(record.residual.prior["eta"]), record.residual.lower
    if not record.residual.visits:
        # A stretched Beta(eta, eta).
        return np.asarray((eta - 1.0) * (np.log(draws - lower) + np.log(1.0 - draws)))
    T = len(record.residual.visits)
    at = np.tril_indices(T, -1)
    C = np.broadcast_to(np.eye(T), (*draws.shape[:-1], T, T)).copy()
    C[..., at[0], at[1]] = draws
    C[..., at[1], at[0]] = draws
    return np.asarray((eta - 1.0) * np.linalg.slogdet(C)[1])
