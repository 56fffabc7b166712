"""Methods that know rows with one dispersion alone, and say so."""

from __future__ import annotations

from bayesglmm.auxiliary import Auxiliary
from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError

__all__ = ["require_one_dispersion", "require_variance_function"]

_INSTEAD = 'use "laplace", "agq" or "mcml", or sample the posterior (model.sample()).'


def require_one_dispersion(design: Design, method: str, works: str, instead: str = _INSTEAD) -> None:
    """Raise SpecificationError where rows depend on more than eta and one dispersion for all of them.

    Parameters
    ----------
    design : Design
        Model and data.
    method : str
        Name of the method.
    works : str
        What the method does that needs rows with one dispersion at most, a clause without its subject.
    instead : str
        What to do, a clause.
    """
    if design.auxiliary is None:
        return
    raise SpecificationError(
        f"method {method!r} {works}, and the rows of this {design.spec.family} model depend on {_named(design)} as "
        f"well; {instead}"
    )


def require_variance_function(design: Design, method: str) -> None:
    """Raise SpecificationError where the mean of a row does not say its variance but for one factor of all rows."""
    auxiliary = design.auxiliary
    if auxiliary is None:
        return
    raise SpecificationError(f"method {method!r} does not apply: {_why(design, auxiliary)}; {_INSTEAD}")


def _why(design: Design, auxiliary: Auxiliary) -> str:
    if "cutpoints" in auxiliary.forms:
        return "ordered categories have no variance function v(mu), so there is no quasi-likelihood"
    if auxiliary.adapted:
        return (
            "a quasi-likelihood has one dispersion for all rows, the factor of a variance function v(mu), and here the "
            f"dispersion varies from row to row ({_named(design)})"
        )
    return (
        "a quasi-likelihood needs the variance of a row as a function v(mu) of its mean, but for one factor of all "
        f"rows, and that of {design.spec.family} rows depends on {_named(design)} as well"
    )


def _named(design: Design) -> str:
    return ", ".join(design.family_names[:4]) + (", ..." if len(design.family_names) > 4 else "")
