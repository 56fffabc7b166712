"""Residual structures: correlations R(rho) of the residuals of one group, used without an n x n matrix.

Every structure is written by its innovations: with the rows of a group in the order of their times and r the residuals
over sigma, row i has mean b_i h_i and standard deviation s_i given the rows before it, h_i being linear in these. So
w_i = (r_i - b_i h_i) / s_i are independent standard normal, and log|R| = 2 sum log s_i: L^-1 r = w for the Cholesky
factor L of R. One file a structure; `STRUCTURES` is the registry. Where standard deviations differ by row, r are the
residuals over their own (`scales`).
"""

from bayesglmm.residual.ar1 import AR1
from bayesglmm.residual.car1 import CAR1
from bayesglmm.residual.code import code_residual
from bayesglmm.residual.cs import CS
from bayesglmm.residual.record import ResidualStructure, Whitening
from bayesglmm.residual.rows import COR_VARIABLE, RESIDUAL, ResidualRows
from bayesglmm.residual.scales import ResidualScales
from bayesglmm.residual.us import US

__all__ = [
    "COR_VARIABLE",
    "RESIDUAL",
    "STRUCTURES",
    "ResidualRows",
    "ResidualScales",
    "ResidualStructure",
    "Whitening",
    "code_residual",
    "structure_of",
]

STRUCTURES = {s.name: s for s in (AR1, CAR1, CS, US)}


def structure_of(rows: ResidualRows) -> ResidualStructure:
    """Return the structure of coded rows."""
    return STRUCTURES[rows.term.structure]
