"""Text of a formula -> tokens: columns' names, numbers, quoted options and signs. Nothing is evaluated."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from bayesglmm.errors import FormulaError
from bayesglmm.formula.functions import ALLOWED_FUNCTIONS
from bayesglmm.formula.limits import MAX_CHARACTERS

__all__ = ["RESERVED", "Token", "brief", "is_bare", "shown", "tokenize"]

#: Words that are never columns unless in backticks: Python's constants, and words that only code begins with.
#: Other keywords (``class``, ``yield``, ``return``) are ordinary column names.
RESERVED: Final = frozenset(
    {"True", "False", "None", "lambda", "import", "def", "del", "async", "await", "nonlocal", "global"}
)

_SIGNS: Final = ("**", "||", "+", "-", "*", "/", "^", ":", "(", ")", "|", "~", ",", "=")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ASCII_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST_WHOLE: Final = 2**53

#: What people paste from typeset pages, and what they meant (full-width forms: by their normal form).
_LOOKALIKES: Final = {
    **dict.fromkeys("\u2212\u2013\u2014\u2010\u2011", "-"),
    **dict.fromkeys("\u223c\u02dc\u301c", "~"),
    **dict.fromkeys("\u00d7\u2217\u22c5\u00b7", "*"),
    **dict.fromkeys("\u2223\u2502\u00a6", "|"),
    **dict.fromkeys("\u201c\u201d\u201e\u2018\u2019\u201a", "a straight quotation mark"),
}
_COMPARISON = "Comparisons have no place in a formula; compute the column in the data first."
_REMEDIES: Final = {
    **dict.fromkeys("<>!", _COMPARISON),
    **dict.fromkeys("[]", "Nothing can be indexed; take the part you need in the data first."),
    **dict.fromkeys("{}", "Write I(...) around arithmetic."),
    "%": "Write a:b for the combinations of two factors.",
    "&": "Write a:b for an interaction.",
    "$": "Name columns without their table.",
    "@": "Write a:b for an interaction.",
    ";": "A formula is one expression; it holds no second statement.",
    "#": "A formula holds no comments.",
    "\\": "A formula may go over several lines without a sign at their ends.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes
    ----------
    kind : str
        ``"name"``, ``"number"``, ``"text"`` (in quotes), ``"end"``, or the sign itself (``^`` as ``**``).
    value : str, int or float
        The name without backticks, the number, the text without quotes.
    position : int
        Offset of its first character.
    quoted : bool
        Whether a name stood in backticks.
    """

    kind: str
    value: str | int | float
    position: int
    quoted: bool = False


def is_bare(name: str) -> bool:
    """Whether a column's name can be written without backticks."""
    return name.isidentifier() and name not in RESERVED


def shown(word: str) -> str:
    """Return a word of the formula as it may stand in a message: in quotes, on one line, not too long."""
    return repr(word if len(word) <= 40 else word[:37] + "...")


def brief(text: str) -> str:
    """Return a part of the formula as it may stand in a message: as it is if it is short and printable."""
    return text if len(text) <= 80 and text.isprintable() else shown(text)


def tokenize(text: str) -> list[Token]:
    """Split a formula into tokens; the last one has kind ``"end"``.

    Raises
    ------
    FormulaError
        At the first character that no token can begin with, and for text over ``MAX_CHARACTERS``.
    """
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(
            f"This formula has {len(text)} characters; at most {MAX_CHARACTERS} are read. Shorten it.",
            text,
            MAX_CHARACTERS,
        )
    tokens = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token, at = _token(text, at)
        tokens.append(token)
    tokens.append(Token("end", "", len(text)))
    return tokens


def _token(text: str, at: int) -> tuple[Token, int]:
    first = text[at]
    if first == "`":
        return _backticked(text, at)
    if first in "\"'":
        return _quoted(text, at)
    if first in "0123456789":
        return _number(text, at)
    if first.isidentifier():
        stop = _name_end(text, at)
        return Token("name", text[at:stop], at), stop
    if text.startswith(("==", "**="), at):
        raise FormulaError(_COMPARISON, text, at)
    for sign in _SIGNS:
        if text.startswith(sign, at):
            return Token("**" if sign == "^" else sign, sign, at), at + len(sign)
    raise FormulaError(_unexpected(text, at), text, at)


