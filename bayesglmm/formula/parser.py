"""Text -> `Formula`. Recursive descent over the tokens; nothing of a formula is ever evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bayesglmm.errors import FormulaError
from bayesglmm.formula.common import common_part
from bayesglmm.formula.cursor import Cursor
from bayesglmm.formula.expressions import Expressions, Signed
from bayesglmm.formula.groups import GroupReader
from bayesglmm.formula.limits import MAX_CHARACTERS, MAX_TERMS
from bayesglmm.formula.responses import read_response
from bayesglmm.formula.tokens import brief, tokenize
from bayesglmm.formula.tree import Factor, Formula, GroupTerm

__all__ = ["parse"]

#: Shorter texts stay below `MAX_CHARACTERS` in canonical form, their nested grouping factors written out.
_SURELY_SHORT: Final = 500


def parse(text: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        ``response ~ common terms + group terms``, for example
        ``"s | trials(n) ~ 0 + treatment * poly(dose, 2) + offset(log(t)) + (1 + dose || site / plot)"``.
        Names are columns; any name can be written in backticks, where a backtick is doubled. Functions come
        from ``ALLOWED_FUNCTIONS``.

    Returns
    -------
    Formula
        Its tree. ``parse(str(formula)) == formula``.

    Raises
    ------
    FormulaError
        For every text that is no formula; the message points at the place. No other exception is raised.
    """
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text such as 'y ~ x + (1 | g)', not {type(text).__name__}.")
    cursor = Cursor(text, tokenize(text))
    _check_sides(cursor)
    expressions = Expressions(cursor)
    response = read_response(expressions)
    cursor.take()
    signed, groups = _right_side(expressions)
    formula = Formula(response, common_part(signed, text), groups)
    if len(text) > _SURELY_SHORT and len(str(formula)) > MAX_CHARACTERS:
        raise cursor.error(f"Written out, this formula has more than {MAX_CHARACTERS} characters. Shorten it.", 0)
    return formula


def _check_sides(cursor: Cursor) -> None:
    tildes = [token for token in cursor.tokens if token.kind == "~"]
    if len(cursor.tokens) == 1:
        raise cursor.error("The formula is empty. Write response ~ predictors, for example y ~ x + (1 | g).")
    if not tildes:
        equals = next((token for token in cursor.tokens if token.kind == "="), None)
        raise cursor.error(
            "There is no '~'. Write response ~ predictors, for example y ~ x + (1 | g).",
            equals or cursor.tokens[-1],
        )
    if len(tildes) > 1:
        raise cursor.error("A formula has one '~', between the response and its predictors.", tildes[1])
    if cursor.tokens[0].kind == "~":
        raise cursor.error("The left side is empty: write the response before '~'.", tildes[0])
    if cursor.tokens[-2].kind == "~":
        raise cursor.error("The right side is empty: write 1 for an intercept alone.", cursor.tokens[-1])


def _right_side(expressions: Expressions) -> tuple[list[Signed], tuple[GroupTerm, ...]]:
    cursor = expressions.cursor
    reader = GroupReader(expressions)
    groups: list[GroupTerm] = []

    def group_taken(sign: str) -> bool:
        if not reader.starts():
            return False
        if sign == "-":
            raise cursor.error("A group term cannot be taken away.")
        groups.extend(reader.read())
        _refuse_product(cursor)
        if len(groups) > MAX_TERMS:
            raise cursor.error(f"A formula has at most {MAX_TERMS} group terms. Shorten it.")
        return True

    signed = expressions.summands(group_taken)
    _check_end(cursor)
    _check_repeated(groups, cursor)
    return signed, tuple(groups)


def _check_repeated(groups: list[GroupTerm], cursor: Cursor) -> None:
    seen: set[GroupTerm] = set()
    for group in groups:
        # The levels of a:b and of b:a are the same.
        key = replace(group, factor=Factor(tuple(sorted(group.factor.columns))))
        if key in seen:
            raise cursor.error(f"The group term {brief(str(group))} is there twice. Keep one.", group.position)
        seen.add(key)


def _refuse_product(cursor: Cursor) -> None:
    if cursor.token.kind in (":", "*", "/", "**"):
        raise cursor.error("A group term is only added; it cannot be part of a product or a power.")


def _check_end(cursor: Cursor) -> None:
    token = cursor.token
    if token.kind == "end":
        return
    if token.kind in ("|", "||"):
        after = cursor.tokens[min(cursor.at + 1, len(cursor.tokens) - 1)]
        group = str(after.value) if after.kind == "name" and not after.quoted and len(str(after.value)) < 40 else "g"
        raise cursor.error(f"A group term needs brackets around it: (1 | {group}), or (1 + x | {group}).")
    raise cursor.unexpected()
