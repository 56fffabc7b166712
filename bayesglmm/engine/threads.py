"""BLAS threads: for the small matrices of a mixed model a second thread waits longer than it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
