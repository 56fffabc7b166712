"""On which line each key of a TOML text stands: `tomllib` reads values and forgets places, and errors need them.

The text has been accepted by `tomllib` before it comes here, so that this scanner may trust its syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Path", "key_lines", "line_of"]

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # multi-line basic string
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[A-Za-z0-9_+.:\-]+"
    r"|\n|[\[\]{},=]",
    re.DOTALL,
)


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """Return the line of ``path``, or of the nearest table around it that has one."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def key_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) on which each key and each table of a TOML text first appears.

    Parameters
    ----------
    text : str
        Valid TOML.

    Returns
    -------
    dict of path to int
        A path is a tuple of keys; elements of arrays of tables are numbered from 0.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One pass over the tokens; holds nothing after `scan`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._at < len(self._tokens):
            word, line = self._tokens[self._at]
            if word == "\n":
                self._at += 1
            elif word == "[":
                table = self._header(line)
            else:
                self._pair(table)
        return self._lines

    def _header(self, line: int) -> Path:
        double = self._at + 1 < len(self._tokens) and self._tokens[self._at + 1][0] == "["
        self._at += 2 if double else 1
        path = self._within_arrays(self._key())
        self._at += 2 if double else 1
        if double:
            number = self._counts.get(path, 0)
            self._counts[path] = number + 1
            self._lines.setdefault(path, line)
            path = (*path, number)
        self._note(path, line)
        return path

    def _within_arrays(self, keys: list[str]) -> Path:
        """Return a header's path; a name of an array of tables means its newest element."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self._counts and position < len(keys) - 1:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at][1]
        path: Path = table
        for key in self._key():
            path = (*path, key)
            self._note(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        """Read a dotted key; quoted parts keep their dots."""
        keys: list[str] = []
        while self._at < len(self._tokens):
            word, _ = self._tokens[self._at]
            if word in ("=", "]", "\n"):
                break
            keys += [_unquoted(word)] if word[0] in "\"'" else [part for part in word.split(".") if part]
            self._at += 1
        return keys

    def _value(self, path: Path) -> None:
        """Step over a value; keys inside inline tables are noted, elements of arrays numbered."""
        open_paths: list[tuple[str, Path, int]] = []
        while self._at < len(self._tokens):
            word, line = self._tokens[self._at]
            here = open_paths[-1] if open_paths else None
            if word == "\n" and here is None:
                return
            if word in "[{" and len(word) == 1:
                inside = path if here is None or here[0] == "{" else (*here[1], here[2])
                self._note(inside, line)
                open_paths.append((word, inside, 0))
                self._at += 1
                path = inside
            elif word in ("]", "}"):
                open_paths.pop()
                self._at += 1
                path = open_paths[-1][1] if open_paths else path
            elif word == "," and here is not None:
                open_paths[-1] = (here[0], here[1], here[2] + 1)
                self._at += 1
            elif here is not None and here[0] == "{" and word not in ("\n", ","):
                path = here[1]
                for key in self._key():
                    path = (*path, key)
                    self._note(path, line)
                self._at += 1
                if self._at < len(self._tokens) and self._tokens[self._at][0] not in ("[", "{"):
                    self._at += 1
            else:
                self._at += 1

    def _note(self, path: Path, line: int) -> None:
        self._lines.setdefault(path, line)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield (token, line); comments are left out."""
    line, last = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        if not match.group().startswith("#"):
            yield match.group(), line


def _unquoted(word: str) -> str:
    import tomllib

    return str(tomllib.loads(f"k = {word}")["k"])
