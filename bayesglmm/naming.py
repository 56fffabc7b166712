"""Names of variables and dimensions in the posterior tree and in the PyMC graph.

A column may be called anything, `sigma` and `beta` included, and xarray allows no variable to share the name
of a dimension; so the names are settled here, once, for every sampler.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from bayesglmm.design import Design
from bayesglmm.residual import COR_VARIABLE, RESIDUAL

__all__ = ["GroupNames", "Names"]

#: Variables and dimensions that every model may have, whatever its columns are called.
_RESERVED = frozenset(
    "beta Intercept_centered slopes eta X offset size response weights weighted_rows "  # noqa: SIM905
    "coefficient slope row chain draw sample __obs__ __sample__".split()
)
_KINDS = ("sd", "cor", "u", "z", "variance", "precision", "Z", "factor")
#: Variables that have one piece an effect where the effects' priors differ.
_IN_PIECES = ("sd", "variance", "precision")


@dataclass(frozen=True)
class GroupNames:
    """Names that belong to one group term.

    Attributes
    ----------
    label : str
        The term's label without characters that ArviZ refuses.
    level_dim, effect_dim, effect_dim_bis : str
        Dimensions of levels and effects (``female``, ``female_effect``); the last one is the second axis of a
        correlation matrix.
    """

    label: str
    level_dim: str
    effect_dim: str
    effect_dim_bis: str

    @property
    def sd(self) -> str:
        """Variable of the standard deviations."""
        return f"sd_{self.label}"

    @property
    def cor(self) -> str:
        """Variable of the correlation matrix."""
        return f"cor_{self.label}"

    @property
    def u(self) -> str:
        """Variable of the group effects."""
        return f"u_{self.label}"

    @property
    def z(self) -> str:
        """Variable of the standardised group effects (a helper: not stored)."""
        return f"z_{self.label}"


@dataclass(frozen=True)
class Names:
    """All names of a design.

    Attributes
    ----------
    groups : tuple of GroupNames
        In the order of the design's group terms.
    response : str
        Variable of the observed response.
    """

    groups: tuple[GroupNames, ...]
    response: str

    @classmethod
    def of(cls, design: Design) -> Names:
        """Settle the names of ``design``."""
        taken = _fixed(design)
        labels: list[str] = []
        for group in design.groups:
            labels.append(_free(group.label, functools.partial(_clashes, group.n_effects, frozenset(taken))))
            taken |= _variables(group.n_effects, labels[-1])
        groups = []
        for label in labels:
            level = _free(label, taken.__contains__, "_level")
            effect = _free(f"{label}_effect", (taken | {level}).__contains__)
            bis = _free(f"{effect}_bis", (taken | {level, effect}).__contains__)
            taken |= {level, effect, bis}
            groups.append(GroupNames(label, level, effect, bis))
        written = design.response_name.replace("`", "")
        return cls(tuple(groups), _free(written, taken.__contains__, "_response"))


def _fixed(design: Design) -> set[str]:
    """Return the names that do not depend on what columns are called."""
    taken = {*_RESERVED, *(f"beta_{k}" for k in range(len(design.coefficients)))}
    for name in filter(None, (design.family.dispersion, *(part.name for part in design.family_parts))):
        taken |= {name, f"{name}_variance", f"{name}_precision"}
    for part in design.family_parts:
        if part.dim is not None:
            taken |= {part.dim, f"{part.name}_columns", f"{part.name}_offset"}
            taken |= {f"{part.name}_{k}" for k in range(part.size)}
    if design.residual is not None:
        taken |= {COR_VARIABLE, f"{COR_VARIABLE}_share", f"{COR_VARIABLE}_cholesky", f"{RESIDUAL}_pair"}
        taken |= {f"{RESIDUAL}_group", f"{RESIDUAL}_time"}
    return taken


def _variables(n_effects: int, label: str) -> set[str]:
    """Return the names of all variables that a group term with this label may bring into a model."""
    whole = {f"{kind}_{label}" for kind in _KINDS} | {f"{label}_index", f"cor_{label}_cholesky", f"cor_{label}_share"}
    return whole | {f"{kind}_{label}_{k}" for kind in _IN_PIECES for k in range(n_effects) if n_effects > 1}


def _clashes(n_effects: int, taken: frozenset[str], label: str) -> bool:
    return not taken.isdisjoint(_variables(n_effects, label))


def _free(written: str, taken: Callable[[str], bool], suffix: str = "") -> str:
    """Return ``written`` as a name that is not taken, if need be with the suffix and a number."""
    # "/" and "." are paths in netCDF and NUL ends a name there; what ends in "__" is a transformed variable to PyMC,
    # which does not store it.
    wanted = written.replace("/", "_").replace("\0", "_")
    wanted = wanted.replace(".", "_") if not wanted.strip(".") else wanted
    stem = wanted.rstrip("_") or "unnamed"
    if wanted.endswith("__") or wanted == "_":
        wanted = f"{stem}_"
    if not taken(wanted):
        return wanted
    numbered = (f"{wanted}{suffix}_{k}" for k in itertools.count(2))
    candidates = itertools.chain([f"{wanted}{suffix}"], numbered)
    return next(name for name in candidates if not taken(name))
