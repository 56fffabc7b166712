"""What is said of everybody's draws, by the same functions of ArviZ: effective sizes, R-hat, divergences, moments."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["canonical", "figures"]


def canonical(name: str) -> str:
    """Return a coefficient's name without the marks in which packages differ.

    ``sector[Catholic]:cses`` here and ``cses:sectorCatholic`` in R are both ``cses:sectorCatholic``.
    """
    plain = name.strip("()").replace("`", "")
    return ":".join(sorted(re.sub(r"[\[\]]", "", part).removeprefix("T.") for part in plain.split(":")))


def figures(scalars: Mapping[str, np.ndarray], group: np.ndarray, diverging: np.ndarray) -> dict[str, Any]:
    """Return the figures of one run.

    Parameters
    ----------
    scalars : mapping of str to ndarray, each shape (chains, draws)
        Coefficients, standard deviations (group effects' and sigma) and correlations by canonical name.
    group : ndarray, shape (chains, draws, k)
        All group effects.
    diverging : ndarray
        Whether a draw's trajectory diverged.

    Returns
    -------
    dict
        ``ess`` is the smallest bulk effective size over coefficients and standard deviations, ``ess_of`` whose it is;
        ``ess_tail`` the smallest of their tails; ``ess_group`` the smallest bulk size over group effects; ``r_hat``
        the largest of all; ``parameters`` maps a name to mean, standard deviation and bulk effective size.
    """
    stacked = np.stack(list(scalars.values()), axis=-1)
    bulk, r_hat = _bulk_and_r_hat(stacked)
    tails = _sizes(stacked, "tail")
    sizes = dict(zip(scalars, bulk.tolist(), strict=True))
    judged = {name: size for name, size in sizes.items() if not name.startswith("cor(")}
    worst = min(judged, key=judged.__getitem__)
    group_bulk, group_r_hat = _bulk_and_r_hat(group)
    return {
        "ess": judged[worst],
        "ess_of": worst,
        "ess_tail": float(min(size for name, size in zip(scalars, tails.tolist(), strict=True) if name in judged)),
        "ess_group": float(np.min(group_bulk, initial=math.inf)),
        "r_hat": float(np.max([*r_hat, *group_r_hat])),
        "divergences": int(np.sum(diverging)),
        "parameters": {n: [float(d.mean()), float(d.std(ddof=1)), sizes[n]] for n, d in scalars.items()},
    }


def _bulk_and_r_hat(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bulk effective sizes and rank-normalised R-hat of draws (chains, draws, k), each shape (k,)."""
    import arviz as az

    return _sizes(draws, "bulk"), _values(az.rhat(_tree(draws), method="rank"))


def _sizes(draws: np.ndarray, method: str) -> np.ndarray:
    """Return effective sizes of draws (chains, draws, k), shape (k,)."""
    import arviz as az

    return _values(az.ess(_tree(draws), method=method))


def _tree(draws: np.ndarray) -> Any:
    import xarray as xr

    dataset = xr.Dataset({"x": (("chain", "draw", "k"), np.asarray(draws, dtype=np.float64))})
    return xr.DataTree.from_dict({"posterior": dataset})


def _values(found: Any) -> np.ndarray:
    node = found["posterior"] if "posterior" in getattr(found, "children", {}) else found
    return np.asarray(node["x"].values, dtype=np.float64)
