"""Random correlation matrices with density proportional to det(R)^(eta - 1)."""

from __future__ import annotations

from typing import Any

__all__ = ["draw_lkj"]


def draw_lkj(rng: Any, eta: float, size: tuple[int, ...]) -> Any:
    """Draw correlation matrices from LKJ(eta) by the onion method.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    eta : float
        Shape, above 0; 1 is uniform over correlation matrices.
    size : tuple of int, (..., q, q)
        Shape of the result.

    Returns
    -------
    ndarray, shape ``size``
        Correlation matrices R.

    Notes
    -----
    Row i of the Cholesky factor is sqrt(y) w with w uniform on the sphere and y ~ Beta(i / 2, eta + (q - 1 -
    i) / 2), i = 1, ..., q - 1 (Lewandowski, Kurowicka & Joe 2009, section 3.2).
    """
    *batch, q, columns = size
    if q != columns:
        raise ValueError(f"size = {size} is given; the last two entries are the matrix and must be equal.")
    factor = rng.normal(size=(*batch, q, q))
    for i in range(q):
        row = factor[..., i, :]
        row[..., i:] = 0.0
        if i == 0:
            row[..., 0] = 1.0
            continue
        y = rng.beta(i / 2.0, eta + (q - 1 - i) / 2.0, size=batch)
        length = (row[..., :i] ** 2).sum(axis=-1) ** 0.5
        row[..., :i] *= (y**0.5 / length)[..., None]
        row[..., i] = (1.0 - y) ** 0.5
    R = factor @ factor.swapaxes(-1, -2)
    for i in range(q):
        R[..., i, i] = 1.0
    return R
