"""The arrays that the marginal density reads, found again by their addresses; for compiled code."""

from __future__ import annotations

from bayesglmm.compiled import jitable
from bayesglmm.density.addresses import int64_grid, int64_vector, real_grid, real_vector

__all__ = [
    "CONSTANT",
    "HELD",
    "N_ARRAYS",
    "PRIOR_SQUARES",
    "SAMPLED",
    "SOURCES",
    "WEIGHT",
    "WIDEST",
    "copy",
    "copy_table",
    "unpack",
]

#: Entries of the last array: sum of weights; d0' P d0; constant of the log density; whether coefficients are held
#: (sampled, not integrated out); whether sigma is sampled; effects of the widest term.
WEIGHT, PRIOR_SQUARES, CONSTANT, HELD, SAMPLED, WIDEST = range(6)
N_ARRAYS = 33
#: What the compiled code is made of (see `compiled.source_stamp`).
SOURCES = (
    *("covariance", "priors", "engine/nodes.py", "engine/lapack.py"),
    *("density", "engine/integrated"),
)


@jitable
def copy(source, target):  # type: ignore[no-untyped-def]  # compiled
    """Copy an array (n,); numba's own assignment brings its error messages with it, seconds of compilation."""
    for k in range(source.shape[0]):
        target[k] = source[k]


@jitable
def copy_table(source, target):  # type: ignore[no-untyped-def]  # compiled
    """Copy an array (n, m)."""
    for r in range(source.shape[0]):
        for c in range(source.shape[1]):
            target[r, c] = source[r, c]


@jitable
def unpack(t):  # type: ignore[no-untyped-def]  # compiled
    """Return the arrays of `GaussianMarginal.arguments`: priors, tree, places, sums, coefficients, numbers, classes,
    leaves, and sums once more as `alone` takes them.
    """
    priors = (int64_grid(t, 0), real_grid(t, 1), real_vector(t, 2))
    tree = (
        int64_grid(t, 3),
        int64_grid(t, 4),
        int64_vector(t, 5),
        int64_vector(t, 6),
        int64_vector(t, 7),
        int64_grid(t, 8),
        int64_vector(t, 9),
    )
    places = (int64_vector(t, 10), int64_vector(t, 11), int64_vector(t, 12), int64_vector(t, 13))
    sums = (real_vector(t, 14), real_vector(t, 15), real_grid(t, 16), real_grid(t, 17), real_grid(t, 18))
    coefficients = (real_grid(t, 19), real_vector(t, 20), real_grid(t, 21), real_vector(t, 22))
    classes = (real_vector(t, 24), real_vector(t, 25), real_grid(t, 26))
    leaves = (int64_vector(t, 29), real_vector(t, 30), real_vector(t, 31), real_vector(t, 32))
    chunks = (real_vector(t, 27), real_vector(t, 28))
    return priors, tree, places, sums, coefficients, real_vector(t, 23), classes, leaves, chunks
