"""Which versions of packages are installed: a result says what made it."""

from __future__ import annotations

import functools
from importlib import metadata

__all__ = ["installed_version"]


@functools.cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, read once: finding it takes a millisecond and more."""
    return metadata.version(package)
