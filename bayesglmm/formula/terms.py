"""The algebra of terms: an expression -> the terms it stands for, each a product of components.

    a * b = a + b + a:b      a / b = a + a:b      (a + b) ** 2 = a + b + a:b      (a + b) / c = a + b + a:b:c

References
----------
Wilkinson, G. N. and Rogers, C. E. (1973). Symbolic description of factorial models for analysis of
variance. Applied Statistics 22, 392-399. The order of terms is that of formulae (main effects are not sorted to the
front).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

from bayesglmm.errors import FormulaError
from bayesglmm.formula.limits import MAX_TERMS, MAX_WRITTEN
from bayesglmm.formula.printer import node_text
from bayesglmm.formula.tree import Binary, Call, Name, Node, Number, Sum, Unary

__all__ = ["Term", "expand"]

#: Components that are multiplied with each other, in order of first appearance.
type Term = tuple[Node, ...]
type _Numbered = tuple[int, ...]


def expand(node: Node | None, text: str = "") -> tuple[Term, ...]:
    """Write an expression of terms out.

    Parameters
    ----------
    node : Node or None
        ``Common.terms``.
    text : str
        The formula, for messages.

    Returns
    -------
    tuple of tuple of Node
        Every term once, as the tuple of its components (`Name` or `Call`).

    Raises
    ------
    FormulaError
        If the expression is no sum of terms (numbers, signs), takes away a term that is not there, multiplies
        a term with itself, or stands for more than ``MAX_TERMS`` terms or ``MAX_WRITTEN`` characters.
    """
    return () if node is None else _Expansion(text).written_out(node)


class _Expansion:
    """One expression being written out; components are numbered, since one may be long and stand in many terms."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers: dict[Node, int] = {}

    def written_out(self, node: Node) -> tuple[Term, ...]:
        numbered = self.terms(node)
        components = list(self.numbers)
        # Only a long formula can say so much.
        if len(self.text) * len(numbered) > MAX_WRITTEN:
            lengths = [len(node_text(component)) for component in components]
            if sum(lengths[k] for term in numbered for k in term) > MAX_WRITTEN:
                raise self._error(
                    f"Written out, this is more than {MAX_WRITTEN} characters. Write it more simply.", node
                )
        return tuple(tuple(components[k] for k in term) for term in numbered)

    def terms(self, node: Node) -> list[_Numbered]:
        match node:
            case Name() | Call():
                return [(self.numbers.setdefault(node, len(self.numbers)),)]
            case Sum(terms=parts):
                return self._union(node, *(self.terms(part) for part in parts))
            case Number():
                raise self._error("A number is no term. 0 or 1 alone, outside brackets, stand for the intercept.", node)
            case Unary():
                raise self._error("This sign has nothing before it; arithmetic goes inside I(...).", node)
            case Binary(op="**"):
                return self._power(node)
            case Binary(op="-"):
                return self._difference(node)
            case Binary():
                return self._product(node)

    def _error(self, problem: str, node: Node) -> FormulaError:
        return FormulaError(problem, self.text, node.position)

    def _bounded(self, count: int, node: Node) -> None:
        if count > MAX_TERMS:
            raise self._error(f"Written out, this is more than {MAX_TERMS} terms. Write it more simply.", node)

    def _union(self, node: Node, *parts: Iterable[_Numbered]) -> list[_Numbered]:
        found: dict[frozenset[int], _Numbered] = {}
        for part in parts:
            for term in part:
                found.setdefault(frozenset(term), term)
        self._bounded(len(found), node)
        return list(found.values())

    def _difference(self, node: Binary) -> list[_Numbered]:
        left = {frozenset(term): term for term in self.terms(node.left)}
        for term in self.terms(node.right):
            if left.pop(frozenset(term), None) is None:
                raise self._error(
                    "This takes away a term that is not there. For a difference of columns write I(a - b).",
                    node,
                )
        return list(left.values())

    def _product(self, node: Binary) -> list[_Numbered]:
        left, right = self.terms(node.left), self.terms(node.right)
        if len(left) == len(right) == 1:
            shared = set(left[0]) & set(right[0])
            if set(left[0]) == set(right[0]) or (node.op == ":" and shared):
                raise self._error("A term times itself is the term itself; for a square write I(x ** 2).", node)
        if node.op == "/":
            return self._union(node, left, self._crossed(node, [_merged(left)], right))
        crossed = self._crossed(node, left, right)
        return crossed if node.op == ":" else self._union(node, left, right, crossed)

    def _crossed(self, node: Node, left: Sequence[_Numbered], right: Sequence[_Numbered]) -> list[_Numbered]:
        self._bounded(len(left) * len(right), node)
        return self._union(node, (_merged((a, b)) for a in left for b in right))

    def _power(self, node: Binary) -> list[_Numbered]:
        match node.right:
            case Number(value=int(power)) if 1 <= power <= MAX_TERMS:
                pass
            case _:
                raise self._error("The power of a sum of terms is a whole number; arithmetic goes inside I(...).", node)
        base = self.terms(node.left)
        if len(base) == 1 and power > 1:
            raise self._error("Outside I(...) the power of one term is the term itself; write I(x ** 2).", node)
        power = min(power, len(base))
        self._bounded(sum(comb(len(base), k) for k in range(1, power + 1)), node)
        return self._union(node, *((_merged(c) for c in combinations(base, k)) for k in range(1, power + 1)))


def _merged(terms: Iterable[_Numbered]) -> _Numbered:
    return tuple(dict.fromkeys(component for term in terms for component in term))
