"""Group terms: ``(effects | factor)``, ``(effects || factor)`` and structures such as ``ar1(0 + time | g)``.

A factor ``a / b`` is written out into the terms of ``a`` and of ``a:b``. ``by=trt`` as the last option of a term says
that levels are of several kinds. ``us(...)`` says what ``( | )`` says
and ``diag(...)`` what ``( || )`` says, so they are read as these.
"""

from __future__ import annotations

from bayesglmm.formula.common import common_part
from bayesglmm.formula.expressions import PRODUCT, Expressions
from bayesglmm.formula.functions import STRUCTURES
from bayesglmm.formula.options import read_options
from bayesglmm.formula.tokens import Token
from bayesglmm.formula.tree import Binary, Common, Factor, GroupTerm, Literal, Name, Node

__all__ = ["GroupReader"]


class GroupReader:
    """Reads the group terms of a formula.

    Parameters
    ----------
    expressions : Expressions
        Where to read.
    """

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.cursor = expressions.cursor

    def starts(self) -> bool:
        """Whether a group term comes next."""
        if self.cursor.token.kind == "(":
            return self.cursor.at in self.cursor.bars
        return self.cursor.calls() and self.cursor.token.value in STRUCTURES

    def read(self) -> list[GroupTerm]:
        """Read one group term, which may stand for several."""
        start = self.cursor.token
        name = None if start.kind == "(" else str(self.cursor.take().value)
        opened = self.cursor.take()
        effects = self._effects(name, opened)
        independent = self._bar(name)
        factors = self._factors(self.expressions.read(PRODUCT))
        self._check_factor_ends(name)
        by = self._by()
        options: tuple[tuple[str, Literal], ...] = ()
        if name is not None:
            options = read_options(self.cursor, name, STRUCTURES[name], ends=("by",))
            by = self._by() if by is None else by
        self.cursor.close(opened)
        alone = effects == Common()
        correlated = alone or not (independent or name == "diag")
        structure = None if name in ("us", "diag") else name
        return [GroupTerm(effects, f, correlated, structure, options, by, position=start.position) for f in factors]

    def _effects(self, name: str | None, opened: Token) -> Common:
        start = self.cursor.token
        if start.kind in ("|", "||"):
            raise self.cursor.error("What varies by group is missing before the bar; write 1 for the intercept.")
        if name is not None and self.cursor.at - 1 not in self.cursor.bars:
            raise self.cursor.error(f"{name}(...) needs a bar and a grouping factor: {name}(1 + x | g).", opened)
        effects = common_part(self.expressions.summands(), self.cursor.text)
        if effects.offsets:
            raise self.cursor.error(
                "An offset cannot vary by group; add it outside the brackets.", effects.offsets[0].position
            )
        if effects.terms is None and not effects.intercept:
            raise self.cursor.error("Nothing varies by group here; write (1 | g) or (0 + x | g).", start)
        return effects

    def _bar(self, name: str | None) -> bool:
        token = self.cursor.token
        if token.kind not in ("|", "||"):
            raise self.cursor.unexpected()
        if name is not None and token.kind == "||":
            raise self.cursor.error(f"Inside {name}(...) one bar is written: the structure says how effects correlate.")
        self.cursor.take()
        return token.kind == "||"

    def _by(self) -> str | None:
        """Read ``, by=column``, if that comes next."""
        cursor = self.cursor
        if cursor.token.kind != "," or not cursor.follows("by", "="):
            return None
        cursor.take()
        cursor.take()
        cursor.take()
        if cursor.token.kind != "name" or cursor.calls():
            raise cursor.error("by= takes a column to whose levels the levels of the factor belong: by=trt.")
        return str(cursor.take().value)

    def _check_factor_ends(self, name: str | None) -> None:
        match self.cursor.token:
            case Token(kind="+" | "-"):
                raise self.cursor.error("One grouping factor a term: write (1 | a) + (1 | b).")
            case Token(kind="|" | "||"):
                raise self.cursor.error("A group term has one bar.")
            case Token(kind=",") if name is None and not self.cursor.follows("by", "="):
                raise self.cursor.error("After the grouping factor the bracket closes, or by=column follows.")

    def _factors(self, node: Node) -> list[Factor]:
        return [Factor(columns) for columns in self._nested(node)]

    def _nested(self, node: Node) -> list[tuple[str, ...]]:
        match node:
            case Name(name=name):
                return [(name,)]
            case Binary(op="/", left=left, right=right):
                outer, inner = self._nested(left), self._nested(right)
                return [*outer, *(self._combined(outer[-1], columns, node) for columns in inner)]
            case Binary(op=":", left=left, right=right):
                a, b = self._nested(left), self._nested(right)
                if len(a) == len(b) == 1:
                    return [self._combined(a[0], b[0], node)]
        raise self.cursor.error(
            "A grouping factor is a column, a:b (combinations) or a/b (b within a); make others in the data.",
            node.position,
        )

    def _combined(self, a: tuple[str, ...], b: tuple[str, ...], node: Node) -> tuple[str, ...]:
        if set(a) & set(b):
            raise self.cursor.error("A grouping factor names a column twice.", node.position)
        return (*a, *b)
