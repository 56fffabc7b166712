"""On which line each key of a TOML text stands: `tomllib` reads values and forgets places, and errors need them.

The text has been accepted by `tomllib` before it comes here, so that this scanner may trust its syntax.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from bayesglmm.spec_problems import KeyPath

__all__ = ["key_lines", "line_of"]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # a text may end with two quotes of its own
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[A-Za-z0-9_+.:\-]+"
    r"|\n|[\[\]{},=]",
    re.DOTALL,
)
_END = ("", 0)


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of ``path``, or of the nearest table around it that has one."""
    return next((lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in lines), None)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) on which each key and each table of a TOML text first appears.

    Parameters
    ----------
    text : str
        Valid TOML.

    Returns
    -------
    dict of path to int
        A path is a tuple of keys; elements of arrays are numbered from 0.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One pass over the tokens, by recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), _END]
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._word:
            if self._word == "\n":
                self._at += 1
            elif self._word == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    @property
    def _word(self) -> str:
        return self._tokens[self._at][0]

    def _note(self, path: KeyPath) -> None:
        self._lines.setdefault(path, self._tokens[self._at][1])

    def _header(self) -> KeyPath:
        brackets = 2 if self._tokens[self._at + 1][0] == "[" else 1
        self._at += brackets
        path: KeyPath = ()
        for key in self._key():
            # A name of an array of tables, in front of another one, means its newest element.
            path = (*path, self._counts[path] - 1, key) if path in self._counts else (*path, key)
            self._note(path)
        if brackets == 2:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
            self._note(path)
        self._at += brackets
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key in self._key():
            path = (*path, key)
            self._note(path)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> Iterator[str]:
        """Yield the parts of a dotted key; quoted parts keep their dots."""
        while self._word not in ("=", "]", ""):
            word = self._word
            if word[0] in "\"'":
                yield str(tomllib.loads(f"key = {word}")["key"])
            else:
                yield from filter(None, word.split("."))
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        if self._word == "[":
            self._array(path)
        elif self._word == "{":
            self._inline_table(path)
        else:
            while self._word not in ("\n", ",", "]", "}", ""):  # a date and its time are two tokens
                self._at += 1

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        while self._word != "]":
            if self._word == "\n":
                self._at += 1
            elif self._word == ",":
                self._at += 1
                number += 1
            else:
                self._note((*path, number))
                self._value((*path, number))
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._word != "}":
            if self._word == ",":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield (token, line); comments are left out."""
    line, last = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        if not match.group().startswith("#"):
            yield match.group(), line
