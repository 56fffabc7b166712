"""The checked common part as text for formulae, which codes categories and remembers transforms.

formulae gets a plain sum of products, never the operators ``* / ** -``, and functions in a form that it reads as
meant:

- Terms are written out here, since its own ``a / b`` labels columns wrongly, ``(a + b) * (a + b)`` loses ``a:b``,
  and ``x - z`` or ``x ** 2`` silently mean ``x``.
- Sums are bracketed in portions, since it walks ``a + b + ...`` by recursion.
- Numbers are floats without exponent, since its scanner knows none.
- Columns inside functions are multiplied by 1.0: columns of integers overflow in ``x ** 20`` and ``x * z``, fail in
  ``x ** -1`` and give ``log(x)`` to three digits where stored in 8 bits; columns of truth values have no ``-``.
- Brackets become ``I()``, since its names of terms drop them: ``I((x + 1) * 2)`` and ``I(x + 1 * 2)`` would be
  one term.
- A function inside a function gets a ``+`` before it, since it cannot compare ``scale(log(x))`` with
  ``scale(x)``.

The names it then gives to components are not what a user wrote; `component_names` translates them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bayesglmm.formula.functions import FUNCTIONS
from bayesglmm.formula.printer import literal_text, node_text
from bayesglmm.formula.terms import expand
from bayesglmm.formula.tree import Binary, Call, Common, Contrast, Literal, Name, Node, Number, Sum, Unary

__all__ = ["common_text", "component_names", "expression_text"]

_PORTION: Final = 32
_NOT_NAMES: Final = ("True", "False", "None")

type Rename = Callable[[str], str]


def common_text(common: Common, rename: Rename) -> str:
    """Return the common part as a right side for formulae, without offsets.

    Parameters
    ----------
    common : Common
        What `parse` returned, or the effects of a group term.
    rename : callable
        Column name -> the name of that column in the data that formulae will see; without a backtick.

    Returns
    -------
    str
        Begins with ``1`` or ``0``; ``"0"`` alone where there is nothing (formulae then has no common matrix).
    """
    style = _Style(rename)
    products = [":".join(style.text(component) for component in term) for term in expand(common.terms)]
    return " + ".join(["1" if common.intercept else "0", *_portions(products)])


def expression_text(node: Node, rename: Rename) -> str:
    """Return one numeric expression as a single term for formulae; arithmetic is put inside ``I()``."""
    return _Style(rename).term(node)


def component_names(common: Common, rename: Rename) -> dict[str, str]:
    """Return formulae's name of every component of `common_text` -> that component as the formula writes it.

    A term's name in formulae is the names of its components joined by ``:``.
    """
    style = _Style(rename, naming=True)
    return {style.term(c): node_text(c) for term in expand(common.terms) for c in term}


def _portions(parts: list[str]) -> list[str]:
    while len(parts) > _PORTION:
        parts = [f"({' + '.join(parts[k : k + _PORTION])})" for k in range(0, len(parts), _PORTION)]
    return parts


@dataclass(frozen=True)
class _Style:
    """How names and numbers are written: for formulae to read, or (naming) as formulae writes them back."""

    rename: Rename
    naming: bool = False

    def term(self, node: Node) -> str:
        """A term of its own: a column or a function."""
        return self.text(node) if isinstance(node, Name | Call) else f"I({self.text(node)})"

    def text(self, node: Node) -> str:
        match node:
            case Name(name=name):
                return self._name(name)
            case Number(value=value):
                return self._number(value)
            case Call(function=function, arguments=arguments, options=options):
                numeric = FUNCTIONS[function].argument == "numeric"
                inside = [self._argument(argument) if numeric else self.text(argument) for argument in arguments]
                bare = {option.name for option in FUNCTIONS[function].options if option.bare}
                inside += [self._option(value) if k in bare else f"{k}={self._option(value)}" for k, value in options]
                return f"{function}({', '.join(inside)})"
            case Sum(terms=terms):
                return " + ".join(self._operand(term) for term in terms)
            case Unary(op=op, operand=operand):
                return op + self._operand(operand)
            case Binary(op=op, left=left, right=right):
                return f"{self._operand(left)} {op} {self._operand(right)}"

    def _argument(self, node: Node) -> str:
        match node:
            case Name():
                return f"{self.text(node)} * 1.0"
            case Call():
                return f"+{self.text(node)}"
            case _:
                return self.text(node)

    def _operand(self, node: Node) -> str:
        match node:
            case Number():
                return self.text(node)
            case Call():
                return f"+{self.text(node)}"
            case _:
                return f"+I({self._argument(node)})"

    def _name(self, column: str) -> str:
        name = self.rename(column)
        if self.naming or (name.isascii() and name.isalnum() and name[0].isalpha() and name not in _NOT_NAMES):
            return name
        if "`" in name:
            raise ValueError(f"formulae cannot read a name with a backtick: {name!r}")
        return f"`{name}`"

    def _number(self, value: int | float) -> str:
        return repr(float(value)) if self.naming else _decimal(float(value))

    def _option(self, value: Literal) -> str:
        match value:
            case Contrast(scheme=scheme, level=None):
                # The bare word would be looked up among the columns first.
                return f"{scheme}()"
            case Contrast(scheme=scheme, level=level):
                assert level is not None
                return f"{scheme}({self._option(level)})"
            case float() if not self.naming:
                return _decimal(value)
            case _:
                return literal_text(value)


def _decimal(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"
