"""How this package compiles with numba: one decorator, and a stamp that keeps cached machine code honest.

Machine code is cached on disk (beside the source, or in numba's per-user folder where the package is read-only), so the
second process pays nothing. numba looks at the time of the file that holds a function, and not at the files of the
functions which it inlines; `source_stamp` closes that gap: entry points are made by factories that close over it, and
numba makes the contents of a closure part of the cache key.
"""

from __future__ import annotations

import functools
import inspect
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.extending import register_jitable

__all__ = ["compiled", "compiled_pointer", "jitable", "source_stamp"]

_OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled(*signature: Any) -> Any:
    """Return numba's njit, cached on disk, without the GIL, with IEEE arithmetic (1/0 is inf, not an exception).

    Used bare or with a signature. Where no folder can be written to (a container under a foreign user), the code is
    compiled without being kept.
    """
    if len(signature) == 1 and inspect.isfunction(signature[0]):
        return _cached(functools.partial(numba.njit, **_OPTIONS), signature[0])
    return lambda function: _cached(functools.partial(numba.njit, *signature, **_OPTIONS), function)


def compiled_pointer(signature: Any) -> Any:
    """Return numba's cfunc, cached like `compiled`."""
    return lambda function: _cached(functools.partial(numba.cfunc, signature, nopython=True), function)


def _cached(decorator: Callable[..., Any], function: Callable[..., Any]) -> Any:
    try:
        return decorator(cache=True)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return decorator(cache=False)(function)


#: For functions that compiled code calls. They are compiled into their callers and have no cache of their own, so that
#: only entry points need to know when a source has changed.
jitable = register_jitable(error_model="numpy")

_KERNEL_FOLDERS = ("families", "covariance", "density", "priors")


@functools.cache
def source_stamp(*places: str) -> int:
    """Return a checksum (CRC-32) of every source file whose functions end up in a compiled kernel.

    Parameters
    ----------
    *places : str
        Folders and files that they come from; the folders of the joint density if left out.
    """
    root = Path(__file__).parent
    stamp = zlib.crc32((root / "compiled.py").read_bytes())
    given = [root / place for place in places or _KERNEL_FOLDERS]
    for path in sorted(p for place in given for p in ([place] if place.is_file() else place.rglob("*.py"))):
        stamp = zlib.crc32(path.read_bytes(), stamp)
    return stamp
