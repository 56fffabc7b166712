"""The linear predictor at the draws of a posterior, a few draws at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayesglmm.errors import SamplingError

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["check_memory", "linear_predictor_chunks"]

_CHUNK_BYTES = 64e6


def linear_predictor_chunks(posterior: Posterior) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield (draws, eta, family) over the draws of all chains, flattened chain by chain.

    Yields
    ------
    slice
        Positions among the chains x draws flattened draws.
    ndarray, shape (k, n)
        Linear predictor of every row.
    ndarray, shape (k, K)
        Family scalars.
    """
    record = posterior.record
    draws = posterior.tree["posterior"].to_dataset()
    data = posterior.tree["constant_data"].to_dataset()
    n = data.sizes["row"]
    total = draws.sizes["chain"] * draws.sizes["draw"]
    step = max(1, int(_CHUNK_BYTES / (8 * max(n, 1))))
    flat = {str(name): values.values.reshape(total, *values.shape[2:]) for name, values in draws.items()}
    for start in range(0, total, step):
        part = slice(start, min(start + step, total))
        eta = np.repeat(data["offset"].values[None, :], part.stop - part.start, axis=0)
        if record.coefficients:
            eta += flat["beta"][part] @ data["X"].values.T
        for term in record.groups:
            u = flat[f"u_{term.label}"][part]
            gathered = u[:, data[f"{term.label}_index"].values]
            columns = data.get(f"Z_{term.label}")
            if columns is not None:
                gathered = gathered * columns.values
            eta += gathered if term.scalar else gathered.sum(axis=2)
        scalars = [flat[own.name][part].reshape(len(eta), -1) for own in record.family_parts]
        yield part, eta, np.concatenate([np.empty((len(eta), 0)), *scalars], axis=1)


def check_memory(posterior: Posterior, memory: float, what: str) -> tuple[int, int, int]:
    """Return (chains, draws, rows), or raise SamplingError if a number for each takes more than ``memory`` bytes."""
    sizes = posterior.tree["posterior"].sizes
    shape = (sizes["chain"], sizes["draw"], posterior.tree["constant_data"].sizes["row"])
    needed = 8.0 * np.prod(np.array(shape, dtype=float))
    if needed > memory:
        raise SamplingError(
            f"{what} would take {needed / 1e9:.3g} GB ({shape[0]} chains x {shape[1]} draws x {shape[2]} rows x 8 "
            f"bytes), more than the {memory / 1e9:.3g} GB allowed. Allow more with memory={np.ceil(needed):.0f}, or "
            "sample fewer draws."
        )
    return shape
