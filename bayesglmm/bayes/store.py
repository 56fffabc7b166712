"""Saving and loading posteriors: netCDF through h5netcdf, no pickle, a new file in place of an old one or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from bayesglmm.errors import BayesGLMMError

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["load_posterior", "save_posterior"]


def save_posterior(posterior: Posterior, path: Path) -> Path:
    """Write ``posterior.tree`` to ``path``; an interruption leaves the old file as it was."""
    path = path if path.suffix else path.with_suffix(".nc")
    if not path.parent.is_dir():
        raise BayesGLMMError(f"{path.parent} is not a folder; make it first, or name a file in one that exists.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        posterior.tree.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_posterior(path: str | Path) -> Posterior:
    """Load a posterior that `Posterior.save` wrote.

    Parameters
    ----------
    path : str or Path
        A netCDF file.

    Raises
    ------
    BayesGLMMError
        The file does not exist, is no netCDF file, or holds no posterior of this package.
    """
    from bayesglmm.bayes.posterior import Posterior

    path = Path(path)
    if not path.is_file():
        raise BayesGLMMError(f"{path} is not a file; give the path that Posterior.save() returned.")
    try:
        # load_: everything in memory and the file closed, so that it can be replaced while the posterior lives.
        tree = xr.load_datatree(path, engine="h5netcdf") if hasattr(xr, "load_datatree") else _load(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BayesGLMMError(f"{path} cannot be read as netCDF ({error}); it is damaged or something else.") from error
    if "model" not in tree.attrs or "posterior" not in tree.children:
        raise BayesGLMMError(
            f"{path} holds no posterior of this package (no model record); open it with arviz.from_netcdf instead."
        )
    posterior = Posterior(tree)
    _ = posterior.record  # refuse a damaged record now, not at the first summary
    return posterior


def _load(path: Path) -> xr.DataTree:
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()
