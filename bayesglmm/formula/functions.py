"""The fixed list of functions a formula may call, with what each takes. Nothing outside it can be called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bayesglmm.errors import nearest
from bayesglmm.formula.tree import Contrast, Literal

__all__ = [
    "ALLOWED_FUNCTIONS",
    "CONTRASTS",
    "ELEMENTWISE",
    "FUNCTIONS",
    "RESPONSE_FUNCTIONS",
    "STRUCTURES",
    "Function",
    "Option",
    "inconsistency",
    "unknown_function",
    "unknown_structure",
]

CONTRASTS: Final = ("Treatment", "Sum")


@dataclass(frozen=True)
class Option:
    """One declared option of a function.

    Attributes
    ----------
    name : str
        Its keyword.
    kind : str
        ``"whole"``, ``"number"``, ``"logical"``, ``"contrast"`` or ``"text"``.
    required : bool
        Whether it must be given.
    bare : bool
        Whether the canonical text gives it by position, without its keyword.
    low, high : int
        Bounds of a whole number.
    """

    name: str
    kind: str
    required: bool = False
    bare: bool = False
    low: int = 0
    high: int = 0

    @property
    def needs(self) -> str:
        """What it takes, in words."""
        return {
            "whole": f"a whole number from {self.low} to {self.high}",
            "number": "a number",
            "logical": "True or False",
            "contrast": 'Treatment("level") or Sum("level")',
            "text": "a name in quotes",
        }[self.kind]

    def accepts(self, value: Literal) -> bool:
        """Whether a value is of the declared kind and range."""
        match self.kind:
            case "whole":
                return type(value) is int and self.low <= value <= self.high
            case "number":
                return type(value) in (int, float)
            case "logical":
                return type(value) is bool
            case "contrast":
                return isinstance(value, Contrast)
            case _:
                return isinstance(value, str)


@dataclass(frozen=True)
class Function:
    """One declared function.

    Attributes
    ----------
    name : str
        What is written before the bracket.
    argument : str
        ``"numeric"`` (an expression of columns and numbers) or ``"column"``.
    options : tuple of Option
        What may follow the argument, in this order or by keyword.
    value : str
        ``"number"`` for one number a row, which other functions can take; ``"columns"`` for several;
        ``"offset"``.
    """

    name: str
    argument: str = "numeric"
    options: tuple[Option, ...] = ()
    value: str = "number"


#: Applied row by row; every one is a function of this name in NumPy.
ELEMENTWISE: Final = ("log", "log1p", "exp", "sqrt", "abs")

_POLY: Final = (Option("degree", "whole", bare=True, low=1, high=20), Option("raw", "logical"))
_BS: Final = (
    Option("df", "whole", required=True, low=1, high=100),
    # scipy.interpolate.splev, which formulae calls, takes degrees up to 5.
    Option("degree", "whole", low=0, high=5),
    Option("intercept", "logical"),
    Option("lower_bound", "number"),
    Option("upper_bound", "number"),
)

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        **{name: Function(name) for name in ELEMENTWISE},
        "I": Function("I"),
        "scale": Function("scale"),
        "center": Function("center"),
        "poly": Function("poly", options=_POLY, value="columns"),
        "bs": Function("bs", options=_BS, value="columns"),
        "C": Function("C", argument="column", options=(Option("contrast", "contrast", bare=True),), value="columns"),
        "offset": Function("offset", value="offset"),
    }
)
#: Other names of the functions above.
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"factor": "C"})
ALLOWED_FUNCTIONS: Final = (*FUNCTIONS, *ALIASES)

#: What may follow the bar on the left side.
RESPONSE_FUNCTIONS: Final = ("trials", "se", "weights")

#: Structures of a group term, and the options that follow its bar.
STRUCTURES: Final[Mapping[str, tuple[Option, ...]]] = MappingProxyType(
    {
        "us": (),
        "diag": (),
        "ar1": (),
        "cs": (),
        "known": (Option("covariance", "text", required=True, bare=True),),
    }
)

#: Functions of other packages, and what says the same here.
_ELSEWHERE: Final = {
    "cbind": "Write p(successes, trials) or successes | trials(n), where n counts successes and failures.",
    "prop": "Write p(successes, trials).",
    "proportion": "Write p(successes, trials).",
    "standardize": "Write scale(x).",
    "T": 'Write C(x, Treatment("level")).',
    "S": 'Write C(x, Sum("level")).',
    "Treatment": 'Write C(x, Treatment("level")).',
    "Sum": 'Write C(x, Sum("level")).',
    "ln": "Write log(x).",
    "log10": "Write I(log(x) / log(10)).",
    "log2": "Write I(log(x) / log(2)).",
    "pow": "Write I(x ** 2).",
    "ns": "Write bs(x, df=4) for a B-spline basis.",
}


def unknown_function(name: str) -> str:
    """Return what to say about a call of a function that is not on the list."""
    if name in RESPONSE_FUNCTIONS or name == "p":
        return "this belongs to the left side: y | trials(n) + weights(w) ~ ..., or p(successes, trials) ~ ..."
    if name in STRUCTURES:
        return f"{name}(...) is a term of its own: {name}(1 + x | g), with + before it."
    hint = _ELSEWHERE.get(name) or nearest(name, (*ALLOWED_FUNCTIONS, *STRUCTURES)).strip()
    hint = hint or "If it is a column, a sign such as * is missing after it."
    listing = ", ".join(sorted(ALLOWED_FUNCTIONS, key=str.lower))
    return f"there is no such function in formulas. {hint} There are {listing}."


def unknown_structure(name: str) -> str:
    """Return what to say about ``name(1 | g)`` with a name that is no structure."""
    hint = nearest(name, STRUCTURES).strip() or "If it is a column, a + is missing after it."
    return f"there is no such structure of group terms. {hint} There are {', '.join(sorted(STRUCTURES))}."


def inconsistency(function: str, options: Mapping[str, Literal]) -> str | None:
    """Return what is wrong between the options of one call, or None."""
    if function != "bs":
        return None
    degree, intercept = options.get("degree", 3), options.get("intercept", False)
    assert isinstance(degree, int)
    least = max(1, degree + bool(intercept))
    df = options["df"]
    assert isinstance(df, int)
    if df < least:
        return f"bs() of degree {degree}{' with an intercept' if intercept else ''} needs df of {least} or more."
    lower, upper = options.get("lower_bound"), options.get("upper_bound")
    if isinstance(lower, int | float) and isinstance(upper, int | float) and lower >= upper:
        return "lower_bound of bs() must lie below upper_bound."
    return None
