"""Values that a command line puts in the place of a file's: ``--set sample.draws=2000``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bayesglmm.errors import Problem, SpecificationError
from bayesglmm.spec_problems import key_text, shown
from bayesglmm.toml_source import TomlSource

__all__ = ["with_settings"]

#: One part of a key: quoted, or anything up to the next dot: a shell takes quotes away, and "sd(female)" arrives bare.
_STEP = r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s.="'][^.="']*)"""
_SETTING = re.compile(rf"\s*({_STEP}(?:\s*\.\s*{_STEP})*)\s*=(.*)", re.DOTALL)
#: Keys of which a file has one: giving the other by hand means to replace it.
_INSTEAD: Mapping[tuple[str, ...], str] = {("data", "dataset"): "path", ("data", "path"): "dataset"}


def with_settings(source: TomlSource, settings: Sequence[str]) -> TomlSource:
    """Return a source with values replaced.

    Parameters
    ----------
    source : TomlSource
        A parsed specification; it is not changed.
    settings : sequence of str
        ``KEY=VALUE`` each. Keys are dotted, parts may be quoted. A value is read as TOML; what is not TOML is text.

    Raises
    ------
    SpecificationError
        Settings that are not of this form, or that reach into something that is no table: all of them.
    """
    tables: Mapping[str, Any] = source.tables
    paths: list[tuple[str, ...]] = []
    problems: list[Problem] = []
    for setting in settings:
        try:
            path, value = _read(setting)
            tables = _put(tables, path, value)
        except ValueError as error:
            problems.append(Problem("--set", str(error), "setting"))
        else:
            paths.append(path)
    if problems:
        raise SpecificationError(problems)
    return replace(source, tables=tables, replaced=(*source.replaced, *paths))


def _read(setting: str) -> tuple[tuple[str, ...], Any]:
    found = _SETTING.fullmatch(setting)
    steps = [] if found is None else [_unquoted(step) for step in re.findall(_STEP, found[1])]
    if found is None or None in steps:
        raise ValueError(f"{shown(setting)} is given; write KEY=VALUE, for instance sample.draws=2000.")
    return tuple(map(str, steps)), _value(found[2])


def _unquoted(step: str) -> str | None:
    """Return a part of a key without its quotes, None if what is in them is no TOML text."""
    if step[0] not in "\"'":
        return step.strip()
    try:
        return str(tomllib.loads(f"key = {step}")["key"])
    except ValueError:
        return None


def _value(text: str) -> Any:
    """Return what TOML makes of a value, or the text itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    # A line break in the text could begin another key.
    return read["value"] if len(read) == 1 else text.strip()


def _put(table: Mapping[str, Any], path: tuple[str, ...], value: Any, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a copy of ``table`` with ``value`` at ``path``; tables on the way are made."""
    key, *rest = path
    here = (*above, key)
    if not rest:
        other = _INSTEAD.get(here)
        return {**{k: v for k, v in table.items() if k != other}, key: value}
    inner = table.get(key, {})
    if not isinstance(inner, Mapping):
        raise ValueError(f"{key_text((*above, *path))} is given; {key_text(here)} is no table whose keys can be set.")
    return {**table, key: _put(inner, tuple(rest), value, here)}
