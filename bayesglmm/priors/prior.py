"""A prior as a specification says it: a registered distribution, its parameters, and what it is put on."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_serializer

from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.registry import DISTRIBUTIONS, Distribution
from bayesglmm.spec_problems import ComplaintsError, Located, kind_of, near, refuse, shown

__all__ = ["Prior", "as_prior"]

_ON = ("sd", "variance", "precision")
_REMEDY = (
    'Write it as {dist = "Normal", mu = 0, sigma = 2.5} in a file, as ("Normal", {"mu": 0, "sigma": 2.5}) in Python.'
)


class Prior(BaseModel):
    """A prior distribution.

    Parameters
    ----------
    dist : str
        Name of a registered distribution (``bayesglmm.priors.DISTRIBUTIONS``), as in PyMC.
    params : dict of str to float, optional
        Its parameters, in PyMC's names. They may be given as keywords instead: ``Prior("Normal", mu=0,
        sigma=2.5)``.
    on : {"sd", "variance", "precision"}
        For the prior of a scale: the quantity that has the distribution. Coefficients have ``"sd"``, meaning
        themselves.

    Raises
    ------
    SpecificationError
        Unknown distribution, unknown or missing parameters, values out of range: all that is wrong at once.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    dist: str
    params: dict[str, float]
    on: Literal["sd", "variance", "precision"] = "sd"

    def __init__(self, dist: str, params: Mapping[str, float] | None = None, on: str = "sd", **values: float) -> None:
        try:
            super().__init__(**_checked(dist, _joined(params, values), on))
        except ComplaintsError as complaints:
            refuse(complaints.items)
        object.__setattr__(self, "params", FrozenDict(self.params))

    @property
    def distribution(self) -> Distribution:
        """The registered distribution."""
        return DISTRIBUTIONS[self.dist]

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        words: dict[str, Any] = {"dist": self.dist, **self.params}
        return words if self.on == "sd" else {**words, "on": self.on}

    def __hash__(self) -> int:
        return hash((self.dist, self.params, self.on))

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value:g}" for name, value in self.params.items())
        return f"{self.dist}({values})" + (f" on {self.on}" if self.on != "sd" else "")


def as_prior(given: Any) -> Prior:
    """Read a prior in any of the forms that ``priors=`` takes.

    Parameters
    ----------
    given : Prior, mapping, (str, mapping) or a PreliZ distribution
        ``{"dist": "Normal", "mu": 0, "sigma": 2.5, "on": "sd"}``, ``("Normal", {"mu": 0, "sigma": 2.5})``,
        or an object whose class has the name of a registered distribution and which has its parameters as
        attributes.

    Raises
    ------
    ComplaintsError
        All that is wrong with it.
    """
    if isinstance(given, Prior):
        return given
    words = _words(given)
    if "dist" not in words:
        raise ComplaintsError.one(f"{shown(given)} names no distribution: the key dist is missing. {_REMEDY}")
    # A nested table params = {...} is what Prior.params looks like in Python; both spellings say the same.
    nested = words.pop("params", None)
    dist, on = words.pop("dist"), words.pop("on", "sd")
    return Prior(**_checked(dist, _joined(nested, words), on))


def _joined(params: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters given as a table together with those given one by one."""
    if not isinstance(params, Mapping | None):
        raise ComplaintsError.one(f"{shown(params)} is given; a table of parameters is needed.", "params")
    twice = [Located((str(name),), "is given twice; say it once.") for name in params or () if name in values]
    if twice:
        raise ComplaintsError(twice)
    return {**(params or {}), **values}


def _words(given: Any) -> dict[str, Any]:
    """Return a flat mapping with the key dist."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, tuple | list):
        if len(given) == 2 and isinstance(given[1], Mapping):
            params = {name: value for name, value in given[1].items() if name != "on"}
            return {"dist": given[0], "params": params, "on": given[1].get("on", "sd")}
        raise ComplaintsError.one(f"{shown(given)} is given; a prior is a pair of a name and parameters. {_REMEDY}")
    name = type(given).__name__
    if hasattr(given, "params_dict") or name in DISTRIBUTIONS:
        return {"dist": name, **_attributes(given, name)}
    raise ComplaintsError.one(f"{shown(given)} ({kind_of(given)}) is given; this is no prior. {_REMEDY}")


def _attributes(given: Any, name: str) -> dict[str, Any]:
    """Return the parameters of a PreliZ distribution (a Gamma of mu and sigma has alpha and beta as well)."""
    said = dict(getattr(given, "params_dict", None) or {})
    if name not in DISTRIBUTIONS:
        return said
    wanted = DISTRIBUTIONS[name].parameters
    found = {p: getattr(given, p, said.get(p)) for p in wanted}
    return {p: value for p, value in found.items() if value is not None}


def _checked(dist: Any, params: Mapping[str, Any], on: Any) -> dict[str, Any]:
    """Return the fields of a Prior, or raise ComplaintsError with everything that is wrong."""
    distribution = DISTRIBUTIONS.get(dist) if isinstance(dist, str) else None
    wrong: list[Located] = []
    if on not in _ON:
        words = ", ".join(map(repr, _ON))
        wrong.append(Located(("on",), f"{shown(on)} is given.{near(on, _ON)} Allowed: {words}."))
    if distribution is None:
        known = ", ".join(DISTRIBUTIONS)
        message = f"{shown(dist)} is not a registered distribution.{near(dist, DISTRIBUTIONS)} Allowed: {known}."
        raise ComplaintsError([Located(("dist",), message), *wrong])
    values: dict[str, float] = dict(distribution.defaults)
    for name, value in params.items():
        problem = _parameter_problem(distribution, name, value)
        if problem is None:
            values[name] = float(value)
        else:
            wrong.append(Located((str(name),), problem))
    absent = [p for p in distribution.parameters if p not in {**values, **params}]
    unknown = [p for p in params if p not in distribution.parameters]
    # A misspelt name is what a missing one usually is: say it once.
    if len(absent) > len(unknown):
        words = " and ".join(absent)
        wrong.append(Located((), f"{distribution.name} needs {words} ({_signature(distribution)})."))
    if not wrong:
        wrong = [Located((name,), sentence) for name, sentence in distribution.violations(values)]
    if wrong:
        raise ComplaintsError(wrong)
    return {"dist": dist, "params": {p: values[p] for p in distribution.parameters}, "on": on}


def _parameter_problem(distribution: Distribution, name: Any, value: Any) -> str | None:
    if name not in distribution.parameters:
        hint = near(name, distribution.parameters)
        return f"{distribution.name} has no parameter {shown(name)}.{hint} It is {_signature(distribution)}."
    return None if _is_finite(value) else f"{shown(value)} is given; a finite number is needed."


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of float64
        return False


def _signature(distribution: Distribution) -> str:
    return f"{distribution.name}({', '.join(distribution.parameters)})"
