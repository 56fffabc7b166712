"""A table of priors as a user gives it -> checked priors by parameter, every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesglmm.priors.frozen import FrozenDict
from bayesglmm.priors.prior import Prior, as_prior
from bayesglmm.priors.roles import refusal, role_of_key
from bayesglmm.spec_problems import ComplaintsError, Located, kind_of, shown

__all__ = ["read_priors"]


def read_priors(given: Any) -> FrozenDict[str, Prior]:
    """Read the table of priors.

    Parameters
    ----------
    given : mapping of str to prior
        Keys as in `bayesglmm.priors.resolution`; values in any form that `as_prior` takes.

    Raises
    ------
    ComplaintsError
        Everything that can be seen to be wrong without the model: forms, distributions, parameters out of range, and
        priors that no parameter of the key's role can have.
    """
    if not isinstance(given, Mapping):
        words = f"{shown(given)} ({kind_of(given)}) is given; a table of priors by parameter is needed, for instance"
        raise ComplaintsError.one(f'{words} beta = {{dist = "Normal", mu = 0, sigma = 2.5}}.')
    priors: dict[str, Prior] = {}
    wrong: list[Located] = []
    for key, value in given.items():
        try:
            priors[key] = _read(key, value)
        except ComplaintsError as complaints:
            wrong += complaints.items
    if wrong:
        raise ComplaintsError(wrong)
    return FrozenDict(priors)


def _read(key: Any, value: Any) -> Prior:
    if not isinstance(key, str):
        raise ComplaintsError.one(f"{shown(key)} is given as a parameter's name; text is needed.")
    try:
        prior = as_prior(value)
    except ComplaintsError as complaints:
        raise complaints.below(key) from None
    words = refusal(role_of_key(key), prior)
    if words is not None:
        raise ComplaintsError.one(words, key, kind="prior")
    return prior
