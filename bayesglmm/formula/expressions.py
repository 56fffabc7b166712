"""Expressions: what stands between the bars and the tilde.

Precedence climbing; from loose to tight: ``+ -``, ``* /``, ``:``, sign, ``**``, as in R. ``**`` binds to the
right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bayesglmm.formula.arithmetic import check_arithmetic
from bayesglmm.formula.cursor import Cursor
from bayesglmm.formula.functions import (
    ALIASES,
    FUNCTIONS,
    STRUCTURES,
    inconsistency,
    unknown_function,
    unknown_structure,
)
from bayesglmm.formula.limits import MAX_DEPTH, MAX_TERMS
from bayesglmm.formula.options import read_options
from bayesglmm.formula.tokens import RESERVED, Token, shown
from bayesglmm.formula.tree import Binary, Call, Name, Node, Number, Sum, Unary

__all__ = ["OPERATORS", "PRODUCT", "SUM", "Expressions", "Signed"]

#: "+" or "-", and what it stands before.
type Signed = tuple[str, Node]

SUM: Final = 1
PRODUCT: Final = 2
_POWER: Final = 5
_TIGHTNESS: Final = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, ":": 3, "**": _POWER}
OPERATORS: Final = tuple(_TIGHTNESS)


class Expressions:
    """Reads expressions from a cursor, to a bounded depth.

    Parameters
    ----------
    cursor : Cursor
        Where to read.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.depth = 0

    def read(self, tightness: int = SUM) -> Node:
        """Read an expression whose operators bind at least as tightly as given (`SUM` or `PRODUCT`)."""
        left = self._operand()
        while _TIGHTNESS.get(self.cursor.token.kind, 0) >= tightness:
            sign = self.cursor.take()
            own = _TIGHTNESS[sign.kind]
            right = self._nested(sign, own) if sign.kind == "**" else self.read(own + 1)
            left = self._joined(sign, left, right)
        return left

    def summands(self, taken: Callable[[str], bool] = lambda _: False) -> list[Signed]:
        """Read a whole sum, each summand with the sign before it.

        Parameters
        ----------
        taken : callable
            Is given the sign before what comes next; True if it has read that itself.
        """
        signed: list[Signed] = []
        n_terms = 0
        sign = self.cursor.take().kind if self.cursor.token.kind in ("+", "-") else "+"
        while True:
            if not taken(sign):
                signed.append((sign, self.read(PRODUCT)))
                # The intercept's marker is no term, so that the canonical text may always add one.
                n_terms += not isinstance(signed[-1][1], Number)
                if n_terms > MAX_TERMS:
                    raise self.cursor.error(f"A formula has at most {MAX_TERMS} terms. Shorten it.")
            if self.cursor.token.kind not in ("+", "-"):
                return signed
            sign = self.cursor.take().kind

    def _joined(self, sign: Token, left: Node, right: Node) -> Node:
        node: Node
        if sign.kind == "+":
            terms = (*left.terms, right) if isinstance(left, Sum) else (left, right)
            if len(terms) > MAX_TERMS:
                raise self.cursor.error(f"This sum has more than {MAX_TERMS} terms. Shorten it.", sign)
            node = Sum(terms, position=left.position)
        else:
            node = Binary(sign.kind, left, right, position=sign.position)
        return self._bounded(node, sign)

    def _bounded(self, node: Node, where: Token) -> Node:
        if node.depth > MAX_DEPTH:
            raise self._too_deep(where)
        return node

    def _too_deep(self, where: Token) -> Exception:
        return self.cursor.error(f"This is nested more than {MAX_DEPTH} levels deep. Write it more simply.", where)

    def _nested(self, where: Token, tightness: int) -> Node:
        if self.depth >= MAX_DEPTH:
            raise self._too_deep(where)
        self.depth += 1
        node = self.read(tightness)
        self.depth -= 1
        return node

    def _operand(self) -> Node:
        token = self.cursor.token
        match token:
            case Token(kind="number", value=int() | float() as value):
                self.cursor.take()
                return Number(value, position=token.position)
            case Token(kind="name"):
                return self.call() if self.cursor.calls() else self.name()
            case Token(kind="("):
                return self._bracket()
            case Token(kind="-"):
                self.cursor.take()
                return self._bounded(Unary("-", self._nested(token, _POWER), position=token.position), token)
            case Token(kind="+"):
                self.cursor.take()
                return self._nested(token, _POWER)
        raise self._missing()

    def _missing(self) -> Exception:
        if self.cursor.token.kind == ")":
            return self.cursor.error("A column, a number or '(' is missing before this ')'.")
        return self.cursor.unexpected()

    def _bracket(self) -> Node:
        if self.cursor.at in self.cursor.bars:
            raise self.cursor.error(
                "A group term is only added, y ~ x + (1 | g): outside other brackets, not part of a product."
            )
        opened = self.cursor.take()
        node = self._nested(opened, SUM)
        self.cursor.close(opened)
        return node

    def name(self) -> Name:
        """Read a column's name."""
        token = self.cursor.token
        if token.kind != "name":
            raise self.cursor.error("A column is needed here.")
        name = str(token.value)
        if name in RESERVED and not token.quoted:
            raise self.cursor.error(
                f"{shown(name)} is not read as a column. If it is one, put it in backticks: `{name}`."
            )
        self.cursor.take()
        if token.quoted and self.cursor.token.kind == "(":
            raise self.cursor.error("A name in backticks is a column; a column cannot be called.", token)
        return Name(name, position=token.position)

    def call(self) -> Call:
        """Read a call of a declared function, with its argument and options checked."""
        token = self.cursor.take()
        name = str(token.value)
        opened = self.cursor.take()
        function = FUNCTIONS.get(ALIASES.get(name, name))
        if function is None:
            bar = self.cursor.at - 1 in self.cursor.bars and name not in STRUCTURES
            problem = unknown_structure(name) if bar else unknown_function(name)
            raise self.cursor.error(f"{shown(name)}: {problem}", token)
        if self.cursor.token.kind == ")":
            raise self.cursor.error(f"{name}() needs a column.")
        inside = self.cursor.token
        argument = self._nested(opened, SUM)
        if function.argument == "column" and not isinstance(argument, Name):
            raise self.cursor.error(f"{name}() takes a column's name.", inside)
        check_arithmetic(argument, name, self.cursor.text)
        options = read_options(self.cursor, name, function.options)
        self.cursor.close(opened)
        wrong = inconsistency(function.name, dict(options))
        if wrong:
            raise self.cursor.error(wrong, token)
        call = Call(function.name, (argument,), options, position=token.position)
        self._bounded(call, token)
        return call
