"""The text of a specification: read from a file, parsed, and remembered by line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayesglmm.errors import Problem, SpecificationError, nearest
from bayesglmm.spec_problems import KeyPath, key_text, shown
from bayesglmm.toml_positions import key_lines, line_of

__all__ = ["TomlSource", "parse_source", "read_source"]

MAX_BYTES = 1_000_000
# tomllib takes time in the square of a dotted key's length; a specification's keys have three parts.
MAX_DOTS = 100


@dataclass(frozen=True)
class TomlSource:
    """Where a specification's values come from. It is no part of what a specification says: all sources are equal.

    Attributes
    ----------
    name : str
        Name of the file, for messages.
    folder : Path or None
        Folder of the file; paths in it are relative to this.
    tables : mapping
        What `tomllib` read.
    lines : mapping of path to int
        Line of each key.
    replaced : tuple of path
        Keys whose values come from the command line instead.
    """

    name: str = field(default="specification", compare=False)
    folder: Path | None = field(default=None, compare=False)
    tables: Mapping[str, Any] = field(default_factory=dict, compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=dict, compare=False)
    replaced: tuple[KeyPath, ...] = field(default=(), compare=False)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest table around it; 0 if there is none."""
        return line_of(path, self.lines) or 0

    def where(self, path: KeyPath) -> str:
        """Return file, line and key as a message says them."""
        key = f", key {key_text(path)}" if path else ""
        # Within what was set; or above it, where the file has nothing of the kind.
        above = () if path in self.lines else path
        if any(path[: len(steps)] == steps or steps[: len(above)] == above != () for steps in self.replaced):
            return f"--set{key}"
        line = self.line(path)
        return f"{self.name}, line {line}{key}" if line else f"{self.name}{key}"


def read_source(path: Path) -> TomlSource:
    """Read a specification file.

    Raises
    ------
    SpecificationError
        There is no such file, or it is not TOML in UTF-8 of at most 1 MB.
    """
    content = _content(path)
    if len(content) > MAX_BYTES:
        raise _refused(
            path.name, "is larger than 1 MB; a specification is a few dozen lines. Data go into a file of their own."
        )
    try:
        text = content.decode("utf-8-sig")  # some editors put a byte order mark in front
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(f"{path.name}, line {line}", "is not UTF-8 text; save the file as UTF-8.") from error
    return parse_source(text, path.name, path.resolve().parent)


def parse_source(text: str, name: str, folder: Path | None) -> TomlSource:
    """Parse TOML text.

    Raises
    ------
    SpecificationError
        It is not TOML; the message has the line, what stands there and, for the usual slips, what to write.
    """
    crowded = next((k for k, line in enumerate(text.split("\n"), 1) if _dots(line) > MAX_DOTS), 0)
    if crowded:
        raise _refused(
            f"{name}, line {crowded}", f"has over {MAX_DOTS} dots in a row of keys; a key has at most three parts."
        )
    try:
        tables = tomllib.loads(text)
        lines = key_lines(text)
    except RecursionError as error:
        raise _refused(name, "is nested too deeply; a specification has tables of keys and values.") from error
    except ValueError as error:  # TOMLDecodeError is one; a number of too many digits raises another
        raise _syntax_error(str(error), text, name) from error
    return TomlSource(name, folder, tables, lines)


def _refused(where: str, message: str) -> SpecificationError:
    return SpecificationError([Problem(where, message, "toml")])


def _content(path: Path) -> bytes:
    """Return the bytes of a file, at most one more than allowed."""
    where = str(path) if str(path).isprintable() and len(str(path)) < 250 else shown(str(path))
    try:
        if path.is_dir():
            raise _refused(where, "is a folder; give the path of a specification (.toml) in it.")
        if not path.is_file():
            near = nearest(path.name, [p.name for p in path.parent.glob("*.toml")])
            raise _refused(where, f"there is no such file.{near} Give the path of a specification (.toml).")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(where, f"cannot be read ({error.strerror}).") from error


def _dots(line: str) -> int:
    return 0 if line.lstrip().startswith("#") else max(part.count(".") for part in re.split("[=#]", line))


_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_HINTS = (
    ("Expected '=' after a key", 'A key with brackets, spaces or other signs stands in quotes: "sd(female)" = ...'),
    ("Invalid statement", "A line is [table], key = value, or a comment after #."),
    ("Invalid value", 'Text stands in quotes; truth values are true and false; numbers are written 0.5, not ".5".'),
    ("Invalid initial character", "A table in braces {...} stays on one line, with no comma before its end."),
    ("Unclosed inline table", "A table in braces {...} stays on one line, with no comma before its end."),
    ("Cannot ", "Write every key and every table once."),
    ("Duplicate ", "Write every key and every table once."),
    ("Unterminated string", "Close the quotes that were opened."),
    (
        "Illegal character",
        "Close the quotes that were opened; text over several lines stands in three quotes on each side.",
    ),
    ("Unescaped", "Write a backslash twice, or put the text in single quotes."),
    ("Unclosed array", "Close the bracket that was opened."),
)


def _syntax_error(said: str, text: str, name: str) -> SpecificationError:
    if said.startswith("Exceeds the limit"):
        digits = re.search(r"[0-9_]{4300}", text)
        number = text.count("\n", 0, digits.start()) + 1 if digits else 1
        return _refused(f"{name}, line {number}", "has a number of more than 4300 digits.")
    reason = _PLACE.sub("", said).rstrip(".")
    hint = next((f" {words}" for start, words in _HINTS if reason.startswith(start)), "")
    place = _PLACE.search(said)
    if place is None or place[1] is None:
        return _refused(name, f"is not valid TOML: {reason}, at the end of the text.{hint}")
    line = text.split("\n")[int(place[1]) - 1].strip()
    return _refused(f"{name}, line {place[1]}", f"{shown(line)} is not valid TOML: {reason} (column {place[2]}).{hint}")
