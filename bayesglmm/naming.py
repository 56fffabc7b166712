"""Names of variables and dimensions in the posterior tree and in the PyMC graph.

A column may be called anything, `sigma` and `beta` included, and xarray allows no variable to share the name of a
dimension; so the names are settled here, once, for every sampler.
"""

from __future__ import annotations

from dataclasses import dataclass

from bayesglmm.design import Design

__all__ = ["GroupNames", "Names"]

#: Variables and dimensions that every model may have, whatever its columns are called.
_RESERVED = frozenset(
    "beta coefficient slope slopes Intercept_centered row chain draw sample eta X size response weights offset "
    "weighted_rows __obs__".split()
)
_KINDS = ("sd", "cor", "u", "z", "variance", "precision", "Z")


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
        taken = set(_RESERVED)
        if design.family.dispersion:
            taken.add(design.family.dispersion)
        labels: list[str] = []
        for group in design.groups:
            labels.append(_free(group.label.replace("/", "_"), set(labels), "_"))
        taken |= {f"{kind}_{label}" for kind in _KINDS for label in labels}
        taken |= {f"{label}_index" for label in labels}
        groups = []
        for label in labels:
            level = _free(label, taken, "_level")
            effect = _free(f"{label}_effect", taken | {level}, "_")
            bis = _free(f"{effect}_bis", taken | {level, effect}, "_")
            taken |= {level, effect, bis}
            groups.append(GroupNames(label, level, effect, bis))
        written = design.response_name.replace("`", "")
        return cls(tuple(groups), _free(written.replace("/", "_"), taken, "_response"))


def _free(wanted: str, taken: set[str], suffix: str) -> str:
    while wanted in taken:
        wanted += suffix
    return wanted
