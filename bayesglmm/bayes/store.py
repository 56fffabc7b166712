"""Saving and loading posteriors: netCDF through h5netcdf, no pickle, a new file in place of an old one or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesglmm.bayes.record import ModelRecord
from bayesglmm.errors import BayesGLMMError

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["load_posterior", "save_posterior"]

_GROUPS = ("posterior", "sample_stats", "observed_data", "constant_data")
_ATTRIBUTES = ("model", "seed", "chains", "draws", "notes")


def save_posterior(posterior: Posterior, path: Path) -> Path:
    """Write ``posterior.tree`` to ``path``; an interruption leaves the old file as it was.

    Raises
    ------
    BayesGLMMError
        The path is a folder, or its folder does not exist or cannot be written to.
    """
    path = path if path.suffix else path.with_suffix(".nc")
    if not path.parent.is_dir():
        raise BayesGLMMError(f"{path.parent} is not a folder; make it first, or name a file in one that exists.")
    if path.is_dir():
        raise BayesGLMMError(f"{path} is a folder; name a file in it.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        posterior.tree.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    except OSError as error:
        raise BayesGLMMError(f"{path} cannot be written ({error}); name a file elsewhere.") from error
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
    tree = _read(path)
    if "model" not in tree.attrs or "posterior" not in tree.children:
        raise BayesGLMMError(
            f"{path} holds no posterior of this package (no model record); open it with arviz.from_netcdf instead."
        )
    posterior = Posterior(tree)
    problem = next(_problems(tree, posterior.record), None)
    if problem is not None:
        raise BayesGLMMError(f"{path} is incomplete: {problem}. Sample and save again.")
    return posterior


def _read(path: Path) -> xr.DataTree:
    """Read everything into memory and close the file, so that it can be replaced while the posterior lives."""
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            groups = {node.path: _plain_text(node.to_dataset(inherit=False).load()) for node in opened.subtree}
            attributes = dict(opened.attrs)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # damaged HDF5 raises whatever the library met first
        words = " ".join(str(error).split())
        raise BayesGLMMError(f"{path} cannot be read as netCDF ({words}); it is damaged or something else.") from error
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = {str(name): _plain(value) for name, value in attributes.items()}
    return tree


def _plain_text(dataset: xr.Dataset) -> xr.Dataset:
    """Give texts the fixed width that they were sampled with; netCDF returns them as Python objects."""
    texts = {name: v for name, v in dataset.variables.items() if v.dtype.kind in "OT"}
    return dataset.assign({name: (v.dims, v.values.astype(str)) for name, v in texts.items()})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _problems(tree: xr.DataTree, record: ModelRecord) -> Iterator[str]:
    """Yield what a posterior lacks that its summaries need."""
    yield from (f"there is no group {name!r}" for name in _GROUPS if name not in tree.children)
    yield from (f"there is no attribute {name!r}" for name in _ATTRIBUTES if name not in tree.attrs)
    draws = tree["posterior"].to_dataset()
    for name, shape in record.shapes().items():
        if name not in draws:
            yield f"there are no draws of {name!r}"
        elif draws[name].dims[:2] != ("chain", "draw") or draws[name].ndim != 2 + len(shape):
            yield f"the draws of {name!r} have dimensions {draws[name].dims}"
        elif any(k not in (None, n) for k, n in zip(shape, draws[name].shape[2:], strict=True)):
            yield f"the draws of {name!r} have shape {draws[name].shape}"
