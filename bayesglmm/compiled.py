"""How this package compiles with numba: one decorator, and a stamp that keeps cached machine code honest.

Machine code is cached on disk (beside the source, or in numba's per-user folder where the package is read-only), so the
second process pays nothing. numba looks at the time of the file that holds a function, and not at the files of the
functions which it inlines; `source_stamp` closes that gap: entry points are made by factories that close over it, and
numba makes the contents of a closure part of the cache key.
"""

from __future__ import annotations

import functools
import zlib
from pathlib import Path

import numba
from numba.extending import register_jitable

__all__ = ["compiled", "jitable", "source_stamp"]

#: njit that caches on disk, releases the GIL and follows IEEE arithmetic (1/0 is inf, not an exception).
compiled = functools.partial(numba.njit, cache=True, nogil=True, error_model="numpy")

#: For functions that compiled code calls. They are compiled into their callers and have no cache of their own, so that
#: only entry points need to know when a source has changed.
jitable = register_jitable(error_model="numpy")

_KERNEL_FOLDERS = ("families", "covariance", "density", "priors")


@functools.cache
def source_stamp() -> int:
    """Return a checksum (CRC-32) of every source file whose functions end up in a compiled kernel."""
    root = Path(__file__).parent
    stamp = zlib.crc32((root / "compiled.py").read_bytes())
    for path in sorted(p for folder in _KERNEL_FOLDERS for p in (root / folder).rglob("*.py")):
        stamp = zlib.crc32(path.read_bytes(), stamp)
    return stamp
