"""Response families: one record each, and the registry that the rest of the package looks them up in.

A new family is one file with a `Family` record and one line in `FAMILIES`; nothing else asks which family
it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bayesglmm.errors import Problem, SpecificationError, nearest
from bayesglmm.families.bernoulli import BERNOULLI
from bayesglmm.families.beta import BETA
from bayesglmm.families.beta_binomial import BETA_BINOMIAL
from bayesglmm.families.binomial import BINOMIAL
from bayesglmm.families.cumulative import CUMULATIVE
from bayesglmm.families.gamma import GAMMA
from bayesglmm.families.gaussian import GAUSSIAN
from bayesglmm.families.negative_binomial import NEGATIVE_BINOMIAL
from bayesglmm.families.poisson import POISSON
from bayesglmm.families.record import Dispersion, Encoded, Family, FamilyLink, Link, Violation
from bayesglmm.families.rows import RowKernels, compile_rows
from bayesglmm.families.student_t import STUDENT_T
from bayesglmm.families.zero_parts import HURDLE_POISSON, ZERO_INFLATED_NEGATIVE_BINOMIAL, ZERO_INFLATED_POISSON

__all__ = [
    "FAMILIES",
    "Dispersion",
    "Encoded",
    "Family",
    "FamilyLink",
    "Link",
    "RowKernels",
    "Violation",
    "compile_rows",
    "get_family",
    "get_link",
    "nearest_family",
]

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            GAUSSIAN,
            BERNOULLI,
            BINOMIAL,
            POISSON,
            NEGATIVE_BINOMIAL,
            GAMMA,
            BETA,
            BETA_BINOMIAL,
            STUDENT_T,
            CUMULATIVE,
            ZERO_INFLATED_POISSON,
            ZERO_INFLATED_NEGATIVE_BINOMIAL,
            HURDLE_POISSON,
        )
    }
)

#: What other packages call them, where the spelling alone would lead elsewhere.
_ELSEWHERE = MappingProxyType(
    {
        "nbinom": "negative_binomial",
        "nbinom2": "negative_binomial",
        "negbin": "negative_binomial",
        "negbinomial": "negative_binomial",
        "nb": "negative_binomial",
        "beta_family": "beta",
        "normal": "gaussian",
        "student": "student_t",
        "t": "student_t",
        "ordinal": "cumulative",
        "ordered": "cumulative",
        "zip": "zero_inflated_poisson",
        "zinb": "zero_inflated_negative_binomial",
        "zero_inflated_negbinomial": "zero_inflated_negative_binomial",
        "truncated_poisson": "hurdle_poisson",
    }
)


def nearest_family(name: str) -> str:
    """Return ``" Did you mean 'x'?"`` for the family that ``name`` is likely to stand for, or an empty string."""
    known = _ELSEWHERE.get(name.lower().strip())
    return nearest(name, FAMILIES) if known is None else f" Did you mean {known!r}?"


def get_family(name: str) -> Family:
    """Return the family called ``name``.

    Raises
    ------
    SpecificationError
        If there is none; the message lists those there are.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    message = f"unknown family {name!r}; allowed: {', '.join(FAMILIES)}.{nearest_family(name)}"
    raise SpecificationError([Problem("family", message, "family")])


def get_link(family: Family, name: str | None = None) -> FamilyLink:
    """Return a family's link called ``name``, or its default link for None.

    Raises
    ------
    SpecificationError
        If the family does not have it; the message lists those it has.
    """
    link = family.default_link if name is None else name
    if link in family.links:
        return family.links[link]
    allowed = ", ".join(family.links)
    message = f"unknown link {link!r} for {family.name}; allowed: {allowed}.{nearest(link, family.links)}"
    raise SpecificationError([Problem("link", message, "link")])
