"""From what pydantic reports to sentences: what was given, where, what is allowed, the nearest word."""

from __future__ import annotations

import datetime
import json
import re
import reprlib
import types
import typing
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from bayesglmm.errors import Problem, SpecificationError, nearest

__all__ = [
    "ComplaintsError",
    "KeyPath",
    "Located",
    "key_text",
    "keys_of",
    "kind_of",
    "located",
    "near",
    "no_such_key",
    "refuse",
    "shown",
]

#: Keys and positions from the top of a specification to a value.
KeyPath = tuple[str | int, ...]


_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (dict, "a table"),
    (list, "a list"),
    (tuple, "a list"),
    (datetime.date, "a date"),
    (datetime.time, "a time"),
    (type(None), "nothing"),
)
_NEEDED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "dict_type": "a table",
    "list_type": "a list in square brackets",
    "tuple_type": "a list in square brackets",
    "model_type": "a table",
    "finite_number": "a finite number",
    "string_unicode": "text without lone surrogates",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}


class _Shortener(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes out no more than some thousand digits
            return f"a whole number of {x.bit_length()} bits"


_shortener = _Shortener(maxlevel=2, maxdict=3, maxlist=4, maxtuple=4, maxstring=60, maxother=60)


@dataclass(frozen=True)
class Located:
    """A problem and the path of the value that has it."""

    path: KeyPath
    message: str
    kind: str = "specification"


class ComplaintsError(ValueError):
    """Raised by a validator for all problems that it found; paths start at the value validated."""

    def __init__(self, items: Iterable[Located]) -> None:
        self.items = tuple(items)
        super().__init__("; ".join(item.message for item in self.items))

    @classmethod
    def one(cls, message: str, *path: str | int, kind: str = "specification") -> ComplaintsError:
        """Return a single complaint."""
        return cls([Located(path, message, kind)])

    def below(self, key: str | int) -> ComplaintsError:
        """Return the same complaints about a value that stands under ``key``."""
        return ComplaintsError(Located((key, *item.path), item.message, item.kind) for item in self.items)


def shown(value: object) -> str:
    """Return a short text, on one line, for any value that was given."""
    return re.sub(r"\s*\n\s*", " ", _shortener.repr(value))


def near(given: object, allowed: Iterable[str]) -> str:
    """Return the hint of `nearest` for text; other values (a number of a million digits) are near to nothing."""
    return nearest(given, allowed) if isinstance(given, str) else ""


def key_text(path: KeyPath) -> str:
    """Return a path as TOML writes it: ``priors."sd(female)".sigma``, ``published[0].method``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if _BARE_KEY.fullmatch(step) else json.dumps(step, ensure_ascii=False)
            text += f".{word}" if text else word
    return text


def located(error: ValidationError, model: type[BaseModel]) -> list[Located]:
    """Return every problem that pydantic found while it validated a ``model``."""
    found: list[Located] = []
    for detail in error.errors(include_url=False):
        path: KeyPath = detail["loc"]
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ComplaintsError):
            found += [Located(path + item.path, item.message, item.kind) for item in cause.items]
        else:
            found.append(Located(path, _sentence(detail, path, model), str(detail["type"])))
    return found


def refuse(items: Iterable[Located], where: Callable[[KeyPath], str] = key_text) -> NoReturn:
    """Raise all problems as one error.

    Raises
    ------
    SpecificationError
        Always.
    """
    problems = [Problem(where(item.path), item.message, item.kind) for item in items]
    raise SpecificationError(problems)


def _sentence(detail: Any, path: KeyPath, model: type[BaseModel]) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return f"this key is missing. {_description(path, model)}".strip()
    if kind == "extra_forbidden":
        return no_such_key(str(path[-1]), keys_of(_model_at(path[:-1], model)), model)
    if kind == "literal_error":
        words = _literals(path, model)
        return f"{shown(given)} is given.{near(given, words)} Allowed: {', '.join(map(repr, words))}."
    if kind in _NEEDED:
        return f"{shown(given)} ({kind_of(given)}) is given; {_NEEDED[kind]} is needed."
    if kind in _BOUNDS:
        key, relation = _BOUNDS[kind]
        return f"{shown(given)} is given; a number {relation} {context[key]} is needed."
    return f"{shown(given)} is given: {detail['msg']}."


def no_such_key(key: str, allowed: Collection[str], root: type[BaseModel]) -> str:
    """Return the sentence about a key that a table does not have.

    Parameters
    ----------
    key : str
        What was given.
    allowed : collection of str
        What the table has.
    root : type of BaseModel
        The whole document: perhaps the key belongs to another of its tables.
    """
    homes = [name for name in keys_of(root) if key in keys_of(_model_at((name,), root))]
    if key in keys_of(root):
        hint = f" It belongs to the top of the file; a table has a header of its own: [{key}]."
    else:
        hint = f" It belongs to [{homes[0]}]." if homes else nearest(key, allowed)
    return f"there is no such key here.{hint} Allowed: {', '.join(allowed)}."


def kind_of(value: object) -> str:
    """Return what a value is, in TOML's words."""
    return next((words for cls, words in _KINDS if isinstance(value, cls)), type(value).__name__)


def keys_of(model: type[BaseModel] | None) -> list[str]:
    """Return the keys of a table as a file writes them."""
    if model is None:
        return []
    fields = model.model_fields.items()
    return [field.alias or name for name, field in fields if field.exclude is not True]


def _field(step: str | int, model: type[BaseModel]) -> Any:
    return next((f for name, f in model.model_fields.items() if step in (name, f.alias)), None)


def _parts(annotation: Any) -> Iterable[Any]:
    """Yield an annotation and all that it is made of."""
    yield annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for part in typing.get_args(annotation):
            yield from _parts(part)


def _model_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model of the table at ``path``."""
    at: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue
        field = _field(step, at) if at is not None else None
        parts = _parts(field.annotation) if field is not None else ()
        at = next((p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)), None)
    return at


def _field_at(path: KeyPath, model: type[BaseModel]) -> Any:
    names = [step for step in path if isinstance(step, str)]
    parent = _model_at(tuple(names[:-1]), model) if names else None
    return _field(names[-1], parent) if parent is not None else None


def _description(path: KeyPath, model: type[BaseModel]) -> str:
    field = _field_at(path, model)
    return (field.description or "") if field is not None else ""


def _literals(path: KeyPath, model: type[BaseModel]) -> list[str]:
    field = _field_at(path, model)
    parts = _parts(field.annotation) if field is not None else ()
    return [str(w) for p in parts if typing.get_origin(p) is typing.Literal for w in typing.get_args(p)]
