"""Options of functions and structures: constants of a declared kind, by position or by keyword."""

from __future__ import annotations

from bayesglmm.errors import nearest
from bayesglmm.formula.cursor import Cursor
from bayesglmm.formula.functions import CONTRASTS, Option
from bayesglmm.formula.tokens import Token, shown
from bayesglmm.formula.tree import Contrast, Literal

__all__ = ["read_options"]


def read_options(
    cursor: Cursor, owner: str, declared: tuple[Option, ...], ends: tuple[str, ...] = ()
) -> tuple[tuple[str, Literal], ...]:
    """Read ``, option, name=option`` up to the closing bracket, or to one of the keywords ``ends``, left to the caller.

    Returns
    -------
    tuple of (str, Literal)
        What was given, by name, in declared order.
    """
    given: dict[str, Literal] = {}
    while not any(cursor.follows(word, "=") for word in ends) and cursor.skip(","):
        start = cursor.token
        option = _which(cursor, owner, declared, given)
        if option.name in given:
            raise cursor.error(f"{option.name} of {owner}() is given twice.", start)
        value = _literal(cursor, owner, option)
        # What follows a constant is the next option or the end: poly(x, 1 + 1) is not worked out.
        if not option.accepts(value) or cursor.token.kind not in (",", ")", "end"):
            raise cursor.error(f"{option.name} of {owner}() must be {option.needs}.", start)
        given[option.name] = value
    for option in declared:
        if option.required and option.name not in given:
            example = "5" if option.kind == "whole" else '"A"'
            raise cursor.error(f"{owner}() needs {option.name}: {option.needs}, as in {option.name}={example}.")
    return tuple((option.name, given[option.name]) for option in declared if option.name in given)


def _which(cursor: Cursor, owner: str, declared: tuple[Option, ...], given: dict[str, Literal]) -> Option:
    if cursor.token.kind == "name" and cursor.following == "=":
        name = str(cursor.token.value)
        for option in declared:
            if option.name == name:
                cursor.take()
                cursor.take()
                return option
        names = [option.name for option in declared]
        known = f"Its options are {', '.join(names)}." if names else "It has none."
        raise cursor.error(f"{owner}() has no option {shown(name)}.{nearest(name, names)} {known}")
    if len(given) >= len(declared):
        count = (
            "no options" if not declared else "one option" if len(declared) == 1 else f"at most {len(declared)} options"
        )
        raise cursor.error(f"{owner}() takes one argument and {count}.")
    return declared[len(given)]


def _literal(cursor: Cursor, owner: str, option: Option) -> Literal:
    negative = cursor.skip("-")
    match cursor.token:
        case Token(kind="number", value=int() | float() as value):
            cursor.take()
            return -value if negative else value
        case Token(kind="text", value=str(value)) if not negative:
            cursor.take()
            return value
        case Token(kind="name", value="True" | "False" as value, quoted=False) if not negative:
            cursor.take()
            return value == "True"
        case Token(kind="name", value=str(value), quoted=False) if value in CONTRASTS and not negative:
            return _contrast(cursor)
        case Token(kind="end"):
            raise cursor.unexpected()
    raise cursor.error(f"{option.name} of {owner}() must be {option.needs}.")


def _contrast(cursor: Cursor) -> Contrast:
    scheme = str(cursor.take().value)
    opened = cursor.token
    if not cursor.skip("("):
        return Contrast(scheme)
    level: str | int | float | None = None
    if cursor.token.kind in ("text", "number", "-"):
        negative = cursor.skip("-")
        if cursor.token.kind not in (("number",) if negative else ("text", "number")):
            raise cursor.unexpected()
        given = cursor.take().value
        level = given if isinstance(given, str) or not negative else -given
    if cursor.token.kind != ")":
        raise cursor.error(f'{scheme}() takes one level, {scheme}("level") or {scheme}(2).', opened)
    cursor.take()
    return Contrast(scheme, level)