def _in_name(character: str) -> bool:
    # Python's own rule for identifiers: `\w` misses the vowel signs of Indic scripts.
    return ("a" + character).isidentifier()


def _name_end(text: str, at: int) -> int:
    ascii_part = _ASCII_NAME.match(text, at)
    stop = ascii_part.end() if ascii_part else at + 1
    while stop < len(text) and _in_name(text[stop]):
        stop += 1
    return stop


def _backticked(text: str, at: int) -> tuple[Token, int]:
    parts = []
    start = at + 1
    while True:
        stop = text.find("`", start)
        if stop < 0:
            raise FormulaError("This backtick is never closed. Write `column name`.", text, at)
        parts.append(text[start:stop])
        if not text.startswith("``", stop):
            return Token("name", "`".join(parts), at, quoted=True), stop + 1
        start = stop + 2


def _quoted(text: str, at: int) -> tuple[Token, int]:
    stop = text.find(text[at], at + 1)
    if stop < 0:
        raise FormulaError("This quotation mark is never closed.", text, at)
    value = text[at + 1 : stop]
    if '"' in value or "'" in value:
        raise FormulaError("A level that holds quotation marks cannot be named here; rename it in the data.", text, at)
    return Token("text", value, at), stop + 1


def _number(text: str, at: int) -> tuple[Token, int]:
    match = _NUMBER.match(text, at)
    assert match is not None
    stop = match.end()
    if stop < len(text) and _in_name(text[stop]):
        word = text[at : _name_end(text, stop)]
        raise FormulaError(f"{shown(word)} is no number. If it is a column, put it in backticks.", text, at)
    value = float(match[0])
    if not math.isfinite(value):
        raise FormulaError("This number is too large; numbers must be finite.", text, at)
    if not value.is_integer():
        return Token("number", value, at), stop
    # Without zeros in front: Python refuses to convert more than 4300 digits.
    if match[0].isdigit() and int(match[0].lstrip("0") or "0") > _LARGEST_WHOLE:
        raise FormulaError("Whole numbers above 2**53 cannot be told apart; write this one as 1.5e20, say.", text, at)
    return Token("number", int(value) if value <= _LARGEST_WHOLE else value, at), stop


def _unexpected(text: str, at: int) -> str:
    sign = text[at]
    if sign == ".":
        return _dot(text, at)
    said = f"{sign!r}" if sign.isascii() and sign.isprintable() else f"{sign!a} (U+{ord(sign):04X})"
    remedy = _REMEDIES.get(sign, "Put a column's name in backticks if this is part of it.")
    meant = _LOOKALIKES.get(sign, unicodedata.normalize("NFKC", sign))
    if meant != sign and meant.isascii():
        remedy = f"If it stands for {meant}, write that."
    return f"The character {said} has no meaning in a formula. {remedy}"


def _dot(text: str, at: int) -> str:
    start, stop = at, at + 1
    while start > 0 and _in_name(text[start - 1]):
        start -= 1
    while stop < len(text) and (text[stop] == "." or _in_name(text[stop])):
        stop += 1
    word, before, after = text[start:stop], text[start:at], text[at + 1 : stop]
    if before.isdigit():
        return "A number has one dot, between digits: write 2.0 or 2."
    if not before and after.isdigit():
        return "A number begins with a digit: write 0.5 for .5."
    if word == ".":
        return "'.' does not stand for all other columns here; write the columns out."
    function = after.rsplit(".", 1)[-1]
    if text[stop : stop + 1] != "(":
        return f"Nothing has attributes, and bare names hold no dots. Is {shown(word)} a column? Put it in backticks."
    if function in ALLOWED_FUNCTIONS:
        return f"Functions are called by their bare name: write {function}(...)."
    return f"{shown(word)} cannot be called. A formula calls {', '.join(ALLOWED_FUNCTIONS)} and nothing else."
