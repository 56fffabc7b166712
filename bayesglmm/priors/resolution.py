"""Which of the given priors each parameter has: the most specific key wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bayesglmm.errors import Problem, nearest
from bayesglmm.priors.prior import Prior
from bayesglmm.priors.roles import Role, refusal, role_of_key, tidy_key

__all__ = ["Parameter", "Resolution", "resolve"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model and the keys that speak of it.

    Attributes
    ----------
    name : str
        Its name in results: ``cross[RR]``, ``sd(female)``, ``sd(subject, days)``, ``cor(subject)``,
        ``sigma``.
    role : {"coefficient", "sd", "cor", "dispersion"}
        What it is.
    keys : tuple of str
        Keys of ``priors`` that speak of it, the most specific first.
    """

    name: str
    role: Role
    keys: tuple[str, ...]

    @classmethod
    def coefficient(cls, name: str) -> Parameter:
        """Return a coefficient; one that is called like a word of `priors` is reached as ``beta[sd]``."""
        reserved = name == "beta" or role_of_key(name) != "coefficient"
        own = (f"beta[{name}]",) if reserved else (name, f"beta[{name}]")
        return cls(name, "coefficient", (*own, "beta"))

    @classmethod
    def sd(cls, factor: str, effect: str, name: str) -> Parameter:
        """Return the standard deviation of one effect of a grouping factor."""
        keys = (name, f"sd({factor}, {effect})", f"sd({factor})", "sd")
        return cls(name, "sd", tuple(dict.fromkeys(map(tidy_key, keys))))

    @classmethod
    def cor(cls, factor: str, name: str | None = None) -> Parameter:
        """Return the correlation matrix of the effects of a grouping factor."""
        own = f"cor({factor})"
        return cls(name or own, "cor", tuple(dict.fromkeys(map(tidy_key, (name or own, own, "cor")))))

    @classmethod
    def dispersion(cls, name: str) -> Parameter:
        """Return the family's dispersion parameter, ``sigma`` or ``phi``."""
        return cls(name, "dispersion", (name,))

    @classmethod
    def of_family(cls, variable: str, name: str, role: Literal["coefficient", "scale"]) -> Parameter:
        """Return one of the family's parameters; ``variable`` is the key for all of those that share it."""
        return cls(name, "dispersion" if role == "scale" else "coefficient", tuple(dict.fromkeys((name, variable))))


@dataclass(frozen=True)
class Resolution:
    """What became of the given priors.

    Attributes
    ----------
    parameters : tuple of Parameter
        All parameters of the model that can have a prior.
    priors : tuple of (Prior or None), in the order of ``parameters``
        The most specific prior that was given for each, or None.
    keys : tuple of (str or None), in the order of ``parameters``
        The key under which it was given, or None.
    problems : tuple of Problem
        Keys that speak of nothing in the model, and priors that their parameter cannot have.
    """

    parameters: tuple[Parameter, ...]
    priors: tuple[Prior | None, ...]
    keys: tuple[str | None, ...]
    problems: tuple[Problem, ...]


def resolve(given: Mapping[str, Prior], parameters: Sequence[Parameter]) -> Resolution:
    """Find the prior of each parameter.

    Parameters
    ----------
    given : mapping of str to Prior
        ``ModelSpec.priors``.
    parameters : sequence of Parameter
        All parameters of the model that can have a prior.

    Returns
    -------
    Resolution
        Problems are returned, not raised, so that they can be said together with those of the data.

    Notes
    -----
    ``beta`` is for all coefficients, the Intercept included unless ``Intercept`` is given. A key that is a
    parameter's own name is for that parameter alone: with ``(1 | s) + (0 + x | s)``, ``sd(s)`` is not for
    ``sd(s, x)``.
    """
    spelled: dict[str, str] = {}
    problems: list[Problem] = []
    for key in given:
        earlier = spelled.setdefault(tidy_key(key), key)
        if earlier != key:
            message = f"{key!r} and {earlier!r} are the same parameter; give its prior once."
            problems.append(_problem(key, message))
    known = dict.fromkeys(key for p in parameters for key in p.keys)
    problems += [_problem(key, _unknown(key, known)) for tidy, key in spelled.items() if tidy not in known]
    keys = tuple(_most_specific(p, spelled, parameters) for p in parameters)
    priors = tuple(None if key is None else given[key] for key in keys)
    for parameter, given_as, prior in zip(parameters, keys, priors, strict=True):
        words = refusal(parameter.role, prior) if prior is not None else None
        if given_as is not None and words is not None:
            problems.append(_problem(given_as, words))
    return Resolution(tuple(parameters), priors, keys, tuple(dict.fromkeys(problems)))


def _most_specific(parameter: Parameter, spelled: Mapping[str, str], parameters: Sequence[Parameter]) -> str | None:
    taken = {p.name for p in parameters if p.role == parameter.role and p is not parameter}
    return next((spelled[key] for key in parameter.keys if key in spelled and key not in taken), None)


def _unknown(key: str, known: Mapping[str, None]) -> str:
    shown = [k for k in known if not k.startswith("beta[")]
    listing = ", ".join(shown[:30]) + (", ..." if len(shown) > 30 else "")
    return f"{key!r} speaks of no parameter of this model.{nearest(key, known)} Keys that do: {listing}."


def _problem(key: str, message: str) -> Problem:
    return Problem(f"priors, key {key}", message, "prior")
