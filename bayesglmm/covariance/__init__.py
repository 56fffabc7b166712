"""Covariance structures of group effects: u = Lambda z, Lambda = diag(sd) L, L L' a correlation matrix.

One file a structure. `STRUCTURES` is the registry; `correlation.py` holds the compiled dispatch that the joint density
calls. A newcomer is one file, one line in the registry and one branch in the dispatch.
"""

from bayesglmm.covariance.autoregressive import AUTOREGRESSIVE, autoregressive
from bayesglmm.covariance.compound import COMPOUND_SYMMETRY
from bayesglmm.covariance.diagonal import INDEPENDENT, SCALAR
from bayesglmm.covariance.known import KNOWN, known
from bayesglmm.covariance.record import Structure
from bayesglmm.covariance.relationship import Relationship, read_relationship, read_relationships
from bayesglmm.covariance.unstructured import UNSTRUCTURED

__all__ = [
    "AUTOREGRESSIVE",
    "COMPOUND_SYMMETRY",
    "INDEPENDENT",
    "KNOWN",
    "SCALAR",
    "STRUCTURES",
    "UNSTRUCTURED",
    "Relationship",
    "Structure",
    "autoregressive",
    "known",
    "read_relationship",
    "read_relationships",
    "structure_for",
]

STRUCTURES = {s.name: s for s in (SCALAR, INDEPENDENT, UNSTRUCTURED, COMPOUND_SYMMETRY, AUTOREGRESSIVE, KNOWN)}


def structure_for(n_effects: int, correlated: bool) -> Structure:
    """Return the structure of a plain group term with ``n_effects`` effects, ``(…|g)`` or ``(…||g)``."""
    if n_effects == 1:
        return SCALAR
    return UNSTRUCTURED if correlated else INDEPENDENT
