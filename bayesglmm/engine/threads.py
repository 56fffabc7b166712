"""BLAS threads: for the small matrices of a mixed model a second thread waits longer than it works."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["blas_threads"]

#: Side of a matrix from which LAPACK's own threads pay (measured: at 120 they cost a factor of 40).
_WORTH_THREADS = 1500


@contextmanager
def blas_threads(side: int) -> Iterator[None]:
    """Hold BLAS to one thread while matrices of this side are worked on, unless they are large.

    Parameters
    ----------
    side : int
        Number of rows of the largest matrix that is factored.
    """
    if side >= _WORTH_THREADS:
        yield
        return
    with _pools().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _pools() -> ThreadpoolController:
    """Return the thread pools of the libraries that are loaded: looked up once, a few milliseconds."""
    import scipy.linalg  # noqa: F401 (its BLAS must be among them)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
